"""Where the `tickrate` binary of this installation is."""

from __future__ import annotations

import os
import pathlib
import shutil
import sys
import sysconfig

from .errors import TickrateError


def find_binary() -> str:
    """The path of the binary: that of the environment variable TICKRATE_BINARY, else the one that was
    installed with this module, else the one on the PATH.

    Raises TickrateError if there is none.
    """
    given = os.environ.get("TICKRATE_BINARY")
    if given:
        return given
    package = pathlib.Path(__file__).resolve().parent
    folders = [
        pathlib.Path(sysconfig.get_path("scripts")),
        pathlib.Path(sys.executable).parent,
        # `pip install --target` and `--user` have their scripts beside or above their packages.
        package.parent / "bin",
        *(folder / "bin" for folder in package.parents[2:4]),
    ]
    for folder in folders:
        if (folder / "tickrate").is_file():
            return str(folder / "tickrate")
    found = shutil.which("tickrate")
    if found is None:
        raise TickrateError("the tickrate binary is not installed; install it with: pip install --force-reinstall tickrate")
    return found
