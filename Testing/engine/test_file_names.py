"""Files and folders with names in any letters, where ITK opens only ASCII names, as on Windows."""

from __future__ import annotations

import ntpath
import os
import posixpath
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from command_line import succeed
from dicom_series import save_slices
from labelled_patients import write_patients
from narrow_itk import make_narrow
from scenes import image_on, make_grid
from worker_process import posix

from deepreg_engine.geometry import itk_files
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.files import FileGroup
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import add_image, read_volume
from deepreg_engine.geometry.itk_files import ascii_name, stand_in_names
from deepreg_engine.geometry.transform_files import read_field, read_transform, write_field
from deepreg_engine.jobs.job import Job
from deepreg_engine.jobs.operations import OPERATIONS

GRID = make_grid((7, 9, 6), (2.0, 1.5, 3.0), (20, -10, 30), centre=(5.0, -7.0, 11.0))


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder that ITK does not find."""
    place = tmp_path / "Müller" / "脳"
    place.mkdir(parents=True)
    return place


@pytest.fixture(params=["temporary files in ASCII", "temporary files below the user's name"])
def narrow(request, tmp_path, folder, monkeypatch):
    """SimpleITK as on Windows; nothing is left in the folders of temporary files."""
    public = tmp_path / "Public"
    public.mkdir()
    own = "below" in request.param
    place = folder.parent / "Temp" if own else tmp_path / "Temp"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    monkeypatch.setenv("PUBLIC", str(public))
    monkeypatch.delenv("ProgramData", raising=False)
    monkeypatch.setenv("DEEPREG_MODELS", str(folder / "models"))
    # A training may be the first to import a part of torch that makes a folder for its cache.
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "torch"))
    made = tempfile.mkdtemp
    monkeypatch.setattr(itk_files.tempfile, "mkdtemp", lambda **named: os.path.abspath(made(**named)))  # as from Python 3.12 on
    make_narrow(monkeypatch)
    yield
    assert os.listdir(place) == os.listdir(public) == []


def ramp() -> sitk.Image:
    return image_on(GRID, np.arange(np.prod(GRID.size), dtype=np.float32).reshape(GRID.shape))


def waves() -> DisplacementField:
    vectors = np.random.default_rng(0).normal(0.0, 2.0, (3, *GRID.shape)).astype(np.float32)
    return DisplacementField(vectors, GRID)


# ------------------------------------------------------------------------------------------------------------------ names


@pytest.mark.parametrize(
    ("path", "here", "short", "expected"),
    [
        (r"C:\data\a.nrrd", r"C:\work", None, r"C:\data\a.nrrd"),
        (r"C:\Users\Müller\Temp\deepreg-1\register\a.nrrd", r"C:\Users\Müller\Temp\deepreg-1", None, r"register\a.nrrd"),
        (r"C:\Users\Müller\a.nrrd", r"C:\Users\Müller", None, r".\a.nrrd"),
        (r"D:\脳\scan.nii.gz", r"C:\Users\Müller", r"D:\8F3A~1", r"D:\8F3A~1\scan.nii.gz"),
        (r"D:\脳\scan.nii.gz", r"C:\Users\Müller", None, None),
        (r"D:\data\脳.nii.gz", r"C:\work", r"D:\data", None),  # a short name would cut the ending to .gz
    ],
)
def test_ascii_names_on_windows(path, here, short, expected):
    assert ascii_name(path, here, lambda folder: short or folder, ntpath) == expected


def test_ascii_names_on_linux_and_macos():
    assert ascii_name("/data/Müller/a.nrrd", "/data/Müller", str, posixpath) == "./a.nrrd"
    assert ascii_name("/data/Müller/脳/a.nrrd", "/other", str, posixpath) is None
    assert ascii_name("a.nrrd", "/data/Müller", str, posixpath) == "a.nrrd"


def test_names_are_kept_where_itk_takes_all(folder, monkeypatch):
    monkeypatch.setattr(itk_files, "NARROW", False)
    path = folder / "脳.nrrd"
    with itk_files.readable(path) as name:
        assert name == str(path)
    with itk_files.writable(path) as name:
        assert name == str(path)


def test_names_by_which_a_header_finds_its_voxels():
    path = Path("/脳/Müller.hdr")
    assert stand_in_names(path, [path, Path("/脳/Müller.img")]) == {path: "image.hdr", Path("/脳/Müller.img"): "image.img"}
    path = Path("/脳/scan.nhdr")
    assert stand_in_names(path, [Path("/脳/data/scan.raw")]) == {path: "scan.nhdr", Path("/脳/data/scan.raw"): "data/scan.raw"}


# ------------------------------------------------------------------------------------------------------------------ files


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("name", ["ramp.nii.gz", "脳.v1.nii.gz", "ramp.nrrd", "脳.mha"])
def test_images(folder, name):
    with FileGroup() as files:
        add_image(files, folder / name, ramp())
    image = read_volume(folder / name, "fixed image")
    assert np.array_equal(sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(ramp()))
    assert np.allclose(ImageGrid.of(image).points(), GRID.points(), atol=1e-3)
    assert [path.name for path in folder.iterdir()] == [name]


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("ending", [".tif", ".mhd", ".nhdr", ".hdr"])
@pytest.mark.parametrize("stem", ["scan", "脳"])
def test_images_of_several_files_and_pages(folder, tmp_path, ending, stem):
    image = sitk.Cast(ramp(), sitk.sitkInt16)
    sitk.WriteImage(image, str(tmp_path / f"scan{ending}"))
    if stem == "脳" and ending in (".mhd", ".nhdr"):  # their headers name the file with the voxels
        (tmp_path / f"scan{ending}").rename(folder / f"{stem}{ending}")
    for path in tmp_path.glob("scan.*"):
        path.rename(folder / (f"{stem}{path.suffix}" if ending in (".tif", ".hdr") else path.name))
    read = sitk.GetArrayFromImage(read_volume(folder / f"{stem}{ending}", "fixed image"))
    assert np.array_equal(read, sitk.GetArrayFromImage(image))


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("name", ["u.nrrd", "脳.nii.gz", "u.mha", "u.h5", "脳.h5", "u.tfm"])
def test_transforms(folder, name):
    field = waves()
    write_field(folder / name, field)
    assert np.allclose(read_field(folder / name).vectors, field.vectors, atol=1e-4)
    points = GRID.points().reshape(-1, 3)[::17]
    itk = read_transform(folder / name)
    assert np.allclose([itk.TransformPoint(point) for point in points.tolist()], field.map_points(points), atol=1e-3)


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("refused", [(), ("link",), ("link", "symlink")])
def test_dicom_folders_and_files(folder, monkeypatch, refused):
    """Files are also opened on disks that have no links."""

    def refuse(*_names):
        raise OSError("not supported")

    for name in refused:
        monkeypatch.setattr(itk_files.os, name, refuse)
    values = np.arange(3 * 4 * 5).reshape(3, 4, 5)
    files = save_slices(folder.parent.parent / "series", values, [(0.0, 0.0, 2.5 * number) for number in range(3)])
    for number, path in enumerate(files):
        shutil.copy(path, folder / ("脳" * (number % 2) + path.name))
    for given in (folder, folder / files[0].name):
        image = read_volume(given, "fixed image")
        assert np.array_equal(sitk.GetArrayFromImage(image), values)
        assert np.allclose(image.GetSpacing(), (0.9, 1.2, 2.5))


@posix
@pytest.mark.usefixtures("narrow")
def test_a_file_that_does_not_fit_beside_is_refused_in_one_line(folder, monkeypatch):
    """No place for temporary files has an ASCII name, and the working folder cannot be used."""
    with FileGroup() as files:
        add_image(files, folder / "脳.nrrd", ramp())
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.delenv("PUBLIC")
    monkeypatch.chdir("/proc" if os.path.isdir("/proc") else "/")
    with pytest.raises(OSError, match="ASCII|[Pp]ermi|No such"):
        read_volume(folder / "脳.nrrd", "fixed image")


# --------------------------------------------------------------------------------------------------------------- commands


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("here", [".", "Müller"])
def test_commands(phantom_folder, folder, tmp_path, monkeypatch, here):
    monkeypatch.chdir(tmp_path / here)
    for path in phantom_folder.iterdir():
        shutil.copy(path, folder / path.name)
    images = ("--fixed", folder / "fixed.nii.gz", "--moving", folder / "moving.nii.gz")
    labels = ("--fixed-labels", folder / "fixed_labels.nii.gz", "--moving-labels", folder / "moving_labels.nii.gz")
    names = {
        "transform": "脳.h5",
        "warped": "w.nrrd",
        "warped-labels": "l.nii.gz",
        "jacobian": "j.mha",
        "report": "r.json",
        "overview": "o.png",
    }
    outputs = [part for option, name in names.items() for part in (f"--{option}", folder / name)]
    succeed("register", "dense", *images, *labels, *outputs, "--preset", "quick", "--device", "cpu", "--set", "working_spacing=8")
    assert all((folder / name).stat().st_size for name in names.values())
    succeed("warp", "--image", folder / "moving.nii.gz", "--transform", folder / "脳.h5", "--reference", folder / "fixed.nii.gz",
            "--output", folder / "warped 脳.nii.gz")  # fmt: skip
    succeed("report", *images, *labels, "--transform", folder / "脳.h5", "--output", folder / "脳.html")
    assert "<svg" in (folder / "脳.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("narrow")
def test_the_workers_own_files_are_opened_in_their_place(phantom_folder, folder, monkeypatch):
    """The worker's working folder is the one around its scratch folder, whatever that is called."""
    own = folder.parent / "deepreg-4711-abc" / "register-1"
    own.mkdir(parents=True)
    for name in ("fixed.nii.gz", "moving.nii.gz"):
        shutil.copy(phantom_folder / name, own / name)
    monkeypatch.chdir(folder.parent)
    monkeypatch.setattr(itk_files, "_ascii_folder", lambda: pytest.fail("a file was copied"))
    files = {name: str(own / file) for name, file in (("fixed", "fixed.nii.gz"), ("moving", "moving.nii.gz"), ("transform", "t.nrrd"))}
    OPERATIONS["register"](
        {
            "method": "descent",
            **files,
            "warped": str(own / "w.nrrd"),
            "parameters": {"working_spacing": 12.0, "levels": 1, "iterations": 2},
        },
        Job("1", lambda event: None),
    )
    assert read_field(own / "t.nrrd").grid.size == sitk.ReadImage("deepreg-4711-abc/register-1/w.nrrd").GetSize()


@pytest.mark.usefixtures("narrow")
def test_trainings_and_models(folder, tmp_path):
    (tmp_path / "patients").mkdir()
    for path in list(write_patients(tmp_path / "patients").iterdir()):
        path.rename(folder / path.name)
    (folder / "models").mkdir()
    small = {"steps": 1, "size": 16, "width": 4, "spacing": 5.0, "initial": "geometry"}
    settings = [part for name, value in small.items() for part in ("--set", f"{name}={value}")]
    succeed(
        "train", "dense", folder, "--modality", "ct", *settings, "--workers", 0, "--device", "cpu", "--output", folder / "脳.safetensors"
    )
    assert "脳" in succeed("models", "list")
