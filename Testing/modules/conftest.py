"""What the tests of the modules share: the application, a small pair to register, and a worker that ends with each test."""

from __future__ import annotations

import json
import os
from pathlib import Path

# Read by the worker when it loads torch, see the command line.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import descent_bench
import pytest
from bench import MODULES, SHARED_DATA, stop_worker
from panels import opened, quick
from points_bench import add_points, scattered, warped


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data; a test that asks for it is skipped where there is none."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"real data is not in {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(scope="session")
def phantom_folder(tmp_path_factory) -> Path:
    """A small abdomen in two states: oblique, anisotropic, of unequal sizes."""
    from deepreg_engine.phantoms import make_pair, write_pair

    folder = tmp_path_factory.mktemp("phantom")
    write_pair(make_pair("abdomen", detail=0.35), folder)
    return folder


@pytest.fixture
def app(slicer_app):
    """The application with the modules' folder; the worker ends with the test, and nothing is left of it."""
    slicer_app.add_module_path(MODULES)
    yield slicer_app
    stop_worker()


@pytest.fixture(scope="module")
def warm_worker(slicer_host):
    """A worker with its libraries loaded, shared by the tests of one file: starting it takes two seconds each time."""
    from deepreg_slicer.waiting import waitForJob
    from deepreg_slicer.worker_client import workerClient

    slicer_host.add_module_path(MODULES)
    client, keeper = workerClient(), object()
    client.acquire(keeper)
    waitForJob(client.submit("warm", {}))
    yield client
    client._users.discard(id(keeper))
    stop_worker()


@pytest.fixture
def running_worker(warm_worker):
    """The shared worker, started again if the test before has ended it."""
    from deepreg_slicer.waiting import waitForJob

    if not warm_worker.running:
        waitForJob(warm_worker.submit("warm", {}))
    return warm_worker


@pytest.fixture
def warm_app(running_worker, slicer_app):
    """The application with the modules' folder and the shared worker."""
    warm_worker, pids = running_worker, running_worker.pids
    slicer_app.add_module_path(MODULES)
    yield slicer_app
    assert not warm_worker.busy
    if warm_worker.pids != pids:
        warm_worker.stop()  # it took the place of one that the test has ended
        return
    left = os.listdir(warm_worker.scratch())
    assert left == [], f"temporary files were left: {left}"


@pytest.fixture
def pair(slicer_app, phantom_folder):
    """The pair in the scene: fixed and moving volume."""
    import slicer

    return [slicer.util.loadVolume(str(phantom_folder / f"{side}.nii.gz")) for side in ("fixed", "moving")]


@pytest.fixture
def dense_widget(warm_app, pair):
    """The Dense panel with parameters for which a run takes less than a second."""
    widget = opened(warm_app)
    quick(widget)
    return widget


@pytest.fixture
def lists(warm_app):
    """Two lists in the scene: the moving points are the fixed ones, warped and in another order."""
    fixed = scattered()
    return add_points("before", fixed), add_points("after", warped(fixed)[::-1])


@pytest.fixture
def points_widget(warm_app, lists, hands):
    """The Points panel with the lists."""
    widget = opened(warm_app, "DeepRegPoints")
    hands.choose(widget.ui.presetComboBox, "Few landmarks")
    return widget


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


@pytest.fixture
def descent_widget(warm_app, pair):
    """The Descent panel with parameters for which a run takes a second."""
    widget = opened(warm_app, "DeepRegDescent")
    descent_bench.quick(widget)
    return widget


@pytest.fixture
def all_outputs(descent_widget):
    """The Descent panel with all outputs wanted."""
    widget = descent_widget
    widget.panel.node.featuresWanted = widget.panel.node.iterationsWanted = True
    widget.panel.node.keptIterations = 5
    return widget
