"""Panels of sections: each part is where it belongs, and the keyboard visits the widgets in the order in which they are seen."""

from __future__ import annotations

import pytest
from panels import opened

METHODS = ("DeepRegDense", "DeepRegPoints", "DeepRegDescent")
SECTIONS = ("moreInputs", "outputs", "advanced", "result", "log")


def all_open(app, name: str):
    widget = opened(app, name)
    for section in SECTIONS:
        getattr(widget.ui, f"{section}CollapsibleButton").collapsed = False
    widget.parent.resize(420, 2600)
    app.process_events()
    return widget


@pytest.mark.parametrize("name", METHODS)
def test_placeholders_are_replaced(app, name):
    ui = opened(app, name).ui
    assert [key for key in vars(ui) if key.endswith("Section")] == []
    for section in ("inputs", *SECTIONS):
        assert hasattr(ui, f"{section}CollapsibleButton")
    assert ui.parameterNodeSelector.mrmlScene() is not None


@pytest.mark.parametrize("name", METHODS)
def test_the_tabulator_key_goes_down_the_panel(app, name):
    import qt

    widget = all_open(app, name)
    panel, first = widget.parent, widget.ui.parameterNodeSelector
    heights, at = [], first
    for _ in range(600):
        at = at.nextInFocusChain()
        if at is first:
            break
        stops = at.focusPolicy not in (qt.Qt.NoFocus, qt.Qt.ClickFocus) and at.focusProxy() is None
        if at.visible and stops and panel.isAncestorOf(at):
            heights.append((at.mapTo(panel, qt.QPoint(0, 0)).y(), at.objectName))
    start = min(range(len(heights)), key=lambda number: heights[number][0])
    rows = [*heights[start:], *heights[:start]]
    wrong = [(a, b) for a, b in zip(rows[:-1], rows[1:], strict=True) if b[0] < a[0] - 10]  # within one row
    assert wrong == [], rows


@pytest.mark.parametrize(
    ("name", "form", "above", "below"),
    [
        ("DeepRegDescent", "inputsLayout", "fixedSelectorLabel", "fixedModalityLabel"),
        ("DeepRegDescent", "inputsLayout", "fixedModalityLabel", "movingSelectorLabel"),
        ("DeepRegDescent", "inputsLayout", "movingModalityLabel", "presetLabel"),
        ("DeepRegDescent", "resultLayout", "moveCheckBox", "showFeaturesCheckBox"),
        ("DeepRegDescent", "resultLayout", "energyButton", "inspectButton"),
        ("DeepRegPoints", "inputsLayout", "movingSelectorLabel", "kindLabel"),
        ("DeepRegPoints", "inputsLayout", "presetHelpLabel", "refineCheckBox"),
        ("DeepRegPoints", "outputsLayout", "movingCloudWantedCheckBox", "movedCloudWantedCheckBox"),
        ("DeepRegPoints", "parametersLayout", "deviceLabel", "refinePresetLabel"),
        ("DeepRegPoints", "resultLayout", "pointSizeLabel", "gridCheckBox"),
    ],
)
def test_rows_of_a_module_are_within_those_of_the_sections(app, name, form, above, below):
    import qt

    from deepreg_slicer.sections import rowOf

    layout = opened(app, name).parent.findChild(qt.QFormLayout, form)
    assert 0 <= rowOf(layout, above) < rowOf(layout, below) < layout.rowCount()
