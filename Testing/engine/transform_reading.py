"""Reads transforms in a process of its own: HDF5 keeps the state of damaged files, and prints errors about them when the process ends."""

from __future__ import annotations

import os

import SimpleITK as sitk

from deepreg_engine.errors import EngineError
from deepreg_engine.geometry.transform_files import read_transform

POINTS = ((0.0, 0.0, 0.0), (5.0, 9.0, 11.0))


def without_messages() -> None:
    """Drop what libraries write to stderr in this process."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def mapped(path: str) -> tuple[str, list, list]:
    """Return the message of the error, or the points mapped by the engine's and by SimpleITK's reading of a file."""
    try:
        transform = read_transform(path)
    except EngineError as error:
        return error.line(), [], []
    itk = sitk.ReadTransform(path)
    return "", *([each.TransformPoint(point) for point in POINTS] for each in (transform, itk))
