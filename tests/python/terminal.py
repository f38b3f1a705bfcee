"""Runs a command in a terminal that does not exist, and tells what could be seen on it.

    python terminal.py SCRIPT COMMAND ARGUMENT…

SCRIPT is a JSON object: `rows`, `columns`, `unread_s` (for how long nobody reads at first), and
`steps`, a list of things to do: `{"after_s": 1, "keys": "q"}`, `{"after_s": 1, "signal": "INT"}`,
`{"after_s": 1, "resize": [20, 60]}`. Instead of `after_s`, `when` names a text to wait for on the
screen. Printed is one JSON object: `code`, the exit code; `screens`, what stood on the screen, each
time that it had changed; `last`, the screen at the end; `alternate`, how often the alternate screen was
entered and left; `echo`, whether the terminal echoes again; `seconds`, how long the command ran.
"""

import fcntl
import json
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

import pyte


def set_size(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def text_of(screen):
    return "\n".join(line.rstrip() for line in screen.display).rstrip()


def main():
    script, command = json.loads(sys.argv[1]), sys.argv[2:]
    rows, columns = script.get("rows", 30), script.get("columns", 100)
    ours, theirs = os.openpty()
    set_size(ours, rows, columns)
    environment = {**os.environ, "TERM": "xterm-256color"}
    environment.pop("COLUMNS", None)
    begun = time.monotonic()
    child = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment,
                             start_new_session=True)
    screen = pyte.Screen(columns, rows)
    stream = pyte.ByteStream(screen)
    raw, screens, steps, since = bytearray(), [], list(script.get("steps", [])), begun
    time.sleep(script.get("unread_s", 0))
    deadline = begun + 60
    seconds = None
    while time.monotonic() < deadline:
        ready, _, _ = select.select([ours], [], [], 0.05)
        if ready:
            data = os.read(ours, 65536)
            raw += data
            # pyte knows no alternate screen: either of the two begins empty.
            for piece in re.split(rb"(?=\x1b\[\?1049[hl])", data):
                if piece.startswith(b"\x1b[?1049"):
                    screen.reset()
                stream.feed(piece)
            text = text_of(screen)
            if not screens or screens[-1] != text:
                screens.append(text)
        elif child.poll() is not None:
            break
        if seconds is None and child.poll() is not None:
            seconds = time.monotonic() - begun
        if steps:
            step, now = steps[0], time.monotonic()
            due = step["when"] in text_of(screen) if "when" in step else now - since >= step["after_s"]
            if due:
                steps.pop(0)
                since = now
                if "keys" in step:
                    os.write(ours, step["keys"].encode())
                if "signal" in step:
                    child.send_signal(getattr(signal, "SIG" + step["signal"]))
                if "resize" in step:
                    set_size(ours, *step["resize"])
                    screen.resize(*step["resize"])
                    child.send_signal(signal.SIGWINCH)
    else:
        child.kill()
    code = child.wait()
    print(json.dumps({
        "code": code,
        "screens": screens,
        "last": text_of(screen),
        "alternate": [raw.count(b"\x1b[?1049h"), raw.count(b"\x1b[?1049l")],
        "echo": bool(termios.tcgetattr(theirs)[3] & termios.ECHO),
        "steps_left": len(steps),
        "seconds": seconds or time.monotonic() - begun,
    }))


if __name__ == "__main__":
    main()
