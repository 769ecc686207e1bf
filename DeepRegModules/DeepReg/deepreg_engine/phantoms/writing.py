"""Writing of a phantom pair into a folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

from deepreg_engine.errors import OutputError
from deepreg_engine.geometry.files import FileGroup
from deepreg_engine.geometry.images import add_image
from deepreg_engine.geometry.points import add_points
from deepreg_engine.geometry.transform_files import add_field
from deepreg_engine.phantoms.pair import PhantomPair


def write_pair(pair: PhantomPair, folder: str | os.PathLike) -> dict[str, Path]:
    """Write all files of a pair, or none.

    Args:
        pair: from :func:`deepreg_engine.phantoms.make_pair`.
        folder: made if it is missing (its parent must exist).

    Returns:
        The files by name: "fixed", "moving", "fixed_labels", "moving_labels", "fixed_mask" (``.nii.gz``),
        "fixed_landmarks", "moving_landmarks" (``.csv``), "truth" (``.nrrd``, if there is one) and "phantom" (``.json``).

    Raises:
        OutputError: if the folder or a file cannot be written.
    """
    folder = Path(folder)
    made = not folder.exists()
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder} ({error.strerror or error})", "choose another") from error
    try:
        with FileGroup() as files:
            return _add_files(files, pair, folder)
    except BaseException:
        if made and not any(folder.iterdir()):
            folder.rmdir()
        raise


def _add_files(files: FileGroup, pair: PhantomPair, folder: Path) -> dict[str, Path]:
    """Add the files of a pair to a group; return their paths by name."""
    paths = {}
    for name in ("fixed", "moving", "fixed_labels", "moving_labels", "fixed_mask"):
        paths[name] = folder / f"{name}.nii.gz"
        add_image(files, paths[name], getattr(pair, name))
    for name in ("fixed_landmarks", "moving_landmarks"):
        paths[name] = folder / f"{name}.csv"
        add_points(files, paths[name], getattr(pair, name))
    if pair.truth is not None:
        paths["truth"] = folder / "truth.nrrd"
        add_field(files, paths["truth"], pair.truth)
    paths["phantom"] = folder / "phantom.json"
    files.add(paths["phantom"], lambda path: Path(path).write_text(json.dumps(_record(pair), indent=2) + "\n", encoding="utf-8"))
    return paths


def _record(pair: PhantomPair) -> dict:
    statistics = pair.truth_statistics()
    return {
        "anatomy": pair.anatomy,
        "seed": pair.seed,
        "modality_pair": pair.modality_pair,
        "label_names": {str(number): name for number, name in pair.label_names.items()},
        "landmarks": len(pair.fixed_landmarks),
        "truth": statistics and {key: round(value, 4) for key, value in statistics.items()},
        "units": {"truth mean and max": "mm, in the fixed mask", "coordinates": "LPS, mm"},
    }
