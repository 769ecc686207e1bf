"""Forms of Qt Designer keep the widgets that are made for them."""

from __future__ import annotations

import gc

import pytest
import slicer

from slicer_testing.pythonqt.ui_loader import QUiLoader

FORM = """<?xml version="1.0" encoding="UTF-8"?>
<ui version="4.0"><class>Form</class><widget class="qMRMLWidget" name="Form"><layout class="QVBoxLayout" name="layout">
{groups}
</layout></widget></ui>"""
GROUP = """<item><widget class="ctkCollapsibleButton" name="group{0}"><layout class="QFormLayout" name="form{0}">
<item row="0" column="0"><widget class="qMRMLNodeComboBox" name="node{0}"/></item>
<item row="1" column="0"><widget class="ctkSliderWidget" name="slider{0}"/></item></layout></widget></item>"""


@pytest.fixture
def form(tmp_path):
    path = tmp_path / "Form.ui"
    path.write_text(FORM.format(groups="".join(GROUP.format(number) for number in range(3))), encoding="utf-8")
    return str(path)


def names(form):
    return {name for name in vars(slicer.util.childWidgetVariables(form)) if name.startswith(("group", "node", "slider"))}


def test_a_collection_of_garbage_takes_nothing_from_a_form(slicer_app, form, monkeypatch):
    make = QUiLoader.createWidget

    def make_and_collect(self, *arguments):
        made = make(self, *arguments)
        gc.collect()
        return made

    monkeypatch.setattr(QUiLoader, "createWidget", make_and_collect)
    loaded = slicer.util.loadUI(form)
    wanted = {f"{kind}{number}" for kind in ("group", "node", "slider") for number in range(3)}
    assert names(loaded) == wanted
    # Nor later, when Python refers only to the window that contains the form.
    import qt

    window = qt.QWidget()
    qt.QVBoxLayout(window).addWidget(loaded)
    del loaded
    gc.collect()
    assert names(window) == wanted


def test_a_property_that_replaces_the_inside_of_a_widget(slicer_app, tmp_path):
    """A new text of a browser replaces the frame of its document."""
    path = tmp_path / "Form.ui"
    browser = """<item><widget class="ctkFittedTextBrowser" name="browser"><property name="collapsed"><bool>false</bool></property>
<property name="hideDetailsText"><string/></property></widget></item>"""
    path.write_text(FORM.format(groups=browser), encoding="utf-8")
    loaded = slicer.util.loadUI(str(path))
    browser = slicer.util.childWidgetVariables(loaded).browser
    assert not browser.collapsed
    assert browser.hideDetailsText == ""
