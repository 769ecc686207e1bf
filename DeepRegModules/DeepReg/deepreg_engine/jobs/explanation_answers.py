"""Questions about a result that :mod:`explanation` has opened, and their answers."""

from __future__ import annotations

import csv
import inspect
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from deepreg_engine.errors import InputError, ParameterError
from deepreg_engine.geometry.files import FileGroup
from deepreg_engine.geometry.images import add_image
from deepreg_engine.jobs.explanation import kept
from deepreg_engine.jobs.memory import reused_memory
from deepreg_engine.progress import Progress, no_progress

if TYPE_CHECKING:  # these modules import torch
    from deepreg_engine.methods.common.explain import ImageExplanation
    from deepreg_engine.methods.dense.explain import DenseExplanation
    from deepreg_engine.methods.points.explain import PointsExplanation


def probabilities(state: str, point: list[float], output: str, stage: str = "") -> dict:
    """Compute the probabilities of displacements at a fixed point, for a result of Dense.

    Args:
        state: see :func:`open_explanation`.
        point: LPS mm.
        output: image to write: the value at x + d is the probability of the displacement d.
        stage: see :meth:`DenseExplanation.stage`.

    Returns:
        ``point``, ``likeliest`` and ``expected`` (displacements, LPS mm), ``deviation_mm``, ``bits``, ``most_bits``, ``peak``,
        ``at_result``, and ``stage``, see :meth:`Stage.describe`.
    """
    dense = _dense(state)
    found = dense.at(np.array(point, dtype=np.float64), stage)
    with FileGroup() as files:
        add_image(files, output, found.grid.to_image(found.probability), compress=False)
    return {
        "point": [float(value) for value in point],
        "likeliest": found.likeliest.tolist(),
        "expected": found.expected.tolist(),
        "deviation_mm": found.deviation,
        "bits": found.bits,
        "most_bits": found.most_bits,
        "peak": found.peak,
        "at_result": found.at_result,
        "stage": dense.stage(stage).describe(),
    }


def entropy(state: str, bits: str, offset: str | None = None, stage: str = "", progress: Progress = no_progress) -> dict:
    """Compute the entropy of the displacements over the fixed image, for a result of Dense.

    Args:
        state: see :func:`open_explanation`.
        bits: image to write, on the control points' grid, bits.
        offset: image to write: length of the expected displacement, mm.
        stage: see :meth:`DenseExplanation.stage`.

    Returns:
        ``stage``, ``most_bits``, ``mean_bits``, and ``mean_offset_mm``.
    """
    dense, answers = _dense(state), kept(state).answers
    chosen = dense.stage(stage)
    if chosen.name not in answers:
        with reused_memory():
            answers[chosen.name] = dense.maps(chosen.name, progress)
    values, lengths, grid = answers[chosen.name]
    with FileGroup() as files:
        add_image(files, bits, grid.to_image(values), compress=False)
        if offset:
            add_image(files, offset, grid.to_image(lengths), compress=False)
    described = chosen.describe()
    return {
        "stage": described,
        "most_bits": described["most_bits"],
        "mean_bits": float(values.mean()),
        "mean_offset_mm": float(lengths.mean()),
    }


def feature_colours(state: str, fixed: str, moving: str) -> dict:
    """Write the features of both images as colours, for a result of a method that registers images.

    Args:
        state: see :func:`open_explanation`.
        fixed, moving: images to write (RGB): features of the fixed image, and of the moving one warped by the result, on one grid. Equal
            colours are similar features.

    Returns:
        ``spacing_mm`` of the grid, and ``features``.
    """
    pair = kept(state)
    if pair.method == "points":
        raise InputError("a result of Points compares no images", "ask for its confidences")
    explained = cast("ImageExplanation", pair.explained)
    if "colours" not in pair.answers:
        with reused_memory():
            pair.answers["colours"] = explained.feature_colours()
    first, second, grid = pair.answers["colours"]
    with FileGroup() as files:
        for path, array in ((fixed, first), (moving, second)):
            add_image(files, path, grid.to_image(np.ascontiguousarray(np.moveaxis(array, 0, -1)), vector=True), compress=False)
    return {"spacing_mm": grid.spacing[0], "features": explained.features_name}


