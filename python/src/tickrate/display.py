"""How results look in a notebook: plain tables, with every value escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .results import Percentiles, Run, Stage, Summary

# Columns of a run's table → the figures they show.
_OVERVIEW = {
    "Requests": "Total Requests",
    "Failed": "Failed Requests",
    "req/s": "Req Throughput (req/s)",
    "Latency (s)": "Avg Latency (s)",
    "TTFT (ms)": "TTFT (ms)",
    "TPOT (ms)": "TPOT (ms)",
    "Output tok/s": "Output Throughput (tok/s)",
}
_ROWS = ("50%", "90%", "99%", "max")


def number(value: Any) -> str:
    """A figure with at most four decimals; a dash for one that was not measured."""
    if value is None:
        return "—"
    if isinstance(value, float):
        return f"{value:,.4f}".rstrip("0").rstrip(".") if abs(value) < 100 else f"{value:,.1f}"
    return str(value)


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """An HTML table. Cells after the first are figures."""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = ""
    for first, *rest in rows:
        figures = "".join(f'<td style="text-align: right">{html.escape(number(cell))}</td>' for cell in rest)
        body += f'<tr><th style="text-align: left">{html.escape(str(first))}</th>{figures}</tr>'
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def summary(figures: Summary) -> str:
    plain = ((name, value) for name, value in figures.items() if isinstance(value, (int, float)))
    return table(["Metric", "Value"], plain) + _health(figures)


def _health(figures: Summary) -> str:
    verdict = (figures.client_health or {}).get("verdict")
    return f"<p>Client health: {html.escape(str(verdict))}</p>" if verdict else ""


def percentiles(figures: Percentiles) -> str:
    rows = ([name, *(column.get(row) for row in _ROWS)] for name, column in figures.items()
            if any(value is not None for value in column.values()))
    return table(["Metric", *_ROWS], rows)


def stage(one: Stage) -> str:
    return f"<h4>{html.escape(one.name)}</h4>" + summary(one.summary) + percentiles(one.percentiles)


def run(all_stages: Run) -> str:
    rows = ([stage.name, *(stage.summary.get(figure) for figure in _OVERVIEW.values())]
            for stage in all_stages.stages)
    model = html.escape(str(all_stages.config.get("model")))
    folder = html.escape(str(all_stages.folder))
    return f"<h4>{model}</h4>" + table(["Stage", *_OVERVIEW], rows) + f"<p><code>{folder}</code></p>"
