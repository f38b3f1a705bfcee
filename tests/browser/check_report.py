"""Opens a report as a reader would, and says what is wrong with it: one line for each fault.

    python3 tests/browser/check_report.py REPORT NAME

NAME is a text that has to be shown as it is, whatever it looks like: a model's name with markup in it.
"""

import pathlib
import sys

from chromium import Chromium

# The last thing that the keyboard reaches: beyond it is the browser's own window, which draws no page.
LAST = """(() => { const all = [...document.querySelectorAll('a[href], button, select, [tabindex="0"]')]
  .filter((one) => one.tabIndex === 0 && one.getBoundingClientRect().width > 0);
  return document.activeElement === all[all.length - 1]; })()"""
FOCUS = """(() => { const at = document.activeElement; const box = at.getBoundingClientRect();
  return [at.tagName.toLowerCase(), at.id || at.getAttribute('aria-label') || at.textContent.trim(),
          box.width > 0 && getComputedStyle(at).visibility === 'visible']; })()"""


def luminance(page, selector, what):
    """How bright a colour of the page is, from 0 to 255."""
    return page.evaluate(f"""(() => {{ const [r, g, b] = getComputedStyle(document.querySelector('{selector}')).{what}
        .match(/[\\d.]+/g).map(Number); return 0.3 * r + 0.6 * g + 0.1 * b; }})()""")


def faults(browser, url, name):
    """Everything that is wrong."""
    page = browser.open(url)
    yield from ((f"the heading is not the model's name but: {heading}")
                for heading in [page.evaluate("document.querySelector('h1').textContent")] if heading != name)
    if page.evaluate("document.querySelectorAll('script').length") != 3:
        yield "there is a script that is not the page's own"
    charts = page.evaluate("[...document.querySelectorAll('.plot')].filter((plot) => plot.clientWidth > 0)"
                           ".map((plot) => [plot.id || plot.dataset.chart, plot.querySelectorAll('svg *').length])")
    if len(charts) < 8:
        yield f"only these charts are shown: {charts}"
    yield from (f"the chart {chart} is empty" for chart, parts in charts if parts < 8)
    wide = page.evaluate("document.documentElement.scrollWidth")
    if wide > 1280:
        yield f"the page is {wide} px wide on a screen of 1280"

    # The keyboard reaches everything, in the order of the page, and moves within tabs and charts.
    order, seen = [], set()
    for _ in range(60):
        page.press("Tab")
        tag, label, visible = page.evaluate(FOCUS)
        if tag == "body" or (tag, label) in seen:
            break
        seen.add((tag, label))
        order.append((tag, label))
        if page.evaluate(LAST):
            break
        if not visible:
            yield f"the focus is on something that cannot be seen: {tag} {label}"
    tags = [tag for tag, _ in order]
    if [label for _, label in order[:2]] != ["Skip to the results", "theme"]:
        yield f"the focus begins at {order[:2]}"
    for tag in ("a", "select", "button", "svg", "div"):
        if tag not in tags:
            yield f"the keyboard never reaches a {tag}: {order}"
    tops = page.evaluate("[...document.querySelectorAll('nav a')].every((link) => document.querySelector(link.getAttribute('href')))")
    if not tops:
        yield "a link of the navigation leads nowhere"
    page.evaluate("document.querySelector('[role=tab][aria-selected=true]').focus()")
    before = page.evaluate("document.activeElement.id")
    page.press("Home")
    page.press("ArrowRight")
    after = page.evaluate("[document.activeElement.id, document.activeElement.getAttribute('aria-selected')]")
    if after != ["tab-1", "true"]:
        yield f"the arrow keys do not move between tabs: {before} {after}"
    page.until("document.querySelector('#stage-1 .plot svg') !== null")
    page.evaluate("document.querySelector('#stage-1 .plot svg').focus()")
    page.press("ArrowRight")
    tip = page.evaluate("document.querySelector('#stage-1 .tip:not([hidden])')?.textContent")
    if not tip or "values" not in tip:
        yield f"a chart does not say what is at the cursor: {tip}"

    # Light, dark, and the switch between them.
    if luminance(page, "body", "backgroundColor") < 200:
        yield "the light theme is dark"
    page.evaluate("document.getElementById('theme').focus()")
    page.press("Enter")
    if luminance(page, "body", "backgroundColor") > 60:
        yield "the switch does not make the page dark"
    page.evaluate("localStorage.clear()")
    for fault in page.complaints():
        yield f"the console says: {fault}"
    yield from (f"the page asks for {request}" for request in page.requests() if request != url)

    dark = browser.open(url, dark=True)
    if luminance(dark, "body", "backgroundColor") > 60 or luminance(dark, "h1", "color") < 200:
        yield "a reader who prefers the dark gets the light"

    # A phone.
    phone = browser.open(url, width=360, height=740)
    wide = phone.evaluate("document.documentElement.scrollWidth")
    if wide > 360:
        yield f"the page is {wide} px wide on a phone of 360"
    small = phone.evaluate("[...document.querySelectorAll('.plot')].filter((plot) => plot.clientWidth > 0 && plot.clientWidth < 250).length")
    if small:
        yield f"{small} charts are too narrow to read on a phone"
    for fault in dark.complaints() + phone.complaints():
        yield f"the console says: {fault}"


def main():
    path, name = sys.argv[1:]
    with Chromium() as browser:
        found = 0
        for fault in faults(browser, pathlib.Path(path).resolve().as_uri(), name):
            found += 1
            print(fault, flush=True)
    print("nothing is wrong" if found == 0 else f"{found} faults")
    sys.exit(found > 0)


if __name__ == "__main__":
    main()
