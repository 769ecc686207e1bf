"""The host started as if it were the application: ``python -m slicer_testing.as_application --python-script FILE``.

It takes the options of the application that tests use, loads all modules of its folders, opens real dialogs, runs the script in its event
loop and ends with the status of ``slicer.util.exit``. It tests the code that runs in a real application.
"""

from __future__ import annotations

import argparse
import runpy
import sys
import traceback
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Run a script in the application and return the exit status."""
    parser = argparse.ArgumentParser(prog="slicer_testing.as_application", allow_abbrev=False)
    for flag in ("--no-splash", "--disable-settings", "--ignore-slicerrc", "--no-main-window", "--testing"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("--additional-module-paths", nargs="*", default=[])
    parser.add_argument("--python-script", type=Path, required=True)
    options = parser.parse_args(arguments)

    import slicer_testing

    host = slicer_testing.start(tuple(options.additional_module_paths))
    from PySide6.QtCore import QTimer

    from slicer_testing.pythonqt import dialogs

    dialogs.recorder.interactive = True
    host.app.commandOptions()._testing = options.testing
    if options.no_main_window:
        host.leave_main_window()
    else:
        host.app._main_window()
    for name in host.loader.available():
        host.loader.load(name)

    def run() -> None:
        try:
            runpy.run_path(str(options.python_script), run_name="__main__")
        except BaseException:
            traceback.print_exc()
            host.app.exit(1)

    QTimer.singleShot(0, run)
    return host.app.exec()


if __name__ == "__main__":
    sys.exit(main())
