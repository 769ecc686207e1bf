"""Why a registration led where it did, from files: a pair and its result are opened once, and questions are answered from what is kept.

What is kept is features of both images at two resolutions, or two clouds of points with their probabilities: some tens of MB, of one pair
at a time. It goes when another pair is opened, and when a registration needs the memory (:mod:`memory`). Whoever asks then is told so by
the code ``state``, and opens the pair again.
"""

from __future__ import annotations

import csv
import hashlib
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from deepreg_engine.errors import EngineError, InputError, ParameterError
from deepreg_engine.geometry.files import FileGroup
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import add_image, check_intensities, read_mask, read_volume
from deepreg_engine.geometry.points import read_points
from deepreg_engine.geometry.transform_files import read_transform
from deepreg_engine.jobs.memory import drop_when_needed, reused_memory
from deepreg_engine.methods.dense.parameters import DenseParameters
from deepreg_engine.methods.descent.parameters import DescentParameters
from deepreg_engine.methods.points.parameters import PointsParameters
from deepreg_engine.metrics.mapping import outside_field
from deepreg_engine.progress import Progress, no_progress

if TYPE_CHECKING:  # torch takes seconds to import: that waits until the input is known to be good
    from deepreg_engine.methods.common.explain import ImageExplanation
    from deepreg_engine.methods.dense.explain import DenseExplanation
    from deepreg_engine.methods.points.explain import PointsExplanation


PARAMETERS = {"dense": DenseParameters, "descent": DescentParameters, "points": PointsParameters}
_FILES = ("transform", "fixed", "moving", "fixed_mask", "moving_mask", "fixed_points", "moving_points")
# Fewer points, or points of which the transform says nothing, explain nothing.
_FEWEST = 4


class StateError(EngineError):
    """A pair that is not kept any more."""

    code = "state"


@dataclass(frozen=True)
class ExplanationRequest:
    """What to explain.

    Args:
        method: "dense", "descent" or "points".
        transform: file of the result; it takes fixed points to moving points.
        fixed, moving: images, of the methods of images.
        fixed_mask, moving_mask: masks of the run, if it had some.
        fixed_points, moving_points: points files, of the method of points: as they were registered.
        parameters: of the run, name to value; what is not named is as in the method's first preset.
        sigma: mm, with which coherent point drift has ended.
        device: where to compute, see ``choose_device``.
    """

    method: str
    transform: str
    fixed: str | None = None
    moving: str | None = None
    fixed_mask: str | None = None
    moving_mask: str | None = None
    fixed_points: str | None = None
    moving_points: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    sigma: float | None = None
    device: str = "auto"


@dataclass
class _Kept:
    key: str
    method: str
    explained: ImageExplanation | PointsExplanation
    described: dict[str, Any]
    answers: dict[str, Any] = field(default_factory=dict)


_kept: _Kept | None = None


def drop() -> None:
    """Keep nothing any more."""
    global _kept
    _kept = None


drop_when_needed(drop)


def open_explanation(request: ExplanationRequest, progress: Progress = no_progress) -> dict:
    """Read a pair and its result, and keep what answers need.

    Returns:
        ``state``, by which it is asked; ``method``; ``features``; ``warm``, whether it was there already; of Dense ``stages``, see
        :meth:`Stage.describe`; of Points ``fixed`` and ``moving``, numbers of points, and ``outside``, fixed points where the transform is
        not defined.

    Raises:
        EngineError: whatever is wrong; then what was kept before has gone.
    """
    global _kept
    _check(request)
    progress(0.0, "reading")
    key = _key(request)
    if _kept is not None and _kept.key == key:
        return {**_kept.described, "warm": True}
    drop()
    parameters = PARAMETERS[request.method]().replaced(request.parameters)
    with reused_memory():
        explained, described = (_open_points if request.method == "points" else _open_images)(request, parameters, progress)
    described = {"state": key, "method": request.method, **described}
    _kept = _Kept(key, request.method, explained, described)
    progress(1.0, "done")
    return {**described, "warm": False}


