"""The fixtures of the host's own tests, and which of them use the names of PySide6."""

from __future__ import annotations

from pathlib import Path

import pytest

# Where Qt or Slicer's libraries are missing, the root's conftest leaves this folder out.
try:
    from view_tools import app, host, manager, shown
    from widget_tools import clean_dialogs, clean_settings, make, scene

    import slicer_testing

    # The test files import `qt` and `ctk`, which exist once the application has started.
    slicer_testing.start()
    __all__ = ["app", "clean_dialogs", "clean_settings", "host", "make", "manager", "scene", "shown"]
except ImportError:
    __all__ = []

# Tests of single widgets are written in PySide6's style, as the widgets themselves are.
PYSIDE_STYLE = ("test_ctk_", "test_mrml_", "test_views", "test_view_layouts")
# Helpers of these tests.
PYSIDE_HELPERS = ("view_scene", "view_tools", "widget_tools")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not __all__:
        return
    from slicer_testing.pythonqt.attributes import exempt

    for helper in PYSIDE_HELPERS:
        exempt(helper)
    for item in items:
        if Path(item.path).stem.startswith(PYSIDE_STYLE):
            exempt(item.module.__name__)
