"""The part Confidence and alternatives: probabilities in place, maps, features, partners, iterations, and their removal."""

from __future__ import annotations

import os

import numpy as np
import pytest
import SimpleITK as sitk
from explanation_bench import (  # noqa: F401 - fixtures
    ABOVE,
    SHIFT,
    bar,
    dense,
    heat_peak,
    inspect,
    layers,
    rendered,
    scene_fixture,
    section,
    settle,
    translation,
    widget_fixture,
)
from vtk.util.numpy_support import vtk_to_numpy
from world import TURN, add_linear


def test_heat_lies_where_the_partner_is(warm_app, hands, widget, scene, monkeypatch):
    """The transform does nothing, so the heat is at the displacement; the heat follows a dragged point without opening the pair again."""
    from deepreg_slicer.worker_client import workerClient

    inspect(warm_app, widget, dense(scene, np.zeros(3)))
    part = section(widget)
    assert "Dense Registration, preset brain-mr" in part.ui.explainMethodLabel.text
    part.setPoint(scene["middle"])
    settle(warm_app, widget)
    node = widget.panel.node
    assert node.explainShown == "heat"
    assert layers() == (scene["fixed"].GetID(), node.heat.GetID())
    place, total = heat_peak(node.heat)
    step = node.heat.GetSpacing()[0]
    axes = ABOVE[:3, :3] @ TURN  # of the fixed volume, in the world
    assert np.abs(axes.T @ (place - scene["middle"] - SHIFT)).max() < step
    assert total == pytest.approx(1.0, abs=1e-4)
    assert "mm from the result" in part.ui.explainLabel.text
    assert "bits" in part.ui.explainLabel.text
    assert not part.ui.explainPictureLabel.pixmap.isNull()
    names = [part.ui.explainStageComboBox.itemText(n) for n in range(part.ui.explainStageComboBox.count)]
    assert len(names) == 3
    assert names[2].startswith("Fine")

    # Another place, by dragging: the answer is warm.
    other = scene["middle"] + axes @ np.array([12.0, -10.0, 8.0])
    client, submitted = workerClient(), []
    submit = client.submit
    monkeypatch.setattr(client, "submit", lambda operation, arguments: submitted.append(operation) or submit(operation, arguments))
    for place in (other + 2.0, other - 2.0, other):
        node.explainedPoint.SetNthControlPointPositionWorld(0, *place)
        settle(warm_app, widget)
    assert set(submitted) == {"explain"}
    place, _ = heat_peak(node.heat)
    assert np.abs(axes.T @ (place - other - SHIFT)).max() < step

    hands.choose(part.ui.explainStageComboBox, names[2])
    settle(warm_app, widget)
    assert node.heat.GetSpacing()[0] == pytest.approx(3.0, abs=0.1)
    assert node.explainStage == "fine"
    place, _ = heat_peak(node.heat)
    assert np.abs(axes.T @ (place - other - SHIFT)).max() < 3.1


def test_a_right_translation_is_no_surprise(warm_app, hands, widget, scene):
    """The moving volume is shown through the transform, and read without it."""
    from deepreg_slicer.result_view import moveThrough

    transform = dense(scene)
    moveThrough(scene["moving"], transform, True)
    inspect(warm_app, widget, transform)
    part = section(widget)
    part.setPoint(scene["middle"])
    settle(warm_app, widget)
    place, _ = heat_peak(widget.panel.node.heat)
    assert place == pytest.approx(scene["middle"], abs=1e-3)
    assert "The result is the most probable" in part.ui.explainLabel.text

    hands.choose(part.ui.explainShownComboBox, "expected displacement")
    settle(warm_app, widget)
    node = widget.panel.node
    assert layers()[1] == node.explainedMap.GetID()
    assert np.median(vtk_to_numpy(node.explainedMap.GetImageData().GetPointData().GetScalars())) < 3.0
    hands.choose(part.ui.explainShownComboBox, "uncertainty")
    settle(warm_app, widget)
    bits = vtk_to_numpy(node.explainedMap.GetImageData().GetPointData().GetScalars())
    assert bits.min() >= 0.0
    assert bits.max() <= np.log2(343) + 1e-4
    assert np.median(bits) < 0.5 * np.log2(343)
    assert (bar(node.heat), bar(node.explainedMap)) == ("", "uncertainty (bits)")
    hands.choose(part.ui.explainShownComboBox, "probability around the point")
    settle(warm_app, widget)
    assert (bar(node.heat), bar(node.explainedMap)) == ("probability", "")
    assert layers()[1] == node.heat.GetID()
    assert "bits" in node.explainedMap.GetName()
    assert "of at most 8.4 bits" in part.ui.explainLabel.text

    # Another map, of the part Deformation, takes the layer.
    widget.ui.deformationCollapsibleButton.collapsed = False
    warm_app.process_events()
    hands.choose(widget.ui.mapComboBox, "displacement")
    settle(warm_app, widget)
    assert node.explainShown == "none"
    assert layers()[1] == node.mapVolume.GetID()
    assert bar(node.heat) == ""


