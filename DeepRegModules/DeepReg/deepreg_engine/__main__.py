"""``python -m deepreg_engine``: the command line."""

import sys

from deepreg_engine.cli import main

if __name__ == "__main__":
    sys.exit(main())
