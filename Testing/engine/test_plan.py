"""The plan: levels that cover the image, labels that reach far enough, and memory that is estimated before it is used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from registering import FIXED_TURNS, MOVING_TURNS
from scenes import blank, make_grid, smooth_image

import deepreg_engine
from deepreg_engine.errors import NotEnoughMemoryError
from deepreg_engine.features.mind import CHANNELS
from deepreg_engine.methods.common import registration
from deepreg_engine.methods.common.image_pair import ImagePair
from deepreg_engine.methods.dense.parameters import DenseParameters
from deepreg_engine.methods.dense.plan import LATER_RADIUS, PATCH, check_memory, control_counts, estimate_memory, make_plan
from deepreg_engine.methods.dense.presets import DENSE_PRESETS
from deepreg_engine.methods.dense.register import register_dense

ABDOMEN = make_grid((90, 61, 40), (4.1, 4.6, 6.3), FIXED_TURNS, (31, -52, 17))
THORAX = make_grid((80, 75, 52), (4.4, 3.9, 5.2), MOVING_TURNS, (20, -60, 30))


@st.composite
def settings_of_a_run(draw):
    """A grid and parameters from small to large, thin to cubic."""
    size = draw(st.lists(st.integers(4, 120), min_size=3, max_size=3))
    spacing = [s / 10 for s in draw(st.lists(st.integers(5, 60), min_size=3, max_size=3))]
    parameters = DenseParameters(
        working_spacing=draw(st.integers(5, 100)) / 10,
        working_voxels=draw(st.sampled_from([0.02, 0.1, 1.0, 6.0])),
        control_spacing=draw(st.integers(2, 50)),
        capture_range=draw(st.integers(5, 90)),
        search_stages=draw(st.integers(0, 3)),
        refinement_spacing=draw(st.integers(2, 30)),
    )
    return make_grid(size, spacing, (12, -8, 21), (31, -52, 17)), parameters


@settings(max_examples=60, deadline=None)
@given(settings_of_a_run())
def test_every_level_covers_the_image_with_cubic_voxels_along_its_axes(case):
    fixed, parameters = case
    image = blank(fixed)
    corners = [[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]
    corners = [[int(c * (n - 1)) for c, n in zip(corner, fixed.size, strict=True)] for corner in corners]
    corners = [image.TransformIndexToPhysicalPoint(corner) for corner in corners]
    plan = make_plan(fixed, parameters)
    spacings = [level.spacing for level in plan]
    assert len(plan) >= 2
    for level in plan:
        assert level.grid.spacing == (level.spacing,) * 3
        assert np.allclose(level.grid.direction, fixed.direction)
        other = blank(level.grid)
        index = np.array([other.TransformPhysicalPointToContinuousIndex(corner) for corner in corners])
        assert (index > -1e-5).all()
        assert (index < np.array(level.grid.size) - 1 + 1e-5).all()
    # Coarse to fine, each about half of the one before; the search is on the first alone.
    ratios = np.array(spacings[:-1]) / spacings[1:]
    assert (ratios > 1.25).all()
    assert (ratios < 2.6).all()
    assert [len(level.searches) for level in plan] == [parameters.search_stages] + [0] * (len(plan) - 1)
    for level in plan:
        assert level.refinements == parameters.refinement_iterations
        assert level.refinement_control >= PATCH
        assert abs(level.refinement_control - parameters.refinement_spacing / level.spacing) <= max(0.51, PATCH)


@settings(max_examples=60, deadline=None)
@given(settings_of_a_run())
def test_the_finest_spacing_is_the_working_spacing_the_images_or_what_the_cap_allows(case):
    fixed, parameters = case
    finest = make_plan(fixed, parameters)[-1]
    cap = parameters.working_voxels * 1e6
    assert finest.grid.voxels <= cap
    wanted = max(parameters.working_spacing, min(fixed.spacing))
    if fixed.resampled(wanted).voxels <= cap and np.prod(fixed.extent) / wanted**3 <= cap:
        assert finest.spacing == wanted
    else:  # not much coarser than the largest number of voxels requires
        assert wanted <= finest.spacing
        assert np.prod(fixed.extent / finest.spacing + 2) > 0.9 * cap


@settings(max_examples=60, deadline=None)
@given(settings_of_a_run())
def test_labels_reach_the_capture_range_and_control_points_cover_the_level(case):
    fixed, parameters = case
    level = make_plan(fixed, parameters)[0]
    for number, search in enumerate(level.searches):
        assert search.control % search.step == 0
        assert search.ratio == search.control // search.step
        reach = search.radius * search.step * level.spacing
        if number == 0:
            assert parameters.capture_range - 1e-6 <= reach < parameters.capture_range + search.step * level.spacing
            first = search
        else:
            assert search.radius == LATER_RADIUS
            assert search.step == max(1, first.step >> number)
            # A later stage covers more than a step of the stage before.
            assert search.radius * search.step > first.step
        for count, voxels in zip(control_counts(level.grid, search.control), level.grid.shape, strict=True):
            assert (count - 1) * search.control >= voxels - 1
            assert count == 2 or (count - 2) * search.control < voxels - 1


def test_presets_plan_at_their_own_working_spacing():
    fixed = make_grid((256, 256, 160), (1.5, 1.4, 2.5), FIXED_TURNS)
    for preset in DENSE_PRESETS:
        plan = make_plan(fixed, preset.parameters)
        cap = preset.parameters.working_voxels * 1e6
        assert plan[-1].grid.voxels <= cap
        assert plan[-1].spacing == max(preset.parameters.working_spacing, 1.4) or plan[-1].grid.voxels > 0.9 * cap


# -------------------------------------------------------------------------------------------------------------- memory


def needed(fixed, moving, parameters, channels=CHANNELS):
    return estimate_memory(fixed, moving, make_plan(fixed, parameters), parameters, channels)


def test_the_estimate_grows_with_everything_that_takes_memory():
    fixed, moving = ABDOMEN.resampled((2.0, 2.3, 3.1)), THORAX.resampled((2.2, 1.9, 2.6))
    base = DenseParameters(working_spacing=2.5, control_spacing=14.0)
    least = needed(fixed, moving, base)
    finer = ABDOMEN.resampled((0.8, 0.9, 1.0))
    assert needed(finer, moving, base) > least + 4 * 3 * (finer.voxels - fixed.voxels)  # at least the field itself
    finer = THORAX.resampled((0.7, 0.6, 0.8))
    assert needed(fixed, finer, base) > least + 4 * (finer.voxels - moving.voxels)  # at least a copy of it
    assert needed(fixed, moving, base, 24) > least
    assert needed(fixed, moving, base.replaced({"working_spacing": 2.0})) > least
    # The peak is that of the largest part; without refinement it is the search.
    search = base.replaced({"refinement_iterations": 0, "working_spacing": 2.0, "control_spacing": 10.0})
    alone = needed(fixed, moving, search)
    for changes in ({"capture_range": 90.0}, {"control_spacing": 8.0}):
        assert needed(fixed, moving, search.replaced(changes)) > alone, changes
    for changes in ({"control_spacing": 14.0}, {"search_stages": 0}, {"mean_field_passes": 0}):
        assert needed(fixed, moving, search.replaced(changes)) < alone, changes


def test_features_that_are_kept_at_their_own_voxels_take_memory():
    fixed, moving = ABDOMEN.resampled((2.0, 2.3, 3.1)), THORAX.resampled((2.2, 1.9, 2.6))
    base = DenseParameters(working_spacing=2.5, control_spacing=14.0)
    plan = make_plan(fixed, base)
    without, coarse, fine = (estimate_memory(fixed, moving, plan, base, CHANNELS, finest) for finest in (0.0, 3.0, 1.5))
    both = fixed.resampled(3.0).voxels + moving.resampled(3.0).voxels
    assert coarse - without > 2 * CHANNELS * both  # as float16, and the moving image where the search may reach
    assert fine - without > 7 * (coarse - without)
    between = 0.5 * (without + coarse)
    assert check_memory(fixed, moving, base, CHANNELS, between) == plan
    with pytest.raises(NotEnoughMemoryError):
        check_memory(fixed, moving, base, CHANNELS, between, 3.0)


def test_a_run_that_does_not_fit_is_refused_before_anything_is_computed(monkeypatch):
    pair = ImagePair(smooth_image(ABDOMEN, 1), smooth_image(THORAX, 2))
    monkeypatch.setattr(registration.Registration, "_free_memory", lambda self: 1e6)
    monkeypatch.setattr(registration, "align", lambda *arguments: pytest.fail("it has begun"))
    monkeypatch.setattr(registration, "LevelData", lambda *arguments: pytest.fail("it has begun"))
    reports = []
    with pytest.raises(NotEnoughMemoryError, match=r"needs about \d+\.\d GB.* 0\.0 GB are free"):
        register_dense(pair, DenseParameters(), "cpu", lambda *report: reports.append(report))
    assert reports == []


@pytest.mark.parametrize("working_spacing", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("share", [0.15, 0.5, 0.9])
def test_the_advice_fits(working_spacing, share):
    fixed, moving = ABDOMEN.resampled((1.5, 1.6, 2.2)), THORAX.resampled((1.9, 1.7, 2.3))
    control = max(4.0, 2.0 * working_spacing)
    parameters = DenseParameters(working_spacing=working_spacing, control_spacing=control, working_voxels=50.0)
    floor = needed(fixed, moving, parameters.replaced({"working_spacing": 20.0, "control_spacing": 80.0}))
    available = floor + share * (needed(fixed, moving, parameters) - floor)
    with pytest.raises(NotEnoughMemoryError) as refusal:
        check_memory(fixed, moving, parameters, CHANNELS, available)
    changes = refusal.value.changes
    assert set(changes) == {"working_spacing", "control_spacing"}
    assert refusal.value.advice == "coarser grids would fit"
    smaller = parameters.replaced(changes)
    assert needed(fixed, moving, smaller) <= available
    assert check_memory(fixed, moving, smaller, CHANNELS, available) == make_plan(fixed, smaller)


@pytest.mark.parametrize("working_spacing", [1.0, 8.0, 15.0])
def test_where_no_resolution_fits_the_advice_is_another_one(working_spacing):
    """From 15 mm on, the proposed voxel size would exceed the parameter's range, so the error gives other advice."""
    with pytest.raises(NotEnoughMemoryError) as refusal:
        check_memory(ABDOMEN, THORAX, DenseParameters(working_spacing=working_spacing), CHANNELS, 1e6)
    assert refusal.value.changes == {}
    assert "more memory" in refusal.value.advice


