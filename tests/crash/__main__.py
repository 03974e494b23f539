"""`python -m tests.crash`: the kill -9 harness, for long runs (see `kills.command`)."""

import sys

from .kills.command import main

if __name__ == "__main__":
    sys.exit(main())
