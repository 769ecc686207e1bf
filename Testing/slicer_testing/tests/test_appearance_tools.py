"""The search for texts of a panel that are cut off, and fonts and colours that users choose."""

from __future__ import annotations

import pytest
import qt


@pytest.fixture
def form(slicer_app):
    """A panel with a label, a button, a broken text and a table, 300 pixels wide."""
    box = qt.QWidget()
    layout = qt.QVBoxLayout(box)
    parts = {"label": qt.QLabel("A label"), "button": qt.QPushButton("A button"), "broken": qt.QLabel("many words " * 12)}
    parts["broken"].wordWrap = True
    parts["table"] = qt.QTableWidget(1, 2)
    parts["table"].setHorizontalHeaderLabels(["First", "Distance (mm)"])
    for name, part in parts.items():
        part.setObjectName(name)
        layout.addWidget(part)
    box.resize(300, 400)
    box.show()
    slicer_app.process_events()
    yield box
    box.close()


def test_a_panel_with_room_for_all_its_texts(slicer_app, form):
    form.table.setColumnWidth(1, 150)
    assert slicer_app.clipped(form) == []


@pytest.mark.parametrize("which", ["label", "button", "broken", "header", "elided"])
def test_what_is_cut_off_is_named(slicer_app, form, which):
    form.table.setColumnWidth(1, 150)
    if which == "header":
        form.table.setColumnWidth(1, 30)
        expected = ["Distance (mm)"]
    elif which == "broken":
        form.broken.setFixedHeight(10)
        expected = ["many words"]
    else:
        part = form.label if which == "elided" else form.findChild(qt.QWidget, which)
        part.setFixedWidth(12)
        part.setProperty("elided", which == "elided")
        expected = [] if which == "elided" else [part.text]
    slicer_app.process_events()
    found = slicer_app.clipped(form)
    assert len(found) == len(expected)
    assert all(words in line for words, line in zip(expected, found, strict=True))


def test_font_and_colours_last_as_long_as_the_block(slicer_app):
    def now():
        return qt.QApplication.font().pointSizeF(), qt.QApplication.palette().color(qt.QPalette.Window).lightness()

    before = now()
    with slicer_app.appearance(14.0, dark=True):
        assert now() == (14.0, 45)
        label = qt.QLabel("text")
        label.show()
        slicer_app.process_events()
        assert label.font.pointSizeF() == 14.0
    with slicer_app.appearance(20.0, dark=False):
        assert now() == (20.0, before[1])
    assert now() == before
    assert before[0] != 14.0
