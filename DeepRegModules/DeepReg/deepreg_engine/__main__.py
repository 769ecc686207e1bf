"""``python -m deepreg_engine``: the command line."""

import sys

if __name__ == "__main__":
    # The worker has to start where packages are still missing that other commands import, and to start fast.
    if sys.argv[1:2] == ["worker"] and not {"-h", "--help"} & set(sys.argv):
        from deepreg_engine.commands.worker import console
    else:
        from deepreg_engine.cli import console
    console()