def test_features_have_the_same_colours(warm_app, hands, widget, scene):
    inspect(warm_app, widget, dense(scene))
    part, node = section(widget), widget.panel.node
    hands.choose(part.ui.explainShownComboBox, "features of moving, warped")
    settle(warm_app, widget)
    assert layers()[1] == node.movingFeatures.GetID()
    made = node.fixedFeatures, node.movingFeatures
    fixed, moving = (vtk_to_numpy(volume.GetImageData().GetPointData().GetScalars()).astype(float) for volume in made)
    assert fixed.shape == moving.shape
    assert fixed.shape[1] == 3
    seen = moving.any(axis=1)
    assert seen.mean() > 0.5
    assert np.abs(fixed - moving)[seen].mean() < 0.5 * np.abs(fixed[seen] - np.roll(fixed[seen], 40, axis=0)).mean()
    hands.choose(part.ui.explainShownComboBox, "nothing")
    assert layers() == (scene["fixed"].GetID(), None)


def test_picking_crosshair_and_landmark(warm_app, hands, widget, scene):
    import slicer

    inspect(warm_app, widget, dense(scene))
    part, node = section(widget), widget.panel.node
    slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode").SetCrosshairRAS(*scene["middle"].tolist())
    hands.click(part.ui.explainCrosshairButton)
    settle(warm_app, widget)
    assert part.point.place() == pytest.approx(scene["middle"])
    assert not part.ui.explainLandmarkButton.enabled

    interaction = slicer.mrmlScene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
    hands.click(part.ui.explainPickButton)
    assert interaction.GetCurrentInteractionMode() == interaction.Place
    manager = slicer.app.layoutManager()
    manager.viewport().resize(800, 700)
    manager.viewport().show()
    warm_app.process_events()
    view = manager.sliceWidget("Red").sliceView()
    slicer.app.layoutManager().sliceWidget("Red").sliceLogic().FitSliceToAll()
    warm_app.process_events()
    at = (view.width // 2 + 30, view.height // 2)
    hands.move(view, at)
    hands.click(view, at=at)
    settle(warm_app, widget)
    assert node.explainedPoint.GetNumberOfControlPoints() == 1
    assert not part.ui.explainPickButton.checked
    picked = part.point.place()
    assert 1.0 < np.linalg.norm(picked - scene["middle"]) < 100.0
    assert part.answer is not None
    assert part.answer["point"] == pytest.approx((picked * (-1, -1, 1)).tolist())

    landmarks = widget.panel.sections["landmarks"]
    place = scene["middle"] + (5.0, 4.0, -3.0)
    for points, shift in zip(landmarks.lists(), (0.0, SHIFT), strict=True):
        points.AddControlPoint((place + shift).tolist(), "1")
    settle(warm_app, widget)
    landmarks.table.select(0)
    settle(warm_app, widget)
    hands.click(part.ui.explainLandmarkButton)
    settle(warm_app, widget)
    assert part.point.place() == pytest.approx(place)
    assert landmarks.pairs.fixed[0] == pytest.approx(place)


def test_what_was_made_goes_again_and_nothing_else(warm_app, hands, widget, scene):
    import slicer

    transform = dense(scene)
    inspect(warm_app, widget, transform)
    part = section(widget)
    before = {node.GetID() for node in slicer.util.getNodesByClass("vtkMRMLDisplayableNode")}
    part.setPoint(scene["middle"])
    settle(warm_app, widget)
    hands.choose(part.ui.explainShownComboBox, "uncertainty")
    settle(warm_app, widget)
    hands.choose(part.ui.explainShownComboBox, "features of fixed")
    settle(warm_app, widget)
    assert not rendered()
    hands.click(part.ui.explain3DCheckBox)
    warm_app.process_events(0.2)
    middle = np.reshape(rendered()[0], (3, 2)).mean(axis=1)
    assert middle == pytest.approx(scene["middle"], abs=0.1)
    assert len({node.GetID() for node in slicer.util.getNodesByClass("vtkMRMLDisplayableNode")} - before) >= 5
    hands.click(part.ui.explainRemoveButton)
    settle(warm_app, widget)
    after = {node.GetID() for node in slicer.util.getNodesByClass("vtkMRMLDisplayableNode")}
    assert after == before
    assert layers() == (scene["fixed"].GetID(), None)
    assert not part.ui.explainRemoveButton.enabled
    assert "Removed" in part.ui.explainLabel.text
    assert not list(slicer.util.getNodesByClass("vtkMRMLVolumeRenderingDisplayNode"))


def test_a_changed_transform_and_a_lost_worker_are_noticed(warm_app, widget, scene):
    """The pair is opened again without a message if the worker has dropped it."""
    from deepreg_slicer.waiting import waitForJob

    transform = dense(scene)
    inspect(warm_app, widget, transform)
    part, node = section(widget), widget.panel.node
    part.setPoint(scene["middle"])
    settle(warm_app, widget)
    first = part.session.opened["state"]
    transform.SetMatrixTransformToParent(add_linear("nothing", np.eye(4)).GetMatrixTransformToParent())
    settle(warm_app, widget)
    assert part.session.opened["state"] != first
    assert part.answer["likeliest"] != [0.0, 0.0, 0.0]
    place, _ = heat_peak(node.heat)
    assert np.linalg.norm(place - scene["middle"]) > 3.0
    # Another pair takes the place of this one in the worker.
    folder = os.path.join(part.session._client.scratch(), "other")
    os.mkdir(folder)
    blob = sitk.Cast(sitk.GaussianSource(sitk.sitkFloat32, [20, 22, 24], [4.0] * 3, [9.0] * 3), sitk.sitkInt16)
    files = {name: f"{folder}/{name}.nrrd" for name in ("fixed", "moving")}
    for path in files.values():
        sitk.WriteImage(blob, path)
    sitk.WriteTransform(sitk.TranslationTransform(3), f"{folder}/t.tfm")
    waitForJob(part.session._client.submit("explain-open", {"method": "dense", "transform": f"{folder}/t.tfm", **files}))
    for name in os.listdir(folder):
        os.remove(f"{folder}/{name}")
    os.rmdir(folder)
    part.setPoint(scene["middle"] + 4.0)
    settle(warm_app, widget)
    assert part.answer is not None
    assert "bits" in part.ui.explainLabel.text


def test_a_script_asks_without_a_panel(warm_app, scene):
    warm_app.load_module("DeepRegInspector")
    from DeepRegInspector import DeepRegInspectorLogic

    logic, transform = DeepRegInspectorLogic(), dense(scene, np.zeros(3))
    found = logic.probabilities(transform, scene["fixed"], scene["moving"], scene["middle"], "fine")
    axes = ABOVE[:3, :3] @ TURN
    assert np.abs(axes.T @ (np.array(found["likeliest"]) - SHIFT)).max() < found["stage"]["step_mm"]
    assert found["bits"] < found["most_bits"]
    with pytest.raises(RuntimeError, match="outside the fixed image"):
        logic.probabilities(transform, scene["fixed"], scene["moving"], scene["middle"] + 900.0)
    with pytest.raises(RuntimeError, match="moving volume first"):
        logic.probabilities(transform, scene["fixed"], None, scene["middle"])


@pytest.mark.parametrize("moment", ["at once", "while the worker computes"])
def test_closing_the_scene_ends_the_question(warm_app, widget, scene, moment):
    import slicer

    inspect(warm_app, widget, dense(scene))
    part = section(widget)
    part.setPoint(scene["middle"])
    if moment != "at once":
        warm_app.wait_for(lambda: part.session._task is not None and part.session._client.busy, 20, "the worker")
    slicer.mrmlScene.Clear()
    settle(warm_app, widget)
    assert part.answer is None
    assert not part.session.busy
    assert part.ui.explainLabel.text == ""
    warm_app.wait_for(lambda: not part.session._client.busy, 20, "the worker")


def test_what_cannot_be_explained_is_said(warm_app, hands, widget, scene):
    import slicer

    part = section(widget)
    other = translation("by others", SHIFT, scene["fixed"], scene["moving"])
    inspect(warm_app, widget, other)
    assert "does not name the method" in part.ui.explainMethodLabel.text
    assert part.ui.explainPickButton.enabled
    part.setPoint(scene["middle"] + 500.0)
    settle(warm_app, widget)
    assert "outside the fixed image" in part.ui.explainLabel.text
    assert widget.panel.node.heat is None
    widget.panel.node.movingVolume = None
    settle(warm_app, widget)
    assert not part.ui.explainShownComboBox.enabled
    assert "Choose the fixed and the moving volume" in part.ui.explainMethodLabel.text
    said = {"Method": "points", "Output": "transform", "Parameters": "{}", "Created": "now"}
    lost = translation("points", SHIFT, scene["fixed"], scene["moving"], **said)
    inspect(warm_app, widget, lost)
    assert "not in the scene" in part.ui.explainMethodLabel.text
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLVolumeRenderingDisplayNode") == 0


# ---------------------------------------------------------------------------------------------------------------- Descent


def test_a_descent_shows_features_and_its_way(warm_app, hands, widget, scene):
    warm_app.load_module("DeepRegDescent")
    from DeepRegDescent import DeepRegDescentLogic

    parameters = {"initial": "none", "working_spacing": 5.0, "levels": 2, "iterations": 6}
    result = DeepRegDescentLogic().register(
        scene["fixed"], scene["moving"], preset="quick", parameters=parameters, outputs=("transform", "iterations"), keptIterations=4
    )
    inspect(warm_app, widget, result.nodes["transform"])
    part, node = section(widget), widget.panel.node
    assert not part.ui.explainPickButton.enabled
    assert "no probabilities" in part.ui.explainPickButton.toolTip
    hands.choose(part.ui.explainShownComboBox, "features of fixed")
    settle(warm_app, widget)
    assert node.fixedFeatures is not None
    assert layers()[1] == node.fixedFeatures.GetID()
    assert part.ui.explainIterationSlider.visible
    part.ui.explainIterationSlider.value = 0
    warm_app.process_events()
    assert part.ui.explainLabel.text.startswith("Iterations so far: 0")
    browser = result.nodes["browser"]
    assert browser.GetSelectedItemNumber() == 0
    assert layers()[1] == result.nodes["moved"].GetID()
    part.ui.explainIterationSlider.value = part.ui.explainIterationSlider.maximum
    assert browser.GetSelectedItemNumber() == result.nodes["iterations"].GetNumberOfDataNodes() - 1


# ----------------------------------------------------------------------------------------------------------------- pictures


def test_projections_are_turned_as_radiologists_look(warm_app):
    """A single displacement to the patient's right, up and to the front, on axes in any order and direction."""
    import qt
    from DeepRegInspectorLib.explain_picture import draw, planes

    for axes in (np.eye(3), np.diag([-1.0, -1.0, 1.0]), TURN, np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])):
        probability = np.zeros((5, 5, 5))
        index = np.rint(2.0 + axes.T @ np.array([2.0, 1.0, 2.0]) * 0.99).astype(int).clip(0, 4)  # right 2, anterior 1, superior 2
        probability[tuple(index[::-1])] = 1.0
        world = axes @ (index - 2.0)
        found = {plane.title: plane for plane in planes(probability, axes)}
        for title, (across, along) in {"axial": (0, 1), "coronal": (0, 2), "sagittal": (1, 2)}.items():
            row, column = np.unravel_index(found[title].values.argmax(), (5, 5))
            assert np.sign([2 - column, 2 - row]).tolist() == np.sign(np.round(world[[across, along]])).tolist(), (title, axes)
        assert (found["axial"].left, found["axial"].above, found["coronal"].above, found["sagittal"].left) == ("R", "A", "S", "A")
        assert draw(probability, axes, 2.5, qt.QLabel()).width() > 300


