"""Real scans in the Dense panel, in a user's order: load, apply, cancel, apply again, inspect, save, load again.

Where the scans come from, and under which licences, is described beside them; without them these tests are skipped.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from panels import applied, finish, nodes, opened, world_image
from vtk.util.numpy_support import vtk_to_numpy
from world import TURN, add_linear, matrix4, through

from slicer_testing.pictures import pixels, screenshot


def load(folder: Path, *names: str) -> list:
    """Volumes as the application loads them."""
    import slicer

    return [slicer.util.loadVolume(str(folder / f"{name}.nii.gz"), {"name": name}) for name in names]


def organs(path: Path, values: dict[int, str]):
    """A segmentation with some of the labels of a file, under names."""
    from DeepRegLib.samples import loadSegmentation

    node = loadSegmentation(str(path), path.name.partition(".")[0], values)
    segmentation = node.GetSegmentation()
    for segment_id in list(segmentation.GetSegmentIDs()):
        if segmentation.GetSegment(segment_id).GetName() not in values.values():
            segmentation.RemoveSegment(segment_id)
    return node


def made(widget, name: str = "transform"):
    """A result of the last run."""
    return getattr(widget.panel.node, f"result{name.capitalize()}")


def dice(transform, name: str) -> tuple[float, float]:
    """A structure's Dice before and after, from the report that a transform carries."""
    from deepreg_slicer.provenance import readReport

    entry = next(entry for entry in readReport(transform)["overlap"]["labels"] if entry["name"] == name)
    return entry["before"]["dice"], entry["after"]["dice"]


def grid_of(transform) -> np.ndarray:
    """A result's displacements, flat."""
    return vtk_to_numpy(transform.GetTransformFromParent().GetDisplacementGrid().GetPointData().GetScalars()).copy()


# ------------------------------------------------------------------------------------------------- CT and MR of two people


@pytest.mark.host_only("it uses the host's window")
def test_ct_and_mr_of_two_people_are_registered_and_shown(warm_app, hands, shared_data):
    """Apply, cancel on the way, apply again, look."""
    import slicer

    from slicer_testing.window.main_window import make_window

    folder = shared_data / "abdomen"
    window = make_window(warm_app)
    try:
        window.resize(1100, 760)
        window.show()
        ct, mr = load(folder, "example_ct_sm", "example_mr_sm")
        window.moduleSelector().selectModule("DeepRegDense")
        warm_app.process_events(0.1)
        widget = slicer.modules.deepregdense.widgetRepresentation().self()
        ui, node = widget.ui, widget.panel.node
        assert (ui.fixedSelector.currentNode(), ui.movingSelector.currentNode()) == (ct, mr)
        hands.choose(ui.presetComboBox, "MR with CT")
        shared = {1: "spleen", 2: "right kidney", 5: "liver"}
        node.fixedLabels, node.movingLabels = (
            organs(folder / "example_seg.nii.gz", shared),
            organs(folder / "example_seg_mr.nii.gz", shared),
        )
        before = nodes()

        hands.click(ui.applyButton)
        warm_app.wait_for(lambda: "alignment" in ui.stageLabel.text, 30)
        warm_app.process_events(0.5)
        assert ui.applyButton.text == "Cancel"
        assert ui.progressBar.visible
        hands.click(ui.applyButton)
        finish(warm_app, widget)
        assert nodes() == before
        assert "Stopped by the user" in ui.resultLabel.text

        seen = []
        hands.click(ui.applyButton)
        widget.panel.run.progressed.connect(lambda fraction, stage, left: seen.append((fraction, stage)))
        finish(warm_app, widget)
        line = ui.resultLabel.text
        assert "folding 0.0" in line, line
        assert "Dice" in line, line
        fractions = [fraction for fraction, _ in seen]
        assert fractions == sorted(fractions)
        assert fractions[-1] == 1.0
        stages = list(dict.fromkeys(stage.partition(" (")[0] for _, stage in seen))
        assert [word for word in ("alignment", "search", "refinement", "done") if not any(word in stage for stage in stages)] == []
        # The two scans share no frame: before, nothing overlaps.
        first, last = dice(made(widget), "liver")
        assert first < 0.1, (first, last)
        assert last > 0.65, (first, last)

        volume = made(widget, "volume")
        assert (volume.GetDisplayNode().GetWindow(), volume.GetDisplayNode().GetLevel()) == (
            mr.GetDisplayNode().GetWindow(),
            mr.GetDisplayNode().GetLevel(),
        )
        view = slicer.app.layoutManager().sliceWidget("Red").sliceView()

        def picture() -> np.ndarray:
            warm_app.process_events(0.1)
            return pixels(screenshot(view)).astype(int)

        with_grid = picture()
        assert (with_grid[..., 0] - with_grid[..., 2] > 100).mean() > 0.005  # its lines are yellow where much moves
        hands.click(ui.gridCheckBox)
        shown = {}
        for fade in (0, 50, 100):
            ui.fadeSlider.value = fade
            shown[fade] = picture()
            assert shown[fade].std() > 15, fade
        assert np.abs(shown[0] - shown[100]).mean() > 5  # CT alone, MR alone
        assert np.abs(shown[50] - (shown[0] + shown[100]) / 2).mean() < 5
    finally:
        window.close()


