"""Weights & Biases."""

from __future__ import annotations

import os
from typing import Any

import wandb

from .board import PROJECT, Board, Unusable
from .files import results


class WandbBoard(Board):
    def check(self) -> None:
        offline = os.environ.get("WANDB_MODE") in ("offline", "disabled", "dryrun")
        if not offline and not _key():
            raise Unusable(
                "wandb has no key; give --wandb-api-key, set WANDB_API_KEY, use wandb login, "
                "or set WANDB_MODE=offline for a run on this machine"
            )

    def begin(self, name: str, folder: str, header: dict[str, Any]) -> None:
        self.run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT), name=name, id=header["run_id"],
            dir=os.environ.get("WANDB_DIR", folder), config=header["config"], settings=wandb.Settings(silent=True),
        )

    def progress(self, stage: str, step: int, metrics: dict[str, float]) -> None:
        self.run.log({f"live/{name}": value for name, value in metrics.items()}, step=step)

    def stage(self, stage: str, step: int, figures: dict[str, float], percentiles: list[dict[str, Any]]) -> None:
        columns = list(percentiles[0]) if percentiles else []
        rows = [[row[name] for name in columns] for row in percentiles]
        self.run.log({
            **{f"stage/{name}": value for name, value in figures.items()},
            f"percentiles/{stage}": wandb.Table(columns=columns, data=rows),
        }, step=step)
        for name, value in figures.items():
            self.run.summary[f"{stage}/{name}"] = value

    def finish(self, folder: str) -> None:
        artifact = wandb.Artifact(f"results-{self.run.id}", type="results")
        for path in results(folder):
            artifact.add_file(str(path))
            if path.suffix == ".html":
                self.run.log({"report": wandb.Html(path.read_text(encoding="utf-8"), inject=False)})
        self.run.log_artifact(artifact)
        self.run.finish()

    def give_up(self) -> None:
        wandb.finish(exit_code=1)


def _key() -> str | None:
    key = os.environ.get("WANDB_API_KEY") or wandb.api.api_key
    return str(key) if key else None
