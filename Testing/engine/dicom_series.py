"""Small DICOM series, one file for each slice, whose positions the tests choose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

UID = "1.2.826.0.1.3680043.2.1125."


def save_slices(
    folder: Path, arrays, positions, axes=None, series: str = "7", spacing=(0.9, 1.2), first: int = 1, **more: str
) -> list[Path]:
    """Write slices (N, y, x) as 16-bit DICOM files at LPS positions (N, 3), mm; returns the files.

    Args:
        folder: made if it is missing.
        arrays: voxel values.
        positions: of the first voxel of each slice.
        axes: (3, 3), columns are the directions of x, y and the normal.
        series: last number of the series' UID.
        spacing: of the voxels along x and y, mm.
        first: number of the first instance.
        more: further elements, as ``t0018_0081="30"``; one value for all slices.
    """
    folder.mkdir(parents=True, exist_ok=True)
    axes = np.eye(3) if axes is None else np.asarray(axes)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    files = []
    for number, (array, position) in enumerate(zip(arrays, positions, strict=True), start=first):
        picture = sitk.GetImageFromArray(np.asarray(array, dtype=np.int16)[None])
        picture.SetSpacing((*spacing, 1.0))
        tags = {
            "0008|0060": "CT",
            "0008|0016": "1.2.840.10008.5.1.4.1.1.2",
            "0008|0018": f"{UID}{series}.{number}",
            "0020|000d": f"{UID}1",
            "0020|000e": UID + series,
            "0020|0032": "\\".join(f"{v:.6f}" for v in position),
            "0020|0037": "\\".join(f"{v:.8f}" for v in (*axes[:, 0], *axes[:, 1])),
            "0020|0013": str(number),
            **{name[1:].replace("_", "|"): value for name, value in more.items()},
        }
        for key, value in tags.items():
            picture.SetMetaData(key, value)
        files.append(folder / f"s{series}-{number:03d}.dcm")
        writer.SetFileName(str(files[-1]))
        writer.Execute(picture)
    return files
