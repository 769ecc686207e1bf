"""What a run used is released at its end: a Qt signal holds the method that is connected to it for as long as its object lives."""

from __future__ import annotations

import gc
import weakref

import descent_bench
import pytest
import vtk
from inspector_bench import displacement, inner, markups, scene_fixture, settle, widget_fixture  # noqa: F401 - fixtures
from panels import applied, opened, quick
from points_bench import apply


def alive() -> dict[str, int]:
    """Return how many objects of a run exist, by class."""
    from deepreg_slicer.cooperative import Cooperative
    from deepreg_slicer.request import Request, Result
    from deepreg_slicer.volumes import Snapshot
    from deepreg_slicer.worker_job import Job
    from deepreg_slicer.worker_task import WorkerTask

    gc.collect()
    found: dict[str, int] = {}
    for thing in gc.get_objects():
        if isinstance(thing, (Cooperative, Job, Request, Result, Snapshot, WorkerTask)):
            found[type(thing).__name__] = found.get(type(thing).__name__, 0) + 1
    return found


def held(kind: type) -> list:
    """Return the VTK objects that Python still holds; deleted ones have no Python object."""
    gc.collect()
    return [thing for thing in gc.get_objects() if isinstance(thing, kind)]


def load(folder) -> None:
    """The pair in the scene."""
    import slicer

    for side in ("fixed", "moving"):
        slicer.util.loadVolume(str(folder / f"{side}.nii.gz"))


def close(app) -> None:
    """Close the scene, and check that no object of a run is left."""
    import slicer

    slicer.mrmlScene.Clear()
    app.process_events()
    assert alive() == {}


@pytest.mark.parametrize("name", ["DeepRegDense", "DeepRegDescent"])
def test_runs_leave_nothing_when_their_scenes_are_closed(warm_app, hands, phantom_folder, name):
    load(phantom_folder)
    widget, images = opened(warm_app, name), []
    for _run in range(2):
        widget.panel.initialize()
        (quick if name == "DeepRegDense" else descent_bench.quick)(widget)
        if name == "DeepRegDescent":
            widget.panel.node.featuresWanted = widget.panel.node.iterationsWanted = True
            widget.panel.node.keptIterations = 3
        assert "folding" in applied(warm_app, hands, widget)
        close(warm_app)
        images.append(len(held(vtk.vtkImageData)))
        load(phantom_folder)
    assert images[1] <= images[0]


def test_a_run_of_points_leaves_nothing(warm_app, hands, points_widget):
    assert "points" in apply(warm_app, hands, points_widget)
    close(warm_app)


def test_a_run_that_is_cancelled_leaves_nothing(warm_app, hands, dense_widget):
    hands.click(dense_widget.ui.applyButton)
    warm_app.wait_for(lambda: dense_widget.panel.run._job is not None)
    hands.click(dense_widget.ui.applyButton)
    warm_app.wait_for(lambda: dense_widget.panel.run is None)
    close(warm_app)


def test_the_inspector_leaves_nothing_when_the_scene_is_closed(warm_app, hands, widget, scene):
    import slicer

    panel, ui = widget.panel, widget.ui
    points = inner(4)
    panel.node.fixedPoints, panel.node.movingPoints = markups("F", points), markups("M", points + displacement(points))
    ui.deformationCollapsibleButton.collapsed = False
    panel.node.probe, panel.node.display = True, "grid"
    for box, choices in ((ui.overlayComboBox, ("checkerboard", "blink")), (ui.mapComboBox, ("Jacobian",))):
        for choice in choices:
            hands.choose(box, choice)
            settle(warm_app, widget)
    ui.sideBySideButton.checked = True
    settle(warm_app, widget)
    names = {node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLTransformableNode")}
    assert {"fixed", "moving", "result", "Jacobian"} <= names
    scene.clear()
    close(warm_app)
    assert [node.GetName() for node in held(slicer.vtkMRMLTransformableNode) if node.GetName() in names] == []


@pytest.mark.host_only("the application does not unload modules")
def test_a_panel_is_released_when_its_module_is_loaded_again(warm_app, pair):
    """Reload makes a new panel and releases the former one with its timers."""
    import qt

    former = []
    for name in ("DeepRegDense", "DeepRegInspector", "DeepRegTrainer"):
        former.append((name, weakref.ref(opened(warm_app, name).panel)))
    warm_app.loader.unload_scripted()
    qt.QCoreApplication.sendPostedEvents(None, qt.QEvent.DeferredDelete)
    gc.collect()
    assert [name for name, panel in former if panel() is not None] == []


def test_a_training_that_is_suspended_is_released(slicer_app, tmp_path):
    from DeepRegTrainerLib.running import Run
    from DeepRegTrainerLib.trainings import Training

    from deepreg_slicer.worker_client import WorkerClient

    client = WorkerClient()
    run = Run(Training(tmp_path, "train", "small", {}), client)
    run.start()
    released = weakref.ref(run)
    run.suspend()
    del run
    slicer_app.process_events()
    gc.collect()
    assert released() is None
    assert not client.busy


def test_a_worker_that_has_ended_is_released(app):
    from deepreg_slicer.processes import WorkerProcess
    from deepreg_slicer.waiting import waitForJob
    from deepreg_slicer.worker_client import WorkerClient

    app.load_module("DeepReg")
    client = WorkerClient()
    waitForJob(client.submit("models", {}))
    client.stop()
    app.process_events(0.1)
    assert held(WorkerProcess) == []
