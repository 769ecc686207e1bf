"""Two volumes, or two results, side by side."""

from __future__ import annotations

import numpy as np
import pytest
from bench import MODULES
from inspector_bench import IJK, MOVING_IJK, MOVING_SIZE, SIZE
from test_preview import layers
from world import add_volume


@pytest.fixture(name="side")
def side_fixture(slicer_app):
    slicer_app.add_module_path(MODULES)
    from deepreg_slicer.side_views import SideBySide

    side = SideBySide()
    yield side
    side.cleanup()


def settled(app, side) -> None:
    app.wait_for(lambda: not side.busy, 10, "the views")


def head(size: tuple[int, int, int], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(40.0, 30.0, size=size[::-1]).astype(np.int16)


def nodes_of(*names: str):
    from deepreg_slicer.slice_views import sliceWidgets

    widgets = sliceWidgets()
    return [(widgets[name].mrmlSliceNode(), widgets[name].sliceLogic().GetSliceCompositeNode()) for name in names]


def test_two_volumes_of_different_places_are_linked_and_leaving_puts_all_back(slicer_app, side):
    import slicer

    from deepreg_slicer.side_views import middleOf
    from deepreg_slicer.slice_states import placeOf, scaleOf, setScale

    far = MOVING_IJK.copy()
    far[:3, 3] += (900.0, -400.0, 300.0)  # as two scanners with different origins
    fixed, moving = add_volume("fixed", head(SIZE, 0), IJK), add_volume("moving", head(MOVING_SIZE, 1), far)
    slicer.util.setSliceViewerLayers(background=moving, fit=True)
    slicer_app.process_events(0.1)
    views, arrangement = layers(), slicer.app.layoutManager().layout
    side.showPair(fixed, moving)
    settled(slicer_app, side)
    (left, leftLayers), (right, rightLayers) = nodes_of("Red", "DeepRegRightAxial")
    assert (leftLayers.GetBackgroundVolumeID(), rightLayers.GetBackgroundVolumeID()) == (fixed.GetID(), moving.GetID())
    assert np.allclose(placeOf(left), middleOf(fixed), atol=1e-3)
    assert np.allclose(placeOf(right), middleOf(moving), atol=1e-3)
    left.JumpSliceByCentering(*(middleOf(fixed) + (5.0, 6.0, -7.0)))
    assert np.allclose(placeOf(right), middleOf(moving) + (5.0, 6.0, -7.0), atol=1e-2)
    right.JumpSliceByCentering(*(middleOf(moving) + (1.0, 2.0, 3.0)))
    assert np.allclose(placeOf(left), middleOf(fixed) + (1.0, 2.0, 3.0), atol=1e-2)
    setScale(left, 0.31)
    assert scaleOf(right) == pytest.approx(0.31, rel=1e-3)
    side.leave()
    settled(slicer_app, side)
    assert slicer.app.layoutManager().layout == arrangement
    assert {name: layers()[name] for name in ("Red", "Green", "Yellow")} == {name: views[name] for name in ("Red", "Green", "Yellow")}


def test_ct_gets_a_window_of_soft_tissue_until_one_leaves(slicer_app, side):
    z, y, x = np.meshgrid(*(np.linspace(-1.0, 1.0, n) for n in SIZE[::-1]), indexing="ij")
    body = np.where(x**2 + y**2 < 0.6, 40, -1000) + np.random.default_rng(0).normal(0.0, 12.0, size=SIZE[::-1])
    volumes = [add_volume(name, body.astype(np.int16), IJK) for name in ("first", "second")]
    displays = [volume.GetDisplayNode() for volume in volumes]
    before = [(display.GetWindow(), display.GetLevel()) for display in displays]
    side.showPair(*volumes)
    settled(slicer_app, side)
    assert displays[0].GetWindow() < 2000.0
    displays[1].SetWindowLevel(300.0, 60.0)
    assert (displays[0].GetWindow(), displays[0].GetLevel()) == (300.0, 60.0)
    side.leave()
    settled(slicer_app, side)
    assert [(display.GetWindow(), display.GetLevel()) for display in displays] == before
    assert all(display.GetAutoWindowLevel() for display in displays)


def test_two_results_are_shown_over_the_fixed_volume(slicer_app, side):
    fixed, first, second = (add_volume(name, head(SIZE, seed), IJK) for seed, name in enumerate(("fixed", "first", "second")))
    side.showResults(fixed, first, second, 0.4)
    settled(slicer_app, side)
    shown = [
        (composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID(), round(composite.GetForegroundOpacity(), 3))
        for _view, composite in nodes_of("Red", "DeepRegRightAxial", "Green", "DeepRegRightCoronal")
    ]
    left, right = (fixed.GetID(), first.GetID(), 0.4), (fixed.GetID(), second.GetID(), 0.4)
    assert shown == [left, right, left, right]
