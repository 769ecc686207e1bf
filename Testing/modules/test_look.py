"""The section Look: ways to compare a registered volume with the fixed one, on an oblique, anisotropic pair that overlaps in part."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from bench import MODULES
from inspector_bench import IJK, MOVING_IJK, SIZE, grid_node, itk_transform, points_of, scene_fixture  # noqa: F401 - a fixture
from panels import opened, pieces_of_work
from test_preview import layers
from world import TURN, add_linear, add_volume, itk_image, matrix4, to_vtk

OUTSIDE = -3000


def worked(work):
    """What a generator returns."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value


def settled(app, look) -> None:
    app.process_events()
    app.wait_for(lambda: not look.busy, 20, "the volumes")
    app.process_events(0.05)


@pytest.fixture(name="pair")
def pair_fixture(slicer_app, scene):
    """Fixed, registered and moving volume, the result, and by SimpleITK the voxels that show the moving volume."""
    import slicer

    slicer_app.add_module_path(MODULES)
    moving, matrix = scene["moving"], MOVING_IJK
    image = itk_image(slicer.util.arrayFromVolume(moving).astype(np.float32), matrix)
    ones = itk_image(np.ones(slicer.util.arrayFromVolume(moving).shape, dtype=np.float32), matrix)
    fixed = itk_image(np.zeros(SIZE[::-1], dtype=np.float32), IJK)
    transform = itk_transform(scene["vectors"], SIZE, IJK)
    inside = sitk.GetArrayFromImage(sitk.Resample(ones, fixed, transform, sitk.sitkLinear, 0.0)) > 0.5
    values = sitk.GetArrayFromImage(sitk.Resample(image, fixed, transform, sitk.sitkLinear, OUTSIDE))
    registered = add_volume("registered", values.astype(np.int16), IJK)
    assert 0.05 < (~inside).mean() < 0.9
    return {**scene, "registered": registered, "inside": inside}


@pytest.fixture(name="look")
def look_fixture(slicer_app, pair):
    """The section in the panel of a method, which shows the pair."""
    widget = opened(slicer_app)
    widget.ui.resultCollapsibleButton.collapsed = False
    look = widget.panel.look
    look.show(pair["fixed"], pair["registered"], pair["moving"], pair["transform"])
    settled(slicer_app, look)
    yield look
    look.clear()


TITLES = {"fade": "Fade", "blink": "Blink", "checkerboard": "Checkerboard", "difference": "Difference", "colours": "Magenta and green"}


def choose(app, hands, look, mode: str) -> None:
    hands.choose(look.ui.lookComboBox, TITLES[mode])
    settled(app, look)


def composite(name: str = "Red"):
    import slicer

    return slicer.app.layoutManager().sliceWidget(name).sliceLogic().GetSliceCompositeNode()


def shown(what: str, name: str = "Red"):
    import slicer

    return slicer.mrmlScene.GetNodeByID(getattr(composite(name), f"Get{what}VolumeID")() or "")


def volumes_shown() -> dict[str, tuple]:
    """Background, foreground and its opacity of each view."""
    return {name: state[:3] for name, state in layers().items()}


