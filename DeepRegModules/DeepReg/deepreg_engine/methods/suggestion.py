"""Which task, method and preset suit two images, by what they show, chosen from :mod:`which_method`. No torch, no SimpleITK."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deepreg_engine.content.description import BODY_PARTS, CONTRASTS, MODALITIES, Content
from deepreg_engine.errors import ParameterError
from deepreg_engine.methods.common.lengths import length_factor
from deepreg_engine.methods.common.parameters import LINEAR_KINDS
from deepreg_engine.methods.registry import METHODS
from deepreg_engine.methods.slots import AUTOMATIC
from deepreg_engine.methods.which_method import ROWS, Choice, Row

#: Name of the automatic method, preset and task.
AUTO = AUTOMATIC
DEFORMABLE, POINTS = "deformable", "points"
TASKS = (AUTO, *LINEAR_KINDS, DEFORMABLE, POINTS)
#: Words for a quality.
QUALITIES = {"fast": 0.0, "balanced": 0.5, "best": 1.0}

_BY_NAME = {row.name: row for row in ROWS}
_TRUNK = ("abdomen", "pelvis", "trunk", "whole body", "extremity")
_HEADS = ("head", "organ")
# Voxels below this share of a preset's working spacing belong to a small object, such as a mouse, and not to a crop of a person.
_FINE = 0.5
# Number of voxels of a linear registration, in millions, by quality.
_LINEAR_VOXELS = {"fast": 0.1, "balanced": 1.0, "best": 4.0}


@dataclass(frozen=True)
class Relation:
    """What two images have in common.

    Args:
        same_person: whether they show one person; None if it is not known.
        same_contrast: whether their intensities have the same meaning; None if it is not known.
        reasons: why, one plain phrase each.
    """

    same_person: bool | None = None
    same_contrast: bool | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Suggestion:
    """A choice for a pair.

    Args:
        task: one of :data:`TASKS` but "auto".
        method, preset: their names.
        parameters: that differ from the preset's.
        options: of the method.
        reason: one line for the user.
        row: of the table; "" if the user's choice determines everything.
    """

    task: str
    method: str
    preset: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    row: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data, for a report."""
        return {"task": self.task, "method": self.method, "preset": self.preset, "reason": self.reason, "row": self.row}


def quality_of(text: str | float) -> float:
    """Return a quality, 0 (fast) to 1 (best), of a word or a number.

    Raises:
        ParameterError: if it is neither.
    """
    if isinstance(text, str) and text in QUALITIES:
        return QUALITIES[text]
    try:
        value = float(text)
    except (TypeError, ValueError):
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise ParameterError(f"{text!r} is not a quality", f"use {', '.join(QUALITIES)}, or a number from 0 to 1", "quality")
    return value


def needs_relation(fixed: Content, moving: Content) -> bool:
    """Return whether the choice depends on what two images have in common."""
    kinds = {fixed.modality, moving.modality}
    return kinds <= {"ct", "unknown"} or kinds <= {"mr", "unknown"}


def suggest(
    fixed: Content | None,
    moving: Content | None,
    relation: Relation | None = None,
    task: str = AUTO,
    quality: float = 0.5,
    clouds: bool = False,
    method: str = "",
) -> Suggestion:
    """Return the task, method and preset that suit a pair.

    Args:
        fixed, moving: what the images show; None without images.
        relation: what they have in common; None if nothing is known of it.
        task: one of :data:`TASKS`.
        quality: 0 (fast) to 1 (best).
        clouds: whether points are registered that were not detected in the images.
        method: the user's choice; "" chooses it.

    Raises:
        ParameterError: on an unknown task, a quality that is not within 0 to 1, or a task that the method does not have.
    """
    quality = quality_of(quality)
    check_task(task, method)
    if task in LINEAR_KINDS:
        voxels = _LINEAR_VOXELS["fast" if quality < 1 / 3 else "balanced" if quality < 2 / 3 else "best"]
        changes = {} if voxels == 1.0 else {"working_voxels": voxels}
        return Suggestion(task, "linear", task, changes, reason=f"{'an' if task == 'affine' else 'a'} {task} transform was requested")
    if clouds or fixed is None or moving is None:
        return _of_clouds()
    row = _row_of(fixed, moving, relation or Relation())
    choice = _of_method(row, method or (POINTS if task == POINTS else ""), quality)
    found = choice.preset if choice.method == "linear" else POINTS if choice.method == POINTS else DEFORMABLE
    parameters = {**choice.parameters, **_lengths(choice, fixed)}
    return Suggestion(found, choice.method, choice.preset, parameters, choice.options, _reason(row, fixed, moving, relation), row.name)


