"""Options of all commands that learn features, and how a request is made of them."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from deepreg_engine.commands.parsing import paragraph, parameter_table
from deepreg_engine.errors import ParameterError
from deepreg_engine.jobs.training import MODALITIES
from deepreg_engine.methods.common.parameters import parse_settings
from deepreg_engine.training.presets import TRAININGS, training_presets

#: What can be learned, by method.
LEARNED = {method: f"features of the {method.capitalize()} method" for method in TRAININGS}


def add_data(page: argparse.ArgumentParser, method: str, optional: bool = False) -> None:
    """What is learned from, and what is begun with.

    Args:
        page: gets the options.
        method: "dense", "points" or "descent".
        optional: whether there need not be any data.
    """
    if method == "points":
        page.add_argument("data", nargs="+", metavar="DATA", help="folders or zip files with keypoints")
        page.add_argument("--spacing", type=_edges, default=(1.0, 1.0, 1.0), metavar="X,Y,Z", help="mm of a voxel (default: 1,1,1)")
        return
    none = "; none learns from made-up contrasts alone" if optional else ""
    page.add_argument("data", nargs="*" if optional else "+", metavar="DATA", help=f"folders with labelled scans, or dataset.json{none}")
    page.add_argument("--modality", choices=MODALITIES, default="other", help="of scans whose folder does not say it, and of fixed images")
    page.add_argument("--moving-modality", choices=MODALITIES, default="other", help="of moving images, where scans come in pairs")
    page.add_argument("--skip-bad", action="store_true", help="go on without scans that cannot be read, and name them")
    page.add_argument("--start", metavar="MODEL", help="begin with this model instead of a new one")
    page.add_argument(
        "--workers", type=int, metavar="N", help="processes that make examples (default: 1, or up to 8 for a GPU; none on Windows)"
    )
    if method == "descent":
        page.add_argument("--spacing", type=float, default=2.0, metavar="MM", help="voxel size at which scans are looked at (default: 2)")


def add_recipe(page: argparse.ArgumentParser) -> None:
    """How it is learned, and without which scans."""
    page.add_argument("--preset", metavar="NAME", default="standard", help="recipe, see below (default: standard)")
    page.add_argument("--leave-out", metavar="NAMES", help="scans or pairs not to use at all, by the names of their files")
    page.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change one parameter, see below")
    page.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"), metavar="WHERE", help="auto, cpu or cuda")


def recipe_tables(method: str) -> str:
    """What ``--preset`` and ``--set`` take, for a help page."""
    recipes = "\n".join(paragraph(f"{name}: {about}", "    ") for name, _, about, _ in training_presets(method))
    return f"recipes for --preset:\n{recipes}\n\nparameters for --set:\n{parameter_table(TRAININGS[method])}"


def make_request(kind: type, options: argparse.Namespace, **more: Any) -> Any:
    """The request that a command line stands for.

    Args:
        kind: TrainingRequest, or a kind of it.
        options: fields of the request have the names of the options; those that the method lacks keep their defaults.
        more: fields that are no options, or have another name there.

    Raises:
        ParameterError: if there is no such recipe or parameter, or a value is not allowed.
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


def _parameters(method: str, recipe: str, settings: list[str]) -> dict[str, Any]:
    """Those that differ from the defaults, as values, not as they were typed: 0.50 and 0.5 make the same training."""
    recipes = {name: changes for name, _, _, changes in training_presets(method)}
    if recipe not in recipes:
        raise ParameterError(f"there is no recipe {recipe!r}", f"there are {', '.join(recipes)}")
    named = recipes[recipe] | parse_settings(settings)
    values = TRAININGS[method]().replaced(named).to_dict()
    return {name: values[name] for name in named}


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
