"""The Points panel under a user's hands: lists, curves, models, segments and volumes in; transform, lines and clouds out."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk
import vtk
from panels import finish, landmark_error, nodes, opened, world_image
from vtk.util.numpy_support import vtk_to_numpy
from world import FLIP, TURN, add_linear, add_volume, add_warp, matrix4, through, to_vtk

from slicer_testing.pictures import pixels, screenshot

RAS = FLIP[:3, :3]
MODELS = ("correspondences", "fixedCloud", "movingCloud", "movedCloud")


def warped(points: np.ndarray) -> np.ndarray:
    """A known affine and smooth deformation, some centimetres (N, 3)."""
    linear = np.array([[1.05, 0.06, -0.02], [-0.05, 0.94, 0.04], [0.03, -0.02, 1.08]])
    waves = 6.0 * np.sin(points[:, [1, 2, 0]] / 45.0 + (0.3, 1.1, 2.0))
    return points @ linear.T + (18.0, -12.0, 25.0) + waves


def scattered(count: int = 60) -> np.ndarray:
    """Points no two of which are near (count, 3)."""
    generator, found = np.random.default_rng(3), []
    while len(found) < count:
        point = generator.uniform((-70, -50, -80), (70, 50, 80))
        if all(np.linalg.norm(point - other) > 14.0 for other in found):
            found.append(point)
    return np.array(found)


def add_points(name: str, world: np.ndarray, parent=None):
    """A point list whose points are seen at these places (RAS mm)."""
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name)
    own = world if parent is None else through(parent, world, inverse=True)
    slicer.util.updateMarkupsControlPointsFromArray(node, np.ascontiguousarray(own))
    if parent is not None:
        node.SetAndObserveTransformNodeID(parent.GetID())
    return node


def models() -> list[str]:
    import slicer

    return sorted(node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLModelNode") if not node.GetHideFromEditors())


def made(widget, name: str):
    """A result of the last run."""
    node = widget.panel.node
    return getattr(node, f"{name}Result") if name in MODELS else getattr(node, f"result{name.capitalize()}")


def line_ends(widget) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fixed points, where they go, and confidence, from the model of correspondences."""
    data = made(widget, "correspondences").GetPolyData()
    points = vtk_to_numpy(data.GetPoints().GetData())
    return points[0::2], points[1::2], vtk_to_numpy(data.GetPointData().GetArray("Confidence"))[0::2]


def centres(node) -> np.ndarray:
    from DeepRegPointsLib.clouds import centres

    return centres(node.GetPolyData())


def saved(transform) -> sitk.Transform:
    """A transform node as SimpleITK reads its file."""
    import slicer

    path = f"{slicer.app.temporaryPath}/checked.h5"
    assert slicer.util.saveNode(transform, path)
    return sitk.ReadTransform(path)


def apply(app, hands, widget, seconds: float = 60.0) -> str:
    hands.click(widget.ui.applyButton)
    finish(app, widget, seconds)
    return widget.ui.resultLabel.text


@pytest.fixture
def lists(warm_app):
    """Two lists in the scene: the moving points are the fixed ones, warped and in another order."""
    fixed = scattered()
    return add_points("before", fixed), add_points("after", warped(fixed)[::-1])


@pytest.fixture
def widget(warm_app, lists, hands):
    widget = opened(warm_app, "DeepRegPoints")
    hands.choose(widget.ui.presetComboBox, "Few landmarks")
    return widget


# ----------------------------------------------------------------------------------------------------------------- choose


def test_two_lists_are_chosen_by_themselves(warm_app, widget, lists):
    assert (widget.ui.fixedPointsSelector.currentNode(), widget.ui.movingPointsSelector.currentNode()) == lists
    assert widget.ui.applyButton.enabled
    assert "20 mm around" in widget.ui.kindLabel.text
    assert not widget.ui.refineCheckBox.enabled
    assert not widget.ui.volumeWantedCheckBox.enabled


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("nothing", "choose fixed and moving points, or two volumes"),
        ("no moving", "choose moving points too"),
        ("the same", "are the same"),
        ("few", "have 3 places: at least 4"),
        ("duplicates", "have 2 places: at least 4"),
        ("none", "have no points"),
        ("one volume", "choose a moving volume too"),
        ("no segments", "has no segments"),
        ("warp nothing", "choose a moving segmentation"),
        ("the same output", "the same output"),
    ],
)
def test_apply_says_why_it_cannot(warm_app, widget, lists, wrong, words):
    import slicer

    node, ui = widget.panel.node, widget.ui
    assert ui.applyButton.enabled
    if wrong == "nothing":
        node.fixedPoints = node.movingPoints = None
    elif wrong == "no moving":
        node.movingPoints = None
    elif wrong == "the same":
        node.movingPoints = lists[0]
    elif wrong in ("few", "duplicates", "none"):
        # The list is chosen already: what happens to it is seen at once.
        lists[1].RemoveAllControlPoints()
        places = {"few": [[0, 0, 0], [30, 0, 0], [0, 30, 0]], "duplicates": 4 * [[0, 0, 0]] + [[0, 30, 0]], "none": []}[wrong]
        for place in places:
            lists[1].AddControlPoint(place)
    elif wrong == "one volume":
        node.fixedVolume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    elif wrong == "no segments":
        node.movingPoints = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "lungs")
    elif wrong == "warp nothing":
        node.labelsWanted = True
    else:
        node.movedCloudOutput = node.fixedCloudOutput = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", "output")
    warm_app.process_events()
    assert not ui.applyButton.enabled
    assert words in ui.applyButton.toolTip.lower(), ui.applyButton.toolTip
    if wrong == "few":
        lists[1].AddControlPoint([10, 20, 30])
        warm_app.process_events()
        assert ui.applyButton.enabled


