"""Fixtures of the modules' tests: the application, a small pair to register, and a worker that ends with each test."""

from __future__ import annotations

import json
import os
from pathlib import Path

# Read by the worker when it loads torch, see the command line.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import descent_bench
import pytest
from bench import KEEPER, MODULES, SHARED_DATA, stop_worker
from panels import opened, quick
from points_bench import add_points, scattered, warped


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data; a test that uses it is skipped if it is missing."""
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests that share a worker first, since the others end it."""
    places = [place for place, item in enumerate(items) if item.path.is_relative_to(Path(__file__).parent)]
    ordered = sorted((items[place] for place in places), key=lambda item: "app" in item.fixturenames)
    for place, item in zip(places, ordered, strict=True):
        items[place] = item


@pytest.fixture
def app(slicer_app):
    """The application with the modules' folder and without a worker; the worker ends with the test, and leaves nothing behind."""
    slicer_app.add_module_path(MODULES)
    stop_worker()
    yield slicer_app
    stop_worker()


@pytest.fixture(scope="session")
def warm_worker(slicer_host):
    """A client whose worker tests share: starting it takes two seconds each time."""
    from deepreg_slicer.worker_client import workerClient

    slicer_host.add_module_path(MODULES)
    yield workerClient()
    stop_worker()


@pytest.fixture
def running_worker(warm_worker, slicer_host):
    """The shared worker with its libraries loaded, started again if a test before has ended it."""
    from deepreg_slicer.waiting import waitForJob

    warm_worker.acquire(KEEPER)
    if not warm_worker.running:
        waitForJob(warm_worker.submit("warm", {}))
    slicer_host.lasting_processes.update(warm_worker.pids)
    return warm_worker


@pytest.fixture
def warm_app(running_worker, slicer_app):
    """The application with the modules' folder and the shared worker."""
    slicer_app.add_module_path(MODULES)
    yield slicer_app
    assert not running_worker.busy
    # A new worker, if the test has ended the one before.
    slicer_app.lasting_processes.update(running_worker.pids)
    left = [name for name in os.listdir(running_worker.scratch()) if not name.startswith("running-")]  # the worker's own mark
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
def register_widget(warm_app, pair):
    """The panel of the module Register with the small pair, at its fastest."""
    widget = opened(warm_app, "DeepRegRegister")
    widget.panel.node.quality = 0
    warm_app.process_events(0.1)
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
