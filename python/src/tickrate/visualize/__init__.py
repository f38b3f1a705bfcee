"""Shows a run in wandb, swanlab, clearml or mlflow, through the SDK of each.

`tickrate perf --visualizer KIND` starts `python -m tickrate.visualize KIND` beside the run and writes what happens
to its standard input, a JSON object in each line. It answers `ready` once the SDK is there and can work, or one
line that says why it cannot.
"""
