"""Errors of landmarks in table, drawings, scripts and report of the Inspector: the same everywhere, and those of SimpleITK."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from inspector_bench import (  # noqa: F401 - fixtures
    ABOVE,
    IJK,
    MOVING_IJK,
    MOVING_SIZE,
    SIZE,
    displacement,
    inner,
    itk_transform,
    markups,
    scene_fixture,
    settle,
    texts,
    widget_fixture,
)
from panels import world_image
from world import TURN, add_linear, add_volume, add_warp, matrix4, through

FLIP = np.array([-1, -1, 1])


@pytest.mark.parametrize("parents", ["none", "both, differently", "seen through the transform"])
def test_errors_are_those_of_simpleitk(app, widget, scene, parents):
    """World coordinates: lists and volumes under parents, the moving list perhaps under the transform itself."""
    from deepreg_slicer.result_view import moveThrough

    fixed_world = inner(12)
    moving_world = fixed_world + displacement(fixed_world) + np.random.default_rng(1).normal(scale=2.0, size=(12, 3))
    above = [np.eye(4), np.eye(4)] if parents == "none" else [ABOVE, matrix4(TURN.T, (5.0, -20.0, 3.0))]
    lists = []
    for name, world, matrix in zip(("f", "m"), (fixed_world, moving_world), above, strict=True):
        local = (np.column_stack([world, np.ones(12)]) @ np.linalg.inv(matrix).T)[:, :3]
        node = markups(name, local)
        if parents != "none":
            parent = add_linear(f"above {name}", matrix)
            node.SetAndObserveTransformNodeID(parent.GetID())
        lists.append(node)
    if parents == "seen through the transform":
        moveThrough(lists[1], scene["transform"], True)
    widget.panel.node.fixedPoints, widget.panel.node.movingPoints = lists
    settle(app, widget)
    itk = itk_transform(scene["vectors"], SIZE, IJK)
    mapped = np.array([itk.TransformPoint((point * FLIP).tolist()) for point in fixed_world]) * FLIP
    truth = mapped - moving_world
    pairs = widget.panel.sections["landmarks"].pairs
    assert np.abs(pairs.after - truth).max() < 1e-3
    assert np.abs(pairs.before - (fixed_world - moving_world)).max() < 1e-6
    figures = widget.logic.landmarkErrors(scene["transform"], *lists)
    distances = np.linalg.norm(truth, axis=1)
    measures = {"mean": np.mean, "median": np.median, "percentile95": lambda values: np.percentile(values, 95), "max": np.max}
    for name, measure in measures.items():
        assert figures["after"][name] == pytest.approx(measure(distances), abs=1e-3)
    assert texts(widget, 2) == [f"{d:.3f}" for d in distances]
    assert f"{distances.mean():.2f}" in widget.ui.summaryLabel.text


@pytest.mark.parametrize("kind", ["linear", "warp", "nested"])
def test_any_transform_is_measured(widget, kind):
    fixed, moving = inner(6), inner(6, 1)
    if kind == "warp":
        node = add_warp("warp", 4.0)
    else:
        node = add_linear("linear", ABOVE)
        if kind == "nested":
            node.SetAndObserveTransformNodeID(add_warp("warp", 4.0).GetID())
    errors = widget.logic.landmarkErrors(node, markups("a", fixed), markups("b", moving))
    truth = through(node, fixed, inverse=True) - moving
    assert np.abs(np.array([entry["error_mm"] for entry in errors["each"]]) - truth).max() < 1e-3


@pytest.mark.parametrize("parent", [False, True])
def test_a_b_spline_from_a_file_is_simpleitks(widget, scene, tmp_path, parent):
    import slicer

    image = world_image(scene["fixed"])
    itk = sitk.BSplineTransformInitializer(image, [6, 5, 4])
    itk.SetParameters(np.random.default_rng(2).normal(scale=4.0, size=itk.GetNumberOfParameters()).tolist())
    sitk.WriteTransform(itk, str(tmp_path / "spline.tfm"))
    node = slicer.util.loadTransform(str(tmp_path / "spline.tfm"))
    fixed, moving = inner(15), inner(15, 1)
    lists = [markups("a", fixed), markups("b", moving)]
    if parent:
        above = add_linear("above", ABOVE)
        lists[0] = markups("c", (np.column_stack([fixed, np.ones(15)]) @ np.linalg.inv(ABOVE).T)[:, :3])
        lists[0].SetAndObserveTransformNodeID(above.GetID())
    truth = np.array([itk.TransformPoint((point * FLIP).tolist()) for point in fixed]) * FLIP - moving
    errors = widget.logic.landmarkErrors(node, *lists)
    assert np.abs(np.array([entry["error_mm"] for entry in errors["each"]]) - truth).max() < 1e-3
    figures = widget.logic.jacobian(node, scene["fixed"])
    frame = image.GetSize(), image.GetOrigin(), image.GetSpacing(), image.GetDirection()
    field = sitk.TransformToDisplacementField(itk, sitk.sitkVectorFloat64, *frame)
    lengths = np.linalg.norm(sitk.GetArrayFromImage(field), axis=-1)
    assert not figures["own_grid"]
    assert figures["displacement_mm"]["mean"] == pytest.approx(lengths.mean(), abs=1e-3)


def test_two_transforms_side_by_side(app, widget):
    fixed = inner(8)
    panel = widget.panel
    panel.node.fixedPoints, panel.node.movingPoints = markups("f", fixed), markups("m", fixed + displacement(fixed))
    panel.node.otherTransform = other = add_linear("other", matrix4(np.eye(3), (-5.0, -5.0, -5.0)))
    settle(app, widget)
    expected = np.linalg.norm(through(other, fixed, inverse=True) - panel.sections["landmarks"].pairs.moving, axis=1)
    assert not widget.ui.pairsTable.isColumnHidden(3)
    assert texts(widget, 3) == [f"{d:.3f}" for d in expected]
    assert "second" in widget.ui.summaryLabel.text
    panel.node.otherTransform = None
    settle(app, widget)
    assert widget.ui.pairsTable.isColumnHidden(3)


def around(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Points in and around the fixed volume, RAS, and which are inside; none is near the border."""
    index = np.random.default_rng(4).uniform(-0.4, 1.4, size=(count, 3)) * np.array(SIZE)
    index = index[(np.abs(index + 0.5).min(axis=1) > 0.05) & (np.abs(index - np.array(SIZE) + 0.5).min(axis=1) > 0.05)]
    within = np.all((index > -0.5) & (index < np.array(SIZE) - 0.5), axis=1)
    return index @ IJK[:3, :3].T + IJK[:3, 3], within


