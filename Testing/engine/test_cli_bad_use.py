"""Wrong options, outputs and devices: exit code 2, one line with the problem and the advice, and no file is changed."""

from __future__ import annotations

import os
import shlex
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import SimpleITK as sitk
import torch
from command_line import Outcome, call, check_refusal, finish, process
from wrong_files import DENSE, EVALUATE, POINTS, WARP, refused

from deepreg_engine.geometry import files as files_module
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.jobs import pair_files, registration, results
from deepreg_engine.methods.common import affine
from deepreg_engine.methods.dense.plan import estimate_memory, make_plan
from deepreg_engine.methods.dense.presets import dense_preset
from deepreg_engine.models.folders import shipped_folder

pytestmark = pytest.mark.usefixtures("among_wrong_files")

# -------------------------------------------------------------------------------------------------------------- outputs

OUTPUTS = [
    ("missing/out.nrrd", "the folder missing does not exist", "make it first"),
    ("text.txt/out.nrrd", "the folder text.txt does not exist", "make it first"),
    ("folder.nrrd", "folder.nrrd is a folder", "give the name of a file"),
    ("vectors.png", "vectors.png needs another ending", "use .n"),
    ("noending", "noending needs another ending", "use .n"),
]


@pytest.mark.parametrize(("name", "what", "advice"), OUTPUTS)
def test_outputs(name, what, advice):
    for option in ("transform", "inverse", "warped", "jacobian", "uncertainty"):
        refused(f"{DENSE} --{option} {name}", what, advice)
    refused(f"{DENSE} --moving-labels moving_labels.nii.gz --warped-labels {name}", what, advice)
    refused(f"{WARP} --output {name}", what, advice)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f"{DENSE} --warped fixed.nii.gz", ("fixed.nii.gz would overwrite an input", "(--warped)", "another name")),
        (f"{DENSE} --warped ./moving.nii.gz", ("./moving.nii.gz would overwrite an input", "(--warped)", "another name")),
        (f"{DENSE} --warped link.nii.gz", ("link.nii.gz would overwrite an input", "(--warped)", "another name")),
        (
            f"{DENSE} --fixed-mask fixed_mask.nii.gz --jacobian fixed_mask.nii.gz",
            ("fixed_mask.nii.gz would overwrite an input", "(--jacobian)"),
        ),
        (f"{DENSE} --initial truth.nrrd --transform truth.nrrd", ("truth.nrrd would overwrite an input", "(--transform)")),
        (f"{DENSE} --label-names phantom.json --report phantom.json", ("phantom.json would overwrite an input", "(--report)")),
        (f"{DENSE} --inverse out.nrrd", ("two outputs would be written to out.nrrd", "its own name (--inverse)")),
        (
            f"{DENSE} --warped new.nrrd --jacobian folder/../new.nrrd",
            ("two outputs would be written to folder/../new.nrrd", "(--jacobian)"),
        ),
        (f"{DENSE} --overview picture.jpg", ("picture.jpg needs another ending", "(--overview)", "use .png")),
        (f"{DENSE} --report report.txt", ("report.txt needs another ending", "(--report)", "use .json")),
        (f"{DENSE} --report folder.json", ("folder.json is a folder", "name of a file")),
        (f"{WARP} --output moving.nii.gz", ("moving.nii.gz would overwrite an input", "(--output)", "another name")),
        (f"{WARP} --output truth.nrrd", ("truth.nrrd would overwrite an input", "(--output)", "another name")),
        (f"{WARP} --output out.csv", ("out.csv needs another ending", "(--output)", "use .nii.gz")),
        (f"{POINTS} --output fixed_landmarks.csv", ("fixed_landmarks.csv would overwrite an input", "(--output)", "another name")),
        (f"{POINTS} --output out.nrrd", ("out.nrrd needs another ending", "(--output)", "use .csv")),
        (f"{EVALUATE} --report out.txt", ("out.txt needs another ending", "(--report)", "use .json")),
        (f"{EVALUATE} --report missing/out.json", ("the folder missing does not exist", "make it first")),
        (f"{EVALUATE} --label-names phantom.json --report phantom.json", ("phantom.json would overwrite an input", "(--report)")),
        ("phantom abdomen --output missing/new", ("the folder missing does not exist", "make it first")),
        ("phantom abdomen --output text.txt", ("text.txt is a file", "name of a folder")),
        ("phantom abdomen --output text.txt/new", ("the folder text.txt does not exist", "make it first")),
        ("phantom abdomen --output phantoms", ("phantoms holds fixed.nii.gz, which is no phantom's", "another folder")),
        ("demo --output missing/new", ("cannot make the folder missing/new", "choose another (--output)")),
        ("demo --output text.txt", ("cannot make the folder text.txt", "choose another (--output)")),
        ("demo --output phantoms", ("phantoms holds fixed.nii.gz, which is no phantom's", "another folder")),
        ("models import broken.pth --output missing/new.safetensors", ("the folder missing does not exist", "make it first")),
        ("models import broken.pth --output new.pth", ("new.pth needs another ending", "(--output)", "use .safetensors")),
        ("models import broken.pth --output mind.safetensors", ("the name mind belongs to a formula", "--name")),
    ],
)
def test_outputs_that_are_something_else(line, words):
    refused(line, *words)


