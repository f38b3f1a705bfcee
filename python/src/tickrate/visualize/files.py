"""The files of a run, as visualizers want them."""

from __future__ import annotations

import json
import pathlib
from typing import Any


def figures(folder: str) -> dict[str, float]:
    """The figures of a stage that are numbers, under the names of its table."""
    read: dict[str, Any] = json.loads((pathlib.Path(folder) / "summary.json").read_text(encoding="utf-8"))
    numbers = (int, float)
    return {name: value for name, value in read.items() if isinstance(value, numbers) and not isinstance(value, bool)}


def percentiles(folder: str) -> list[dict[str, Any]]:
    """The rows of a stage's percentiles, without the columns that hold nothing."""
    rows: list[dict[str, Any]] = json.loads((pathlib.Path(folder) / "percentiles.json").read_text(encoding="utf-8"))
    kept = [name for name in (rows[0] if rows else {}) if any(row[name] is not None for row in rows)]
    return [{name: row[name] for name in kept} for row in rows]


def results(folder: str) -> list[pathlib.Path]:
    """The files that describe the whole run, those of them that there are."""
    names = ("report.html", "performance_summary.txt", "run.json", "benchmark.log")
    return [path for path in (pathlib.Path(folder) / name for name in names) if path.exists()]


def plain(name: str) -> str:
    """A name of a figure in the letters that all visualizers take: `TTFT (ms)` → `TTFT_ms`."""
    words = "".join(letter if letter.isalnum() else " " for letter in name.replace("%", " percent")).split()
    return "_".join(words)
