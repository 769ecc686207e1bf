"""A folder of labelled scans to learn from."""

from __future__ import annotations

from pathlib import Path

import SimpleITK as sitk
from test_dense_training import scan


def write_patients(folder: Path) -> Path:
    """Four labelled scans, oblique and anisotropic, of unequal sizes."""
    for kind in ("images", "labels"):
        (folder / kind).mkdir()
    for seed in range(1, 5):
        name, image, labels, _ = scan(seed, 6.0 * seed)
        sitk.WriteImage(image, str(folder / "images" / f"{name}.nii.gz"))
        sitk.WriteImage(labels, str(folder / "labels" / f"{name}.nii.gz"))
    return folder