def test_a_scene_of_real_scans_is_saved_loaded_and_gone_on_with(warm_app, hands, shared_data, tmp_path):
    """A scene is saved as .mrb, loaded again, and used further as before."""
    import slicer

    load(shared_data / "abdomen", "example_ct_sm", "example_mr_sm")
    widget = opened(warm_app)
    hands.choose(widget.ui.presetComboBox, "Quick preview")
    widget.ui.advancedCollapsibleButton.collapsed = False
    warm_app.process_events()
    hands.type(widget.panel.form.widgets["smoothness"], "14")
    summary = applied(warm_app, hands, widget)
    assert "folding" in summary, summary
    values, grid, name = widget.panel.values(), grid_of(made(widget)), made(widget).GetName()
    path = tmp_path / "day.mrb"
    assert slicer.util.saveScene(str(path))

    slicer.mrmlScene.Clear()
    warm_app.process_events()
    assert not widget.ui.applyButton.enabled
    assert widget.ui.resultLabel.text == ""
    slicer.util.loadScene(str(path))
    warm_app.process_events()
    ui, node = widget.ui, widget.panel.node
    assert (node.fixedVolume.GetName(), node.movingVolume.GetName()) == ("example_ct_sm", "example_mr_sm")
    assert widget.panel.values() == values
    assert values["smoothness"] == 14.0
    assert node.preset == "quick"
    assert "Changed under Advanced: smoothness" in ui.presetHelpLabel.text
    assert ui.resultLabel.text == summary
    assert made(widget).GetName() == name
    assert ui.gridCheckBox.enabled
    assert np.abs(grid_of(made(widget)) - grid).max() < 1e-4

    hands.click(ui.moveCheckBox)
    assert node.movingVolume.GetParentTransformNode() is made(widget)
    hands.click(ui.moveCheckBox)
    again = applied(warm_app, hands, widget)
    assert again.partition(" \u00b7 ")[2] == summary.partition(" \u00b7 ")[2]  # all but the time
    assert made(widget).GetName() != name
    assert np.array_equal(grid_of(made(widget)), grid)


# ------------------------------------------------------------------------------------------------------ CT of two people


def test_ct_of_two_people_with_their_livers(warm_app, hands, shared_data):
    """Scans that lie more than a metre apart and overlap in part; the moving liver is warped too."""
    import slicer

    folder = shared_data / "abdomen"
    fixed, _moving = load(folder, "example_ct", "chaos_ct3_3mm")
    widget = opened(warm_app)
    node = widget.panel.node
    hands.choose(widget.ui.presetComboBox, "Quick preview")
    node.fixedLabels = organs(folder / "example_seg_fast_force_split.nii.gz", {5: "liver"})
    node.movingLabels = organs(folder / "chaos_ct3_liver_3mm.nii.gz", {1: "liver"})
    assert node.movingLabels.GetSegmentation().GetNumberOfSegments() == 1
    node.labelsWanted = True
    line = applied(warm_app, hands, widget)
    assert "Dice" in line, line
    assert "folding 0.0" in line, line
    before, after = dice(made(widget), "liver")
    assert before == 0.0
    assert after > 0.65
    # The scene agrees with the result line.
    warped = next(n for n in slicer.util.getNodesByClass("vtkMRMLSegmentationNode") if n.GetAttribute("DeepReg.Output") == "labels")
    livers = []
    for segmentation in (node.fixedLabels, warped):
        segment_id = segmentation.GetSegmentation().GetSegmentIdBySegmentName("liver")
        livers.append(slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment_id, fixed) > 0)
    assert 2 * (livers[0] & livers[1]).sum() / (livers[0].sum() + livers[1].sum()) == pytest.approx(after, abs=0.02)


