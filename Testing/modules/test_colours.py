"""Colours of what is measured: one scale for magnitudes, from blue to yellow, always with its legend, and no pairs of red and green."""

from __future__ import annotations

import numpy as np
import pytest
from panels import applied, opened, quick
from test_appearance import contrast


def luminance(color) -> float:
    channels = np.asarray(color[:3], dtype=float)
    linear = np.where(channels <= 0.03928, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def test_magnitudes_go_from_blue_to_yellow_and_become_lighter(app):
    app.load_module("DeepRegInspector")
    from DeepRegInspectorLib import explain_shown
    from DeepRegInspectorLib.table import _COLORS

    from deepreg_engine.reporting.colours import LENGTHS, length_colours
    from deepreg_slicer.length_colors import lengthRamp

    for scale in (LENGTHS, explain_shown.HEAT[:, :3], _COLORS / 255.0):
        low, high = scale[0], scale[-1]
        assert low[2] > max(low[:2])
        assert min(high[:2]) > 1.5 * high[2]
        lights = [luminance(color) for color in scale]
        assert lights == sorted(lights)
        assert not any(red > 0.7 and green < 0.5 for red, green, _blue in scale)
    ramp, color = lengthRamp(12.0), [0.0, 0.0, 0.0]
    ramp.GetColor(6.0, color)
    assert color == pytest.approx(length_colours(np.array(0.5)).tolist(), abs=1e-6)


def test_black_numbers_can_be_read_on_the_colours_of_the_table(app):
    import qt

    app.load_module("DeepRegInspector")
    from DeepRegInspectorLib.table import _COLORS

    for color in np.linspace(_COLORS[:-1], _COLORS[1:], 9).reshape(-1, 3):
        assert contrast(qt.QColor(0, 0, 0), qt.QColor(*color.round().astype(int).tolist())) > 7.0


def test_confidences_are_orange_white_and_blue(app):
    app.load_module("DeepRegPoints")
    from DeepRegPointsLib.clouds import confidenceColors

    table, found = confidenceColors(), []
    for number in (0, 50, 100):
        color = [0.0] * 4
        table.GetColor(number, color)
        found.append(color[:3])
    low, middle, high = found
    assert low[0] > low[1] > low[2] + 0.3
    assert min(middle) > 0.9
    assert high[2] > high[1] > high[0]


def test_the_grid_of_a_result_has_its_legend_while_it_is_shown(warm_app, hands, pair):
    from deepreg_slicer.length_colors import barOf
    from deepreg_slicer.result_view import displayOf

    widget = opened(warm_app)
    quick(widget)
    applied(warm_app, hands, widget)
    bar = barOf(displayOf(widget.panel.node.resultTransform))
    assert bar.GetVisibility()
    assert bar.GetTitleText() == "deformation (mm)"
    hands.click(widget.ui.gridCheckBox)
    assert not bar.GetVisibility()
    hands.click(widget.ui.gridCheckBox)
    assert bar.GetVisibility()