def probabilities(state: str, point: list[float], output: str, stage: str = "") -> dict:
    """The probabilities of displacements at a fixed point, of Dense.

    Args:
        state: see :func:`open_explanation`.
        point: LPS mm.
        output: image to write: the probability at each place that a displacement leads to, in the fixed frame.
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
    """The entropy of the displacements over the fixed image, of Dense.

    Args:
        state: see :func:`open_explanation`.
        bits: image to write, on the control points' grid, bits.
        offset: image to write: length of the expected displacement, mm.
        stage: see :meth:`DenseExplanation.stage`.

    Returns:
        ``stage``, ``most_bits``, ``mean_bits``, and ``mean_offset_mm``.
    """
    dense = _dense(state)
    chosen = dense.stage(stage)
    if chosen.name not in _kept.answers:
        with reused_memory():
            _kept.answers[chosen.name] = dense.maps(chosen.name, progress)
    values, lengths, grid = _kept.answers[chosen.name]
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
    """Features as colours, the same in both images, of the methods of images.

    Args:
        state: see :func:`open_explanation`.
        fixed, moving: images to write (RGB): of the fixed image, and of the moving one through the result, on one grid.

    Returns:
        ``spacing_mm`` of the grid, and ``features``.
    """
    kept = _state(state)
    if kept.method == "points":
        raise InputError("a result of Points compares no images", "ask for its confidences")
    if "colours" not in kept.answers:
        with reused_memory():
            kept.answers["colours"] = kept.explained.feature_colours()
    first, second, grid = kept.answers["colours"]
    with FileGroup() as files:
        for path, array in ((fixed, first), (moving, second)):
            add_image(files, path, grid.to_image(np.ascontiguousarray(np.moveaxis(array, 0, -1)), vector=True), compress=False)
    return {"spacing_mm": grid.spacing[0], "features": kept.explained.features_name}


def confidences(state: str, output: str) -> dict:
    """What all fixed points think of where the result takes them, of Points.

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
    """The partners that the fixed point next to a place considers, of Points.

    Args:
        state: see :func:`open_explanation`.
        point: LPS mm.
        output: CSV to write: position of the partner (LPS mm), distance from where the result takes the point (mm), probability.
        count: of partners at most.

    Returns:
        ``number`` of the point, ``fixed`` and ``moved`` (LPS mm), ``distance_mm`` from the place asked for, ``confidence``, and ``rest``, the
        probability of all other partners or none.
    """
    found = _points(state)
    place = np.array(point, dtype=np.float64)
    if place.shape != (3,) or not np.isfinite(place).all():
        raise InputError("the point is nowhere", "choose another")
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


def _check(request: ExplanationRequest) -> None:
    if request.method not in PARAMETERS:
        raise ParameterError(f"there is no method {request.method!r}", f"there are {', '.join(PARAMETERS)}")
    needed = ("fixed_points", "moving_points") if request.method == "points" else ("fixed", "moving")
    for name in needed:
        if not getattr(request, name):
            raise InputError(f"{name.replace('_', ' ')} is missing", "give what was registered")


