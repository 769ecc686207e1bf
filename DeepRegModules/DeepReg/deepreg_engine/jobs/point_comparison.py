"""Comparison of pairs of keypoints in a cross-validation, by the target registration error of the Points method with and without features.

The reference positions are the partners of the first scan's keypoints in the other scan, which an image-based method has found; the
registration does
not use them. Its moving points depend on the pair:

* *independent*: the other scan's own keypoints, which were detected independently of the first scan's.
* *partners*: the partners, if the other scan has no keypoints of its own. All partners together would be a deformed copy of the first
  cloud, which no detector gives. Therefore points are withheld at random from either cloud, and the moving ones are displaced, as much as
  the augmentation of a training
  does on average: of ten fixed points seven have a partner among the moving ones, with an error. These pairs are easier than independent
  keypoints.

Moving points come in random order, and the error is measured at all of the first scan's keypoints, also at those withheld.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.point_clouds import FEWEST, checked_clouds
from deepreg_engine.jobs.comparison import Comparison, CrossValidationRequest, registration_parameters
from deepreg_engine.methods.common.lengths import length_factor, size_of
from deepreg_engine.methods.points.parameters import NO_FEATURES
from deepreg_engine.progress import Progress
from deepreg_engine.training.points.pairs import PointPair, patient_of

INDEPENDENT, PARTNERS = "independent", "partners"
_CONDITIONS = ("before", "aligned", "positions", "learned")
# Share of the partners that is kept on either side, and the standard deviation (mm, times the length scale) along each axis of their
# random displacement.
_KEPT, _BLUR = 0.7, 1.0


def clouds(pair: PointPair) -> tuple[np.ndarray, np.ndarray]:
    """Return fixed (N, 3) and moving points (M, 3) of a pair, mm, as they are registered; the same at each call."""
    rng = np.random.default_rng(zlib.crc32(pair.name.encode()))
    if pair.moving is not None:
        return pair.fixed, rng.permutation(pair.moving)
    count = len(pair.fixed)
    kept = max(min(count, FEWEST), round(_KEPT * count))
    fixed, moving = pair.fixed[rng.permutation(count)[:kept]], pair.partners[rng.permutation(count)[:kept]]
    return fixed, moving + length_factor(size_of(pair.fixed)) * rng.normal(0.0, _BLUR, moving.shape)


def _kept_together(names: list[str]) -> list[list[str]]:
    """Return the pairs of one patient, so that no patient is both in the training and held out."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(patient_of(name), []).append(name)
    return list(found.values())


def _pairs(entries: dict[str, PointPair], held_out: list[str]) -> list[tuple[str, Any]]:
    return [(name, entries[name]) for name in held_out]


def _measure(request: CrossValidationRequest, name: str, pair: PointPair, model: str, progress: Progress) -> list[dict]:
    """Return the target registration error of one pair under the four conditions, mm."""
    from deepreg_engine.methods.points.register import register_points
    from deepreg_engine.metrics.landmarks import summarize

    parameters = registration_parameters(request.method, request.preset)
    try:
        fixed, moving, initial, _ = checked_clouds(*clouds(pair), parameters.initial)
    except InputError as error:
        raise error.about(name) from error
    results = [
        register_points(
            fixed,
            moving,
            parameters.replaced({"features": features, "initial": initial}),
            request.device,
            lambda share, stage, number=number: progress(0.5 * (number + share), stage),
        )
        for number, features in enumerate((NO_FEATURES, model))
    ]
    matrix = results[0].alignment
    places = {
        "before": pair.fixed,
        "aligned": pair.fixed @ matrix[:3, :3].T + matrix[:3, 3],
        **{what: result.map_points(pair.fixed) for what, result in zip(("positions", "learned"), results, strict=True)},
    }
    errors = {what: summarize(place - pair.partners) for what, place in places.items()}
    return [
        {
            "pair": name,
            "keypoints": PARTNERS if pair.moving is None else INDEPENDENT,
            "points": len(pair.fixed),
            **{what: round(errors[what]["mean"], 4) for what in _CONDITIONS},
            **{f"{what}_95": round(errors[what]["percentile95"], 4) for what in _CONDITIONS},
        }
    ]


def _few(patients: int, folds: int) -> tuple[str, str]:
    rule = "by the first number in their files' names"
    if patients < 2:
        return (
            f"all pairs of keypoints are of one patient, {rule}",
            "give pairs of others, or let their names begin with the patient's number",
        )
    return f"pairs of keypoints of {patients} patients, {rule}, cannot be divided into {folds} folds", f"give 2 to {patients} folds"


POINTS = Comparison(
    figure="tre",
    group="keypoints",
    groups="keypoints",
    counts=("points",),
    conditions=_CONDITIONS,
    more=tuple(f"{what}_95" for what in _CONDITIONS),
    kept_together=_kept_together,
    pairs=_pairs,
    caveat=lambda held_out, pairs: "",
    measure=_measure,
    few=_few,
)