def test_notes_on_how_the_pair_was_read_are_shown(warm_app, widget, scene):
    inspect(warm_app, widget, dense(scene))
    own = section(widget)
    own.setPoint(scene["middle"])
    settle(warm_app, widget)
    assert own.session.opened["notes"] == []
    assert "Note" not in own.ui.explainLabel.text
    own.session.opened["notes"] = ["the fixed image has two placements <a>"]
    own.setPoint(scene["middle"] + 1.0)
    settle(warm_app, widget)
    assert own.ui.explainLabel.text.endswith("Note: the fixed image has two placements &lt;a&gt;.")


@pytest.mark.parametrize("width", [430, 350])
def test_the_pictures_of_probabilities_fit_the_panel_and_no_text_lies_over_them(warm_app, widget, scene, width):
    """The pictures are drawn again when the width of the panel changes."""
    import qt

    inspect(warm_app, widget, dense(scene, np.zeros(3)))
    part = section(widget)
    part.ui.explainCollapsibleButton.collapsed = False
    part.setPoint(scene["middle"])
    settle(warm_app, widget)
    panel, picture, below = widget.parent, part.ui.explainPictureLabel, part.ui.explainLabel
    panel.resize(width, 900)
    warm_app.process_events(0.1)
    assert panel.minimumSizeHint.width() <= width
    assert picture.pixmap.width() / picture.pixmap.devicePixelRatio() <= picture.width
    assert picture.height >= picture.pixmap.height() / picture.pixmap.devicePixelRatio()
    assert below.text
    assert below.mapTo(panel, qt.QPoint(0, 0)).y() >= picture.mapTo(panel, qt.QPoint(0, 0)).y() + picture.height
    assert below.height >= below.heightForWidth(below.width)
