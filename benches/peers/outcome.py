"""What one client did with one load: what it reports, beside what the server did."""

from __future__ import annotations

import json
import math
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from measured import Usage
from tools import Report
from truth import Spread, Truth
from workload import Load


@dataclass(frozen=True)
class Outcome:
    """One cell of the comparison. Times are in milliseconds, unless they say otherwise."""

    tool: str
    load: Load
    command: str
    """As it was run."""
    report: Report
    true_ttft: Spread
    true_itl: Spread
    """By the tool's own definition: of each interval, or of the means of requests."""
    true_per_token: float
    answered: int
    """Requests that the server answered to the end."""
    delivered: float
    """Tokens in the time between the first request and the last token, as a share of the ideal."""
    startup_s: float
    """From the launch to the arrival of the first request."""
    end_s: float
    """From the last token to the moment when the tool was gone."""
    cpu_us: float
    """CPU time a token, from the first request to the last token."""
    cpu_whole_s: float
    """CPU time from the launch to the end."""
    rss_mib: float
    """The most memory that its processes had resident."""
    realtime: bool
    """Whether the server had real-time priority."""

    @property
    def lost(self) -> int:
        """Requests that the server answered to the end and the tool does not report."""
        return self.answered - self.report.succeeded


def of(
    tool: str, load: Load, command: list[str], report: Report, truth: Truth, usage: Usage, *, realtime: bool
) -> Outcome:
    """Compares a report with the truth of the same run."""
    first_ns, last_ns = truth.first_ns, truth.last_ns
    under_load_s = usage.cpu_at(last_ns) - usage.cpu_at(first_ns)
    ideal = load.requests * load.tokens / load.ideal_s
    return Outcome(
        tool=tool,
        load=load,
        command=shlex.join(command),
        report=report,
        true_ttft=truth.ttft(),
        true_itl=truth.times_per_token() if report.itl_is_mean else truth.gaps(),
        true_per_token=truth.times_per_token().mean,
        answered=truth.whole,
        delivered=truth.tokens / ((last_ns - first_ns) / 1e9) / ideal,
        startup_s=(first_ns - usage.launched_ns) / 1e9,
        end_s=(usage.ended_ns - last_ns) / 1e9,
        cpu_us=under_load_s / truth.tokens * 1e6,
        cpu_whole_s=usage.cpu_s,
        rss_mib=usage.rss_mib,
        realtime=realtime,
    )


@dataclass(frozen=True)
class HttpOutcome:
    """Tiny replies that are not streamed, as fast as they go."""

    tool: str
    command: str
    requests_per_s: float
    """What it reports."""
    succeeded: int
    cpu_us: float
    """CPU time a request, from the launch to the end."""
    rss_mib: float


@dataclass(frozen=True)
class Comparison:
    """All of it."""

    machine: str
    date: str
    load_average: tuple[float, float]
    """That of the machine, before and after."""
    versions: dict[str, str]
    followed: dict[str, str]
    outcomes: list[Outcome]
    http: list[HttpOutcome]
    failures: list[str]
    """Clients that could not be measured, and why."""

    def save(self, path: Path) -> None:
        """Keeps it, so that the page can be written again."""
        path.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")

    @staticmethod
    def load(path: Path) -> Comparison:
        """Reads what `save` wrote."""
        fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        fields["outcomes"] = [restored(cell) for cell in fields["outcomes"]]
        fields["http"] = [HttpOutcome(**cell) for cell in fields["http"]]
        before, after = fields["load_average"]
        fields["load_average"] = (before, after)
        return Comparison(**fields)


def restored(cell: dict[str, Any]) -> Outcome:
    """An outcome from its fields."""
    report = cell.pop("report")
    for name in ("ttft", "itl"):
        report[name] = Spread(**report[name])
    for name in ("true_ttft", "true_itl"):
        cell[name] = Spread(**cell[name])
    return Outcome(report=Report(**report), load=Load(**cell.pop("load")), **cell)


def median(values: list[float]) -> float:
    """The middle one; of none it is not a number."""
    return sorted(values)[len(values) // 2] if values else math.nan
