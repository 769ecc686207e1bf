"""Options of all commands that train features, and the request that they make."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from deepreg_engine.commands.parsing import Parser, paragraph, parameter_table
from deepreg_engine.errors import ParameterError
from deepreg_engine.methods.common.parameters import parse_settings
from deepreg_engine.training.base import MODALITIES
from deepreg_engine.training.registry import TRAININGS, training_presets

#: What can be learned, by method.
LEARNED = {method: f"features of the {method.capitalize()} method" for method in TRAININGS}


def add_data(page: argparse.ArgumentParser, method: str, optional: bool = False) -> None:
    """Add the options of the data and of the initial model.

    Args:
        page: gets the options.
        method: "dense", "points" or "descent".
        optional: whether data may be missing.
    """
    if method == "points":
        page.add_argument("data", nargs="+", metavar="DATA", help="folders or zip files with keypoints")
        page.add_argument("--spacing", type=_edges, default=(1.0, 1.0, 1.0), metavar="X,Y,Z", help="mm of a voxel (default: 1,1,1)")
        return
    none = "; without any it learns from random contrasts alone" if optional else ""
    page.add_argument("data", nargs="*" if optional else "+", metavar="DATA", help=f"folders with labelled scans, or dataset.json{none}")
    page.add_argument("--modality", choices=MODALITIES, default="other", help="of scans whose folder does not give it, and of fixed images")
    page.add_argument("--moving-modality", choices=MODALITIES, default="other", help="of moving images, where scans come in pairs")
    page.add_argument("--skip-bad", action="store_true", help="go on without scans that cannot be read, and name them")
    page.add_argument("--start", metavar="MODEL", help="start from the weights of this model")
    page.add_argument(
        "--workers", type=int, metavar="N", help="processes that make examples (default: 1, or up to 8 for a GPU; none on Windows)"
    )
    if method == "descent":
        page.add_argument("--spacing", type=float, default=2.0, metavar="MM", help="voxel size to which scans are resampled (default: 2)")


def add_preset(page: Parser, method: str) -> None:
    """Add the options of the training's parameters, and of scans to leave out."""
    page.add_argument("--preset", metavar="NAME", default="standard", help="parameters under a name, see below (default: standard)")
    page.add_argument("--leave-out", metavar="NAMES", help="scans or pairs not to use at all, by the names of their files")
    page.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change one parameter, see below")
    page.settings = frozenset(each.name for each in TRAININGS[method].describe())
    page.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"), metavar="WHERE", help="auto, cpu or cuda")


def preset_tables(method: str) -> str:
    """Return the presets and parameters of a training, for a help page."""
    presets = "\n".join(paragraph(f"{preset.name}: {preset.help}", "    ") for preset in training_presets(method))
    return f"presets for --preset:\n{presets}\n\nparameters for --set:\n{parameter_table(TRAININGS[method])}"


def make_request(kind: type, options: argparse.Namespace, **more: Any) -> Any:
    """Return the request that a command line makes.

    Args:
        kind: TrainingRequest or CrossValidationRequest.
        options: of the command line; fields of the request that are no options of the method keep their defaults.
        more: fields that are no options, or have another name there.

    Raises:
        ParameterError: if there is no such preset or parameter, or a value is not allowed.
    """
    fields = {field.name for field in dataclasses.fields(kind)}
    values = {name: value for name, value in vars(options).items() if name in fields and value is not None}
    values |= {name: _names(values[name]) for name in ("validation", "leave_out") if name in values}
    if "workers" in values:
        values["workers"] = max(0, values["workers"])
    return kind(**{**values, "parameters": _parameters(options.method, options.preset, options.set), **more})


def _edges(text: str) -> tuple[float, float, float]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) != 3 or not all(0 < value < 100 for value in values):
        raise argparse.ArgumentTypeError(f"{text!r} is not three voxel sizes in mm, such as 1.75,1,1.25")
    return values


def _parameters(method: str, preset: str, settings: list[str]) -> dict[str, Any]:
    """Return the named parameters, as values, not as they were typed: 0.50 and 0.5 make the same training."""
    presets = {each.name: each.changes for each in training_presets(method)}
    if preset not in presets:
        raise ParameterError(f"there is no preset {preset!r}", f"there are {', '.join(presets)}", "preset")
    named = {**presets[preset], **parse_settings(settings)}
    values = TRAININGS[method]().replaced(named).to_dict()
    return {name: values[name] for name in named}


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
