"""Explanations of a registration, from files: a pair and its result are opened once, and their features are kept for questions.

What is kept takes some tens of MB, for one pair at a time: features of both images at two resolutions, or two point clouds with their
probabilities. It is dropped when another pair is opened, and when a registration needs the memory (:mod:`memory`). A question about a
pair that was dropped raises :class:`StateError`, and the pair has to be opened again.

The questions are in :mod:`explanation_answers`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepreg_engine.errors import EngineError, InputError
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import read_mask
from deepreg_engine.geometry.points import read_points
from deepreg_engine.geometry.transform_files import read_transform
from deepreg_engine.jobs.memory import drop_when_needed, reused_memory
from deepreg_engine.jobs.pair_files import read_image_pair
from deepreg_engine.methods.points.parameters import PointsParameters
from deepreg_engine.methods.registry import find_method
from deepreg_engine.methods.slots import LINEAR
from deepreg_engine.metrics.mapping import map_points, outside_field
from deepreg_engine.progress import Progress, no_progress
from deepreg_engine.texts import counted

if TYPE_CHECKING:  # torch takes seconds to import, so it is imported after the inputs are checked
    from deepreg_engine.methods.common.explain import ImageExplanation
    from deepreg_engine.methods.points.explain import PointsExplanation

_FILES = ("transform", "fixed", "moving", "fixed_mask", "moving_mask", "fixed_points", "moving_points")
# Fewer points have no neighbourhoods to compare.
_FEWEST = 4


class StateError(EngineError):
    """The pair is no longer in memory."""

    code = "state"


@dataclass(frozen=True)
class ExplanationRequest:
    """The result to explain and the inputs of its run.

    Args:
        method: "dense", "descent" or "points".
        transform: file of the result; it maps fixed points to moving points.
        fixed, moving: images, for the methods that register images.
        fixed_mask, moving_mask: masks of the run, if it had any.
        fixed_points, moving_points: files with the points that were registered, for the method that registers points.
        parameters: of the run, name to value; others have their defaults.
        sigma: final standard deviation of coherent point drift, mm.
        device: see ``choose_device``.
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
class Kept:
    """What is kept of a pair.

    Args:
        key: identifies the pair.
        method: that made the result.
        explained: features or point clouds of the pair.
        described: the answer of :func:`open_explanation`.
        answers: results that are expensive to compute, by their names.
    """

    key: str
    method: str
    explained: ImageExplanation | PointsExplanation
    described: dict[str, Any]
    answers: dict[str, Any] = field(default_factory=dict)


_kept: Kept | None = None


def drop() -> None:
    """Drop what is kept."""
    global _kept
    _kept = None


drop_when_needed(drop)


def open_explanation(request: ExplanationRequest, progress: Progress = no_progress) -> dict:
    """Read a pair and its result, and keep what the answers need.

    Returns:
        "state", which identifies the pair in questions; "method"; "features"; "warm", whether the pair was open already; "notes" on how the
        files were read; for Dense
        "stages", see :meth:`Stage.describe`; for Points "fixed" and "moving", the numbers of points, and "outside", the number of fixed
        points where the transform is not defined.

    Raises:
        EngineError: if an input cannot be used; then nothing is kept.
    """
    global _kept
    _check(request)
    progress(0.0, "reading")
    key = _key(request)
    if _kept is not None and _kept.key == key:
        return {**_kept.described, "warm": True}
    drop()
    parameters = find_method(request.method).parameters().replaced(request.parameters)
    with reused_memory():
        notes: list[str] = []
        explained, described = (_open_points if request.method == "points" else _open_images)(request, parameters, progress, notes)
    described = {"state": key, "method": request.method, "notes": notes, **described}
    _kept = Kept(key, request.method, explained, described)
    progress(1.0, "done")
    return {**described, "warm": False}


def _check(request: ExplanationRequest) -> None:
    if find_method(request.method).name == LINEAR:
        raise InputError("a linear registration compares no features", "choose a result of Dense, Descent or Points", "method")
    needed = ("fixed_points", "moving_points") if request.method == "points" else ("fixed", "moving")
    for name in needed:
        if not getattr(request, name):
            raise InputError(f"the input {name.replace('_', ' ')} is missing", "give what was registered", name)


def _key(request: ExplanationRequest) -> str:
    """Return a checksum of the inputs; it does not depend on the names of the files."""
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


def _open_images(request: ExplanationRequest, parameters: Any, progress: Progress, notes: list[str]) -> tuple[ImageExplanation, dict]:
    masks = []
    _, images = read_image_pair(str(request.fixed), str(request.moving), notes)
    for image, mask, side in zip(images, (request.fixed_mask, request.moving_mask), ("fixed", "moving"), strict=True):
        own, note = read_mask(mask, ImageGrid.of(image), f"{side} mask") if mask else (None, "")
        masks.append(own)
        notes += [note] if note else []
    transform = read_transform(request.transform, notes=notes)
    progress(0.2, "loading PyTorch")
    from deepreg_engine.methods.common.image_pair import ImagePair
    from deepreg_engine.methods.dense.explain import DenseExplanation
    from deepreg_engine.methods.descent.explain import DescentExplanation

    def share(done: float, stage: str) -> None:
        progress(0.3 + 0.7 * done, stage)

    pair = ImagePair(images[0], images[1], masks[0], masks[1])
    if request.method == "descent":
        descent = DescentExplanation(pair, transform, parameters, request.device, share)
        return descent, {"features": descent.features_name, "device": descent.device_name}
    dense = DenseExplanation(pair, transform, parameters, request.device, share)
    described = {"features": dense.features_name, "device": dense.device_name}
    return dense, {**described, "stages": [stage.describe() for stage in dense.stages()], "stage": dense.stage("").name}


def _open_points(
    request: ExplanationRequest, parameters: PointsParameters, progress: Progress, notes: list[str]
) -> tuple[PointsExplanation, dict]:
    fixed, moving = (
        read_points(str(getattr(request, f"{side}_points")), f"{side} points", notes).positions for side in ("fixed", "moving")
    )
    for points, side in ((fixed, "fixed"), (moving, "moving")):
        if len(points) < _FEWEST:
            message = counted(len(points), f"there is only 1 {side} point", f"there are {len(points)} {side} points")
            raise InputError(message, f"at least {_FEWEST} are needed", f"{side}_points")
    transform = read_transform(request.transform, notes=notes)
    moved = map_points(transform, fixed)
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


def kept(state: str) -> Kept:
    """Return what is kept of a pair.

    Args:
        state: identifies the pair, see :func:`open_explanation`.

    Raises:
        StateError: if the pair is not kept any more.
    """
    if _kept is None or _kept.key != state:
        raise StateError("this pair is not kept any more", "open it again")
    return _kept