def test_landmarks_outside_the_grid_are_counted_and_measured_nowhere(warm_app, hands, widget, scene, tmp_path):
    """An oblique anisotropic grid. VTK continues it outside, ITK does not: table, drawings, script and report leave these landmarks out."""
    import slicer

    fixed, within = around(40)
    moving = fixed + displacement(fixed) + np.random.default_rng(1).normal(scale=2.0, size=fixed.shape)
    assert 5 < within.sum() < len(fixed) - 5
    itk = itk_transform(scene["vectors"], SIZE, IJK)
    mapped = np.array([itk.TransformPoint((point * FLIP).tolist()) for point in fixed]) * FLIP
    truth = np.where(within, np.linalg.norm(mapped - moving, axis=1), np.nan)
    panel, lists = widget.panel, (markups("f", fixed), markups("m", moving))
    panel.node.fixedPoints, panel.node.movingPoints = lists
    settle(warm_app, widget)
    # Table and summary.
    assert texts(widget, 2) == ["outside" if np.isnan(value) else f"{value:.3f}" for value in truth]
    assert texts(widget, 5).count("outside") == (~within).sum()
    assert f"so that the error is not known: {(~within).sum()}." in widget.ui.summaryLabel.text
    assert f"{within.sum()} of {len(fixed)} pairs are included" in widget.ui.summaryLabel.text
    assert f"{np.nanmean(truth):.2f}" in widget.ui.summaryLabel.text
    widget.ui.pairsTable.horizontalHeader().sectionClicked.emit(2)
    assert texts(widget, 2)[-(~within).sum() :] == ["outside"] * (~within).sum()
    # Drawings.
    hands.click(widget.ui.vectorsButton)
    lengths = slicer.util.arrayFromModelPointData(panel.node.vectors, "error (mm)")
    assert len(np.unique(lengths)) == within.sum()
    assert lengths.max() == pytest.approx(np.nanmax(truth), abs=1e-3)
    hands.click(widget.ui.histogramButton)
    assert [slicer.util.arrayFromTableColumn(panel.node.table, name).sum() for name in ("before", "after")] == [within.sum()] * 2
    # Script and report.
    figures = widget.logic.landmarkErrors(scene["transform"], *lists)
    content = widget.logic.writeReport(str(tmp_path / "r.html"), scene["transform"], scene["fixed"], scene["moving"], *lists)
    reported = content["figures"]["landmarks"]
    for found in (figures, reported):
        assert found["outside_field"] == (~within).sum()
        assert found["after"]["count"] == found["before"]["count"] == within.sum()
        assert found["after"]["median"] == pytest.approx(np.nanmedian(truth), abs=1e-3)
        assert [entry["after_mm"] for entry in found["each"]] == [
            None if np.isnan(value) else pytest.approx(value, abs=1e-3) for value in truth
        ]
    for stage in ("before", "after"):
        for measure in ("mean", "median", "percentile95", "max"):
            assert reported[stage][measure] == pytest.approx(figures[stage][measure], abs=1e-3)
    assert sum(content["figures"]["histograms"]["landmark_error"]["after"]) == within.sum()
    assert f"Landmarks outside the displacement field: {(~within).sum()} of {len(fixed)}" in (tmp_path / "r.html").read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize("kind", ["chain", "inverse"])