def _key(request: ExplanationRequest) -> str:
    """What is asked about, by contents: the same files under other names are the same."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps([request.method, request.parameters, request.sigma, request.device], sort_keys=True, default=str).encode())
    for name in _FILES:
        path = getattr(request, name)
        digest.update(f"\0{name}\0{Path(path).suffix if path else ''}\0".encode())
        if not path:
            continue
        try:
            with open(path, "rb") as stream:
                while block := stream.read(1 << 22):
                    digest.update(block)
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror or error})", "check its name") from error
    return digest.hexdigest()


def _open_images(request: ExplanationRequest, parameters: Any, progress: Progress) -> tuple[ImageExplanation, dict]:
    fixed = check_intensities(read_volume(request.fixed, "fixed image"), "fixed image", request.fixed)
    moving = check_intensities(read_volume(request.moving, "moving image"), "moving image", request.moving)
    masks = [
        read_mask(path, ImageGrid.of(image), f"{side} mask")[0] if path else None
        for path, image, side in ((request.fixed_mask, fixed, "fixed"), (request.moving_mask, moving, "moving"))
    ]
    transform = read_transform(request.transform)
    progress(0.2, "loading PyTorch")
    from deepreg_engine.methods.common.registration import ImagePair
    from deepreg_engine.methods.dense.explain import DenseExplanation
    from deepreg_engine.methods.descent.explain import DescentExplanation

    kind = DenseExplanation if request.method == "dense" else DescentExplanation
    explained = kind(
        ImagePair(fixed, moving, *masks), transform, parameters, request.device, lambda share, stage: progress(0.3 + 0.7 * share, stage)
    )
    described: dict[str, Any] = {"features": explained.features_name, "device": explained.device_name}
    if request.method == "dense":
        described.update(stages=[stage.describe() for stage in explained.stages()], stage=explained.stage("").name)
    return explained, described


def _open_points(request: ExplanationRequest, parameters: PointsParameters, progress: Progress) -> tuple[PointsExplanation, dict]:
    fixed = read_points(request.fixed_points, "fixed points").positions
    moving = read_points(request.moving_points, "moving points").positions
    for points, side in ((fixed, "fixed"), (moving, "moving")):
        if len(points) < _FEWEST:
            raise InputError(f"there are {len(points)} {side} points", f"at least {_FEWEST} are needed")
    transform = read_transform(request.transform)
    moved = np.array([transform.TransformPoint(point) for point in fixed.tolist()])
    progress(0.2, "loading PyTorch")
    from deepreg_engine.methods.points.explain import explain_points

    progress(0.4, "partners")
    explained = explain_points(fixed, moving, moved, parameters, request.sigma, request.device)
    return explained, {
        "features": parameters.features,
        "fixed": len(fixed),
        "moving": len(moving),
        "outside": int(outside_field(transform, fixed).sum()),
    }


def _state(state: str) -> _Kept:
    if _kept is None or _kept.key != state:
        raise StateError("this pair is not kept any more", "open it again")
    return _kept


def _dense(state: str) -> DenseExplanation:
    kept = _state(state)
    if kept.method != "dense":
        raise InputError(f"a result of {kept.method.capitalize()} has no probabilities of displacements", "ask for what it has")
    return kept.explained


def _points(state: str) -> PointsExplanation:
    kept = _state(state)
    if kept.method != "points":
        raise InputError(f"a result of {kept.method.capitalize()} has no partners", "ask for what it has")
    return kept.explained


def _write_table(path: str, names: list[str], rows: np.ndarray) -> None:
    def write(name: str) -> None:
        with open(name, "w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(names)
            writer.writerows([f"{value:.6f}" for value in row] for row in rows)

    with FileGroup() as files:
        files.add(path, write)


#: What can be asked of what is open: name to function; all take ``state`` first.
QUESTIONS: dict[str, Callable[..., dict]] = {
    "probabilities": probabilities,
    "entropy": entropy,
    "features": feature_colours,
    "confidences": confidences,
    "partners": partners,
}


def answer(arguments: dict[str, Any], progress: Progress = no_progress) -> dict:
    """One question: ``what`` names it in :data:`QUESTIONS`, the rest are its arguments.

    Raises:
        ParameterError: on a question or an argument that there is not.
        StateError: if the pair is not kept any more.
    """
    arguments = dict(arguments)
    what = arguments.pop("what", None)
    if what not in QUESTIONS:
        raise ParameterError(f"there is no question {what!r}", f"there are {', '.join(QUESTIONS)}")
    ask = QUESTIONS[what]
    known = inspect.signature(ask).parameters
    for name in arguments:
        if name not in known or name == "progress":
            raise ParameterError(f"there is no argument {name!r}", f"there are {', '.join(k for k in known if k != 'progress')}")
    missing = [name for name, value in known.items() if value.default is inspect.Parameter.empty and name not in arguments]
    if missing:
        raise ParameterError(f"the argument {missing[0]} is missing", f"give {', '.join(missing)}")
    return ask(**arguments, **({"progress": progress} if "progress" in known else {}))