def test_every_parameter_has_its_widget_and_presets_set_them(warm_app, hands, widget):
    from deepreg_engine.methods.points.parameters import PointsParameters
    from deepreg_engine.methods.points.presets import POINTS_PRESETS

    for description in PointsParameters.describe():
        control = widget.panel.form.widgets[description.name]
        assert description.help[:20].lower() in control.toolTip.lower()
        if description.minimum is not None:
            assert (control.minimum, control.maximum) == (description.minimum, description.maximum)
    for preset in POINTS_PRESETS:
        hands.choose(widget.ui.presetComboBox, preset.title)
        assert widget.panel.values() == preset.parameters.to_dict()
    widget.panel.node.parameters.outliers = 0.77
    assert "Changed under Advanced: outliers" in widget.ui.presetHelpLabel.text
    offered = widget.panel.form.widgets["features"]
    assert [offered.itemData(n) for n in range(offered.count)][:2] == ["none", "lung-points"]


# ------------------------------------------------------------------------------------------------------------------ apply


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
    assert "landmarks" in line and "60 and 60 points, 100 % sure" in line, line
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
    # Clouds: as they were seen, and through the transform as the application applies it.
    assert np.allclose(centres(made(widget, "fixedCloud")), world, atol=1e-3)
    assert np.allclose(centres(made(widget, "movingCloud")), warped(world)[::-1], atol=1e-3)
    assert np.allclose(centres(made(widget, "movedCloud")), through(transform, warped(world)[::-1]), atol=0.05)
    assert np.linalg.norm(centres(made(widget, "movedCloud"))[::-1] - world, axis=1).max() < 2.0
    import slicer

    for inverse in slicer.util.getNodesByClass("vtkMRMLGridTransformNode"):
        if inverse.GetAttribute("DeepReg.Output") == "inverse":
            assert np.linalg.norm(through(inverse, world) - end, axis=1).max() < 0.5
    assert len(slicer.util.getNodesByClass("vtkMRMLGridTransformNode")) == (2 if parents == "rigid" else 1)
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
    # The user's segmentation got nothing by that.
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
    from DeepRegPointsLib.sources import distinct, pointsOf, problem, readCloud, writeCloud

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
    assert "no points" in problem(empty, "", "fixed")
    with pytest.raises(NodeError, match="has no points"):
        pointsOf(empty)
    lungs = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "thorax")
    for name in ("left lung", "Right lung", "heart"):
        lungs.GetSegmentation().AddEmptySegment(name, name)
    assert groups(lungs) == [("group:lung", "lung (2 segments)")]
    assert chosen(lungs, "group:lung") == ["left lung", "Right lung"]
    assert chosen(lungs, "heart") == "heart"


@pytest.fixture(scope="session")
def thorax_folder(tmp_path_factory):
    """A small thorax at two breathing states: oblique, anisotropic, of unequal sizes."""
    from deepreg_engine.phantoms import make_pair, write_pair

    folder = tmp_path_factory.mktemp("thorax")
    write_pair(make_pair("thorax", detail=0.4), folder)
    return folder


@pytest.fixture
def thorax(warm_app, thorax_folder):
    """The pair in the scene, as the module DeepReg Setup loads it."""
    warm_app.load_module("DeepReg")
    from DeepRegLib.samples import load

    meta = json.loads((thorax_folder / "phantom.json").read_text())
    names = ("fixed.nii.gz", "moving.nii.gz", "fixed_labels.nii.gz", "moving_labels.nii.gz", "fixed_landmarks.csv", "moving_landmarks.csv")
    return load({"files": {name.split(".")[0]: str(thorax_folder / name) for name in names}, "labels": meta["label_names"]}, "thorax")


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
    assert "Dice" in line and "landmarks" in line and "folding" in line, line
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


