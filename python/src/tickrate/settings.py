"""What arguments have in common: they are checked against the schema of the command's flags, and become the
environment that the command reads them from."""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import functools
import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

Self = TypeVar("Self", bound="Settings")


@functools.cache
def schema() -> dict[str, Any]:
    """The JSON Schema of the flags: what `tickrate config schema` prints."""
    text = (pathlib.Path(__file__).parent / "schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@dataclasses.dataclass
class Settings:
    """The base of `Arguments`."""

    def __post_init__(self) -> None:
        self.validate()

    def validate(self) -> None:
        """Raises ValueError if a value is none that its flag takes. Whether they make sense together is
        checked by the command, before it sends anything."""
        for name, value in self.to_dict().items():
            flag = name.replace("_", "-")
            expected = {"type": "string"} if flag == "config" else schema()["properties"].get(flag, {})
            if not _fits(value, expected):
                raise ValueError(f"{name}: takes {_described(expected)}, not {_shown(name, value)}")

    @classmethod
    def from_dict(cls: type[Self], values: Mapping[str, Any]) -> Self:
        """Arguments from a dictionary, whose keys may have `-` for `_`. Values that are None are left out."""
        known = {field.name for field in dataclasses.fields(cls)}
        given = {}
        for key, value in values.items():
            name = key.replace("-", "_")
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise ValueError(f"{key}: is no argument of tickrate perf{hint}")
            if value is not None:
                given[name] = value
        return cls(**given)

    @classmethod
    def from_args(cls: type[Self], namespace: argparse.Namespace) -> Self:
        """Arguments from an `argparse.Namespace`."""
        return cls.from_dict(vars(namespace))

    def to_dict(self) -> dict[str, Any]:
        """The arguments that are given, with paths as texts."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: _plain(value) for name, value in values.items() if value is not None}

    def to_environment(self) -> dict[str, str]:
        """The environment variables that say the same. Secrets are not on the command line this way, where
        all users of the machine could read them."""
        variables = {}
        for name, value in self.to_dict().items():
            if isinstance(value, bool):
                text = "true" if value else "false"
            elif isinstance(value, (dict, list)):
                text = json.dumps(value)
            elif _is_list(schema()["properties"].get(name.replace("_", "-"), {})):
                # As a list, or a text would be divided at its spaces.
                text = json.dumps([value])
            else:
                text = str(value)
            variables[f"TICKRATE_{name.upper()}"] = text
        return variables

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={_shown(name, value)}" for name, value in self.to_dict().items())
        return f"{type(self).__name__}({given})"


def _plain(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_plain(item) for item in value]
    return value


_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


def _types(expected: Mapping[str, Any]) -> list[str]:
    types = expected.get("type", list(_TYPES))
    return [types] if isinstance(types, str) else list(types)


def _fits(value: Any, expected: Mapping[str, Any]) -> bool:
    if "anyOf" in expected:
        return any(_fits(value, form) for form in expected["anyOf"])
    if "enum" in expected and value not in expected["enum"]:
        return False
    if isinstance(value, bool) and "boolean" not in _types(expected):
        return False
    if not any(isinstance(value, _TYPES[name]) for name in _types(expected)):
        return False
    if isinstance(value, list) and "items" in expected:
        return len(value) <= expected.get("maxItems", len(value)) and all(_fits(item, expected["items"]) for item in value)
    return True


def _is_list(expected: Mapping[str, Any]) -> bool:
    return any("items" in form for form in expected.get("anyOf", []))


def _described(expected: Mapping[str, Any]) -> str:
    if "enum" in expected:
        return "one of " + ", ".join(expected["enum"])
    if "anyOf" in expected:
        first = _described(expected["anyOf"][0])
        most = next((form["maxItems"] for form in expected["anyOf"] if "maxItems" in form), None)
        return f"{first}, or a list of " + (f"at most {most} of them" if most else "them")
    names = {"integer": "a whole number", "number": "a number", "boolean": "True or False", "string": "a text",
             "object": "a dictionary", "array": "a list"}
    return " or ".join(names[name] for name in _types(expected))


_SECRETS = ("key", "headers", "token", "secret", "password")


def _shown(name: str, value: Any) -> str:
    return "'**********'" if any(word in name.split("_") for word in _SECRETS) else repr(value)
