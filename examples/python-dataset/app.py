"""A dataset as a tickrate plugin: the lines of a file as questions, or made-up ones without a file.

`tickrate.py` is what plugins in Python share.
"""

import tickrate


class Questions(tickrate.Dataset):
    name, version = "python-dataset", "0.1.0"

    # What `--dataset-args` may hold, as a JSON Schema. tickrate checks the options before it opens the plugin.
    options = {
        "type": "object",
        "properties": {"turns": {"type": "integer", "minimum": 1, "maximum": 8, "description": "turns of each conversation"}},
        "additionalProperties": False,
    }

    def __init__(self, config):
        """Called once, before anything else. To begin again, tickrate makes a new instance."""
        self.turns = tickrate.config_object(config.options).get("turns", 1)
        self.lines = tickrate.lines() if config.dataset_path is not None else None
        self.given = 0

    def next(self, at_most):
        """At most so many further conversations; none means that there are no more."""
        last = self.given + at_most
        if self.lines is not None:
            last = min(last, len(self.lines))
        batch = [self.conversation(number) for number in range(self.given, last)]
        self.given = last
        return batch

    def conversation(self, number):
        # Random numbers come from tickrate: they follow from the seed of the run.
        question = sum_of(number, tickrate.random) if self.lines is None else self.lines[number]
        texts = [question] + ["Are you sure?"] * (self.turns - 1)
        return tickrate.conversation(f"question-{number}", [tickrate.ask(text) for text in texts])


def sum_of(number, random):
    """A question about a sum."""
    return f"{number}. What is {random() % 100} + {random() % 100}?"


Info, Dataset = tickrate.export_dataset(Questions)
