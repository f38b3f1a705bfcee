"""Writes what is derived from the flags of `tickrate perf`: the published JSON Schema, and the arguments of the
Python package.

    python3 python/generate.py target/release/tickrate            write the files
    python3 python/generate.py --check target/release/tickrate    exit with 1 if they are not up to date
"""

import json
import pathlib
import subprocess
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parents[1]

HEAD = '''"""The arguments of a benchmark: the flags of `tickrate perf`, with `_` for `-`.

Written by python/generate.py from the command itself; do not edit.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Union

from .settings import Settings

Text = Union[str, "os.PathLike[str]"]
Json = Union[Mapping[str, Any], Sequence[Any], str]


@dataclasses.dataclass(kw_only=True, repr=False)
class Arguments(Settings):
    """What to measure, and how. An argument that is not given has the value of the environment variable of its
    flag (TICKRATE_MODEL and so on), or of the file that `config` names, or its default.

    Raises ValueError if a value is none that the flag takes.
    """
'''


def single(flag):
    """The Python type of one value of a flag."""
    if "enum" in flag:
        return "Literal[" + ", ".join(json.dumps(choice) for choice in flag["enum"]) + "]"
    types = flag["type"]
    if isinstance(types, list):
        return "Json" if "object" in types else "Text"
    return {"integer": "int", "number": "float", "boolean": "bool", "string": "Text"}[types]


def annotation(flag):
    """The Python type of a flag."""
    if "anyOf" not in flag:
        return f"{single(flag)} | None"
    forms = []
    for form in flag["anyOf"]:
        if form.get("type") == "array":
            forms.append(f"Sequence[{single(form['items'])}]")
        elif form.get("type") == "object":
            forms.append("Mapping[str, Any]")
        else:
            forms.append(single(form))
    return " | ".join([*forms, "None"])


def documentation(flag):
    """The docstring of a flag, as lines."""
    text = flag["description"].split(": ", 1)[1]
    if flag.get("type") != "boolean" and "default" in flag:
        text += f" [default: {json.dumps(flag['default'], ensure_ascii=False)}]"
    text = text.replace("\\", "\\\\")
    # A last quote would end the docstring too early.
    text += " " if text.endswith('"') else ""
    return textwrap.wrap(f'"""{text}"""', width=108, initial_indent="    ", subsequent_indent="    ",
                         drop_whitespace=True, break_long_words=False, break_on_hyphens=False)


def arguments(schema):
    """The text of arguments.py."""
    lines = ["", "    config: Text | None = None",
             '    """YAML, TOML or JSON file with any of the other arguments, each of which wins over it"""']
    for name, flag in schema["properties"].items():
        if name != "$schema":
            lines += [f"    {name.replace('-', '_')}: {annotation(flag)} = None", *documentation(flag)]
    return HEAD + "\n".join(lines) + "\n"


def main():
    check = sys.argv[1] == "--check"
    printed = subprocess.run([sys.argv[-1], "config", "schema"], check=True, capture_output=True, text=True).stdout
    files = {
        ROOT / "docs/config.schema.json": printed,
        ROOT / "python/src/tickrate/schema.json": printed,
        ROOT / "python/src/tickrate/arguments.py": arguments(json.loads(printed)),
    }
    stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        if check:
            print(f"{path.relative_to(ROOT)} is not up to date; run: python3 python/generate.py target/release/tickrate", file=sys.stderr)
        else:
            path.write_text(files[path])
    sys.exit(1 if check and stale else 0)


if __name__ == "__main__":
    main()
