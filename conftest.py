"""What all tests need: pytest's own test bed and, where Qt is available, the host that runs the panels."""

from __future__ import annotations

import importlib.util
import signal

# `slicer_testing` is found through `pythonpath` of pyproject.toml. The engine's tests need neither Qt nor Slicer's libraries.
try:
    import PySide6.QtTest  # noqa: F401

    _missing = "" if importlib.util.find_spec("slicer_core") else "the package slicer-core is not installed"
except ImportError as problem:  # the package, or a library of the system that it loads
    _missing = str(problem)

pytest_plugins = ["pytester"] if _missing else ["pytester", "slicer_testing.plugin"]

if _missing:
    collect_ignore = ["Testing/modules", "Testing/packaging", "Testing/slicer_testing"]


def pytest_configure() -> None:
    # Shells start a process in the background with SIGINT ignored, its children inherit that, and Ctrl-C is tested on children.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> list[str]:
    """Report in the header when the tests of the panels cannot run."""
    return [f"panels are not tested: {_missing} (./run setup installs what they need)"] if _missing else []
