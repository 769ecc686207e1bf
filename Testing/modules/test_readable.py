"""Panels that can be read and used at their usual widths: no scrolling to the side, colours with enough contrast, and keys for labels."""

from __future__ import annotations

import re

import pytest
from bench import MODULES
from panels import opened
from test_appearance import contrast

NAMES = tuple(sorted(path.name for path in MODULES.iterdir() if (path / f"{path.name}.py").exists()))
# Width of a panel and size of its font.
SIZES = ((350, 9.0), (450, 14.0))


def unfolded(app, name: str, width: int):
    """A panel with all its sections open."""
    import ctk

    panel = opened(app, name, width).parent
    for button in panel.findChildren(ctk.ctkCollapsibleButton):
        button.collapsed = False
    app.process_events()
    return panel


@pytest.mark.parametrize(("width", "points"), SIZES)
@pytest.mark.parametrize("name", NAMES)
def test_no_panel_scrolls_to_the_side(app, name, width, points):
    with app.appearance(points, dark=False):
        panel = unfolded(app, name, width)
        methods = panel.self().ui.methodComboBox if name == "DeepRegTrainer" else None
        for index in range(methods.count if methods is not None else 1):
            if methods is not None:
                methods.setCurrentIndex(index)
                app.process_events()
            assert panel.minimumSizeHint.width() <= width, (name, index)


def colours_of(label) -> list[str]:
    """The colours that a label gives to its text, by a style sheet or in its rich text."""
    return re.findall(r"(?<![-\w])color:\s*(#[0-9a-fA-F]{6})", f"{label.styleSheet} {label.text}")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_labels_with_colours_of_their_own_can_be_read(app, name, dark):
    import qt

    from deepreg_slicer import appearance

    with app.appearance(9.0, dark=dark):
        panel = unfolded(app, name, 420)
        labels = panel.findChildren(qt.QLabel)
        assert len(labels) > 5
        for label in labels:
            for tone in appearance._TONES:
                appearance.setTone(label, tone)
                assert len(colours_of(label)) >= 1
                for colour in colours_of(label):
                    found = contrast(qt.QColor(colour), label.palette.color(qt.QPalette.Window))
                    assert found >= 4.5, (label.objectName, tone, colour, found)
            appearance.setTone(label, appearance.PLAIN)
            if label.enabled:
                assert contrast(label.palette.color(qt.QPalette.WindowText), label.palette.color(qt.QPalette.Window)) >= 4.5


@pytest.mark.parametrize("name", NAMES)
def test_labels_have_letters_for_the_keyboard_each_only_once(app, name):
    import qt

    panel = unfolded(app, name, 420)
    letters, without = [], []
    for label in panel.findChildren(qt.QLabel):
        found = re.findall(r"&(\w)", label.text) if label.buddy() is not None else []
        letters += [letter.lower() for letter in found]
        if label.buddy() is not None and not found:
            without.append(label.text)
    assert len(letters) == len(set(letters)), letters
    assert not set(letters) & set("fevh")  # of the application's menus
    assert letters
    assert not without or len(letters) >= 15, without
