"""`python -m tests.crash.power_loss`: power losses by the million (see `command`)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from .command import main

if __name__ == "__main__":
    sys.exit(main())
