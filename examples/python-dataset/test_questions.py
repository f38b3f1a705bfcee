import unittest

import questions


class Questions(unittest.TestCase):
    def test_lines_are_questions(self):
        self.assertEqual(questions.lines(b"Why?\n\n  How? \r\n\xff\n"), ["Why?", "How?", "\ufffd"])

    def test_sums_follow_from_the_random_numbers(self):
        numbers = iter([7, 205])
        self.assertEqual(questions.sums(3, lambda: next(numbers)), "3. What is 7 + 5?")

    def test_there_are_as_many_turns_as_asked_for(self):
        self.assertEqual(questions.turns("Why?", 2), ["Why?", "Are you sure?"])


if __name__ == "__main__":
    unittest.main()
