"""The tables of `docs/comparison.md`, between its markers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from outcome import Comparison, HttpOutcome, Outcome, median
from truth import Spread

BEGIN, END = "<!-- peers: begin -->", "<!-- peers: end -->"
BUSY = 1.0
"""The load average from which on a machine has work of its own."""
HTTP_TARGET = 0.6
"""Of oha's requests per second."""


def write(path: Path, text: str) -> None:
    """Replaces what is between the markers. Raises `ValueError` where they are not there."""
    page = path.read_text(encoding="utf-8")
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} has no {BEGIN} … {END}: put them where the tables are to be")
    path.write_text(f"{before}{BEGIN}\n{text.strip()}\n{END}{after}", encoding="utf-8")


def render(comparison: Comparison, side_by_side: str) -> str:
    """All tables."""
    before, after = comparison.load_average
    realtime = all(cell.realtime for cell in comparison.outcomes)
    priority = "with real-time priority" if realtime else "without real-time priority"
    several = [cell for cell in comparison.outcomes if cell.load.frame_tokens > 1]
    single = [cell for cell in comparison.outcomes if cell.load.frame_tokens == 1]
    busy = " **The machine had other work when this began: take it as preliminary.**" if before > BUSY else ""
    parts = [
        f"Measured on {comparison.date} on {comparison.machine}. The server has the last core, {priority}, "
        "and the client the others. One run of each. Load average of the machine before and after: "
        f"{before:.2f} and {after:.2f}.{busy}",
        tools(comparison),
        "### TTFT\n\nMean / p50 / p99 in ms. The error is reported less true, of the same three.",
        spreads(single, lambda cell: (cell.report.ttft, cell.true_ttft), 1),
        "### ITL\n\nMean / p50 / p99 in ms. GuideLLM reports the mean of each request, the others each "
        "interval, and the truth beside it is by the same definition.",
        spreads(single, lambda cell: (cell.report.itl, cell.true_itl), 2),
        "### Load and cost",
        costs(single),
    ]
    if several:
        parts += [f"### Four tokens in a frame\n\n{per_token_intro(several)}", per_token(several)]
    if comparison.http:
        parts += ["### Tiny replies that are not streamed", http(comparison.http)]
    if side_by_side:
        parts += ["### Side by side with the baseline", side_by_side]
    if comparison.failures:
        parts += [
            "### What could not be measured",
            "\n".join(f"- {failure}" for failure in comparison.failures),
        ]
    parts += ["### The commands", commands(comparison)]
    return "\n\n".join(parts)


def table(head: list[str], numeric_from: int, rows: Iterable[list[str]]) -> str:
    """A table whose columns are numbers from `numeric_from` on."""
    rule = ["---" if column < numeric_from else "---:" for column in range(len(head))]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *rows])


def figures(spread: Spread, digits: int) -> str:
    """Mean, middle and tail."""
    return " / ".join(f"{value:.{digits}f}" for value in (spread.mean, spread.p50, spread.p99))


def tools(comparison: Comparison) -> str:
    """Versions and settings, and how long each takes to begin and to end."""
    rows = []
    for tool, version in comparison.versions.items():
        cells = [cell for cell in comparison.outcomes if cell.tool == tool]
        begin = f"{median([cell.startup_s for cell in cells]):.2f}" if cells else "–"
        end = f"{median([cell.end_s for cell in cells]):.2f}" if cells else "–"
        rows.append([tool, version, comparison.followed.get(tool, "–"), begin, end])
    head = ["client", "version", "settings", "launch to first request, s", "last token to end, s"]
    return table(head, 3, rows)


def spreads(cells: list[Outcome], pair: Callable[[Outcome], tuple[Spread, Spread]], digits: int) -> str:
    """Reported against true, which `pair` finds in a cell."""
    rows = []
    for cell in cells:
        reported, true = pair(cell)
        error = Spread(reported.mean - true.mean, reported.p50 - true.p50, reported.p99 - true.p99)
        rows.append(
            [
                cell.load.name,
                cell.tool,
                figures(reported, digits),
                figures(true, digits),
                figures(error, digits),
            ]
        )
    return table(["streams", "client", "reported", "true", "error"], 2, rows)


def costs(cells: list[Outcome]) -> str:
    """What the load was and what it took."""
    rows = [
        [
            cell.load.name,
            cell.tool,
            f"{cell.delivered * 100:.1f} %",
            f"{cell.lost} of {cell.answered}",
            f"{cell.cpu_us:.1f}",
            f"{cell.cpu_whole_s:.1f}",
            f"{cell.rss_mib:.0f}",
            cell.report.verdict or "–",
        ]
        for cell in cells
    ]
    head = [
        "streams",
        "client",
        "load delivered",
        "requests lost",
        "CPU µs a token",
        "CPU s in all",
        "peak MiB",
    ]
    return table([*head, "its own verdict"], 2, rows)


def per_token_intro(cells: list[Outcome]) -> str:
    """What the load was."""
    load = cells[0].load
    return (
        f"{load.streams} streams, {load.frame_tokens} tokens in a frame every {load.frame_ms:.0f} ms. The "
        "mean time per token in ms, under each name that a client has for it."
    )


def per_token(cells: list[Outcome]) -> str:
    """The time per token, reported against true."""
    rows = []
    for cell in cells:
        for name, value in cell.report.per_token.items():
            error = value - cell.true_per_token
            rows.append([cell.tool, name, f"{value:.3f}", f"{cell.true_per_token:.3f}", f"{error:+.3f}"])
    return table(["client", "its name", "reported", "true", "error"], 2, rows)


def http(cells: list[HttpOutcome]) -> str:
    """Requests a second against oha's."""
    oha = next((cell.requests_per_s for cell in cells if cell.tool == "oha"), None)
    rows = []
    for cell in cells:
        share = f"{cell.requests_per_s / oha * 100:.0f} %" if oha else "–"
        rate = f"{cell.requests_per_s:,.0f}"
        rows.append([cell.tool, rate, share, str(cell.succeeded), f"{cell.cpu_us:.1f}", f"{cell.rss_mib:.0f}"])
    head = ["client", "requests/s", "of oha's", "succeeded", "CPU µs a request", "peak MiB"]
    text = table(head, 1, rows)
    own = next((cell.requests_per_s for cell in cells if cell.tool == "tickrate"), None)
    if oha and own:
        holds = "holds" if own / oha >= HTTP_TARGET else "**does not hold**"
        text += f"\n\nThe target, at least {HTTP_TARGET * 100:.0f} % of oha's, {holds}."
    return text


def commands(comparison: Comparison) -> str:
    """The command of each client, at one load, with its folders left out."""
    lines = []
    for tool in comparison.versions:
        cells = [cell for cell in comparison.outcomes if cell.tool == tool]
        lines += [cell.command for cell in cells[-1:]]
        lines += [cell.command for cell in comparison.http if cell.tool == tool and not cells]
    return "```sh\n" + "\n".join(shortened(line) for line in lines) + "\n```"


def shortened(command: str) -> str:
    """Without the folders of this machine and the number of the port."""
    command = re.sub(r"(?<=[ =,])/[^\s,]*/", "", f" {command}").strip()
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", command)
