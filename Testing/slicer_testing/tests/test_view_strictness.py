"""Views behave as in the application where a module could depend on it: order of names, sizes, new views, the wheel."""

from __future__ import annotations

import pytest
import qt
import slicer

from slicer_testing import random_order

TWO_BY_TWO = slicer.vtkMRMLLayoutNode.SlicerLayoutTwoOverTwoView


@pytest.fixture
def manager(slicer_app):
    """The layout manager, its views shown."""
    manager = slicer.app.layoutManager()
    manager.viewport().resize(800, 600)
    manager.viewport().show()
    slicer_app.process_events()
    return manager


def test_names_of_slice_views_have_an_arbitrary_order_and_include_hidden_views(manager, monkeypatch):
    manager.setLayout(TWO_BY_TWO)
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    orders = set()
    for seed in range(20):
        monkeypatch.setattr(random_order, "seed", lambda seed=seed: seed)
        orders.add(manager.sliceViewNames())
        assert manager.sliceViewNames() == manager.sliceViewNames()
    assert {tuple(sorted(names)) for names in orders} == {("Green", "Red", "Slice4", "Yellow")}
    assert len(orders) > 5


def test_resizing_keeps_the_height_in_millimetres(manager, slicer_app):
    node = manager.sliceWidget("Red").mrmlSliceNode()
    height, pixels = node.GetFieldOfView()[1], node.GetDimensions()[1]
    manager.viewport().resize(800, 900)
    slicer_app.process_events()
    assert node.GetDimensions()[1] > pixels + 50
    assert node.GetFieldOfView()[1] == pytest.approx(height)


def test_a_new_slice_view_goes_to_offset_0_in_the_event_loop(manager, slicer_app):
    manager.setLayout(TWO_BY_TWO)
    logics = [manager.sliceWidget(name).sliceLogic() for name in ("Red", "Slice4")]
    for logic in logics:
        logic.SetSliceOffset(12.0)
    slicer_app.process_events()
    assert [logic.GetSliceOffset() for logic in logics] == [12.0, 0.0]
    logics[1].SetSliceOffset(12.0)
    slicer_app.process_events()
    assert logics[1].GetSliceOffset() == 12.0


def test_a_new_slice_view_takes_the_linked_ones_along(manager, slicer_app):
    for name in ("Red", "Green", "Yellow"):
        manager.sliceWidget(name).mrmlSliceCompositeNode().SetLinkedControl(True)
    manager.setLayout(TWO_BY_TWO)
    red, new = (manager.sliceWidget(name) for name in ("Red", "Slice4"))
    new.mrmlSliceCompositeNode().SetLinkedControl(True)
    new.mrmlSliceNode().SetOrientation(red.mrmlSliceNode().GetOrientation())
    red.sliceLogic().SetSliceOffset(12.0)
    slicer_app.process_events()
    assert red.sliceLogic().GetSliceOffset() == 0.0


def test_one_event_of_the_wheel_is_one_slice_however_far(manager, hands):
    view = manager.sliceWidget("Red").sliceView()
    logic = manager.sliceWidget("Red").sliceLogic()
    start = logic.GetSliceOffset()
    hands.wheel(view, 1)
    step = logic.GetSliceOffset() - start
    assert step != 0.0
    place = qt.QPointF(50, 50)
    event = qt.QWheelEvent(
        place, place, qt.QPoint(), qt.QPoint(0, 360), qt.Qt.NoButton, qt.Qt.NoModifier, qt.Qt.NoScrollPhase, False
    )  # fmt: skip
    qt.QApplication.sendEvent(view, event)
    assert logic.GetSliceOffset() - start == pytest.approx(2 * step)
    hands.wheel(view, 3)
    assert logic.GetSliceOffset() - start == pytest.approx(5 * step)
