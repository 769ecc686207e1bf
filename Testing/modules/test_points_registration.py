"""Registration in the Points panel: lists, curves, models, segments and volumes in; transform, lines and clouds out."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk
import vtk
from panels import landmark_error, opened, world_image
from points_bench import MODELS, RAS, add_points, apply, centres, line_ends, made, saved, scattered, warped
from vtk.util.numpy_support import vtk_to_numpy
from world import TURN, add_linear, add_volume, add_warp, matrix4, through, to_vtk

from slicer_testing.pictures import pixels, screenshot

# ----------------------------------------------------------------------------------------------------------------- apply


@pytest.mark.parametrize("parents", ["none", "rigid", "a shear and a warp"])
def test_transform_lines_and_clouds_agree_under_parent_transforms(warm_app, hands, parents):
    above = {
        "none": lambda: (None, None),
        "rigid": lambda: (
            add_linear("first", matrix4(TURN, (20.0, -30.0, 40.0))),
            add_linear("second", matrix4(TURN.T, (-9.0, 5.0, 60.0))),
        ),
        "a shear and a warp": lambda: (
            add_linear("shear", matrix4(np.array([[1.0, 0.2, 0.0], [0.0, 1.1, 0.1], [0.0, 0.0, 0.9]]), (5.0, 3.0, -4.0))),
            add_warp("warp"),
        ),
    }[parents]()
    world = scattered()
    fixed, moving = add_points("before", world, above[0]), add_points("after", warped(world)[::-1], above[1])
    tests = add_points("test before", world[:9], above[0]), add_points("test after", warped(world)[:9], above[1])
    widget = opened(warm_app, "DeepRegPoints")
    hands.choose(widget.ui.fixedPointsSelector, fixed)
    hands.choose(widget.ui.movingPointsSelector, moving)
    hands.choose(widget.ui.presetComboBox, "Few landmarks")
    node = widget.panel.node
    node.testFixed, node.testMoving = tests
    node.inverseWanted = parents == "rigid"
    line = apply(warm_app, hands, widget)
    assert "landmarks" in line, line
    assert "points: 60 fixed, 60 moving, 100 % reliable" in line, line
    transform = made(widget, "transform")
    report = json.loads(transform.GetAttribute("DeepReg.Report"))
    assert report["method"] == "points"
    assert report["landmarks"]["after"]["mean"] < 1.0 < 15.0 < report["landmarks"]["before"]["mean"]
    assert landmark_error(transform, *tests) == pytest.approx(report["landmarks"]["after"]["mean"], abs=0.1)
    # Lines begin at the fixed points as they are seen, and end where SimpleITK takes them with the saved transform: at their partners.
    begin, end, confidence = line_ends(widget)
    assert np.allclose(begin, world, atol=1e-3)
    assert confidence.min() > 0.5
    assert np.linalg.norm(end - warped(world), axis=1).max() < 2.0
    itk = saved(transform)
    by_itk = np.array([itk.TransformPoint(point) for point in (world @ RAS).tolist()]) @ RAS
    assert np.allclose(by_itk, end, atol=0.1)
    # Clouds: in world coordinates, and through the transform as the application applies it.
    assert np.allclose(centres(made(widget, "fixedCloud")), world, atol=1e-3)
    assert np.allclose(centres(made(widget, "movingCloud")), warped(world)[::-1], atol=1e-3)
    assert np.allclose(centres(made(widget, "movedCloud")), through(transform, warped(world)[::-1]), atol=0.05)
    assert np.linalg.norm(centres(made(widget, "movedCloud"))[::-1] - world, axis=1).max() < 2.0
    import slicer

    for inverse in slicer.util.getNodesByClass("vtkMRMLGridTransformNode"):
        if inverse.GetAttribute("DeepReg.Output") == "inverse":
            assert np.linalg.norm(through(inverse, world) - end, axis=1).max() < 0.5
    fields = [node for node in slicer.util.getNodesByClass("vtkMRMLGridTransformNode") if not node.GetHideFromEditors()]
    assert len(fields) == (2 if parents == "rigid" else 1)
    for name in (*MODELS, "transform"):
        assert made(widget, name).GetParentTransformNode() is None
        assert made(widget, name).GetNodeReference("deepRegFixed") is fixed
        assert made(widget, name).GetAttribute("DeepReg.Preset") == "landmarks"
    assert fixed.GetParentTransformNode() is above[0]
    assert moving.GetParentTransformNode() is above[1]


def ellipsoid(radii, turn: np.ndarray, shift, count: int = 40) -> vtk.vtkPolyData:
    """A closed surface with a bump, so that its axes cannot be exchanged."""
    source = vtk.vtkSphereSource()
    source.SetRadius(1.0)
    source.SetThetaResolution(count)
    source.SetPhiResolution(count)
    source.Update()
    surface = source.GetOutput()
    points = vtk_to_numpy(surface.GetPoints().GetData()).astype(float)
    points *= 1.0 + 0.35 * np.exp(-8.0 * ((points - (0.8, 0.5, 0.3)) ** 2).sum(axis=1))[:, None]
    copy = vtk.vtkPoints()
    for point in (points * radii) @ turn.T + shift:
        copy.InsertNextPoint(*point)
    surface.SetPoints(copy)
    return surface


def test_a_model_and_a_segment_by_their_surfaces(warm_app, hands):
    import slicer

    turn = TURN
    shape = np.array([30.0, 40.0, 55.0])
    parent = add_linear("parent", matrix4(turn, (10.0, 20.0, -30.0)))
    model = slicer.modules.models.logic().AddModel(ellipsoid(shape, np.eye(3), (0.0, 0.0, 0.0)))
    model.SetAndObserveTransformNodeID(parent.GetID())
    small = np.linalg.qr(np.eye(3) + np.array([[0, -0.12, 0.05], [0.12, 0, 0.03], [-0.05, -0.03, 0]]))[0]
    small *= np.sign(np.diag(small))
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "organs")
    segmentation.CreateDefaultDisplayNodes()
    segmentation.GetSegmentation().SetSourceRepresentationName("Closed surface")
    segmentation.AddSegmentFromClosedSurfaceRepresentation(
        ellipsoid(shape * 1.15, small @ turn, (25.0, 12.0, -20.0)), "left organ", [1, 0, 0], "L"
    )
    segmentation.AddSegmentFromClosedSurfaceRepresentation(
        ellipsoid((9.0, 9.0, 9.0), np.eye(3), (0.0, 200.0, 0.0)), "other", [0, 1, 0], "O"
    )
    reference = add_volume("reference", np.zeros((80, 150, 80), np.uint8), matrix4(2.0 * np.eye(3), (-70.0, -80.0, -95.0)))
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(reference)
    slicer.mrmlScene.RemoveNode(reference)
    segmentation.CreateBinaryLabelmapRepresentation()
    segmentation.GetSegmentation().SetSourceRepresentationName("Binary labelmap")
    segmentation.GetSegmentation().RemoveRepresentation("Closed surface")
    widget = opened(warm_app, "DeepRegPoints")
    hands.choose(widget.ui.fixedPointsSelector, model)
    hands.choose(widget.ui.movingPointsSelector, "organs")
    hands.choose(widget.ui.movingPointsSegmentComboBox, "left organ")
    hands.choose(widget.ui.presetComboBox, "Any shape")
    assert widget.panel.node.movingPointsSegment == "L"
    widget.panel.node.most = 250
    line = apply(warm_app, hands, widget)
    assert "points" in line, line
    assert "thinned" in widget.ui.logTextEdit.toPlainText() or len(centres(made(widget, "movingCloud"))) <= 250
    # The user's segmentation is unchanged.
    assert not segmentation.GetSegmentation().ContainsRepresentation("Closed surface")
    begin, end, _ = line_ends(widget)
    assert len(begin) <= 250
    # Lines begin on the model's surface as it is seen, and end on the segment's.
    surface = through(parent, vtk_to_numpy(model.GetPolyData().GetPoints().GetData()))
    assert max(np.linalg.norm(surface - point, axis=1).min() for point in begin[::10]) < 1e-3
    target = vtk_to_numpy(ellipsoid(shape * 1.15, small @ turn, (25.0, 12.0, -20.0), 120).GetPoints().GetData())
    apart = [np.linalg.norm(target - point, axis=1).min() for point in end]
    assert np.mean(apart) < 2.5, np.mean(apart)


def test_the_centreline_of_a_segment(warm_app):
    """Two bent tubes: points lie in their middle."""
    import slicer

    warm_app.load_module("DeepRegPoints")
    from DeepRegPoints import DeepRegPointsLogic

    matrix = matrix4(TURN * (2.0, 1.5, 2.5), (30.0, -20.0, 10.0))
    index = np.stack(np.meshgrid(*(np.arange(n) for n in (40, 44, 36)), indexing="ij"), axis=-1).reshape(-1, 3) * (2.0, 1.5, 2.5)
    # A letter L in a box: along y, then along x and z.
    middle = np.concatenate(
        [[(20.0, y, 20.0) for y in np.arange(12.0, 50.0)], [(20.0 + s, 50.0, 20.0 + s) for s in np.arange(0.0, 42.0, 0.7)]]
    )
    inside = np.min([((index - point) ** 2).sum(axis=1) for point in middle], axis=0) < 6.0**2
    array = inside.reshape(40, 44, 36).transpose(2, 1, 0).astype(np.uint8)
    segmentations = []
    for name, shift in (("fixed", (0.0, 0.0, 0.0)), ("moving", (9.0, -6.0, 4.0))):
        label = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", name)
        slicer.util.updateVolumeFromArray(label, array)
        moved = matrix.copy()
        moved[:3, 3] += shift
        label.SetIJKToRASMatrix(to_vtk(moved))
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", f"{name} vessels")
        slicer.modules.segmentations.logic().ImportLabelmapToSegmentationNode(label, node)
        segmentations.append(node)
    result = DeepRegPointsLogic().register(*segmentations, preset="shape", outputs=("correspondences",), source="skeleton")
    lines = slicer.util.arrayFromModelPoints(result.nodes["correspondences"])
    line = middle @ TURN.T + (30.0, -20.0, 10.0)
    apart = [np.linalg.norm(line - point, axis=1).min() for point in lines[0::2]]
    assert len(lines) > 20
    assert np.mean(apart) < 2.0
    assert np.median(np.linalg.norm(lines[1::2] - lines[0::2] - (9.0, -6.0, 4.0), axis=1)) < 1.5


def test_what_gives_points(warm_app):
    import slicer
    from DeepRegPointsLib.segments import chosen, groups
    from DeepRegPointsLib.sources import check, distinct, pointsOf, readCloud, writeCloud

    from deepreg_slicer.volumes import NodeError

    closed = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsClosedCurveNode", "ring")
    parent = add_linear("parent", matrix4(TURN, (10.0, 20.0, -30.0)))
    closed.SetAndObserveTransformNodeID(parent.GetID())
    ring = np.array([[30 * np.cos(a), 30 * np.sin(a), 0.0] for a in np.linspace(0, 2 * np.pi, 12, endpoint=False)])
    slicer.util.updateMarkupsControlPointsFromArray(closed, ring)
    points = distinct(pointsOf(closed))
    assert len(points) > 60
    assert np.linalg.norm(through(parent, points, inverse=True), axis=1) == pytest.approx(30.0, abs=1.0)
    path = f"{slicer.app.temporaryPath}/ring.csv"
    writeCloud(path, points)
    assert np.allclose(readCloud(path), points, atol=1e-8)
    assert np.loadtxt(path, delimiter=",", skiprows=1)[0] == pytest.approx(points[0] * (-1, -1, 1))
    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", "empty")
    with pytest.raises(NodeError, match="has no points: at least 4 are needed"):
        check(empty, "", "fixed_points")
    with pytest.raises(NodeError, match="has no points"):
        pointsOf(empty)
    lungs = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "thorax")
    for name in ("left lung", "Right lung", "heart"):
        lungs.GetSegmentation().AddEmptySegment(name, name)
    assert groups(lungs) == [("group:lung", "lung (2 segments)")]
    assert chosen(lungs, "group:lung") == ["left lung", "Right lung"]
    assert chosen(lungs, "heart") == "heart"


def test_volumes_by_keypoints_in_the_lungs_with_all_results(warm_app, hands, thorax):
    import slicer

    slicer.app.layoutManager().viewport().show()
    parent = add_linear("parent", matrix4(TURN, (20.0, -30.0, 40.0)))
    for node in thorax.values():
        node.SetAndObserveTransformNodeID(parent.GetID())
    widget = opened(warm_app, "DeepRegPoints")
    ui, node = widget.ui, widget.panel.node
    assert ui.fixedSelector.currentNode() is thorax["fixed"]
    assert "Give masks" in ui.kindLabel.text
    assert ui.refineCheckBox.enabled
    ui.moreInputsCollapsibleButton.collapsed = False
    for side in ("fixed", "moving"):
        hands.choose(getattr(ui, f"{side}MaskSelector"), thorax[f"{side}Labels"])
        hands.choose(getattr(ui, f"{side}MaskSegmentComboBox"), "lung (2 segments)")
    assert "within the masks" in ui.kindLabel.text
    node.testFixed, node.testMoving = thorax["fixedLandmarks"], thorax["movingLandmarks"]
    node.fixedLabels, node.movingLabels = thorax["fixedLabels"], thorax["movingLabels"]
    node.labelsWanted = node.jacobianWanted = node.refine = True
    node.refinePreset = "quick"
    node.parameters.keypoint_count = 300
    node.parameters.keypoint_spacing = 3.0
    node.parameters.messages = 2
    line = apply(warm_app, hands, widget)
    assert "Dice" in line, line
    assert "landmarks" in line, line
    assert "folding" in line, line
    transform, volume = made(widget, "transform"), made(widget, "volume")
    report = json.loads(transform.GetAttribute("DeepReg.Report"))
    assert report["landmarks"]["after"]["mean"] < 0.6 * report["landmarks"]["before"]["mean"]
    assert report["refinement"]["preset"] == "quick"
    assert report["overlap"]["mean_after"]["dice"] > report["overlap"]["mean_before"]["dice"]
    assert landmark_error(transform, thorax["fixedLandmarks"], thorax["movingLandmarks"]) == pytest.approx(
        report["landmarks"]["after"]["mean"], abs=0.15
    )
    # The warped volume shows what SimpleITK makes with the saved transform.
    shown, source = world_image(volume), world_image(thorax["moving"])
    expected = sitk.GetArrayFromImage(sitk.Resample(sitk.Cast(source, sitk.sitkFloat32), shown, saved(transform), sitk.sitkLinear, -1024.0))
    assert np.percentile(np.abs(sitk.GetArrayFromImage(shown) - expected), 99.5) < 4.0
    # Keypoints lie in the lungs as they are seen.
    lungs = np.zeros(1)
    for segment in ("left lung", "right lung"):
        segmentation = thorax["fixedLabels"]
        lungs = lungs + slicer.util.arrayFromSegmentBinaryLabelmap(
            segmentation, segmentation.GetSegmentation().GetSegmentIdBySegmentName(segment), thorax["fixed"]
        )
    image = world_image(thorax["fixed"])
    begin, end, confidence = line_ends(widget)
    index = np.array([image.TransformPhysicalPointToIndex(point) for point in (begin @ RAS).tolist()])
    assert len(begin) > 100
    assert np.mean(lungs[tuple(index[:, ::-1].T)] > 0) > 0.85
    assert confidence.min() >= 0.0
    assert confidence.max() <= 1.0
    assert confidence.std() > 0.05
    assert {n.GetAttribute("DeepReg.Output") for n in slicer.util.getNodesByClass("vtkMRMLNode")} - {None} == {
        "transform",
        "volume",
        "labels",
        "jacobian",
        *MODELS,
    }
    # The views show it, and follow the panel.
    for segmentation in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        segmentation.GetDisplayNode().SetVisibility(False)
    warm_app.process_events(0.1)
    view = slicer.app.layoutManager().sliceWidget("Green").sliceView()
    seen = pixels(screenshot(view)).astype(int)
    pink = (seen[..., 0] > 200) & (seen[..., 1] < 130) & (seen[..., 2] > 180)
    assert seen.std() > 20
    assert pink.sum() > 10
    assert ui.movedCloudShowCheckBox.checked
    assert not ui.movingCloudShowCheckBox.checked
    assert not ui.gridCheckBox.checked
    ui.resultCollapsibleButton.collapsed = False
    hands.click(ui.movedCloudShowCheckBox)
    warm_app.process_events(0.1)
    seen = pixels(screenshot(view)).astype(int)
    assert ((seen[..., 0] > 200) & (seen[..., 1] < 130) & (seen[..., 2] > 180)).sum() < 0.2 * pink.sum()
    slicer.app.layoutManager().viewport().hide()


def test_masks_without_volumes_are_not_used(app):
    import slicer

    opened(app, "DeepRegPoints")
    from DeepRegPointsLib.registration import PointsInputs

    points = {f"{side}Points": add_points(side, scattered(8)) for side in ("fixed", "moving")}
    mask = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "left from earlier volumes")
    inputs = PointsInputs(**points, fixedMask=mask, movingMask=mask)
    assert [slot.name for slot, _node in inputs.given()] == ["fixed_points", "moving_points"]
    inputs.check()
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "fixed")
    assert [slot.name for slot, _node in PointsInputs(**points, fixed=volume, fixedMask=mask).given()][2:] == ["fixed", "fixed_mask"]
