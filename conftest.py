"""What all tests need: pytest's own test bed and, where Qt is available, the host that runs the panels."""

from __future__ import annotations

import importlib.util
import signal
import sys
from pathlib import Path

_TESTS = Path(__file__).resolve().parent / "Testing"


# `slicer_testing` is found through `pythonpath` of pyproject.toml. The engine's tests need neither Qt nor Slicer's libraries.
def _in_application() -> bool:
    """Return whether pytest runs in a real application, or in the host that was started as one (see `slicer_testing.backend`)."""
    backend = sys.modules.get("slicer_testing.backend")
    return "PythonQt" in sys.modules or (backend is not None and backend.inside_application())


try:
    if not _in_application():
        import PySide6.QtTest  # noqa: F401

    _missing = "" if _in_application() or importlib.util.find_spec("slicer_core") else "the package slicer-core is not installed"
except ImportError as problem:  # the package, or a library of the system that it loads
    _missing = str(problem)

pytest_plugins = ["pytester"] if _missing else ["pytester", "slicer_testing.plugin"]


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out the tests of the panels where they cannot run."""
    panels = (_TESTS / name for name in ("modules", "packaging", "slicer_testing"))
    return True if _missing and any(collection_path.is_relative_to(folder) for folder in panels) else None


def pytest_configure() -> None:
    # Shells start a process in the background with SIGINT ignored, its children inherit that, and Ctrl-C is tested on children.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> list[str]:
    """Report in the header when the tests of the panels cannot run."""
    return [f"panels are not tested: {_missing} (./run setup installs what they need)"] if _missing else []
