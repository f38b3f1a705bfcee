"""The questions. Nothing here knows of tickrate, so that plain Python can test it."""


def lines(data):
    """The lines of a file that say something; bytes that are no UTF-8 are replaced."""
    return [line.strip() for line in data.decode(errors="replace").splitlines() if line.strip()]


def sums(number, random):
    """A question about a sum. `random` gives whole numbers from 0 to 2**64 - 1."""
    return f"{number}. What is {random() % 100} + {random() % 100}?"


def turns(question, count):
    """The texts of a conversation: the question, and then as often as asked for, whether it is so."""
    return [question] + ["Are you sure?"] * (count - 1)
