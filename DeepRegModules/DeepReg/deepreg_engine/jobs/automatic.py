"""The automatic choice of method and preset: a request that leaves them open is resolved after the images have been read."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import Any

import SimpleITK as sitk

from deepreg_engine.content.description import Content
from deepreg_engine.content.detection import image_content
from deepreg_engine.errors import ParameterError
from deepreg_engine.jobs.content import hints_of
from deepreg_engine.jobs.request import Request, check_request
from deepreg_engine.methods.base import Inputs, Method
from deepreg_engine.methods.common.affine import Alignment
from deepreg_engine.methods.common.parameters import INITIALS, LINEAR_KINDS
from deepreg_engine.methods.common.presets import find_preset
from deepreg_engine.methods.common.relation import pair_relation
from deepreg_engine.methods.registry import METHODS, find_method
from deepreg_engine.methods.slots import DENSE, DESCENT, LINEAR, POINTS, slot
from deepreg_engine.methods.suggestion import AUTO, Relation, Suggestion, has_task, needs_relation, possible_choices, suggest

# Methods that may replace the suggested one if that does not have a requested output or option.
_PREFERENCE = (DENSE, DESCENT, POINTS, LINEAR)


# docs/which_method.md has the figures.
_ULTRASOUND = (
    "ultrasound and the other image were registered automatically; in measurements the structures agreed less afterwards than with the "
    "centres of the images aligned"
)


@dataclass(frozen=True)
class Resolved:
    """A request whose method, preset and parameters are known.

    Args:
        request: the request.
        suggestion: the automatic choice; None if nothing was left open.
        alignment: of the images, if the choice needed it and the run begins with it.
    """

    request: Request
    suggestion: Suggestion | None = None
    alignment: Alignment | None = None


def resolved(request: Request, inputs: Inputs) -> Resolved:
    """Return the request with the method and preset that suit the images.

    Raises:
        ParameterError: if no method has all requested inputs, outputs and options, or the chosen one lacks a parameter.
        EngineError: as :func:`check_request` does for the chosen method.
    """
    if request.changes is None:
        return Resolved(request)
    given = "" if request.method.name == AUTO else request.method.name
    possible = [given] if given else possible_methods(request)
    contents, relation, alignment = _seen(request, inputs)
    ask = functools.partial(suggest, *contents, relation, request.task or AUTO, request.quality, inputs.clouds is not None)
    suggestion = ask(given or (possible[0] if len(possible) == 1 else ""))
    if suggestion.method not in possible:
        suggestion = ask(possible[0])
    if suggestion.row == "ultrasound":
        inputs.notes.append(_ULTRASOUND)
    found = _with_choice(request, suggestion)
    check_request(found)
    own = alignment is not None and found.method.name != LINEAR and getattr(found.parameters, "initial", "") == _initial(request)
    return Resolved(found, suggestion, alignment if own else None)


def possible_methods(request: Request) -> list[str]:
    """Return the methods that have the task and all inputs, outputs and options of a request, the most general one first.

    Raises:
        ParameterError: if there is none.
    """
    found = [
        name
        for name in _PREFERENCE
        if has_task(name, request.task or AUTO)
        and all(name in slot(each).methods for each in request.files)
        and all(each in {own.name for own in METHODS[name].options.describe()} for each in request.option_changes)
    ]
    if not found:
        names = ", ".join([*request.files, *request.option_changes])
        task = f"for a {request.task} registration " if request.task else ""
        raise ParameterError(f"no method {task}has all of {names}", "leave some of them out", "method")
    return found


def possible_parameters(request: Request) -> list[tuple[Method, Any]]:
    """Return the methods with their parameters that may be chosen for a request, before its images are read; one if nothing is open.

    Raises:
        ParameterError: if no method has all of the request, or its parameters.
    """
    if request.changes is None:
        return [(request.method, request.parameters)]
    names = possible_methods(request) if request.method.name == AUTO else [request.method.name]
    found, wrong = [], None
    for choice in possible_choices(names, request.quality):
        method = find_method(choice.method)
        start = find_preset(method.presets, choice.preset).parameters
        try:
            found.append((method, start.replaced(choice.parameters).replaced(request.changes)))
        except ParameterError as error:  # a change of a parameter that another method has
            wrong = wrong or error
    if not found and wrong is not None:
        raise wrong
    return found


def _with_choice(request: Request, suggestion: Suggestion) -> Request:
    """Return the request with a method, preset, parameters and options."""
    method = find_method(suggestion.method)
    try:
        parameters = (
            find_preset(method.presets, suggestion.preset).parameters.replaced(suggestion.parameters).replaced(request.changes or {})
        )
        options = method.options().replaced({**suggestion.options, **request.option_changes})
    except ParameterError as error:
        raise ParameterError(f"{error.message} ({method.title} was chosen)", error.advice, error.option) from error
    return dataclasses.replace(
        request, method=method, preset=suggestion.preset, parameters=parameters, options=options, changes=None, option_changes={}
    )


Contents = tuple[Content | None, Content | None]


def _seen(request: Request, inputs: Inputs) -> tuple[Contents, Relation | None, Alignment | None]:
    """Return what both images show, what they have in common, and the alignment that this needed."""
    if inputs.fixed is None or inputs.clouds is not None:
        return (None, None), None, None
    fixed, moving = inputs.images
    contents = _content(request, "fixed", fixed), _content(request, "moving", inputs.moving_original or moving)
    if request.task in LINEAR_KINDS or not needs_relation(*contents):
        return contents, None, None
    dense = find_method(DENSE)
    alignment = dense.align(inputs, dense.parameters().replaced({"initial": _initial(request)}))
    return contents, pair_relation(fixed, moving, alignment.transform), alignment


def _initial(request: Request) -> str:
    """Return the alignment that the user has chosen, or that of the presets."""
    chosen = str((request.changes or {}).get("initial", ""))
    return chosen if chosen in INITIALS else "affine"


def _content(request: Request, side: str, image: sitk.Image) -> Content:
    """Return what an image shows: as the request states it, else as it is seen.

    Raises:
        ParameterError: if the request states a content that does not exist.
    """
    if side in (known := request.contents or {}):
        try:
            content = Content.from_json(dict(known[side]))
            content.title()
        except (KeyError, TypeError) as error:
            raise ParameterError(f"the content of the {side} image is not valid", "leave it out", "contents") from error
        return content
    return image_content(image, hints_of(request.path(side)))
