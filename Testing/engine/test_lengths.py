"""Lengths of the parameters follow the size of what the images show."""

from __future__ import annotations

import math

import numpy as np
import pytest
import SimpleITK as sitk
from dense_runs import run, run_scene
from registering import scene

from deepreg_engine.errors import InputError, NotEnoughMemoryError
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.methods.common.image_pair import ImagePair
from deepreg_engine.methods.common.lengths import in_millimetres, length_factor, with_factor
from deepreg_engine.methods.dense.parameters import DenseParameters
from deepreg_engine.methods.dense.plan import check_memory, estimate_memory, make_plan
from deepreg_engine.methods.dense.presets import DENSE_PRESETS, dense_preset
from deepreg_engine.methods.descent.parameters import DescentParameters
from deepreg_engine.methods.descent.presets import DESCENT_PRESETS
from deepreg_engine.methods.descent.register import register_descent
from deepreg_engine.methods.registry import find_method

pytestmark = pytest.mark.usefixtures("one_thread")


def scaled(image, factor):
    """The image of something that is larger by a factor."""
    copy = sitk.Image(image)
    copy.SetSpacing([factor * value for value in image.GetSpacing()])
    copy.SetOrigin([factor * value for value in image.GetOrigin()])
    return copy


def grid_of(extent):
    return ImageGrid((10, 20, 30), tuple(np.array(extent) / (10, 20, 30)), (0.0, 0.0, 0.0), np.eye(3).ravel())


def test_the_factor_is_one_for_people_and_in_proportion_elsewhere():
    assert [length_factor(size) for size in (100.0, 250.0, 999.0)] == [1.0, 1.0, 1.0]
    assert length_factor(10.0) == pytest.approx(10.0 / 250.0)
    assert length_factor(5000.0) == pytest.approx(5000.0 / 250.0)
    sizes = np.geomspace(1.0, 1e5, 4000)
    factors = [length_factor(size) for size in sizes]
    assert np.all(np.diff(factors) >= 0)
    assert np.max(np.diff(np.log(factors))) < 0.05  # it is continuous


def test_a_thin_slab_counts_by_its_width():
    assert with_factor(DenseParameters(), DENSE_PRESETS, grid_of((200.0, 4.0, 200.0))).length_scale == 1.0


def notes(parameters, fixed):
    return find_method("dense").fitted(parameters, fixed)[1]


def test_notes_name_the_factor_or_warn_of_lengths_that_do_not_fit():
    mouse = ImageGrid((200, 200, 200), (0.1, 0.1, 0.1), (0.0, 0.0, 0.0), np.eye(3).ravel())
    crop = ImageGrid((36, 50, 36), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3).ravel())
    giant = ImageGrid((100, 100, 100), (50.0, 50.0, 50.0), (0.0, 0.0, 0.0), np.eye(3).ravel())
    people = dense_preset("people-mr").parameters
    assert notes(DenseParameters(), mouse) == [
        "the fixed image shows 20 mm: all lengths of the parameters were multiplied by 0.08 (length_scale)"
    ]
    assert "length_scale of 0.08 may suit" in notes(people, mouse)[0]
    assert "length_scale of 20 may suit" in notes(people, giant)[0]
    assert notes(people, crop) == notes(DenseParameters(capture_range=5.0), mouse) == notes(DenseParameters(), scene_grid()) == []


def scene_grid():
    return ImageGrid.of(scene("abdomen").fixed)


@pytest.mark.parametrize("preset", [preset.name for preset in DENSE_PRESETS if preset.parameters.length_scale == 0.0])
def test_lengths_and_weights_per_squared_length_are_multiplied(preset):
    parameters = dense_preset(preset).parameters
    found = in_millimetres(parameters, DENSE_PRESETS, grid_of((25.0, 25.0, 25.0)))
    for name, power in (("working_spacing", 1), ("control_spacing", 1), ("capture_range", 1), ("refinement_spacing", 1), ("smoothness", 2)):
        assert getattr(found, name) == pytest.approx(getattr(parameters, name) * 0.1**power), name
    assert found.sharpness == parameters.sharpness
    assert in_millimetres(found, DENSE_PRESETS, grid_of((25.0, 25.0, 25.0))) == found


def test_lengths_that_somebody_chose_stay():
    chosen = DenseParameters(capture_range=8.0)
    assert in_millimetres(chosen, DENSE_PRESETS, grid_of((25.0, 25.0, 25.0))).capture_range == 8.0
    given = DenseParameters(capture_range=8.0, length_scale=0.5)
    assert in_millimetres(given, DENSE_PRESETS, grid_of((200.0, 200.0, 200.0))).capture_range == 4.0


@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_a_mouse_and_a_giant_are_registered_like_a_person(factor):
    pair = scene("abdomen")
    preset = dense_preset("quick").parameters
    person = run_scene(pair, preset)
    other = run(scaled(pair.fixed, factor), scaled(pair.moving, factor), alignment=None, parameters=preset)
    error = pair.error(other.field.vectors / factor)
    assert error < 1.3 * pair.error(person.field.vectors)
    assert error < 0.5 * pair.affine_error()


def test_descent_registers_a_mouse():
    pair = scene("abdomen")
    parameters = DescentParameters(working_spacing=5.0, levels=2, iterations=20)
    assert parameters in [preset.parameters for preset in DESCENT_PRESETS]
    images = [scaled(image, 0.1) for image in (pair.fixed, pair.moving)]
    result = register_descent(ImagePair(*images), parameters)
    assert pair.error(result.field.vectors / 0.1) < 0.6 * pair.affine_error()


def test_the_advice_for_memory_has_lengths_that_fit():
    fixed = ImageGrid((100, 100, 100), (0.27, 0.27, 0.27), (0.0, 0.0, 0.0), np.eye(3).ravel())
    parameters = dense_preset("brain-mr").parameters
    available = 0.8 * estimate_memory(fixed, fixed, make_plan(fixed, parameters), parameters, 12)
    with pytest.raises(NotEnoughMemoryError) as caught:
        check_memory(fixed, fixed, parameters, 12, available)
    changes = caught.value.changes
    assert changes["length_scale"] == pytest.approx(length_factor(27.0))
    changed = parameters.replaced(changes)
    assert estimate_memory(fixed, fixed, make_plan(fixed, changed), changed, 12) <= available
    assert math.isclose(make_plan(fixed, changed)[-1].spacing, changes["working_spacing"] * changes["length_scale"], rel_tol=1e-6)


def test_micrometres_taken_for_millimetres_are_refused():
    grid = ImageGrid((200, 200, 200), (2000.0, 2000.0, 2000.0), (0.0, 0.0, 0.0), np.eye(3).ravel())
    with pytest.raises(InputError, match="spans 400 m"):
        with_factor(DenseParameters(), DENSE_PRESETS, grid)
    assert with_factor(DenseParameters(length_scale=50.0), DENSE_PRESETS, grid).length_scale == 50.0
