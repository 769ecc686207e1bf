"""The names of PySide6 are used in some of the host's own tests."""

from __future__ import annotations

from pathlib import Path

import pytest

# Tests of single widgets are written in PySide6's style, as the widgets themselves are.
PYSIDE_STYLE = ("test_ctk_widgets", "test_mrml_widgets", "test_mrml_data_widgets", "test_views", "test_view_layouts")
# What they share.
PYSIDE_HELPERS = ("mrml_scene", "view_scene", "view_tools")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    from slicer_testing.pythonqt.manners import exempt

    for helper in PYSIDE_HELPERS:
        exempt(helper)
    for item in items:
        if Path(item.path).stem in PYSIDE_STYLE:
            exempt(item.module.__name__)
