"""Headless Chromium over its debugging pipe, with nothing but Python's own library.

    with Chromium() as browser:
        page = browser.open("file:///tmp/report.html", width=360, dark=True)
        page.evaluate("document.title")
"""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome")


def binary():
    """The browser of this machine; ends the process with advice if there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise SystemExit("there is no Chromium: apt-get install chromium-headless-shell")
    return found


class Chromium:
    """A browser of its own, with a profile of its own, that ends with the block."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        to_browser, self.write = os.pipe()
        self.read, from_browser = os.pipe()

        def wire():
            # The browser reads from 3 and writes to 4. Both ends are moved out of the way first.
            ours = [os.dup(to_browser), os.dup(from_browser)]
            high = [fcntl_dup(fd, 20) for fd in ours]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.process = subprocess.Popen(
            [binary(), "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
             "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
             "--hide-scrollbars", f"--user-data-dir={self.folder.name}", "about:blank"],
            preexec_fn=wire, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self.buffer, self.number, self.events = b"", 0, []
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.write)
        os.close(self.read)
        self.folder.cleanup()

    def message(self, deadline):
        """The next message of the browser."""
        while b"\0" not in self.buffer:
            if time.monotonic() > deadline:
                raise TimeoutError("the browser does not answer")
            piece = os.read(self.read, 1 << 16)
            if not piece:
                raise EOFError("the browser has ended")
            self.buffer += piece
        text, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(text)

    def call(self, method, session=None, **parameters):
        """What the browser answers to a command."""
        self.number += 1
        command = {"id": self.number, "method": method, "params": parameters}
        if session:
            command["sessionId"] = session
        os.write(self.write, json.dumps(command).encode() + b"\0")
        deadline = time.monotonic() + 30
        while True:
            message = self.message(deadline)
            if message.get("id") == self.number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            self.events.append(message)

    def open(self, url, width=1280, height=900, dark=False, scale=1):
        """A page that has loaded, on a screen with `scale` pixels for each of the page's."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        page.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale,
                  mobile=width < 600)
        page.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        page.call("Page.navigate", url=url)
        page.until("document.readyState === 'complete'")
        # Two frames later whatever draws itself when it is seen has done so.
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return page


class Page:
    """A tab."""

    def __init__(self, browser, session):
        self.browser, self.session = browser, session

    def call(self, method, **parameters):
        return self.browser.call(method, session=self.session, **parameters)

    def evaluate(self, expression):
        """The value of an expression of JavaScript; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def until(self, expression):
        """Waits until an expression is true, for 20 s at most."""
        deadline = time.monotonic() + 20
        while not self.evaluate(expression):
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited in vain for: {expression}")
            time.sleep(0.02)

    def press(self, key, code=None):
        """Presses a key and lets it go."""
        codes = {"Tab": 9, "Enter": 13, "ArrowRight": 39, "ArrowLeft": 37, "End": 35, "Home": 36, " ": 32}
        text = {"Enter": "\r", " ": " "}.get(key)
        for kind in ("keyDown", "keyUp"):
            extra = {"text": text} if text and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=code or key,
                      windowsVirtualKeyCode=codes[key], **extra)

    def screenshot(self, path, height=None):
        """A picture of the page, all of it or its first `height` pixels."""
        clip = {**self.size(), **({"height": height} if height else {}), "x": 0, "y": 0, "scale": 1}
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def size(self):
        box = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"width": box["width"], "height": box["height"]}

    def complaints(self):
        """Every error, warning and refusal on the console so far."""
        self.evaluate("0")
        out = []
        for event in self.browser.events:
            if event.get("sessionId") != self.session:
                continue
            method, given = event.get("method"), event.get("params", {})
            if method == "Log.entryAdded":
                out.append(given["entry"]["text"])
            elif method == "Runtime.exceptionThrown":
                out.append(str(given["exceptionDetails"]))
            elif method == "Runtime.consoleAPICalled":
                out.append(str(given["args"]))
        return out

    def requests(self):
        """The addresses that the page has asked for."""
        events = [event for event in self.browser.events if event.get("sessionId") == self.session]
        return [event["params"]["request"]["url"] for event in events
                if event.get("method") == "Network.requestWillBeSent"]


def fcntl_dup(fd, least):
    import fcntl
    return fcntl.fcntl(fd, fcntl.F_DUPFD, least)
