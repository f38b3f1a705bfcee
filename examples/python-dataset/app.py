"""A dataset as a tickrate plugin: the lines of a file as questions, or made-up ones without a file.

The names in `wit_world` are those of tickrate's wit folder; componentize-py generates them, and
`componentize-py -d wit -w dataset-plugin bindings .` writes them here for an editor to complete.
"""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import host
from wit_world.imports.types import (
    Conversation,
    Message,
    Part_Text,
    PluginError_InvalidConfig,
    PluginError_InvalidData,
    Prompt_Chat,
    Turn,
)

import questions

NAME = "python-dataset"
VERSION = "0.1.0"

# What `--dataset-args` may hold. tickrate checks the options before it calls `open`.
OPTIONS = {
    "type": "object",
    "properties": {"turns": {"type": "integer", "minimum": 1, "maximum": 8, "description": "turns of each conversation"}},
    "additionalProperties": False,
}

PIECE = 1 << 20


class Info(exports.Info):
    def name(self):
        return NAME

    def version(self):
        return VERSION

    def options_schema(self, role):
        return json.dumps(OPTIONS)


class Dataset(exports.Dataset):
    def open(self, config):
        """Called once, before anything else. To begin again, tickrate makes a new instance."""
        global source
        try:
            turns = json.loads(config.options).get("turns", 1)
        except ValueError as error:
            raise Err(PluginError_InvalidConfig(str(error)))
        lines = None
        if config.dataset_path is not None:
            lines = [line for file in files() for line in questions.lines(content(file))]
        source = Source(turns, lines)

    def next(self, at_most):
        """At most so many further conversations; none means that there are no more."""
        return source.next(at_most)


class Source:
    """Where the dataset is in its questions."""

    def __init__(self, turns, lines):
        self.turns, self.lines, self.given = turns, lines, 0

    def next(self, at_most):
        last = self.given + at_most
        if self.lines is not None:
            last = min(last, len(self.lines))
        batch = [self.conversation(number) for number in range(self.given, last)]
        self.given = last
        return batch

    def conversation(self, number):
        # Random numbers come from tickrate: they follow from the seed of the run.
        question = questions.sums(number, host.random) if self.lines is None else self.lines[number]
        turns = [ask(text) for text in questions.turns(question, self.turns)]
        return Conversation(id=f"question-{number}", turns=turns, arrival_ms=None, labels=[])


# The open source. It stands here since componentize-py makes a new `Dataset` for every call.
source = None


def ask(text):
    prompt = Prompt_Chat([Message("user", [Part_Text(text)], [])])
    return Turn(prompt=prompt, max_tokens=None, think_time_ms=None, headers=[])


def files():
    try:
        return host.files()
    except Err as error:
        raise Err(PluginError_InvalidData(error.value))


def content(file):
    """A file's bytes, read in pieces."""
    try:
        return b"".join(host.read(file.name, at, PIECE) for at in range(0, file.bytes, PIECE))
    except Err as error:
        raise Err(PluginError_InvalidData(error.value))
