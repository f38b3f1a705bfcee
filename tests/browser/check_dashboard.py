"""Watches a run on its dashboard until it is over, and says what is wrong: one line for each fault.

    python3 tests/browser/check_dashboard.py URL FOLDER

The run has just been started; it serves the page at URL, and its results will be in FOLDER.
"""

import json
import pathlib
import sys
import time

from chromium import Chromium

# The cells of a table: a list for each row.
ROWS = """[...document.querySelectorAll('#NAME tr')].map((row) => [...row.children].map((cell) => cell.textContent))"""
# Where the lines of the charts are, and how many points each has.
LINES = """[...document.querySelectorAll('#charts svg')].map((svg) => [...svg.querySelectorAll('polyline')]
  .map((line) => line.getAttribute('points').split(' ').filter(Boolean).map((point) => point.split(',').map(Number))))"""
SETTLED = r"Number((document.getElementById('status').textContent.match(/: (\d+) of/) || [0, 0])[1])"
OVER = "document.getElementById('status').textContent === 'the run is over'"


def rows(page, name):
    return page.evaluate(ROWS.replace("NAME", name))


def number(text):
    return float(text.replace(",", ""))


def while_it_runs(page, phone):
    """What is wrong with the page as long as there is more to come."""
    page.until(f"{SETTLED} > 0")
    seen = {page.evaluate(SETTLED)}
    deadline = time.monotonic() + 20
    while len(seen) < 3 and not page.evaluate(OVER) and time.monotonic() < deadline:
        seen.add(page.evaluate(SETTLED))
        time.sleep(0.05)
    if len(seen) < 3:
        yield f"the page does not go on: {sorted(seen)}"
    load, times, health = (rows(page, name) for name in ("load", "times", "health"))
    if [row[0] for row in load] != ["in flight", "requests/s", "output tokens/s", "total tokens/s"]:
        yield f"the load is {load}"
    elif not all(number(row[1]) > 0 for row in load):
        yield f"nothing goes on: {load}"
    if [row[0] for row in times] != ["", "TTFT", "TPOT", "ITL", "latency"]:
        yield f"the times are {times}"
    if [row[0] for row in health][:1] != ["failed"] or [row[0] for row in health][-2:] != ["client CPU (%)", "loop lag (ms)"]:
        yield f"the client's health is {health}"
    for name, wide in (("desktop", page.evaluate("document.documentElement.scrollWidth")),
                       ("phone", phone.evaluate("document.documentElement.scrollWidth"))):
        if wide > (1280 if name == "desktop" else 360):
            yield f"the page is {wide} px wide on a {name}"


def at_its_end(page, folder):
    """What is wrong with the figures, beside those that the run has written."""
    head, *finished = rows(page, "finished")
    if head != ["stage", "requests", "failed", "requests/s", "tokens/s", "TTFT (ms)", "TPOT (ms)"]:
        yield f"the finished stages have {head}"
    stages = sorted(folder.glob("*/summary.json"), key=lambda file: file.stat().st_mtime)
    if [row[0] for row in finished] != [file.parent.name for file in stages]:
        yield f"the stages are {finished}"
    for row, file in zip(finished, stages):
        summary = json.loads(file.read_text())
        exact = [summary["Total Requests"], summary["Failed Requests"], round(summary["TTFT (ms)"], 1), round(summary["TPOT (ms)"], 1)]
        told = [number(row[at]) for at in (1, 2, 5, 6)]
        # A number that ends in a 5 is not rounded alike everywhere.
        if any(abs(a - b) > 0.11 for a, b in zip(exact, told)) or exact[:2] != told[:2]:
            yield f"{row[0]} is {told} on the page, and was {exact}"
        # The page divides by the time until the stage was over, the summary by that until the last completion.
        for name, at in (("Req Throughput (req/s)", 3), ("Output Throughput (tok/s)", 4)):
            if abs(number(row[at]) / summary[name] - 1) > 0.2:
                yield f"{row[0]}: {name} is {row[at]} on the page, and was {summary[name]}"
    errors = {kind: told["count"] for kind, told in summary["Errors"].items()}
    shown = {row[0].strip(): int(number(row[1])) for row in rows(page, "health")[1:-2]}
    if shown != errors or not errors:
        yield f"the errors are {shown} on the page, and were {errors}"
    lines = page.evaluate(LINES)
    if [len(chart) for chart in lines] != [1, 2, 1, 2] or not all(len(line) > 1 for chart in lines for line in chart):
        yield f"the charts have {[[len(line) for line in chart] for chart in lines]} points"
    for chart in lines:
        if any(not (0 <= y <= 160) for line in chart for _, y in line):
            yield f"a line leaves its chart: {chart}"
    for p50, p99 in (lines[1], lines[3]):
        # The page's y axis points down.
        if any(low[1] < high[1] for low, high in zip(p50, p99)):
            yield "a median is above its 99th percentile"


def main():
    url, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    with Chromium() as browser:
        page, phone = browser.open(url), browser.open(url, width=360, height=740, dark=True)
        found = list(while_it_runs(page, phone))
        page.until(OVER)
        # The summaries are written before the page is told.
        found += at_its_end(page, folder)
        for one in (page, phone):
            found += [f"the console says: {fault}" for fault in one.complaints()]
            # The page asks for itself, its events, and, as browsers do, for its icon.
            known = {url + path for path in ("", "events", "favicon.ico")}
            found += [f"the page asks for {request}" for request in one.requests() if request not in known]
        colours = [one.evaluate("getComputedStyle(document.body).backgroundColor") for one in (page, phone)]
        if colours[0] == colours[1]:
            found.append(f"light and dark are both {colours[0]}")
    print("\n".join(found) or "nothing is wrong")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