def possible_choices(methods: Iterable[str], quality: float = 0.5) -> list[Choice]:
    """Return what :func:`suggest` may choose among some methods, whatever the images show, for estimates before they are read.

    Args:
        methods: their names.
        quality: 0 (fast) to 1 (best).
    """
    methods = list(methods)
    suitable = {row.name: [name for name in methods if row.choice(quality).method == name] for row in ROWS}
    return [_of_method(row, name, quality) for row in ROWS for name in suitable[row.name] or methods[:1]]


def check_task(task: str, method: str = "") -> None:
    """Raise ParameterError if there is no such task, or a chosen method does not have it."""
    if task not in TASKS:
        raise ParameterError(f"there is no task {task!r}", f"there are {', '.join(TASKS)}", "task")
    if method and not has_task(method, task):
        own = ", ".join(_tasks(method))
        raise ParameterError(f"{METHODS[method].title} has no task {task}", f"leave it out, or use {own}", "task")


def has_task(method: str, task: str) -> bool:
    """Return whether a method has a task."""
    return task in (AUTO, *_tasks(method))


def _tasks(method: str) -> tuple[str, ...]:
    return {"linear": LINEAR_KINDS, POINTS: (POINTS,)}.get(method, (DEFORMABLE,))


def _of_clouds() -> Suggestion:
    return Suggestion(POINTS, POINTS, METHODS[POINTS].default_preset, reason="points are registered")


def _of_method(row: Row, method: str, quality: float) -> Choice:
    """Return the choice of a row; of another method its preset for this kind of pair."""
    choice = row.choice(quality)
    if not method or choice.method == method:
        return choice
    own = next((each for each in (row.balanced, row.best, row.fast) if each.method == method), None)
    if quality < 1 / 3 and any(preset.name == "quick" for preset in METHODS[method].presets):
        return Choice(method, "quick")
    return own or Choice(method, row.presets[method])


def _row_of(fixed: Content, moving: Content, relation: Relation) -> Row:
    """Return the kind of a pair."""
    kinds, parts = {fixed.modality, moving.modality}, {fixed.body_part, moving.body_part}
    if "us" in kinds:
        return _BY_NAME["ultrasound"]
    if kinds == {"ct"}:
        if relation.same_person is not True:
            return _BY_NAME["ct-chest-two" if "chest" in parts else "ct-two"]
        return _BY_NAME["ct-chest-one" if "chest" in parts else "ct-trunk-one"]
    if kinds == {"mr"} and not parts & set(_TRUNK) and "chest" not in parts:
        if _other_contrast(fixed, moving, relation):
            return _BY_NAME["mr-contrasts"]
        return _BY_NAME["mr-head-one" if relation.same_person else "mr-two"]
    known = kinds - {"unknown", "labels", "mask"}
    if len(known) > 1 or _other_contrast(fixed, moving, relation):
        return _BY_NAME["mr-ct"]
    return _BY_NAME["other"]


def _other_contrast(fixed: Content, moving: Content, relation: Relation) -> bool:
    """Return whether intensities have different meanings: by the contrasts, or if they are not known, by what the images share."""
    if fixed.contrast and moving.contrast:
        return fixed.contrast != moving.contrast
    return relation.same_contrast is False


def _lengths(choice: Choice, fixed: Content) -> dict[str, float]:
    """Return the length scale of a small object with fine voxels, for a preset whose lengths do not follow the size by themselves."""
    preset = next(each for each in METHODS[choice.method].presets if each.name == choice.preset)
    values = preset.parameters.to_dict()
    factor = length_factor(sorted(fixed.size_mm)[1])
    if values.get("length_scale", 0.0) == 0.0 or factor >= 1.0 or min(fixed.spacing_mm) >= _FINE * values["working_spacing"]:
        return {}
    return {"length_scale": round(factor, 4)}


def _reason(row: Row, fixed: Content, moving: Content, relation: Relation | None) -> str:
    """Return one line: what both images show, and what follows."""
    both = [_shown(content) for content in (fixed, moving)]
    shown = f"both show {both[0]}" if both[0] == both[1] else f"{both[0]} and {both[1]}"
    why = f" ({'; '.join(relation.reasons)})" if relation is not None and relation.reasons else ""
    return f"{shown}: {row.reason}{why}"


def _shown(content: Content) -> str:
    """Return what an image shows, in words."""
    contrast = f" {CONTRASTS[content.contrast]}" if content.contrast else ""
    kind = f"{MODALITIES[content.modality]}{contrast}"
    return kind if content.body_part == "unknown" or content.is_labels else f"{kind} of the {BODY_PARTS[content.body_part]}"
