"""The clients that are compared: how each is run, and where its report has its figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from truth import Spread
from workload import Load


@dataclass(frozen=True)
class Report:
    """What a client says of its run. Times are in milliseconds."""

    succeeded: int
    """Requests that it counts as successful."""
    ttft: Spread
    itl: Spread
    itl_is_mean: bool
    """Whether its ITL is one mean for each request, and not each interval."""
    per_token: Mapping[str, float] = field(default_factory=dict)
    """The mean time per token, under each name that it has for one."""
    verdict: str = ""
    """What it says of its own accuracy."""


class Tool(Protocol):
    """A client."""

    name: str
    version: str
    followed: str
    """The settings that it was given for high load, and where they are recommended."""

    def command(self, load: Load, url: str, folder: Path) -> list[str]:
        """The command that puts `load` on the server at `url` and leaves its files in `folder`."""

    def environment(self, load: Load) -> Mapping[str, str]:
        """Variables to set for it."""

    def report(self, folder: Path) -> Report:
        """Reads what it wrote. Raises `OSError`, `KeyError` or `ValueError` when it is not there."""
