"""What the simulator did, from the file that it writes, in the terms of the clients' reports."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

NS_PER_MS = 1e6


@dataclass(frozen=True)
class Spread:
    """A distribution, in milliseconds."""

    mean: float
    p50: float
    p99: float

    @staticmethod
    def of(values: Iterable[float]) -> Spread:
        """That of `values`; of none it is not a number."""
        ordered = sorted(values)
        if not ordered:
            return Spread(math.nan, math.nan, math.nan)
        return Spread(sum(ordered) / len(ordered), quantile(ordered, 0.5), quantile(ordered, 0.99))


def quantile(ordered: Sequence[float], share: float) -> float:
    """Interpolates linearly between the two nearest of the ordered values, as numpy does."""
    place = (len(ordered) - 1) * share
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


@dataclass(frozen=True)
class Served:
    """A request that was answered with tokens. Times are those of CLOCK_MONOTONIC."""

    arrived_ns: int
    """When it was there, by the kernel's stamp."""
    frame_ns: tuple[int, ...]
    """The moment before each frame with tokens was written."""
    frame_tokens: tuple[int, ...]
    whole: bool
    """Whether the client stayed until the end."""

    @property
    def ttft_ms(self) -> float:
        """From the request, there, to the first frame, written."""
        return (self.frame_ns[0] - self.arrived_ns) / NS_PER_MS

    @property
    def latency_ms(self) -> float:
        """From the request, there, to the last frame, written."""
        return (self.frame_ns[-1] - self.arrived_ns) / NS_PER_MS

    @property
    def tokens(self) -> int:
        """Tokens that were written."""
        return sum(self.frame_tokens)

    def gaps_ms(self) -> list[float]:
        """The intervals between frames."""
        return [(later - earlier) / NS_PER_MS for earlier, later in itertools.pairwise(self.frame_ns)]

    def time_per_token_ms(self) -> float | None:
        """The time in which all tokens but those of the first frame came, divided by their number."""
        later = self.tokens - self.frame_tokens[0]
        return (self.frame_ns[-1] - self.frame_ns[0]) / NS_PER_MS / later if later else None


class Truth:
    """All requests of a run."""

    def __init__(self, served: list[Served]) -> None:
        """`served` are in any order."""
        self.served = served

    @staticmethod
    def read(path: Path) -> Truth:
        """Reads the file of `tickrate sim --truth`. Probes, which were sent no token, are left out."""
        served = []
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                fields = json.loads(line)
                if fields["frame_ns"]:
                    served.append(
                        Served(
                            arrived_ns=fields["arrived_ns"],
                            frame_ns=tuple(fields["frame_ns"]),
                            frame_tokens=tuple(fields["frame_tokens"]),
                            whole=fields["status"] == 200 and not fields["client_closed"],
                        )
                    )
        return Truth(served)

    @property
    def first_ns(self) -> int:
        """When the first request was there."""
        return min(request.arrived_ns for request in self.served)

    @property
    def last_ns(self) -> int:
        """The moment before the last token was written."""
        return max(request.frame_ns[-1] for request in self.served)

    @property
    def whole(self) -> int:
        """Requests that were answered to the end."""
        return sum(request.whole for request in self.served)

    @property
    def tokens(self) -> int:
        """Tokens that were written."""
        return sum(request.tokens for request in self.served)

    def ttft(self) -> Spread:
        """The TTFT of all requests."""
        return Spread.of(request.ttft_ms for request in self.served)

    def latency(self) -> Spread:
        """The latency of all requests."""
        return Spread.of(request.latency_ms for request in self.served)

    def gaps(self) -> Spread:
        """All intervals of all requests, each counted once."""
        return Spread.of(gap for request in self.served for gap in request.gaps_ms())

    def times_per_token(self) -> Spread:
        """One value for each request."""
        values = (request.time_per_token_ms() for request in self.served)
        return Spread.of(value for value in values if value is not None)