def confidences(state: str, output: str) -> dict:
    """Write the confidence of the mapped positions of all fixed points, for a result of Points.

    Args:
        state: see :func:`open_explanation`.
        output: CSV to write: fixed, moved, likeliest partner (LPS mm each), confidence.

    Returns:
        ``points``, ``mean_confidence``, and ``confident_share`` (above 0.5).
    """
    found = _points(state)
    partners = found.moving[found.candidates[:, 0]]
    _write_table(
        output,
        [f"{part}_{axis}" for part in ("fixed", "moved", "partner") for axis in "xyz"] + ["confidence"],
        np.column_stack([found.fixed, found.moved, partners, found.confidence]),
    )
    return {
        "points": len(found.fixed),
        "mean_confidence": float(found.confidence.mean()),
        "confident_share": float((found.confidence > 0.5).mean()),
    }


def partners(state: str, point: list[float], output: str, count: int = 8) -> dict:
    """Write the possible partners of the fixed point nearest to a position, for a result of Points.

    Args:
        state: see :func:`open_explanation`.
        point: LPS mm.
        output: CSV to write: position of the partner (LPS mm), its distance from the mapped point (mm), probability.
        count: maximal number of partners.

    Returns:
        ``number`` of the point, ``fixed`` and ``moved`` (LPS mm), ``distance_mm`` from the position, ``confidence``, and ``rest``, the
        probability of all other partners or of none.
    """
    found = _points(state)
    place = np.array(point, dtype=np.float64)
    if place.shape != (3,) or not np.isfinite(place).all():
        raise InputError("the point is not finite", "choose another", "point")
    number = found.nearest(place)
    chosen, probability = found.candidates[number, :count], found.probability[number, :count]
    positions = found.moving[chosen]
    distance = np.linalg.norm(positions - found.moved[number], axis=1)
    _write_table(output, ["x", "y", "z", "distance", "probability"], np.column_stack([positions, distance, probability]))
    return {
        "number": number,
        "fixed": found.fixed[number].tolist(),
        "moved": found.moved[number].tolist(),
        "distance_mm": float(np.linalg.norm(found.fixed[number] - place)),
        "confidence": float(found.confidence[number]),
        "rest": max(0.0, 1.0 - float(probability.sum())),
    }


def _dense(state: str) -> DenseExplanation:
    pair = kept(state)
    if pair.method != "dense":
        raise InputError(f"a result of {pair.method.capitalize()} has no probabilities of displacements", "ask for its features")
    return cast("DenseExplanation", pair.explained)


def _points(state: str) -> PointsExplanation:
    pair = kept(state)
    if pair.method != "points":
        raise InputError(f"a result of {pair.method.capitalize()} has no partners", "ask for its features")
    return cast("PointsExplanation", pair.explained)


def _write_table(path: str, names: list[str], rows: np.ndarray) -> None:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([f"{value:.6f}" for value in row] for row in rows)
    with FileGroup() as files:
        files.add_text(path, stream.getvalue())


#: Questions about an open pair: name to function; all take ``state`` first.
QUESTIONS: dict[str, Callable[..., dict]] = {
    "probabilities": probabilities,
    "entropy": entropy,
    "features": feature_colours,
    "confidences": confidences,
    "partners": partners,
}


def answer(arguments: dict[str, Any], progress: Progress = no_progress) -> dict:
    """Answer one question: ``what`` names it in :data:`QUESTIONS`, the others are its arguments.

    Raises:
        ParameterError: on an unknown question or argument.
        StateError: if the pair is not kept any more.
    """
    arguments = dict(arguments)
    what = arguments.pop("what", None)
    if what not in QUESTIONS:
        raise ParameterError(f"there is no question {what!r}", f"there are {', '.join(QUESTIONS)}", "what")
    ask = QUESTIONS[what]
    known = inspect.signature(ask).parameters
    for name in arguments:
        if name not in known or name == "progress":
            raise ParameterError(f"there is no argument {name!r}", f"there are {', '.join(k for k in known if k != 'progress')}")
    missing = [name for name, value in known.items() if value.default is inspect.Parameter.empty and name not in arguments]
    if missing:
        raise ParameterError(f"the argument {missing[0]} is missing", f"give {', '.join(missing)}")
    return ask(**arguments, **({"progress": progress} if "progress" in known else {}))
