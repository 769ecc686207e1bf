"""Open the window: ``python -m slicer_testing --module-path FOLDER [--module NAME] [FILES...]``."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import Any


def main(arguments: list[str] | None = None) -> int:
    """Run the application until its window is closed and return its exit code; on an error print one line and return 2."""
    parser = argparse.ArgumentParser(prog="slicer_testing", description="Slicer modules in a window, without the Slicer application.")
    parser.add_argument("files", nargs="*", help="volumes, segmentations, models, transforms, markups or scenes to load")
    parser.add_argument("--module", help="module to show")
    parser.add_argument("--module-path", action="append", default=[], help="folder with scripted modules")
    parser.add_argument("--screenshot", metavar="FILE.png", help="write a picture of the window and end; needs no display")
    parser.add_argument("--size", default="1320x860", help="of the window, WIDTHxHEIGHT (default %(default)s)")
    options = parser.parse_args(arguments)
    shows = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform in ("win32", "darwin"))
    if not shows and not options.screenshot:
        print(
            "slicer_testing: there is no display; give --screenshot FILE.png for a picture of the window,"
            " or run under a virtual display (xvfb-run)",
            file=sys.stderr,
        )
        return 2
    for path in options.files:
        if not Path(path).is_file():
            print(f"slicer_testing: there is no file {path}", file=sys.stderr)
            return 2
    try:
        width, height = (int(part) for part in options.size.split("x"))
    except ValueError:
        print(f"slicer_testing: --size must have the form 1320x860, not {options.size}", file=sys.stderr)
        return 2
    if options.screenshot and not shows:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s")
    return _run(options, width, height)


def _run(options: argparse.Namespace, width: int, height: int) -> int:
    import slicer_testing

    try:
        host = slicer_testing.start(tuple(options.module_path))
    except FileNotFoundError as error:
        print(f"slicer_testing: {error}", file=sys.stderr)
        return 2
    from slicer_testing.pictures import screenshot
    from slicer_testing.window.main_window import make_window

    host.dialogs.interactive = not options.screenshot
    host.app.commandOptions()._testing = bool(options.screenshot)
    window = make_window(host)
    names = host.loader.available()
    if options.module and options.module not in names:
        print(f"slicer_testing: there is no module {options.module}; the modules are: {', '.join(names) or 'none'}", file=sys.stderr)
        return 2
    window.resize(width, height)
    window.show()
    # The views exist now and show the volume that is read last, as in the application.
    for path in options.files:
        if not _read(host.app.ioManager(), Path(path).resolve()):
            print(f"slicer_testing: {path} cannot be read", file=sys.stderr)
            window.close()
            return 2
    if options.module or names:
        window.moduleSelector().selectModule(options.module or names[0])
    host.process_events(0.3)
    host.app.layoutManager().resetSliceViews()
    host.app.layoutManager().resetThreeDViews()
    host.process_events(0.2)
    if options.screenshot:
        screenshot(window, options.screenshot)
        window.close()
        return 0
    host.app.setQuitOnLastWindowClosed(True)
    return host.app.exec()


def _read(manager: Any, path: Path) -> bool:
    kind = manager.fileType(str(path))
    try:
        return kind != "NoFile" and manager.loadNodes(kind, {"fileName": str(path)})
    except NotImplementedError:
        return False


if __name__ == "__main__":
    sys.exit(main())
