"""Progress, cancelling, repeatability and devices of the Dense method."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from dense_runs import QUICK, fingerprint, run, run_files, run_scene
from registering import aligned, scene, shifted
from scenes import itk_transform, make_grid

import deepreg_engine
from deepreg_engine.errors import Cancelled, DeviceError, InputError
from deepreg_engine.methods.common.affine import Alignment
from deepreg_engine.methods.common.device import choose_device
from deepreg_engine.methods.common.steps import SEARCHES, Steps, graded

# Volumes of this size are computed faster by one thread.
pytestmark = pytest.mark.usefixtures("one_thread")


# -------------------------------------------------------------------------------------------------------------- progress


def test_progress_increases_from_0_to_1_and_names_the_stages():
    pair = scene("brain")
    reports = []
    result = run_scene(pair, QUICK.replaced({"search_stages": 2}), progress=lambda share, stage: reports.append((share, stage)))
    shares = [share for share, _ in reports]
    assert shares == sorted(shares)
    assert shares[0] < 0.05
    assert shares[-1] == 1.0
    assert max(shares[:-1]) < 1.0
    stages = " ".join(stage for _, stage in reports)
    count = 3 + sum(stage["stage"] == "refinement" for stage in result.stages)
    assert f"step 2 of {count}: coarse search step 3 of {count}: fine search" in stages
    assert f"step {count} of {count}: " in stages
    assert len(reports) >= len(result.stages) + 2
    assert all(stage["seconds"] >= 0 for stage in result.stages)
    assert result.seconds["total"] > 0


@pytest.mark.parametrize("error", [Cancelled(), KeyboardInterrupt(), ValueError("the window is gone")])
@pytest.mark.parametrize("at", ["search", "refinement"])
def test_an_exception_in_the_callback_stops_the_run(error, at):
    pair = scene("brain")
    reports = []

    def stop(share, stage):
        reports.append(stage)
        if at in stage:
            raise error

    with pytest.raises(type(error)) as stopped:
        run_scene(pair, progress=stop)
    assert stopped.value is error
    assert sum(at in stage for stage in reports) == 1


def test_the_alignment_is_found_if_none_is_given():
    pair = scene("brain")
    reports = []
    result = run(pair.fixed, pair.moving, None, QUICK.replaced({"initial": "rigid"}), progress=lambda share, stage: reports.append(stage))
    assert result.alignment.kind == "rigid"
    assert re.fullmatch(r"step 1 of \d: alignment", reports[0])
    assert pair.error(result.field.vectors) < 0.75 * pair.error()


def test_images_that_the_alignment_leaves_apart_are_refused():
    pair = scene("brain")
    with pytest.raises(InputError, match="no point in common"):
        run(pair.fixed, shifted(pair.moving, (900, 0, 0)))
    around = make_grid((5, 5, 5), (60, 70, 80), (11, -9, 16), pair.grid.centre)
    with pytest.raises(InputError, match="no point in common"):
        run(pair.fixed, pair.moving, Alignment(itk_transform(np.full((3, 5, 5, 5), 900.0), around), "file"))


# ---------------------------------------------------------------------------------------------------------- repeatability


def test_the_same_input_gives_the_same_bits_in_this_process_and_in_another(tmp_path):
    pair = scene("brain")
    sitk.WriteImage(pair.fixed, str(tmp_path / "fixed.nrrd"))
    sitk.WriteImage(pair.moving, str(tmp_path / "moving.nrrd"))
    sitk.WriteTransform(aligned(pair).transform, str(tmp_path / "alignment.tfm"))
    first = fingerprint(run_files(tmp_path))
    assert fingerprint(run_files(tmp_path)) == first
    folders = [str(Path(deepreg_engine.__file__).parents[1]), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders), "OMP_NUM_THREADS": str(torch.get_num_threads())}
    call = [sys.executable, "-c", "import sys, dense_runs as t; print(t.fingerprint(t.run_files(sys.argv[1])))", str(tmp_path)]
    output = subprocess.run(call, capture_output=True, text=True, env=environment, check=True, timeout=300).stdout
    assert output.split()[-1] == first


# ---------------------------------------------------------------------------------------------------------------- devices


def test_missing_devices_are_refused_by_name():
    with pytest.raises(DeviceError, match="abacus.*auto, cpu, cuda, mps|abacus"):
        choose_device("abacus")
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match="device cuda") as refusal:
            run_scene(scene("brain"), device="cuda")
        assert "use cpu" in refusal.value.advice
    if not torch.backends.mps.is_available():
        with pytest.raises(DeviceError, match="device mps"):
            choose_device("mps")
    device, name = choose_device("auto")
    assert name
    assert choose_device(device.type)[0] == device


@pytest.mark.parametrize(
    ("count", "names"),
    [
        (0, []),
        (1, ["search"]),
        (2, ["coarse search", "fine search"]),
        (4, ["coarse search", "medium search", "medium search", "fine search"]),
    ],
)
def test_steps_are_named_by_how_fine_they_are(count, names):
    assert graded(SEARCHES, count) == names
    assert [Steps(names).title(number) for number in range(count + 1)][1:] == [
        f"step {number + 2} of {count + 1}: {name}" for number, name in enumerate(names)
    ]
