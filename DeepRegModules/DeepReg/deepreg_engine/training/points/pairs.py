"""Corresponding keypoints of pairs of scans, and their files.

Two kinds of files hold six numbers a point, its position in one scan and that of its partner in the other, in voxels:

* ``NAME.csv``: one row a point. The keypoints were detected in the first scan, their partners found by an image-based method.
* ``NAME.dat``: the same as float32. Where there is one for either scan of a pair (``...exp001.dat``, ``...insp001.dat``), the keypoints of
  both scans were detected independently, as they are in a registration.

These are the formats of the keypoints of Learn2Reg's lung CT and of EMPIRE10, as mattiaspaul/VoxelMorphPlusPlus offers them.
"""

from __future__ import annotations

import io
import os
import re
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepreg_engine.errors import InputError
from deepreg_engine.methods.common.lengths import length_factor, size_of

_SUFFIXES = (".csv", ".dat")


@dataclass(frozen=True)
class PointPair:
    """Keypoints of two scans of one patient.

    Args:
        name: of the file, or of both.
        fixed: keypoints (N, 3) of the first scan, mm.
        partners: their positions in the other scan (N, 3), mm.
        moving: the other scan's own keypoints (M, 3), mm; None if it has none.
        moving_partners: positions of these keypoints in the first scan (M, 3), mm; None likewise.
    """

    name: str
    fixed: np.ndarray
    partners: np.ndarray
    moving: np.ndarray | None = None
    moving_partners: np.ndarray | None = None

    def reversed(self) -> PointPair:
        """Return the same with the roles of the scans exchanged."""
        if self.moving is None or self.moving_partners is None:
            return PointPair(self.name, self.partners, self.fixed)
        return PointPair(self.name, self.moving, self.moving_partners, self.fixed, self.partners)

    def nominal(self) -> PointPair:
        """Return the pair at the size of a human body, as the Points method compares features: positions divided by the length scale."""
        factor = length_factor(size_of(self.fixed))
        others = (None if cloud is None else cloud / factor for cloud in (self.moving, self.moving_partners))
        return PointPair(self.name, self.fixed / factor, self.partners / factor, *others)


def read_point_pairs(paths: Iterable[str | os.PathLike], spacing: tuple[float, float, float]) -> list[PointPair]:
    """Return all pairs in folders and zip files.

    Args:
        paths: folders or zip files.
        spacing: of the voxels in which the positions are given, mm.

    Raises:
        InputError: if a path does not exist, holds no keypoints, or a file is damaged.
    """
    pairs = []
    for path in map(Path, paths):
        files = dict(_files(path))
        if not files:
            raise InputError(f"{path} holds no keypoints", f"give a folder or zip file with {' or '.join(_SUFFIXES)} files")
        sets = {name: _numbers(name, content) * (spacing * 2) for name, content in files.items()}
        for name in sorted(sets):
            partner = name.replace("exp", "insp") if "insp" not in name else name.replace("insp", "exp")
            if partner != name and partner in sets:
                if "insp" not in name:  # once for both
                    one, two = sets[name], sets[partner]
                    pairs.append(PointPair(_stem(name), one[:, :3], one[:, 3:], two[:, :3], two[:, 3:]))
            else:
                pairs.append(PointPair(_stem(name), sets[name][:, :3], sets[name][:, 3:]))
    return pairs


def patient_of(name: str) -> str:
    """Return the patient of a pair: the first number in its name, so that ``case_001`` and ``l2r_exp001`` belong to one patient.

    A number inside a word, as in ``l2r``, counts if there is no other. A pair without a number counts as a separate patient.
    """
    numbers = list(re.finditer("[0-9]+", name))
    outside = [number for number in numbers if not (name[: number.start()][-1:].isalpha() and name[number.end() :][:1].isalpha())]
    first = next(iter(outside or numbers), None)
    return name if first is None else str(int(first.group()))


def _stem(name: str) -> str:
    return Path(name).stem


def _files(path: Path) -> Iterable[tuple[str, bytes]]:
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.suffix in _SUFFIXES:
                yield str(file.relative_to(path)), file.read_bytes()
    elif zipfile.is_zipfile(path):
        try:
            with zipfile.ZipFile(path) as archive:
                for name in sorted(archive.namelist()):
                    if name.endswith(_SUFFIXES) and not Path(name).name.startswith("."):
                        yield name, archive.read(name)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:  # the last two: encrypted
            raise InputError(f"{path} is damaged or encrypted ({error})", "get the file again") from error
    else:
        raise InputError(f"{path} is neither a folder nor a zip file", "check the path")


def _numbers(name: str, content: bytes) -> np.ndarray:
    """Return (N, 6)."""
    try:
        if name.endswith(".dat"):
            values = np.frombuffer(content, dtype="<f4").astype(np.float64).reshape(-1, 6)
        else:
            if not content.strip():
                raise ValueError("empty")
            values = np.loadtxt(io.BytesIO(content), delimiter=",", ndmin=2)
    except ValueError as error:
        raise InputError(f"the keypoints {name} are damaged", "get the file again") from error
    if values.shape[1] != 6 or len(values) < 4 or not np.isfinite(values).all():
        raise InputError(f"the keypoints {name} are not rows of six finite numbers", "give fixed x, y, z and moving x, y, z in voxels")
    return values