def test_the_grid_of_a_chain_or_an_inverse_is_known_too(warm_app, widget, scene, kind, tmp_path):
    fixed, within = around(40)
    node = scene["transform"]
    if kind == "chain":  # the grid is applied to what the linear transform has moved
        above = add_linear("above", ABOVE)
        for below in (node, scene["fixed"]):
            below.SetAndObserveTransformNodeID(above.GetID())
        fixed = np.column_stack([fixed, np.ones(len(fixed))]) @ ABOVE[:3].T
    else:
        node.Inverse()  # what comes from inside the grid is known
        fixed = fixed + displacement(fixed)
    lists = (markups("f", fixed), markups("m", through(node, fixed, inverse=True) + 1.0))
    figures = widget.logic.landmarkErrors(node, *lists)
    assert [entry["after_mm"] is not None for entry in figures["each"]] == within.tolist()
    assert figures["after"]["mean"] == pytest.approx(np.sqrt(3.0), abs=1e-3)
    if kind == "chain":
        reported = widget.logic.writeReport(str(tmp_path / "r.html"), node, scene["fixed"], scene["moving"], *lists)
        known = widget.logic.landmarkErrors(node, *lists, scene["fixed"])
        assert reported["figures"]["landmarks"]["after"]["count"] == known["after"]["count"]
        assert any("outside the transform's grid" in note for note in reported["notes"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda points, _ijk: points, None),
        (lambda points, _ijk: points * FLIP, "with x and y mirrored all lie inside: they are in RAS"),
        (lambda points, _ijk: points / 10, "with all landmarks times 10 all lie inside: the points seem to be in centimetres"),
        (lambda points, ijk: (points - ijk[:3, 3]) @ np.linalg.inv(ijk[:3, :3]).T, "with all landmarks as voxel indices all lie inside"),
        (lambda points, ijk: ((points - ijk[:3, 3]) @ np.linalg.inv(ijk[:3, :3]).T).round(), "they are whole numbers that fit its size"),
        # The moving list alone.
        (
            lambda points, ijk: points if ijk is IJK else points * FLIP,
            "With x and y of the moving landmarks mirrored their mean error would be 0",
        ),
    ],
)
def test_points_in_another_frame_or_unit_are_noted(warm_app, widget, scene, change, words):
    fixed = inner(20)
    moving = fixed + displacement(fixed)
    widget.panel.node.fixedPoints, widget.panel.node.movingPoints = (
        markups(name, change(points, ijk)) for name, points, ijk in (("f", fixed, IJK), ("m", moving, MOVING_IJK))
    )
    settle(warm_app, widget)
    text = widget.ui.summaryLabel.text
    assert words in text if words else "<br>" not in text.split("</table>")[1]


def test_a_label_map_that_is_warped_as_an_image_is_noted(warm_app, hands, widget, scene):
    blocks = np.kron(np.random.default_rng(0).integers(0, 6, [n // 2 for n in MOVING_SIZE[::-1]]), np.ones((2, 2, 2))).astype(np.uint8)
    widget.ui.deformationCollapsibleButton.collapsed = False
    warm_app.process_events()
    section = widget.panel.sections["images"]
    for labels in (False, True):
        if labels:
            widget.panel.node.movingVolume = add_volume("blocks", blocks, MOVING_IJK)
            settle(warm_app, widget)
        hands.choose(widget.ui.overlayComboBox, "fade")
        settle(warm_app, widget)
        assert not section.busy
        note = "The moving volume seems to be a label map (6 values)"
        assert widget.ui.mapInfoLabel.text.startswith(note) == labels
        hands.choose(widget.ui.overlayComboBox, "not shown")
