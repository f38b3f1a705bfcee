"""Run with: componentize-py -d wit -w dataset-plugin bindings bindings && PYTHONPATH=bindings python3 -m unittest"""

import unittest

import app
import tickrate
from wit_world.imports.types import RunConfig


class Questions(unittest.TestCase):
    def test_lines_are_questions(self):
        self.assertEqual(tickrate.lines_of(b"Why?\n\n  How? \r\n\xff\n"), ["Why?", "How?", "\ufffd"])

    def test_sums_follow_from_the_random_numbers(self):
        numbers = iter([7, 205])
        self.assertEqual(app.sum_of(3, lambda: next(numbers)), "3. What is 7 + 5?")

    def test_there_are_as_many_turns_as_asked_for(self):
        dataset = app.Questions(RunConfig("m", "http://h/", True, 0, 1, "{}", '{"turns": 2}', None))
        dataset.lines = ["Why?", "How?"]
        batch = dataset.next(1) + dataset.next(9)
        self.assertEqual([conversation.id for conversation in batch], ["question-0", "question-1"])
        self.assertEqual(batch[0].turns[1].prompt.value[0].content[0].value, "Are you sure?")
        self.assertEqual(dataset.next(1), [])


if __name__ == "__main__":
    unittest.main()