def test_views_without_a_volume_show_the_points(warm_app, hands, widget, tmp_path):
    import slicer

    manager = slicer.app.layoutManager()
    manager.viewport().show()
    apply(warm_app, hands, widget)
    manager.resetThreeDViews()
    warm_app.process_events(0.2)
    for view in (manager.sliceWidget("Red").sliceView(), manager.threeDWidget(0).threeDView()):
        seen = pixels(screenshot(view)).astype(int)
        yellow = (seen[..., 0] > 120) & (seen[..., 1] > 80) & (seen[..., 2] < 90)
        screenshot(view, tmp_path / "view.png")
        green = (seen[..., 1] > 120) & (seen[..., 0] < 70) & (seen[..., 2] > 100)
        assert yellow.sum() > 10 and green.sum() > 30, view
    assert widget.ui.gridCheckBox.checked
    # Size and confidence.
    before = made(widget, "fixedCloud").GetPolyData().GetBounds()[1]
    centre = centres(made(widget, "fixedCloud"))
    widget.ui.pointSizeSlider.value = 300
    assert made(widget, "fixedCloud").GetPolyData().GetBounds()[1] > before + 0.2
    assert np.allclose(centres(made(widget, "fixedCloud")), centre, atol=1e-4)
    widget.ui.leastConfidenceSlider.value = 50
    display = made(widget, "correspondences").GetDisplayNode()
    assert display.GetThresholdEnabled()
    assert display.GetThresholdMin() == 0.5
    assert display.GetActiveScalarName() == "Confidence"
    manager.viewport().hide()


def test_each_run_makes_new_nodes_unless_told_otherwise_and_undo_takes_all_away(warm_app, hands, widget):
    import slicer

    slicer.mrmlScene.SetUndoOn()
    before, no_models = nodes(), models()
    apply(warm_app, hands, widget)
    first = made(widget, "correspondences")
    assert len(models()) == len(no_models) + 4
    assert len(nodes()) == len(before) + 1
    slicer.mrmlScene.Undo()
    assert nodes() == before
    assert models() == no_models
    apply(warm_app, hands, widget)
    first = made(widget, "correspondences")
    widget.panel.node.correspondencesOutput = first
    for name in ("fixedCloud", "movingCloud", "movedCloud"):
        setattr(widget.panel.node, f"{name}Wanted", False)
    for name in ("fixedCloud", "movedCloud"):
        assert made(widget, name).GetDisplayNode().GetVisibility()
    second = made(widget, "movedCloud")
    count, data = len(models()), first.GetPolyData()
    apply(warm_app, hands, widget)
    assert made(widget, "correspondences") is first
    assert first.GetPolyData() is not data
    assert len(models()) == count
    assert np.array_equal(vtk_to_numpy(first.GetPolyData().GetPoints().GetData()), vtk_to_numpy(data.GetPoints().GetData()))  # bit for bit
    assert first.GetDisplayNode().GetVisibility()
    assert not second.GetDisplayNode().GetVisibility()
    assert made(widget, "fixedCloud") is None
    assert not widget.ui.fixedCloudShowCheckBox.enabled


def test_cancel_and_errors_change_nothing_and_apply_works_again(warm_app, hands, widget, lists):
    import slicer

    everything = slicer.mrmlScene.GetNumberOfNodes()
    many = add_points("many", np.random.default_rng(0).uniform(-90, 90, size=(3000, 3)))
    node = widget.panel.node
    node.fixedPoints = node.movingPoints = many
    node.fixedPoints, node.movingPoints = many, add_points("more", np.random.default_rng(1).uniform(-90, 90, size=(3000, 3)))
    node.parameters.drift_iterations = 900
    before, no_models = nodes(), models()
    hands.click(widget.ui.applyButton)
    warm_app.wait_for(lambda: "drift" in widget.ui.stageLabel.text, 30, "the computation")
    assert widget.ui.applyButton.text == "Cancel"
    assert widget.ui.progressBar.visible
    hands.click(widget.ui.applyButton)
    finish(warm_app, widget, 10)
    assert "Stopped by the user" in widget.ui.resultLabel.text
    assert (nodes(), models()) == (before, no_models)
    # Points on one line say nothing of a deformation.
    straight = add_points("straight", np.array([[n, 2.0 * n, -n] for n in range(0, 100, 5)], dtype=float))
    node.fixedPoints, node.movingPoints = straight, lists[1]
    line = apply(warm_app, hands, widget)
    assert "lie on one line" in line
    assert "\n" not in line
    assert (len(models()), len(nodes())) == (len(no_models), len(before) + 1)
    node.parameters.drift_iterations = 150
    node.fixedPoints, node.movingPoints = lists
    assert "sure" in apply(warm_app, hands, widget)
    assert slicer.mrmlScene.GetNumberOfNodes() > everything