FOLDERS = [
    f"{DENSE} --warped {{}}/warped.nrrd",
    f"{WARP} --output {{}}/warped.nrrd",
    f"{POINTS} --output {{}}/points.csv",
    f"{EVALUATE} --report {{}}/report.json",
    "phantom abdomen --output {}/new",
    "demo fixed.nii.gz moving.nii.gz --output {}/new",
    "models import broken.pth --output {}/model.safetensors",
]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no folder here that even root cannot write to")
@pytest.mark.parametrize("line", FOLDERS)
def test_a_folder_that_no_one_can_write_to(line):
    refused(line.format("/proc"), "/proc", "choose")


@pytest.mark.parametrize("line", FOLDERS[:-1])
def test_a_folder_that_refuses(line, monkeypatch):
    def refuse(path, *_args, **_kwargs):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(files_module.Path, "touch", refuse)
    monkeypatch.setattr(Path, "mkdir", refuse)
    refused(line.format("folder"), "folder", "Permission denied", "choose")


@pytest.mark.skipif(sys.platform == "win32", reason="limits of the size of files are POSIX")
@pytest.mark.parametrize(
    "line",
    [
        f"{DENSE} --inverse out.h5 --transform out.tfm",
        f"{DENSE} --transform new.nii.gz --warped new.nrrd",
        "warp --transform truth.nrrd --image truth_x.nrrd --output out.nrrd",
        "phantom abdomen --detail 0.35 --output new",
    ],
)
def test_a_full_disk(line, wrong_files, tmp_path):
    """No file may grow beyond 60 KB, which a field of this phantom does. ITK itself does not always notice."""
    if "truth_x" in line:
        field = sitk.ReadImage(str(wrong_files / "truth.nrrd"))
        sitk.WriteImage(sitk.VectorIndexSelectionCast(field, 0), str(tmp_path / "truth_x.nrrd"))
        line = line.replace("truth_x.nrrd", str(tmp_path / "truth_x.nrrd"))

    def limit() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))

    outcome = finish(process(*shlex.split(line), cwd=wrong_files, preexec_fn=limit))
    check_refusal(outcome, "cannot write", "free some space")


