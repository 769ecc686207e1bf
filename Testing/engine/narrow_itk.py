"""SimpleITK as it is on Windows: a name that is not ASCII is not found."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
import SimpleITK as sitk

from deepreg_engine.geometry import itk_files


def _checking(function: Callable, place: int) -> Callable:
    """Return a function that refuses names that are not ASCII; ``place`` is the index of the argument with the names."""

    def narrow(*arguments: Any, **named: Any) -> Any:
        names = arguments[place]
        for name in [names] if isinstance(names, str | os.PathLike) else names:
            if not os.fspath(name).isascii():
                raise RuntimeError(f"could not open {name!r}")
        return function(*arguments, **named)

    return narrow


def make_narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make SimpleITK refuse names that are not ASCII, and set the engine's switch for this."""
    monkeypatch.setattr(itk_files, "NARROW", True)
    for name, place in (("ReadImage", 0), ("ReadTransform", 0), ("WriteImage", 1), ("WriteTransform", 1)):
        monkeypatch.setattr(sitk, name, _checking(getattr(sitk, name), place))
    for name in ("GetGDCMSeriesIDs", "GetGDCMSeriesFileNames"):
        monkeypatch.setattr(sitk.ImageSeriesReader, name, staticmethod(_checking(getattr(sitk.ImageSeriesReader, name), 0)))
    monkeypatch.setattr(sitk.ImageFileReader, "SetFileName", _checking(sitk.ImageFileReader.SetFileName, 1))
    monkeypatch.setattr(sitk.ImageFileWriter, "SetFileName", _checking(sitk.ImageFileWriter.SetFileName, 1))
