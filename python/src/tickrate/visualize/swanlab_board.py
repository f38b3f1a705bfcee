"""SwanLab."""

from __future__ import annotations

import importlib
import os
from typing import Any

import swanlab

from .board import PROJECT, Board, Unusable
from .files import results


class SwanlabBoard(Board):
    def check(self) -> None:
        self.local = os.environ.get("SWANLAB_API_KEY") == "local" or os.environ.get("SWANLAB_MODE") in ("local", "offline", "disabled")
        if self.local:
            if os.environ.get("SWANLAB_API_KEY") == "local":
                del os.environ["SWANLAB_API_KEY"]
            if os.environ.get("SWANLAB_MODE", "local") == "local":
                # What swanlab's local mode writes with; it would only log that it is missing.
                importlib.import_module("swanboard")
            return
        home = os.path.expanduser(os.environ.get("SWANLAB_SAVE_DIR", "~/.swanlab"))
        if not os.environ.get("SWANLAB_API_KEY") and not os.path.exists(os.path.join(home, ".netrc")):
            raise Unusable(
                "swanlab has no key; give --swanlab-api-key, set SWANLAB_API_KEY, use swanlab login, "
                "or give --swanlab-api-key local for a run on this machine"
            )

    def begin(self, name: str, folder: str, header: dict[str, Any]) -> None:
        if not self.local:
            swanlab.login(api_key=os.environ.get("SWANLAB_API_KEY"), host=os.environ.get("SWANLAB_HOST"), save=False)
        mode = os.environ.get("SWANLAB_MODE") or ("local" if self.local else "online")
        swanlab.init(
            project=os.environ.get("SWANLAB_PROJ_NAME", PROJECT), workspace=os.environ.get("SWANLAB_WORKSPACE"),
            experiment_name=name, config=header["config"], mode=mode,
            logdir=os.environ.get("SWANLAB_LOG_DIR", os.path.join(folder, "swanlog")),
        )

    def progress(self, stage: str, step: int, metrics: dict[str, float]) -> None:
        swanlab.log({f"live/{name}": value for name, value in metrics.items()}, step=step)

    def stage(self, stage: str, step: int, figures: dict[str, float], percentiles: list[dict[str, Any]]) -> None:
        swanlab.log({f"stage/{name}": value for name, value in figures.items()}, step=step)
        table = swanlab.echarts.Table()
        columns = list(percentiles[0]) if percentiles else []
        table.add(columns, [[str(row[name]) for name in columns] for row in percentiles])
        swanlab.log({f"percentiles/{stage}": table}, step=step)

    def finish(self, folder: str) -> None:
        for path in results(folder):
            if path.suffix == ".html":
                swanlab.log({path.name: swanlab.Html(path)})
            elif path.suffix == ".txt":
                swanlab.log({path.name: swanlab.Text(path.read_text(encoding="utf-8"))})
            swanlab.save(path, base_path=folder, policy="now")
        swanlab.finish()

    def give_up(self) -> None:
        swanlab.finish()
