"""`python -m tickrate`: the command itself."""

import os
import sys

from .binary import find_binary

if __name__ == "__main__":
    binary = find_binary()
    os.execv(binary, [binary, *sys.argv[1:]])
