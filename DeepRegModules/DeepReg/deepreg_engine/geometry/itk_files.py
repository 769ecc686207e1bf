"""Reading and writing with SimpleITK, also of files whose names are not ASCII.

On Windows ITK's readers open most formats through the C library, which takes a name in the code page of the system: it does not find
``C:/Users/Müller`` or ``D:/脳`` by the UTF-8 that SimpleITK gives it. There, such a file is opened by its path relative to the working
folder, by the short name of its folder, or in a temporary folder, whichever has only ASCII letters. If a file to be written has no such
name, it is written into the temporary folder first.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType

import SimpleITK as sitk

from deepreg_engine.geometry.files import suffix

#: Whether ITK opens only files whose names are ASCII.
NARROW = sys.platform == "win32"


# ------------------------------------------------------------------------------------------------------------------ names


def short_folder(folder: str) -> str:
    """Return the short name (8.3) of an existing folder on Windows; the same name if it has none."""
    if sys.platform != "win32":
        return folder
    import ctypes

    buffer = ctypes.create_unicode_buffer(1 << 15)
    length = ctypes.windll.kernel32.GetShortPathNameW(folder, buffer, len(buffer))
    return buffer.value if 0 < length < len(buffer) else folder


def ascii_name(path: str, here: str, short: Callable[[str], str] = short_folder, paths: ModuleType = os.path) -> str | None:
    """Return an ASCII path by which a file can be opened; None if there is none.

    The file's own name is kept, because readers recognise formats by its ending, and a short name truncates it.

    Args:
        path: of the file; its folder exists.
        here: the working folder.
        short: gives the short name of a folder.
        paths: rules of paths of the system.
    """
    if path.isascii():
        return path
    folder, name = paths.split(path)
    if not name.isascii():
        return None
    with contextlib.suppress(ValueError):  # on another drive
        relative = paths.relpath(folder or ".", here)
        if relative.isascii():
            return paths.join(relative, name)
    found = short(folder)
    return paths.join(found, name) if found.isascii() else None


def stand_in_names(path: Path, others: Iterable[Path]) -> dict[Path, str]:
    """Return the names that an image file and the files with its voxels get in another folder.

    They keep their names relative to the image file, by which its header finds them. If its own name is not ASCII, it is called
    ``image``, and so are files that share its stem, such as ``.hdr`` and ``.img``.
    """
    stem = path.name.partition(".")[0]
    names = {}
    for each in dict.fromkeys((path, *others)):
        name = each.relative_to(path.parent).as_posix() if each.is_relative_to(path.parent) else each.name
        if not path.name.isascii() and name.startswith(f"{stem}."):
            name = f"image{name[len(stem) :]}"
        names[each] = name
    return names


def _name(path: str | os.PathLike) -> str | None:
    path = os.fspath(path)
    return ascii_name(path, os.getcwd()) if NARROW else path


@contextlib.contextmanager
def _ascii_folder() -> Iterator[Path]:
    """Make a temporary folder with an ASCII name; it is removed afterwards.

    Raises:
        OSError: if there is no place for one.
    """
    places = [tempfile.gettempdir(), *(os.environ[name] for name in ("PUBLIC", "ProgramData") if os.environ.get(name)), "."]
    error: OSError = FileNotFoundError("there is no folder for temporary files whose name is ASCII")
    for place in places:
        name = _name(os.path.join(place, "deepreg"))
        if name is None:
            continue
        try:
            folder = tempfile.mkdtemp(prefix="deepreg-", dir=os.path.dirname(name))
        except OSError as refused:
            error = refused
            continue
        try:
            yield Path(os.path.dirname(name), os.path.basename(folder))  # mkdtemp may have made the name absolute
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return
    raise error


def _put(source: Path, target: Path) -> None:
    """Link a file under another name, or copy it where the disk has no links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # Disks without links, other disks (hard links) and Windows without the right (symbolic links) refuse them; the copy always works.
    for link in (os.link, os.symlink):
        with contextlib.suppress(OSError, NotImplementedError):
            link(os.path.abspath(source), target)
            return
    shutil.copyfile(source, target)


@contextlib.contextmanager
def readable(path: str | os.PathLike, others: Iterable[Path] = ()) -> Iterator[str]:
    """Give the name by which ITK can read a file.

    Args:
        path: the file.
        others: files with its voxels.
    """
    name = _name(path)
    if name is not None:
        yield name
        return
    path = Path(path)
    with _ascii_folder() as folder:
        names = stand_in_names(path, others)
        for each, stand_in in names.items():
            _put(each, folder / stand_in)
        yield str(folder / names[path])


