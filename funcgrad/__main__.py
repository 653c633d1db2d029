"""`python -m funcgrad`, the same as the command `funcgrad`."""

from __future__ import annotations

import sys

from funcgrad.cli import main

if __name__ == "__main__":
    sys.exit(main())
