"""What a visualizer can be told."""

from __future__ import annotations

import abc
from typing import Any

PROJECT = "perf_benchmark"


class Unusable(Exception):
    """A visualizer that cannot be used: what is missing, and what to do, in one line."""


class Board(abc.ABC):
    """A visualizer. Importing its module imports its SDK."""

    def check(self) -> None:
        """Raises Unusable if there is no key, or no address."""

    @abc.abstractmethod
    def begin(self, name: str, folder: str, header: dict[str, Any]) -> None:
        """The run begins. `header` has its configuration, without secrets."""

    @abc.abstractmethod
    def progress(self, stage: str, step: int, metrics: dict[str, float]) -> None:
        """The figures of a stage that is running."""

    @abc.abstractmethod
    def stage(self, stage: str, step: int, figures: dict[str, float], percentiles: list[dict[str, Any]]) -> None:
        """The figures and percentiles of a stage that is over."""

    @abc.abstractmethod
    def finish(self, folder: str) -> None:
        """The run is over; its files are in `folder`."""

    def give_up(self) -> None:
        """Something failed: what is there is to be kept, if it can be."""
