"""Makes the README's example and its pictures: runs the quick start's sweep against the simulator, as
docs/quick-start.md has it, takes pictures of the report that comes of it, and puts the summary into README.md.

    python3 tests/browser/picture.py TICKRATE

A run whose client was itself a limit is not shown: try again on a quieter machine.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

from chromium import Chromium

ROOT = pathlib.Path(__file__).resolve().parents[2]
BEGIN, END = "<!-- made by cargo xtask picture -->\n", "<!-- until here -->\n"
# The part of the page that is in the picture: until the end of this section.
UNTIL = "document.getElementById('load').getBoundingClientRect().bottom + scrollY"


def commands():
    """The simulator's command and the sweep's, as the quick start has them."""
    text = (ROOT / "docs/quick-start.md").read_text().split("## Without a server")[1]
    sim, perf = re.findall(r"```\n(.*?)```", text, re.S)[:2]
    return sim, perf


def words(command, tickrate):
    lines = command.replace("\\\n", " ").strip()
    first, *rest = re.findall(r'"[^"]*"|\S+', lines)
    assert first == "tickrate", command
    return [tickrate, *(word.strip('"') for word in rest)]


def sweep(tickrate, folder):
    """The folder of a run of the quick start's sweep."""
    sim, perf = commands()
    server = subprocess.Popen(words(sim, tickrate), stdout=subprocess.PIPE, text=True)
    try:
        server.stdout.readline()
        subprocess.run([*words(perf, tickrate), "--no-timestamp"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    finally:
        server.kill()
        server.wait()
    (run,) = (folder / "outputs").iterdir()
    for file in run.glob("*/summary.json"):
        health = json.loads(file.read_text())["Client Health"]
        if health["client_limited"]:
            raise SystemExit(f"{file.parent.name}: {health['verdict']}; try again")
    return run


def take(report, folder):
    """Pictures of the report's beginning, light and dark."""
    folder.mkdir(exist_ok=True)
    with Chromium() as browser:
        for name, dark in (("light", False), ("dark", True)):
            page = browser.open(report.resolve().as_uri(), width=1240, height=1300, dark=dark, scale=1.25)
            file = folder / f"report-{name}.png"
            page.screenshot(file, height=page.evaluate(UNTIL) + 12)
            print(f"{file.relative_to(ROOT)}: {file.stat().st_size // 1024} KiB")


def example(run):
    """What the README shows of the run."""
    summary = (run / "performance_summary.txt").read_text()
    overview = summary[summary.index("Performance Overview:"):summary.index("Per-Request Metrics:")].rstrip()
    suggestions = summary[summary.index("Test Suggestions:"):].rstrip()
    sim, perf = commands()
    return f"```\n{sim}{perf}```\n\n```\n{overview}\n\n{suggestions}\n```\n"


def main():
    with tempfile.TemporaryDirectory() as scratch:
        run = sweep(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(scratch))
        take(run / "report.html", ROOT / "docs/images")
        readme = ROOT / "README.md"
        before, rest = readme.read_text().split(BEGIN)
        readme.write_text(before + BEGIN + "\n" + example(run) + "\n" + END + rest.split(END)[1])


if __name__ == "__main__":
    main()
