"""The verdict on a run, and on a registration that is evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import SimpleITK as sitk

from deepreg_engine.geometry.beyond import LinearPart
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.methods.base import Inputs, Result
from deepreg_engine.methods.common.affine import orientation_notes
from deepreg_engine.reporting.limits import LIMITS, rate
from deepreg_engine.verdict.evidence import Evidence


def evidence_of_run(inputs: Inputs, result: Result, report: Mapping[str, Any]) -> Evidence:
    """Return the evidence for the verdict on a run.

    Args:
        inputs: contents of the input files.
        result: of the method.
        report: of the run; what is added to it later counts as well.
    """
    images = None if inputs.fixed is None or inputs.moving is None else (inputs.fixed, inputs.moving)
    masks = inputs.fixed_mask, inputs.moving_mask
    return Evidence(
        report, images, result.field, result.alignment.transform, masks, rate(report, LIMITS), result.uncertainty, result.linear is not None
    )


def evidence_of_pair(
    images: tuple[sitk.Image, sitk.Image],
    field: DisplacementField,
    figures: Mapping[str, Any],
    run: Mapping[str, Any] | None,
    alignment: sitk.Transform | None,
    linear: bool,
    ratings: Sequence[Mapping[str, Any]],
    notes: Sequence[str],
) -> Evidence:
    """Return the evidence for the verdict on a registration by this or any other program.

    Args:
        images: fixed and moving.
        field: from fixed to moving points.
        figures: of the evaluation.
        run: report of the run; None if it is not known.
        alignment: of the run; None if it is not known.
        linear: whether the transform is.
        ratings: of the figures.
        notes: on the inputs and the figures.
    """
    run = run or {}
    report = {
        **{name: run.get(name) for name in ("points", "parameters", "stopped")},
        **figures,
        "notes": [*(run.get("notes") or ()), *notes],
    }
    fixed, moving = (sitk.Cast(image, sitk.sitkFloat32) for image in images)
    return Evidence(report, (fixed, moving), field, alignment, ratings=ratings, linear=linear)


def mirroring_notes(images: tuple[sitk.Image, sitk.Image], linear: LinearPart) -> tuple[str, ...]:
    """Return notes if the moving image agrees much better when it is mirrored, which a run tests itself.

    An image that is turned is no fault of a transform that turns it back.

    Args:
        images: fixed and moving.
        linear: the linear part of the transform.
    """
    fixed, moving = (sitk.Cast(image, sitk.sitkFloat32) for image in images)
    notes = () if linear.determinant <= 0.0 else orientation_notes(fixed, moving, linear.to_transform())
    return tuple(note for note in notes if "mirrored" in note)