# ------------------------------------------------------------------------------------- one brain at two dates, turned about

_ANGLE = np.deg2rad(9.0)
_SMALL = np.array([[np.cos(_ANGLE), -np.sin(_ANGLE), 0.0], [np.sin(_ANGLE), np.cos(_ANGLE), 0.0], [0.0, 0.0, 1.0]])


def saved_transform(node, path: Path) -> sitk.Transform:
    """A transform of the scene as SimpleITK reads it from the saved scene."""
    import slicer

    assert slicer.util.saveScene(str(path))
    with zipfile.ZipFile(path) as archive:
        (member,) = [name for name in archive.namelist() if Path(name).stem == node.GetName()]
        file = path.parent / f"field{Path(member).suffix}"
        file.write_bytes(archive.read(member))
    return sitk.ReadTransform(str(file))


@pytest.mark.parametrize("turned", ["moving", "both"])
def test_a_turned_brain_lies_where_its_saved_transform_says(warm_app, hands, shared_data, tmp_path, turned):
    """The warped volume against SimpleITK, which reads the transform of the saved scene: closer than a twentieth of a voxel."""
    import slicer

    fixed, moving = load(shared_data / "brain", "MRBrainTumor1", "MRBrainTumor2")
    frame = TURN if turned == "both" else np.eye(3)
    if turned == "both":
        fixed.SetAndObserveTransformNodeID(add_linear("head", matrix4(frame, (15.0, -25.0, 30.0))).GetID())
    moving.SetAndObserveTransformNodeID(add_linear("turn", matrix4(frame @ _SMALL, (18.0, -20.0, 24.0))).GetID())
    widget = opened(warm_app)
    hands.choose(widget.ui.presetComboBox, "Brain MR")
    widget.panel.node.inverseWanted = True
    line = applied(warm_app, hands, widget)
    assert "folding 0.00" in line, line
    transform, volume = made(widget), made(widget, "volume")
    saved = saved_transform(transform, tmp_path / "brain.mrb")

    shown, source = sitk.Cast(world_image(volume), sitk.sitkFloat32), sitk.Cast(world_image(moving), sitk.sitkFloat32)
    expected = sitk.Resample(source, shown, saved, sitk.sitkLinear, 0.0)
    first, second = (sitk.GetArrayFromImage(image).astype(float) for image in (shown, expected))
    slopes = np.stack(np.gradient(second))
    steepness = np.linalg.norm(slopes, axis=0)
    edges = steepness > np.percentile(steepness, 80)
    # At an edge, a difference in brightness is a shift in voxels; rounding to whole numbers adds a little.
    assert np.percentile(np.abs(first - second)[edges] / steepness[edges], 99.5) < 0.05
    shift = np.linalg.lstsq(slopes[:, edges].T, (first - second)[edges], rcond=None)[0]
    assert np.abs(shift).max() < 0.01, shift

    # Points are mapped as by SimpleITK, the inverse maps them back, and the brains overlap.
    corner = np.array(shown.GetSize()) - 1
    points = [shown.TransformContinuousIndexToPhysicalPoint((corner * share).tolist()) for share in (0.3, 0.45, 0.5, 0.62, 0.7)]
    there = through(transform, np.array(points) * (-1, -1, 1), inverse=True) * (-1, -1, 1)
    assert np.allclose(there, [saved.TransformPoint(point) for point in points], atol=1e-3)
    (inverse,) = [
        node for node in slicer.util.getNodesByClass("vtkMRMLGridTransformNode") if node.GetAttribute("DeepReg.Output") == "inverse"
    ]
    back = through(inverse, there * (-1, -1, 1), inverse=True) * (-1, -1, 1)
    assert np.linalg.norm(back - points, axis=1).max() < 0.25  # a twentieth of a voxel
    head = sitk.GetArrayFromImage(world_image(fixed)).astype(float)
    inside = head > np.percentile(head, 60)
    apart = sitk.GetArrayFromImage(sitk.Resample(source, shown)).astype(float)
    likeness = [np.corrcoef(head[inside], image[inside])[0, 1] for image in (apart, first)]
    assert likeness[0] < 0.3, likeness
    assert likeness[1] > 0.6, likeness  # 0.65 for the scans as they are, not turned
