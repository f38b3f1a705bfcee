"""Makes the virtual environment of the tests once, and prints the path of its interpreter.

    python3 tests/python/venv.py                                              # the tests' own
    python3 tests/python/venv.py tests/real_server/requirements.txt real-server-venv

The environment is `target/<name>`. It is made anew only if the requirements or the Python have
changed since; otherwise this takes no longer than Python takes to start.
"""

import argparse
import fcntl
import hashlib
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def ensure(requirements, folder):
    """The interpreter of an environment in `folder` that has what `requirements` names."""
    interpreter = folder / "bin" / "python"
    stamp = folder / "requirements.sha256"
    wanted = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (stamp.exists() and stamp.read_text() == wanted):
            shutil.rmtree(folder, ignore_errors=True)
            run(sys.executable, "-m", "venv", str(folder))
            run(str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                "--requirement", str(requirements))
            stamp.write_text(wanted)
    return interpreter


def run(*command):
    """Runs a command whose output is no result of ours; ends the process if it fails."""
    if subprocess.run(command, stdout=sys.stderr).returncode != 0:
        sys.exit(f"could not make the environment: {' '.join(command)} failed; see what it wrote above")


def main():
    parser = argparse.ArgumentParser(description="Make a virtual environment for tests, once.")
    parser.add_argument("requirements", nargs="?", type=pathlib.Path,
                        default=pathlib.Path(__file__).with_name("requirements.txt"))
    parser.add_argument("name", nargs="?", default="test-venv", help="folder below target/")
    arguments = parser.parse_args()
    print(ensure(arguments.requirements, ROOT / "target" / arguments.name))


if __name__ == "__main__":
    main()
