"""`python -m batchgen` and the `batchgen` command."""

import sys

from batchgen.cli.app import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