# ----------------------------------------------------------------------------------------------- the command line itself


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f"{DENSE} --set capture_range=5000", ("capture_range = 5000 is out of range", "0.01 to 3000 mm")),
        (f"{DENSE} --set capture_range=-1", ("capture_range = -1 is out of range", "0.01 to 3000 mm")),
        (f"{DENSE} --set capture_range=nan", ("capture_range = nan is not a finite number", "0.01 to 3000 mm")),
        (f"{DENSE} --set capture_range=wide", ("capture_range = wide is not a number", "0.01 to 3000 mm")),
        (f"{DENSE} --set capture_range=", ("capture_range =  is not a number".replace("  ", " "), "0.01 to 3000 mm")),
        (f"{DENSE} --set mind_radius=1.5", ("mind_radius = 1.5 is not a whole number", "0 to 3 voxels")),
        (f"{DENSE} --set capture_rang=50", ("no parameter 'capture_rang'", "did you mean capture_range?")),
        (f"{DENSE} --set xyz=50", ("no parameter 'xyz'", "there are initial, features")),
        (f"{DENSE} --set instance_optimisation=coupl", ("instance_optimisation = coupl", "did you mean coupled?")),
        (f"{DENSE} --set initial=affin", ("initial = affin is not a choice", "did you mean affine?")),
        (f"{DENSE} --set features=mnd", ("no features 'mnd'", "did you mean mind?")),
        (f"{DENSE} --set capture_range", ("'capture_range' is not a setting", "write name=value")),
        (f"{DENSE} --set =50", ("'=50' is not a setting", "write name=value")),
        (f"{DENSE} --set", ("--set: expected one argument", "see deepreg-engine register dense --help")),
        (f"{DENSE} --preset quik", ("no preset 'quik'", "did you mean quick?")),
        (f"{DENSE} --preset xyz", ("no preset 'xyz'", "there are abdomen-ct")),
        (f"{DENSE} --initial affin", ("affin is neither an alignment nor a file", "(--initial)", "did you mean affine?")),
        (f"{DENSE} --initial xyz", ("xyz is neither an alignment nor a file", "none, geometry, mass, rigid, similarity, affine")),
        (f"{DENSE} --device cdua", ("no --device 'cdua'", "did you mean cuda?")),
        (f"{DENSE} --threads 0", ("--threads: '0' is not a number of threads",)),
        (f"{DENSE} --threads two", ("--threads: 'two' is not a number of threads",)),
        (
            f"{DENSE} --uncertainty u.nrrd --set search_stages=0",
            ("the uncertainty comes from the search", "set search_stages to 1 or more"),
        ),
        (f"{DENSE} --warpd w.nrrd", ("unknown '--warpd'", "did you mean --warped?")),
        (f"{DENSE} --warp w.nrrd", ("unknown '--warp'", "did you mean --warped?")),
        (f"{DENSE} -fixed a", ("unknown '-fixed'", "did you mean --fixed?")),
        (f"{DENSE} --report=", ("the value of --report is empty", "leave the option out")),
        (f"{DENSE} --fixed ''", ("the value of --fixed is empty", "give one")),
        (f"{DENSE} extra.nii.gz", ("unknown 'extra.nii.gz'", "--help")),
        ("register dense --fixd a --moving b --transform c", ("register dense: unknown '--fixd'", "did you mean --fixed?")),
        ("register dense --fixed=a --moving=b --transfrm=c", ("unknown '--transfrm=c'", "did you mean --transform?")),
        ("register dense --fixed a --moving b", ("still needed: --transform", "see deepreg-engine register dense --help")),
        ("register dense", ("still needed: --fixed, --moving, --transform",)),
        ("register dens", ("deepreg-engine register: there is no method 'dens'", "did you mean dense?")),
        ("register", ("register auto: there is nothing to register", "give a fixed and a moving image", "(--fixed)")),
        ("registr dense", ("there is no command 'registr'", "did you mean register?")),
        ("wrap", ("there is no command 'wrap'", "did you mean warp?")),
        ("xyz", ("there is no command 'xyz'", "there are register, content, warp")),
        ("--vresion", ("unknown '--vresion'", "did you mean --version?")),
        ("", ("still needed: <command>", "see deepreg-engine --help")),
        (
            "warp --transform truth.nrrd --output out.nrrd",
            ("there is nothing to warp", "give an image, points, or files with their outputs"),
        ),
        (f"{WARP} --points few.csv", ("--points: not allowed with argument --image",)),
        (f"{WARP} --interpolation cubci", ("no --interpolation 'cubci'", "did you mean cubic?")),
        (
            f"{WARP} --labels --interpolation cubic",
            ("labels and cubic interpolation contradict each other", "use nearest", "(--interpolation)"),
        ),
        (f"{POINTS} --labels", ("are for images", "leave them out for points (--labels)")),
        (f"{EVALUATE} --referense fixed.nii.gz", ("unknown '--referense'", "did you mean --reference?")),
        ("phantom abdomn --output new", ("no anatomy 'abdomn'", "did you mean abdomen?")),
        ("phantom knee --output new", ("no anatomy 'knee'", "abdomen, thorax, brain")),
        ("phantom abdomen --output new --modality-pair mr-cd", ("no --modality-pair 'mr-cd'", "did you mean mr-ct?")),
        ("phantom abdomen --output new --seed -1", ("--seed", "not a whole number of 0 or more")),
        ("phantom abdomen --output new --seed one", ("--seed: 'one' is not a whole number of 0 or more",)),
        ("phantom abdomen --output new --detail 50", ("the detail 50.0 is out of range", "0.2 to 3")),
        ("phantom abdomen --output new --detail nan", ("the detail nan is out of range", "0.2 to 3")),
        ("phantom abdomen --output new --detail fine", ("--detail: invalid float value: 'fine'",)),
        ("phantom abdomen --output new --patients 3", ("no --patients '3'", "there are 1, 2")),
        ("phantom --output new", ("still needed: <anatomy>",)),
        ("demo fixed.nii.gz", ("1 image given", "FIXED and MOVING")),
        ("demo a b c", ("3 images given", "FIXED and MOVING")),
        ("demo fixed.nii.gz moving.nii.gz --seed 3", ("are for the phantom", "leave them out")),
        ("demo --anatomy abdomn --output new", ("no --anatomy 'abdomn'", "did you mean abdomen?")),
        ("demo --seed -3 --output new", ("--seed", "not a whole number of 0 or more")),
        ("demo --preset quik --output new", ("no preset 'quik'", "did you mean quick?")),
        ("models", ("still needed: <action>",)),
        ("models lst", ("no action 'lst'", "did you mean list?")),
        ("models verify obelsk", ("there are no features 'obelsk'",)),
    ],
)
def test_command_lines(line, words):
    refused(line, *words)