def test_what_fits_is_the_plan():
    parameters = DenseParameters()
    assert check_memory(ABDOMEN, THORAX, parameters, CHANNELS, 1e12) == make_plan(ABDOMEN, parameters)


_MEASURE = """
import json, resource, sys
import SimpleITK as sitk
from deepreg_engine.methods.common.affine import Alignment
from deepreg_engine.methods.common.image_pair import ImagePair
from deepreg_engine.methods.dense.register import register_dense
from deepreg_engine.methods.dense.parameters import DenseParameters

def peak():
    try:  # Linux: ru_maxrss also counts what the parent had before this program took its place
        return 1024 * int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

fixed, moving, parameters = json.loads(sys.argv[1])
pair = ImagePair(*(sitk.ReadImage(path, sitk.sitkFloat32) for path in (fixed, moving)))
pair.alignment = Alignment(sitk.Transform(3, sitk.sitkIdentity), "none")
before = peak()
result = register_dense(pair, DenseParameters(**parameters), "cpu")
print(json.dumps([before, peak(), len(result.stages)]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no ru_maxrss")
def test_the_estimate_is_an_upper_bound_within_reason(tmp_path):
    """One run in a process of its own: it grows by less than the estimate, and not by a small part of it."""
    parameters = {"working_spacing": 3.2, "control_spacing": 12.0, "capture_range": 70.0, "refinement_iterations": 1, "search_stages": 1}
    fixed, moving = make_grid((110, 82, 56), (2.6, 3.1, 4.1), FIXED_TURNS), make_grid((95, 90, 60), (2.9, 2.7, 3.7), MOVING_TURNS)
    paths = [str(tmp_path / name) for name in ("fixed.nrrd", "moving.nrrd")]
    for path, grid, seed in zip(paths, (fixed, moving), (1, 2), strict=True):
        sitk.WriteImage(smooth_image(grid, seed), path)
    folders = [str(Path(deepreg_engine.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
    call = [sys.executable, "-c", _MEASURE, json.dumps([*paths, parameters])]
    output = subprocess.run(call, capture_output=True, text=True, env=environment, check=True, timeout=300).stdout
    before, peak, stages = json.loads(output.splitlines()[-1])
    assert stages >= 2
    estimate = needed(fixed, moving, DenseParameters(**parameters))
    assert peak - before > 150e6  # a run that shows something
    assert peak < 1.05 * estimate
    assert estimate < 2.0 * peak
