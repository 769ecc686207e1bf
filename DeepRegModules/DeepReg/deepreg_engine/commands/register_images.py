"""Arguments that all registrations of images have, and how a request is made of them."""

from __future__ import annotations

import argparse
import dataclasses
import difflib
from pathlib import Path
from typing import Any

from deepreg_engine.commands.parsing import count
from deepreg_engine.errors import ParameterError
from deepreg_engine.geometry.images import IMAGE_SUFFIXES
from deepreg_engine.geometry.transform_files import WRITABLE_SUFFIXES
from deepreg_engine.methods.common.parameters import DEVICES, INITIALS, Parameters, parse_settings


def add_images(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """What is registered."""
    images = parser.add_argument_group("images")
    images.add_argument("--fixed", required=True, metavar="F", help="image that stays: NIfTI, NRRD, MetaImage, DICOM folder (required)")
    images.add_argument("--moving", required=True, metavar="M", help="image that is deformed onto it (required)")
    images.add_argument("--fixed-mask", metavar="A", help="look only where this is not 0")
    images.add_argument("--moving-mask", metavar="B", help="match only with what is not 0 here")
    return images


def add_how(parser: argparse.ArgumentParser, default_preset: str) -> argparse._ArgumentGroup:
    """How it is registered."""
    how = parser.add_argument_group("how")
    about = f"parameters for a task, see below (default: {default_preset})"
    how.add_argument("--preset", default=default_preset, metavar="NAME", help=about)
    about = "change one parameter of the preset, see below; may be repeated"
    how.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help=about)
    about = f"alignment before: {', '.join(INITIALS)}, or a transform file (default: the preset's)"
    how.add_argument("--initial", metavar="HOW", help=about)
    how.add_argument("--features", metavar="NAME", help="mind, intensity, or a model's name or file (default: the preset's)")
    about = f"where to compute: {', '.join(DEVICES)} (default: auto)"
    how.add_argument("--device", default="auto", metavar="WHERE", choices=DEVICES, help=about)
    how.add_argument("--threads", type=count("threads", 1024), default=0, metavar="N", help="threads of the CPU (default: all)")
    how.add_argument("--quiet", action="store_true", help="show no progress")
    return how


def add_results(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """What is written."""
    results = parser.add_argument_group("results", f"Images can be {', '.join(IMAGE_SUFFIXES)}.")
    results.add_argument("--transform", required=True, metavar="OUT", help=f"displacement field: {', '.join(WRITABLE_SUFFIXES)} (required)")
    results.add_argument("--inverse", metavar="OUT", help="the inverse field, on the moving image's grid, with its error in the report")
    results.add_argument("--warped", metavar="OUT", help="moving image on the fixed grid")
    results.add_argument("--jacobian", metavar="OUT", help="local volume change: 1 is none, 0 or less a fold")
    results.add_argument("--overview", metavar="OUT.png", help="picture of before, after, grid and difference (needs matplotlib)")
    results.add_argument("--report", metavar="OUT.json", help="parameters, inputs, times and all figures")
    return results


def add_judges(parser: argparse.ArgumentParser) -> None:
    """What the result is measured with."""
    judge = parser.add_argument_group("to judge the result (never used to find it)")
    judge.add_argument("--fixed-labels", metavar="A", help="label map: Dice, HD95 and mean surface distance before and after")
    judge.add_argument("--moving-labels", metavar="B", help="with the same label numbers")
    judge.add_argument("--label-names", metavar="JSON", help='names of the labels: {"1": "liver", ...}')
    judge.add_argument("--warped-labels", metavar="OUT", help="moving labels on the fixed grid")
    judge.add_argument("--test-fixed-landmarks", metavar="P", help="points: target registration error before and after")
    judge.add_argument("--test-moving-landmarks", metavar="Q", help="their partners, in the same order")


def chosen(parameters: Any, settings: list[str], initial: str | None, features: str | None) -> Any:
    """A preset's parameters with the user's changes.

    Raises:
        ParameterError: if a name or value is wrong.
    """
    changes = {"initial": initial} if initial in INITIALS else {}
    if features:
        changes["features"] = features
    return parameters.replaced(parse_settings(settings)).replaced(changes)


def make_request(kind: type, options: argparse.Namespace, parameters: Parameters) -> Any:
    """The request that a command line stands for.

    Raises:
        ParameterError: if ``--initial`` is neither an alignment nor a file.
    """
    initial = options.initial or ""
    if initial and initial not in INITIALS and not Path(initial).exists() and not Path(initial).suffix:
        near = difflib.get_close_matches(initial, INITIALS, n=1)
        advice = f"did you mean {near[0]}?" if near else f"use {', '.join(INITIALS)}, or a transform's file"
        raise ParameterError(f"--initial {initial} is neither an alignment nor a file", advice)
    own = {f.name for f in dataclasses.fields(kind)}
    values = {name: value for name, value in vars(options).items() if name in own and value is not None}
    return kind(**{**values, "parameters": parameters, "initial": initial})