# --------------------------------------------------------------------------------------------------------------- models


@pytest.mark.parametrize("begin", [f"{DENSE} --features", "models verify"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing.safetensors", ("the model missing.safetensors does not exist", "check the path")),
        ("missing/model", ("the model missing/model does not exist", "check the path")),
        ("broken.safetensors", ("the model broken.safetensors is not a safetensors file", "damaged")),
        ("broken.pth", ("the model broken.pth is not a safetensors file", "models import")),
        ("obelisk", ("there are no features 'obelisk'", "mind, intensity")),
    ],
)
def test_models(begin, name, words):
    refused(f"{begin} {name}", *words)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("models import missing.pth --output new.safetensors", ("the checkpoint missing.pth does not exist", "check the path")),
        ("models import broken.pth --output new.safetensors", ("broken.pth is not a checkpoint", "only files of tensors")),
        ("models import folder --output new.safetensors", ("the checkpoint folder does not exist",)),
    ],
)
def test_checkpoints(line, words):
    refused(line, *words)


def test_a_listing_of_models_shows_the_damaged_one_and_verify_refuses_it():
    listed = call("models", "list")
    assert listed.code == 0
    assert "broken.safetensors" in listed.out
    assert "is not a safetensors file" in listed.out
    verified = call("models", "verify")
    check_refusal(
        Outcome(verified.code, "", verified.err),
        f"1 of {1 + len(list(shipped_folder().glob('*.safetensors')))} models cannot be used (broken.safetensors)",
        "get them again",
    )
    assert "broken.safetensors  " in verified.out


# ----------------------------------------------------------------------------------------------------- device and memory


def test_a_device_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    refused(f"{DENSE} --device cuda", "the device cuda is not available: ", "use cpu", "(--device)")
    refused(f"{DENSE} --device mps", "the device mps is not available: ", "use cpu (--device)")


