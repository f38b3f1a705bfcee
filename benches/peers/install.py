"""The peers, each in a virtual environment of its own under `target/peers`, and oha beside them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / "target" / "peers"
TICKRATE = ROOT / "target" / "release" / "tickrate"
UV = "uv==0.13.9"
PACKAGES = {
    "evalscope": "evalscope[perf]==1.14.1",
    "guidellm": "guidellm[recommended]==0.8.1",
    "aiperf": "aiperf==0.13.0",
}
OHA = "1.16.0"


class InstallError(Exception):
    """A peer could not be installed."""


def program(name: str) -> Path:
    """The program of a peer."""
    folder = HOME / name / "bin"
    return folder / name


def version(name: str) -> str:
    """The version of a peer, as its environment has it."""
    code = f"import importlib.metadata as m; print(m.version({name!r}))"
    python = HOME / name / "bin" / "python"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def peers() -> None:
    """Installs those that are not there: some 8 GB in all."""
    for name, package in PACKAGES.items():
        if program(name).exists():
            continue
        uv = HOME / "uv" / "bin" / "uv"
        if not uv.exists():
            python = environment("uv")
            run([str(python), "-m", "pip", "install", "--quiet", UV])
        print(f"installing {package}", file=sys.stderr)
        run([str(uv), "pip", "install", "--quiet", "--python", str(environment(name)), package])


def environment(name: str) -> Path:
    """A new virtual environment. Returns its Python."""
    run([sys.executable, "-m", "venv", str(HOME / name)])
    return HOME / name / "bin" / "python"


def oha() -> Path:
    """oha, as it is published. Building it takes some minutes, once."""
    path = HOME / "oha" / "bin" / "oha"
    if not path.exists():
        if shutil.which("cargo") is None:
            raise InstallError("cargo is not there: install Rust, or leave oha out with --without oha")
        print(f"building oha {OHA}", file=sys.stderr)
        where = ["--root", str(HOME / "oha"), "--target-dir", str(HOME / "oha-build")]
        run(["cargo", "install", "oha", "--locked", "--version", OHA, *where])
    return path


def run(command: list[str]) -> None:
    """Runs a step; raises `InstallError` when it fails."""
    if subprocess.run(command).returncode != 0:
        raise InstallError(f"{' '.join(command)} failed; what it printed says why")