def test_scene_saved_loaded_and_gone_on_with(warm_app, hands, widget, tmp_path):
    import slicer

    summary = apply(warm_app, hands, widget)
    begin, end, confidence = (array.copy() for array in line_ends(widget))
    path = tmp_path / "scene.mrb"
    assert slicer.util.saveScene(str(path))
    slicer.mrmlScene.Clear()
    warm_app.process_events()
    assert widget.panel.node.fixedPoints is None
    assert not widget.ui.applyButton.enabled
    assert not widget.ui.pointSizeSlider.enabled
    slicer.util.loadScene(str(path))
    warm_app.process_events()
    node = widget.panel.node
    assert node.fixedPoints.GetName() == "before"
    assert node.movingPoints.GetName() == "after"
    assert widget.ui.resultLabel.text == summary
    again = line_ends(widget)
    assert np.allclose(again[0], begin, atol=1e-3)
    assert np.allclose(again[1], end, atol=1e-3)
    assert np.allclose(again[2], confidence, atol=1e-5)
    assert np.allclose(through(made(widget, "transform"), end), begin, atol=0.1)
    display = made(widget, "correspondences").GetDisplayNode()
    color = [0.0, 0.0, 0.0, 0.0]
    assert display.GetActiveScalarName() == "Confidence"
    assert display.GetColorNode().GetColor(100, color)
    assert color[1] > color[0]
    assert len(centres(made(widget, "movedCloud"))) == len(begin)
    assert "sure" in apply(warm_app, hands, widget)


# ---------------------------------------------------------------------------------------------------------------- scripts


def test_a_script_registers_without_a_panel(warm_app, lists):
    warm_app.load_module("DeepRegPoints")
    from DeepRegPoints import DeepRegPointsLogic, DeepRegPointsTest

    logic = DeepRegPointsLogic()
    result = logic.register(*lists, preset="landmarks", outputs=("transform", "movedCloud"))
    assert set(result.nodes) == {"transform", "movedCloud"}
    assert "sure" in result.summary
    for arguments, words in (
        ({"preset": "lnug"}, "did you mean lung"),
        ({"parameters": {"outlier": 1}}, "did you mean outliers"),
        ({"outputs": ("lines",)}, "there is no output"),
    ):
        with pytest.raises(RuntimeError, match=words):
            logic.register(*lists, **arguments)
    DeepRegPointsTest().runTest()


def test_landmarks_of_real_lungs_find_their_partners(warm_app, shared_data):
    """51 places that an observer found in two breathing states of one patient, given in another order."""
    warm_app.load_module("DeepRegPoints")
    from DeepRegPoints import DeepRegPointsLogic

    files = [shared_data / "thorax" / f"CT_3D_lung_{side}_point_set_corrected.txt" for side in ("fixed", "moving")]
    if not all(path.is_file() for path in files):
        pytest.skip("the landmarks are not there")
    pairs = [np.loadtxt(path, skiprows=2) @ RAS for path in files]
    order = np.random.default_rng(4).permutation(len(pairs[1]))
    given = add_points("fixed", pairs[0]), add_points("moving", pairs[1][order])
    result = DeepRegPointsLogic().register(*given, preset="landmarks", outputs=("transform", "correspondences"))
    before = np.linalg.norm(pairs[0] - pairs[1], axis=1).mean()
    moved = through(result.nodes["transform"], pairs[0], inverse=True)
    after = np.linalg.norm(moved - pairs[1], axis=1)
    assert after.mean() < 0.4 * before, (before, after.mean())


# ------------------------------------------------------------------------------------------------------------------ looks


@pytest.mark.parametrize("width", [350, 450, 600])
def test_no_text_is_cut_off(warm_app, hands, widget, width, tmp_path):
    import qt

    ui = widget.ui
    for name in ("moreInputs", "outputs", "advanced", "result"):
        getattr(ui, f"{name}CollapsibleButton").collapsed = False
    panel = widget.parent
    panel.resize(width, 2100)
    warm_app.process_events()
    for label in panel.findChildren(qt.QLabel):
        if label.visible and label.text and not label.wordWrap:
            assert label.width >= label.sizeHint.width(), label.text
    for button in [*panel.findChildren(qt.QPushButton), *panel.findChildren(qt.QCheckBox)]:
        if button.visible and button.text:
            assert button.width >= button.sizeHint.width() - 2, button.text
    assert panel.width == width
    for height in (500, 1200):
        panel.resize(width, height)
        warm_app.process_events()
        for label in (ui.kindLabel, ui.presetHelpLabel):
            lines = label.heightForWidth(label.width) / label.fontMetrics().lineSpacing()
            assert label.height >= label.heightForWidth(label.width) and lines < 4.0, (height, label.text)
    assert pixels(screenshot(panel, tmp_path / "panel.png")).std() > 10
