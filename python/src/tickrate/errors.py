"""What goes wrong, in a line each."""

from __future__ import annotations


class TickrateError(Exception):
    """A benchmark that could not be run, or a folder that holds no run.

    `exit_code` is that of the command, as docs/exit-codes.md lists them; None if no command was run.
    """

    def __init__(self, message: str, exit_code: int | None = None) -> None:
        super().__init__(message)
        self.exit_code = exit_code
