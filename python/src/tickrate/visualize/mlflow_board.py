"""MLflow."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import mlflow

from .board import PROJECT, Board
from .files import plain, results

# The longest value of a parameter that servers of every version take.
_LONGEST = 500


class MlflowBoard(Board):
    def begin(self, name: str, folder: str, header: dict[str, Any]) -> None:
        mlflow.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT))
        mlflow.start_run(run_name=name)
        mlflow.set_tags({"tickrate.run_id": header["run_id"], "tickrate.version": header["tickrate_version"]})
        parameters = {key: str(value)[:_LONGEST] for key, value in _flat(header["config"])}
        mlflow.log_params(parameters)

    def progress(self, stage: str, step: int, metrics: dict[str, float]) -> None:
        mlflow.log_metrics({f"live/{name}": value for name, value in metrics.items()}, step=step)

    def stage(self, stage: str, step: int, figures: dict[str, float], percentiles: list[dict[str, Any]]) -> None:
        mlflow.log_metrics({f"stage/{plain(name)}": value for name, value in figures.items()}, step=step)
        mlflow.log_metrics({f"{stage}/{plain(name)}": value for name, value in figures.items()})
        mlflow.log_dict({"figures": figures, "percentiles": percentiles}, f"{stage}.json")

    def finish(self, folder: str) -> None:
        for path in results(folder):
            mlflow.log_artifact(str(path))
        mlflow.end_run()

    def give_up(self) -> None:
        mlflow.end_run("FAILED")


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{plain(key)}.")
        else:
            yield f"{prefix}{plain(key)}", value