@contextlib.contextmanager
def writable(path: str | os.PathLike) -> Iterator[str]:
    """Give ITK an ASCII name under which it writes a file, and rename the file to its own name at the end of the ``with`` block."""
    name = _name(path)
    if name is not None:
        yield name
        return
    with _ascii_folder() as folder:
        stand_in = folder / f"image{suffix(path)}"
        yield str(stand_in)
        shutil.move(stand_in, path)


# ---------------------------------------------------------------------------------------------------------------- SimpleITK


def read_image(path: str | os.PathLike, others: Iterable[Path] = ()) -> sitk.Image:
    """Return the image in a file, with its voxels in the files ``others`` if they are not in it.

    Raises:
        RuntimeError: if ITK cannot read it.
    """
    with readable(path, others) as name:
        return sitk.ReadImage(name)


def read_header(path: str | os.PathLike, kind: str = "") -> sitk.ImageFileReader:
    """Return a reader that has read what a file states about its image.

    Args:
        path: the file.
        kind: ITK's name of the format; "" finds it.

    Raises:
        RuntimeError: if ITK cannot read it.
    """
    reader = sitk.ImageFileReader()
    if kind:
        reader.SetImageIO(kind)
    with readable(path) as name:
        reader.SetFileName(name)
        reader.ReadImageInformation()
    return reader


def read_dicom(files: list[Path], pixel: int) -> sitk.Image:
    """Return the volume of DICOM files, one slice each, in this order; or of one file.

    Raises:
        RuntimeError: if ITK cannot read it.
    """
    with contextlib.ExitStack() as stack:
        names = [name for path in files if (name := _name(path)) is not None]
        if len(names) < len(files):
            folder = stack.enter_context(_ascii_folder())
            names = [str(folder / f"{number:06d}.dcm") for number in range(len(files))]
            for path, name in zip(files, names, strict=True):
                _put(path, Path(name))
        return sitk.ReadImage(names if len(names) > 1 else names[0], pixel, imageIO="GDCMImageIO")


def dicom_series(folder: str | os.PathLike) -> list[str]:
    """Return the UIDs of the DICOM series in a folder."""
    with _readable_folder(Path(folder)) as (name, _originals):
        return list(sitk.ImageSeriesReader.GetGDCMSeriesIDs(name))


def dicom_files(folder: str | os.PathLike, series: str) -> list[Path]:
    """Return the files of a DICOM series in a folder, in GDCM's order."""
    with _readable_folder(Path(folder)) as (name, originals):
        found = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(name, series)
        return [originals.get(os.path.basename(file), Path(file)) for file in found]


@contextlib.contextmanager
def _readable_folder(folder: Path) -> Iterator[tuple[str, dict[str, Path]]]:
    """Give the name by which ITK can list a folder, and the original file of each name in it."""
    files = sorted(path for path in folder.iterdir() if path.is_file()) if NARROW else []
    name = _name(folder / "file")
    if name is not None and all(path.name.isascii() for path in files):
        yield os.path.dirname(name), {path.name: path for path in files}
        return
    with _ascii_folder() as place:
        originals = {f"{number:06d}{path.suffix if path.suffix.isascii() else ''}": path for number, path in enumerate(files)}
        for stand_in, path in originals.items():
            _put(path, place / stand_in)
        yield str(place), originals


def read_transform(path: str | os.PathLike) -> sitk.Transform:
    """Return the transform in a file.

    Raises:
        RuntimeError, UnicodeDecodeError: if ITK cannot read it; the message may repeat bytes that are no text.
    """
    with readable(path) as name:
        return sitk.ReadTransform(name)


def write_image(image: sitk.Image, path: str | os.PathLike, compress: bool = False) -> None:
    """Write an image.

    Level 1 of the compression: medical images shrink almost as far as at the default level, in a quarter of the time.

    Raises:
        RuntimeError: if ITK cannot write it.
    """
    with writable(path) as name:
        sitk.WriteImage(image, name, useCompression=compress, compressionLevel=1)


def write_transform(transform: sitk.Transform, path: str | os.PathLike) -> None:
    """Write a transform.

    Raises:
        RuntimeError: if ITK cannot write it.
    """
    with writable(path) as name:
        sitk.WriteTransform(transform, name)
