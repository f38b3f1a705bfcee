"""Opens a comparison as a reader would, and says what is wrong with it: one line for each fault.

    python3 tests/browser/check_comparison.py PAGE FIRST

FIRST is the run that the others are compared with.
"""

import pathlib
import sys

from chromium import Chromium


def main():
    path, first = sys.argv[1:]
    url, found = pathlib.Path(path).resolve().as_uri(), []
    with Chromium() as browser:
        for width, dark in ((1280, False), (1280, True), (360, False)):
            page = browser.open(url, width=width, dark=dark)
            found += [f"the console says: {fault}" for fault in page.complaints()]
            found += [f"the page asks for {request}" for request in page.requests() if request != url]
            wide = page.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                found.append(f"the page is {wide} px wide on a screen of {width}")
            if page.evaluate("document.querySelector('.sub b').textContent") != first:
                found.append("the first run is not named")
            seen = page.evaluate("document.querySelector('tbody td.text').getBoundingClientRect().right")
            if seen > width:
                found.append(f"the findings end at {seen} px on a screen of {width}")
            if page.evaluate("document.querySelectorAll('.forest .reach').length") < 8:
                found.append("the intervals are not drawn")
    print("\n".join(found) or "nothing is wrong")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