def colour(place: np.ndarray) -> np.ndarray:
    """RGB of the slice view at a point, RAS mm, to which it moves."""
    import slicer
    from vtk.util.numpy_support import vtk_to_numpy

    widget = slicer.app.layoutManager().sliceWidget("Red")
    widget.mrmlSliceNode().JumpSliceByCentering(*place)
    port = widget.sliceLogic().GetImageDataConnection()
    port.GetProducer().Update()
    image = port.GetProducer().GetOutputDataObject(port.GetIndex())
    x, y, _z = (count // 2 for count in image.GetDimensions())
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(*image.GetDimensions()[1::-1], -1)[y, x, :3].astype(int)


def place_of(mask: np.ndarray) -> np.ndarray:
    """A voxel centre deep in a mask (k, j, i), RAS mm."""
    depth = sitk.GetArrayFromImage(sitk.SignedMaurerDistanceMap(sitk.GetImageFromArray(mask.astype(np.uint8)), True, False))
    k, j, i = np.unravel_index(np.argmax(depth), depth.shape)
    return IJK[:3, :3] @ (i, j, k) + IJK[:3, 3]


# ----------------------------------------------------------------------------------------------------------------- volumes


def test_the_overlap_is_where_simpleitk_finds_voxels_of_the_moving_volume(pair):
    from deepreg_slicer.look_images import overlap

    found = worked(overlap(pair["registered"], pair["moving"], pair["transform"], None))
    assert (found.inside == pair["inside"]).mean() > 0.998
    middle = points_of(SIZE, IJK)[pair["inside"].ravel()].mean(axis=0)
    assert np.allclose(found.middle, middle, atol=0.3)


def test_the_overlap_follows_parents_of_the_moving_volume(pair):
    from deepreg_slicer.look_images import overlap

    above = matrix4(TURN, (20.0, -30.0, 40.0))
    moving = pair["moving"]
    moving.SetIJKToRASMatrix(to_vtk(np.linalg.inv(above) @ MOVING_IJK))
    moving.SetAndObserveTransformNodeID(add_linear("above", above).GetID())
    found = worked(overlap(pair["registered"], moving, pair["transform"], None))
    assert (found.inside == pair["inside"]).mean() > 0.998


def test_hidden_voxels_are_far_below_all_others_and_the_fields_have_their_size(pair):
    import slicer
    from vtk.util.numpy_support import vtk_to_numpy

    from deepreg_slicer.look_images import without

    values = slicer.util.arrayFromVolume(pair["registered"])
    image, low = worked(without(pair["registered"], ~pair["inside"], 12.0))
    found = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(values.shape)
    index = np.stack(np.meshgrid(*(np.arange(n) for n in values.shape), indexing="ij"))[::-1]
    fields = np.floor(index * np.linalg.norm(IJK[:3, :3], axis=0)[:, None, None, None] / 12.0).sum(axis=0) % 2 == 1
    kept = pair["inside"] & fields
    assert low == values.min()
    assert np.array_equal(found[kept], values[kept].astype(np.float32))
    # A view interpolates: with a twentieth of a hidden voxel a value is hidden.
    assert (0.95 * values.max() + 0.05 * found[~kept].max()) < low


@pytest.mark.parametrize("parent", [False, True])
def test_the_difference_is_registered_minus_fixed_on_one_grid(pair, parent):
    import slicer
    from vtk.util.numpy_support import vtk_to_numpy

    from deepreg_slicer.look_images import difference

    fixed = pair["fixed"]
    first = slicer.util.arrayFromVolume(fixed).astype(np.float32)
    if parent:  # the fixed volume lies elsewhere in the world than the registered one
        shift = np.array([4.0, -3.0, 5.0])
        fixed.SetAndObserveTransformNodeID(add_linear("above", matrix4(np.eye(3), shift)).GetID())
        moved = IJK.copy()
        moved[:3, 3] += shift
        first = sitk.GetArrayFromImage(
            sitk.Resample(
                itk_image(first, moved), itk_image(np.zeros_like(first), IJK), sitk.Transform(), sitk.sitkLinear, float(first.min())
            )
        )
    image, low, most = worked(difference(fixed, pair["registered"], ~pair["inside"]))
    found = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(first.shape)
    wanted = slicer.util.arrayFromVolume(pair["registered"]) - first
    inside = pair["inside"] & (np.abs(found - wanted) < 1e6)
    apart = np.abs(found - wanted)[inside]
    assert np.percentile(apart, 99.0) < (1.5 if parent else 1e-3)
    assert most == pytest.approx(np.percentile(np.abs(wanted[inside]), 99.0), rel=0.1)
    assert found[~pair["inside"]].max() < low


# ------------------------------------------------------------------------------------------------------------------- modes


def test_the_registered_volume_is_transparent_where_there_is_no_moving_one(slicer_app, pair, look):
    look.ui.fadeSlider.value = 100.0
    away, there = place_of(~pair["inside"]), place_of(pair["inside"])
    before = colour(away)
    assert shown("Background") is pair["fixed"]
    composite().SetForegroundVolumeID(None)
    assert np.abs(before - colour(away)).max() <= 1
    composite().SetForegroundVolumeID(pair["registered"].GetID())
    assert np.abs(before - colour(away)).max() > 10  # the background value of the registered volume covers the fixed one
    assert np.ptp(colour(there)) == 0


def test_each_way_shows_both_volumes_and_leaving_puts_all_back(slicer_app, hands, pair, look):
    import slicer

    look.rest()
    display = pair["registered"].GetDisplayNode()
    state = display.GetApplyThreshold(), display.GetWindow(), display.GetLevel(), display.GetAutoWindowLevel()
    views, count = volumes_shown(), slicer.mrmlScene.GetNumberOfNodes()
    assert (shown("Background"), shown("Foreground")) == (pair["fixed"], pair["registered"])
    look.resume()
    settled(slicer_app, look)
    there = place_of(pair["inside"])
    for mode in ("blink", "checkerboard", "difference", "colours", "fade"):
        choose(slicer_app, hands, look, mode)
        if mode == "blink":
            seen = set()
            slicer_app.wait_for(lambda: len(seen) == 2 or seen.add(composite().GetForegroundOpacity()), 5, "both volumes")  # noqa: B023
        elif mode == "difference":
            assert (shown("Foreground"), shown("Background").GetDisplayNode().GetColorNodeID()) == (None, "vtkMRMLColorTableNodeGrey")
        elif mode == "colours":
            assert composite().GetCompositing() == slicer.vtkMRMLSliceCompositeNode.Add
            red, green, blue = colour(there)
            assert red == blue
            outside = colour(place_of(~pair["inside"]))
            assert outside[1] == 0  # no green where there is no registered volume
        made = [shown(what) for what in ("Background", "Foreground") if shown(what) is not None and shown(what) is not pair["fixed"]]
        assert made
        assert not any(node.GetSaveWithScene() or not node.GetHideFromEditors() for node in made)
    look.rest()
    assert volumes_shown() == views
    assert slicer.mrmlScene.GetNumberOfNodes() == count
    assert (display.GetApplyThreshold(), display.GetWindow(), display.GetLevel(), display.GetAutoWindowLevel()) == state


def test_blinking_ends_when_the_module_is_left_and_goes_on_when_it_is_entered(slicer_app, hands, pair, look):
    choose(slicer_app, hands, look, "blink")
    look.rest()
    opacity = composite().GetForegroundOpacity()
    slicer_app.process_events(1.0)
    assert composite().GetForegroundOpacity() == opacity == pytest.approx(0.5)
    look.resume()
    settled(slicer_app, look)
    assert composite().GetForegroundOpacity() == 1.0
    slicer_app.wait_for(lambda: composite().GetForegroundOpacity() == 0.0, 3, "the other volume")


def test_window_and_level_are_the_same_while_linked(slicer_app, hands, pair, look):
    displays = [pair[name].GetDisplayNode() for name in ("fixed", "registered")]
    displays[1].SetAutoWindowLevel(False)
    displays[1].SetWindowLevel(123.0, 45.0)
    before = displays[0].GetWindow(), displays[0].GetLevel()
    hands.click(look.ui.linkCheckBox)
    settled(slicer_app, look)
    assert (displays[0].GetWindow(), displays[0].GetLevel()) == (123.0, 45.0)  # the one that the user has set
    displays[0].SetWindowLevel(200.0, 10.0)
    assert (displays[1].GetWindow(), displays[1].GetLevel()) == (200.0, 10.0)
    look.rest()
    assert (displays[0].GetWindow(), displays[0].GetLevel()) == before
    assert displays[0].GetAutoWindowLevel()
    assert (displays[1].GetWindow(), displays[1].GetLevel()) == (123.0, 45.0)
    look.resume()
    hands.click(look.ui.linkCheckBox)
    settled(slicer_app, look)
    assert (displays[0].GetWindow(), displays[0].GetLevel()) == before


def test_views_go_to_the_middle_of_the_overlap_unless_they_showed_the_fixed_volume(slicer_app, pair, look):
    import slicer

    from deepreg_slicer.slice_states import placeOf

    middle = points_of(SIZE, IJK)[pair["inside"].ravel()].mean(axis=0)
    red = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
    slicer.util.setSliceViewerLayers(background=pair["moving"], foreground=None, fit=True)
    look.show(pair["fixed"], pair["registered"], pair["moving"], pair["transform"])
    settled(slicer_app, look)
    assert np.allclose(placeOf(red), middle, atol=0.5)
    red.JumpSliceByCentering(*(middle + (5.0, 4.0, 3.0)))
    look.show(pair["fixed"], pair["registered"], pair["moving"], pair["transform"])
    settled(slicer_app, look)
    assert np.allclose(placeOf(red), middle + (5.0, 4.0, 3.0), atol=1e-3)


def test_a_label_map_is_outlined_so_that_it_does_not_cover_the_volumes(slicer_app, pair, look):
    import slicer

    mask = add_volume("mask", np.ones(SIZE[::-1], dtype=np.uint8), IJK, "vtkMRMLLabelMapVolumeNode")
    composite().SetLabelVolumeID(mask.GetID())
    view = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
    look.show(pair["fixed"], pair["registered"], pair["moving"], pair["transform"])
    settled(slicer_app, look)
    there = place_of(pair["inside"])
    covered = colour(there)
    composite().SetLabelVolumeID(None)
    assert np.abs(covered - colour(there)).max() <= 1
    look.rest()
    assert not view.GetUseLabelOutline()


def test_a_saved_scene_has_nothing_of_the_comparison(slicer_app, hands, pair, look, tmp_path):
    import slicer

    choose(slicer_app, hands, look, "colours")
    made = [shown(what).GetID() for what in ("Background", "Foreground")]
    path = tmp_path / "scene.mrml"
    assert slicer.util.saveScene(str(path))
    text = path.read_text(encoding="utf-8")
    assert not any(f'"{name}"' in text for name in made)
    assert pair["registered"].GetID() in text
    settled(slicer_app, look)
    assert composite().GetCompositing() == slicer.vtkMRMLSliceCompositeNode.Add


# --------------------------------------------------------------------------------------------------- maps and 3D views


def test_maps_of_a_run_are_shown_with_a_legend(slicer_app, hands, pair, look):
    import slicer

    from deepreg_slicer.length_colors import barOf

    for name, factor in (("jacobian", 0.1), ("magnitude", 3.0)):
        values = 1.0 + factor * np.random.default_rng(1).normal(size=SIZE[::-1])
        node = add_volume(name, np.abs(values).astype(np.float32), IJK)
        node.SetAttribute("DeepReg.Output", name)
        node.SetAttribute("DeepReg.Created", "now")
        node.SetAttribute("DeepReg.Method", "dense")
    pair["transform"].SetAttribute("DeepReg.Created", "now")
    look.offer(pair["fixed"], pair["registered"], pair["moving"], pair["transform"])
    box = look.ui.mapComboBox
    assert [box.itemData(number) for number in range(box.count)] == ["", "jacobian", "magnitude"]
    count = slicer.mrmlScene.GetNumberOfNodes()
    for number, title in ((1, "Jacobian"), (2, "displacement (mm)")):
        hands.choose(box, title)
        settled(slicer_app, look)
        display = shown("Foreground").GetDisplayNode()
        assert barOf(display).GetVisibility()
        low, high = display.GetWindowLevelMin(), display.GetWindowLevelMax()
        assert (low, high) == pytest.approx((0.5, 1.5) if number == 1 else (0.0, np.percentile(np.abs(values), 99.0)), rel=0.05)
        assert shown("Background") is pair["fixed"]
    hands.choose(box, "none")
    settled(slicer_app, look)
    assert slicer.mrmlScene.GetNumberOfNodes() == count


def ball(size: tuple[int, int, int], ijk: np.ndarray, centre: np.ndarray, radius: float) -> np.ndarray:
    distance = np.linalg.norm(points_of(size, ijk) - centre, axis=1).reshape(size[::-1])
    return np.where(distance < radius, 50, -1000).astype(np.int16)


def test_bodies_before_and_after_are_in_the_3d_views(slicer_app, hands, pair, look):
    import slicer

    centre = IJK[:3, :3] @ (np.array(SIZE) / 2) + IJK[:3, 3]
    shift = np.array([6.0, -4.0, 5.0])
    fixed = add_volume("ball", ball(SIZE, IJK, centre, 18.0), IJK)
    registered = add_volume("ball registered", ball(SIZE, IJK, centre, 18.0), IJK)
    moving = add_volume("ball moved", ball(SIZE, IJK, centre + shift, 18.0), IJK)
    transform = grid_node("shift", np.tile(shift, (int(np.prod(SIZE)), 1)), SIZE, IJK)
    look.rest()
    count = len(slicer.util.getNodesByClass("vtkMRMLModelNode"))
    look.show(fixed, registered, moving, transform)
    settled(slicer_app, look)
    models = {
        node.GetName(): node for node in slicer.util.getNodesByClass("vtkMRMLModelNode") if node.GetName() in ("fixed", "before", "after")
    }
    for name, middle in (("fixed", centre), ("before", centre + shift), ("after", centre)):
        bounds = np.zeros(6)
        models[name].GetRASBounds(bounds)
        assert np.allclose((bounds[1::2] + bounds[::2]) / 2, middle, atol=0.5)
        assert np.allclose(bounds[1::2] - bounds[::2], 36.0, atol=2.5)
        assert models[name].GetDisplayNode().GetVisibility()
    hands.choose(look.ui.surfaceComboBox, "Body after")
    assert [bool(models[name].GetDisplayNode().GetVisibility()) for name in ("fixed", "before", "after")] == [True, False, True]
    look.rest()
    assert len(slicer.util.getNodesByClass("vtkMRMLModelNode")) == count


def test_the_window_does_not_wait_for_large_volumes(slicer_app, hands, pair, look):
    """No piece of work in the window's thread takes a tenth of a second of its processor time."""
    size, ijk = (180, 170, 120), matrix4(TURN * np.array([1.0, 1.1, 1.6]), (-90.0, -80.0, -70.0))
    values = np.random.default_rng(0).normal(scale=100.0, size=size[::-1]).astype(np.int16)
    fixed, registered, moving = (add_volume(name, values, ijk) for name in ("large", "large registered", "large moving"))
    shift = add_linear("shift", matrix4(np.eye(3), (20.0, 10.0, 5.0)))
    with pieces_of_work(2) as gaps:
        look.show(fixed, registered, moving, shift)
        settled(slicer_app, look)
        for mode in ("checkerboard", "difference", "colours", "fade"):
            choose(slicer_app, hands, look, mode)
    assert len(gaps) > 20
    assert max(gaps) < 0.1, sorted(gaps)[-5:]