@pytest.fixture
def slow_alignment(monkeypatch):
    """An alignment that ends after the test: a test that waits for it fails."""
    over = threading.Event()

    def align(*arguments):
        assert over.wait(60)
        raise AssertionError("the run waits for the alignment")

    monkeypatch.setattr(affine, "align", align)
    yield
    over.set()


def free_memory(monkeypatch, free: float) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=free))


def test_too_little_memory_is_known_before_the_alignment_and_the_line_names_what_fits(monkeypatch, slow_alignment, phantom_pair):
    grids = ImageGrid.of(phantom_pair.fixed), ImageGrid.of(phantom_pair.moving)

    def needed(**changes: object) -> float:
        parameters = dense_preset("quick").parameters.replaced(changes)
        return estimate_memory(*grids, make_plan(grids[0], parameters), parameters, 12)

    free = (needed() + needed(working_spacing=19.0, control_spacing=26.0)) / 2
    assert free < needed()
    free_memory(monkeypatch, free)
    line = refused(f"{DENSE} --device cpu", "GB of memory", "GB are free", "would fit (--set working_spacing=")
    settings = dict(words.split("=") for words in line.split("would fit (--set ")[1].rstrip(")").split(" --set "))
    assert needed(**settings) < free


def test_far_too_little_memory(monkeypatch):
    free_memory(monkeypatch, 1e6)
    refused(f"{DENSE} --device cpu", "GB of memory, and 0.0 GB are free", "crop the images")


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9")])
def test_memory_that_runs_out_all_the_same(monkeypatch, error):
    def allocate(*_arguments):
        raise error

    monkeypatch.setattr(results, "warp_intensities", allocate)
    refused(f"{DENSE} --warped new.nrrd", "the computer ran out of memory", "working_spacing")


def test_a_mistake_of_ours_is_one_line_too(monkeypatch):
    monkeypatch.setattr(results, "warp_intensities", lambda *_: 1 / 0)
    outcome = call(*shlex.split(f"{DENSE} --warped new.nrrd"))
    assert outcome.code == 2
    assert outcome.out == ""
    assert len(outcome.messages) == 1
    assert "internal error (ZeroDivisionError: division by zero): please report it" in outcome.messages[0]
    monkeypatch.setenv("DEEPREG_DEBUG", "1")
    assert "Traceback" in call(*shlex.split(f"{DENSE} --warped new.nrrd")).err


def test_an_interrupt_is_one_line(monkeypatch):
    def interrupt(*_arguments):
        raise KeyboardInterrupt

    for module, name in ((pair_files, "read_volume"), (affine, "align"), (results, "warp_intensities")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, interrupt)
            refused(f"{DENSE} --warped new.nrrd", "stopped by the user", "nothing was written")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError()])
def test_an_interrupted_demo_leaves_no_phantom(monkeypatch, phantom_pair, error, tmp_path):
    from deepreg_engine.commands import demo

    def interrupt(*_arguments):
        assert (tmp_path / "new" / "fixed.nii.gz").exists()
        raise error

    monkeypatch.setattr("deepreg_engine.phantoms.make_pair", lambda *_: phantom_pair)
    monkeypatch.setattr(demo, "run_registration", interrupt)
    refused(f"demo --output {tmp_path}/new", "deepreg-engine demo: ")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "mine.txt").write_text("stays")
    refused(f"demo --output {tmp_path}/new", "deepreg-engine demo: ")
    assert os.listdir(tmp_path / "new") == ["mine.txt"]


def test_an_alignment_that_nobody_waits_for_does_not_disturb_the_next():
    """Both set SimpleITK's number of threads."""
    over, order = threading.Event(), []
    first = registration._Background(lambda: (over.wait(60), order.append("first")))
    first.start()
    second = registration._Background(lambda: order.append("second"))
    second.start()
    time.sleep(0.05)
    assert order == []
    over.set()
    second.result()
    assert order == ["first", "second"]
