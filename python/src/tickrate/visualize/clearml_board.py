"""ClearML."""

from __future__ import annotations

import os
from typing import Any

from clearml import Task

from .board import PROJECT, Board, Unusable
from .files import results


class ClearmlBoard(Board):
    def check(self) -> None:
        self.offline = os.environ.get("CLEARML_OFFLINE_MODE", "").lower() in ("1", "true", "yes")
        keys = os.environ.get("CLEARML_API_ACCESS_KEY") and os.environ.get("CLEARML_API_SECRET_KEY")
        file = os.path.expanduser(os.environ.get("CLEARML_CONFIG_FILE", "~/clearml.conf"))
        if not self.offline and not keys and not os.path.exists(file):
            raise Unusable(
                "clearml has no key; use clearml-init, set CLEARML_API_ACCESS_KEY and CLEARML_API_SECRET_KEY, "
                "or set CLEARML_OFFLINE_MODE=1 for a session on this machine"
            )

    def begin(self, name: str, folder: str, header: dict[str, Any]) -> None:
        # Its reporter is a thread instead of a forked process, which would inherit the locks of this one's threads.
        # ClearML has a setting for it in its file (sdk.development.report_use_subprocess), and no variable.
        Task._report_subprocess_enabled = False
        if self.offline:
            Task.set_offline(offline_mode=True)
        self.task = Task.init(
            project_name=os.environ.get("CLEARML_PROJECT_NAME", PROJECT), task_name=name,
            task_type=Task.TaskTypes.testing, reuse_last_task_id=False,
            auto_connect_frameworks=False, auto_resource_monitoring=False, auto_connect_arg_parser=False,
        )
        self.task.connect_configuration(header["config"], name="tickrate")
        self.logger = self.task.get_logger()

    def progress(self, stage: str, step: int, metrics: dict[str, float]) -> None:
        for name, value in metrics.items():
            self.logger.report_scalar("live", name, value, iteration=step)

    def stage(self, stage: str, step: int, figures: dict[str, float], percentiles: list[dict[str, Any]]) -> None:
        for name, value in figures.items():
            self.logger.report_scalar("Performance Metrics", name, value, iteration=step)
            self.logger.report_single_value(f"{stage}/{name}", value)
        columns = list(percentiles[0]) if percentiles else []
        rows = [columns, *([row[name] for name in columns] for row in percentiles)]
        self.logger.report_table("Percentiles", stage, iteration=step, table_plot=rows)

    def finish(self, folder: str) -> None:
        for path in results(folder):
            self.task.upload_artifact(path.name, artifact_object=str(path))
        self.task.flush(wait_for_uploads=True)
        self.task.close()

    def give_up(self) -> None:
        self.task.mark_failed(force=True)
        self.task.close()
