"""``python -m deepreg_engine``: the command line."""

from deepreg_engine.cli import console

if __name__ == "__main__":
    console()
