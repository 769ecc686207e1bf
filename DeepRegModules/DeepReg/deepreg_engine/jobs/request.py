"""The request of a registration, and its checks before a file is read."""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepreg_engine.errors import InputError, OutputError, ParameterError
from deepreg_engine.geometry.images import IMAGE_SUFFIXES, LABEL_SUFFIXES
from deepreg_engine.geometry.linear_files import LINEAR_SUFFIXES
from deepreg_engine.geometry.points import POINT_SUFFIXES
from deepreg_engine.geometry.transform_files import WRITABLE_SUFFIXES
from deepreg_engine.jobs.outputs import check_outputs, check_suffix
from deepreg_engine.jobs.overview import check_matplotlib
from deepreg_engine.methods.automatic import Automatic
from deepreg_engine.methods.base import Method
from deepreg_engine.methods.common.parameters import Parameters
from deepreg_engine.methods.common.presets import find_preset
from deepreg_engine.methods.registry import METHODS, find_method
from deepreg_engine.methods.slots import AUTOMATIC, LINEAR, POINTS, Slot, outputs, slot, slots
from deepreg_engine.methods.suggestion import check_task, quality_of

#: File name suffixes of outputs, by the kind of their slot; folders and inputs are checked where they are used.
SUFFIXES: dict[str, tuple[str, ...]] = {
    "image": IMAGE_SUFFIXES,
    "labels": LABEL_SUFFIXES,
    "map": IMAGE_SUFFIXES,
    "colours": IMAGE_SUFFIXES,
    "transform": WRITABLE_SUFFIXES,
    "linear": LINEAR_SUFFIXES,
    "points": POINT_SUFFIXES,
    "table": (".csv",),
    "picture": (".png",),
    "report": (".json",),
}


#: Stands for a method that is chosen after the images have been read.
AUTOMATIC_METHOD: Method = Automatic()


@dataclass(frozen=True)
class Request:
    """A registration from files to files; see :func:`make_request`.

    Args:
        method: the registration method.
        parameters: of the method.
        options: of the method, see :attr:`Method.options`.
        files: name of a slot (:mod:`deepreg_engine.methods.slots`) to path.
        preset: name of the preset of the parameters, for the report.
        initial: file with a transform from fixed to moving points to start from; "" for the alignment of the parameters.
        warp_labels: further label maps of the moving side, each with the file on the fixed image's grid to write.
        device: see ``choose_device``.
        threads: of the CPU; 0 uses all.
        compress: whether written images are compressed; without, writing and reading take less time.
        changes: of the parameters of the preset that is chosen after the images have been read, by :mod:`deepreg_engine.jobs.automatic`;
            None if method, preset and parameters are known.
        option_changes: options of the method that is chosen then.
        task: one of :data:`deepreg_engine.methods.suggestion.TASKS`; "" for "auto".
        quality: of the preset that is chosen, 0 (fast) to 1 (best).
        contents: what the images "fixed" and "moving" show, as :meth:`Content.to_json` describes it, if it is known.
    """

    method: Method
    parameters: Any
    options: Any
    files: Mapping[str, str]
    preset: str = ""
    initial: str = ""
    warp_labels: tuple[tuple[str, str], ...] = ()
    device: str = "auto"
    threads: int = 0
    compress: bool = True
    changes: Mapping[str, Any] | None = None
    option_changes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    task: str = ""
    quality: float = 0.5
    contents: Mapping[str, Mapping[str, Any]] | None = None

    def path(self, name: str) -> str:
        """Return the path of a slot, "" without one."""
        return self.files.get(name, "")

    def inputs(self) -> list[str]:
        """Return the paths of all files to read."""
        own = [path for name, path in self.files.items() if not slot(name).is_output]
        return [*own, *([self.initial] if self.initial else []), *(path for path, _ in self.warp_labels)]

    def outputs(self) -> dict[str, str]:
        """Return the paths of all files to write, by name."""
        own = {each.name: self.files[each.name] for each in outputs(self.method.name) if each.name in self.files}
        return {**own, **{f"warped labels {number}": path for number, (_, path) in enumerate(self.warp_labels, start=1)}}

    def requested_outputs(self) -> frozenset[str]:
        """Return the names of the requested outputs."""
        return frozenset(name for name in self.files if slot(name).is_output) | ({"warped_labels"} if self.warp_labels else frozenset())


def make_request(method: str, **arguments: Any) -> Request:
    """Return a request from plain arguments, as the worker receives them.

    Args:
        method: name of a method, or "auto", which chooses it after the images have been read.
        arguments: names of its slots to paths, names of its options to values, ``parameters`` (a parameters object, or a dictionary of
            those that differ from the preset's), and the other fields of :class:`Request`. ``initial`` may also be one of the method's
            alignments. None selects the default. Without a preset, or with the preset "auto", it is chosen after the images have been
            read, by ``task`` and ``quality`` (0 to 1, or "fast", "balanced", "best"), unless all parameters are given.

    Raises:
        ParameterError: on an unknown method, argument, option, parameter or value.
    """
    arguments = {name: value for name, value in arguments.items() if value is not None}
    if method == AUTOMATIC and arguments.get("fixed_points"):
        method = POINTS
    chosen = AUTOMATIC_METHOD if method == AUTOMATIC else find_method(method)
    paths = {each.name: arguments.pop(each.name, None) for each in slots(chosen.name)}
    files = {name: str(path) for name, path in paths.items() if path}
    names = option_names(chosen)
    option_changes = {name: arguments.pop(name) for name in names if name in arguments}
    given = arguments.pop("parameters", None)
    initial = str(arguments.pop("initial", "") or "")
    preset = str(arguments.pop("preset", "") or "")
    _check_names(arguments, [*paths, *names, "parameters", "preset"])
    changes = None
    if _is_automatic(chosen, preset, given):
        changes, preset = {**(given or {}), **({"initial": initial} if initial in alignments(chosen) else {})}, AUTOMATIC
    _check_choice(chosen, arguments, changes is not None)
    parameters = _parameters(chosen, preset, None if chosen is AUTOMATIC_METHOD else given)
    if initial in alignments(chosen):
        parameters, initial = parameters.replaced({"initial": initial}), ""
    _check_initial(chosen, initial)
    arguments["warp_labels"] = _pairs(arguments.get("warp_labels", ()))
    _check_threads(arguments.get("threads", 0))
    options = chosen.options() if chosen is AUTOMATIC_METHOD else chosen.options().replaced(option_changes)
    open_choice = {"changes": changes, "option_changes": option_changes if changes is not None else {}}
    return Request(chosen, parameters, options, files, preset=preset, initial=initial, **open_choice, **arguments)


def option_names(method: Method) -> list[str]:
    """Return the names of the options of a method; of an open one those of all methods."""
    own = METHODS.values() if method is AUTOMATIC_METHOD else [method]
    return list(dict.fromkeys(each.name for one in own for each in one.options.describe()))


def _is_automatic(method: Method, preset: str, given: Any) -> bool:
    """Return whether the preset is chosen after the images have been read.

    Raises:
        ParameterError: if parameters of an open method are not changes, or a preset of it is named.
    """
    if method is AUTOMATIC_METHOD and preset not in ("", AUTOMATIC):
        raise ParameterError(f"the preset {preset} needs a method", "name the method too, or leave the preset out", "preset")
    if not isinstance(given, (Mapping, type(None))):
        if method is AUTOMATIC_METHOD or preset == AUTOMATIC or not isinstance(given, Parameters):
            raise ParameterError(f"parameters = {given} are no parameters", "give their names and values", "parameters")
        return False
    if preset == AUTOMATIC or method is AUTOMATIC_METHOD:
        return True
    return not preset and not {each.name for each in method.parameters.describe()} <= set(given or {})


def _check_choice(method: Method, arguments: dict[str, Any], automatic: bool) -> None:
    """Check task and quality, and convert the quality to a number.

    Raises:
        ParameterError: if a value is not allowed, or nothing is chosen by them.
    """
    for name in ("task", "quality"):
        if name in arguments and not automatic:
            raise ParameterError(f"with a named preset, the {name} has no effect", "leave one of them out", name)
    check_task(str(arguments.get("task", AUTOMATIC)), "" if method is AUTOMATIC_METHOD else method.name)
    arguments["quality"] = quality_of(arguments.get("quality", 0.5))


def _check_initial(method: Method, initial: str) -> None:
    """Raise ParameterError if a method that aligns by itself is given a transform."""
    if initial and not method.aligns:
        advice = f"use {', '.join(alignments(method))}"
        raise ParameterError(f"{method.title} cannot start from the transform {initial}", advice, "initial")


def _check_names(arguments: Mapping[str, Any], others: list[str]) -> None:
    """Check that the remaining arguments are fields of a request; the advice also names the ``others``."""
    fields = [each.name for each in dataclasses.fields(Request) if each.default is not dataclasses.MISSING and each.name != "changes"]
    unknown = next((name for name in arguments if name not in fields), None)
    if unknown is not None:
        near = difflib.get_close_matches(unknown, [*others, *fields], n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join([*others, *fields])}"
        raise ParameterError(f"there is no argument {unknown!r}", hint)


def _pairs(warp_labels: Any) -> tuple[tuple[str, str], ...]:
    """Return the argument ``warp_labels`` as pairs of paths; raises ParameterError for anything else."""
    pairs = warp_labels if isinstance(warp_labels, (list, tuple)) else [warp_labels]
    for pair in pairs:
        if not (isinstance(pair, (list, tuple)) and len(pair) == 2 and all(isinstance(path, (str, os.PathLike)) for path in pair)):
            advice = "give pairs of a file to read and a file to write"
            raise ParameterError(f"warp_labels = {warp_labels} are no label maps", advice, "warp_labels")
    return tuple((str(source), str(target)) for source, target in pairs)


def _check_threads(threads: Any) -> None:
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 0:
        raise ParameterError(f"threads = {threads} is not a number of threads", "give a whole number of 0 or more", "threads")


def _parameters(method: Method, preset: str, given: Parameters | Mapping[str, Any] | None) -> Any:
    if isinstance(given, Parameters):
        return given
    given = dict(given or {})
    if preset in ("", AUTOMATIC) or {each.name for each in method.parameters.describe()} <= set(given):
        return method.parameters().replaced(given)  # a user's own preset is unknown here; all parameters are given then
    return find_preset(method.presets, preset).parameters.replaced(given)


def alignments(method: Method) -> tuple[str, ...]:
    """Return the choices of the parameter ``initial``."""
    return next(each.choices for each in method.parameters.describe() if each.name == "initial")


def check_request(request: Request) -> None:
    """Check a request without reading a file.

    Raises:
        EngineError: on the first error.
    """
    for name, path in request.files.items():
        _check_output(slot(name), path, request.method.name)
    single = {name: path for name, path in request.outputs().items() if name not in request.files or slot(name).kind != "folder"}
    check_outputs(single, request.inputs())
    if request.path("overview"):
        check_matplotlib()
    for name in request.files:
        _check_partner(request, slot(name))
    for each in slots(request.method.name, ("register",)):
        if request.method.name in each.required and each.name not in request.files:
            raise InputError(f"there is no {each.title.lower()}", "give it", each.name)
    files = dict(request.files)
    for _, path in request.warp_labels:  # files that are outputs, as warped labels are
        files.setdefault("warped_labels", path)
    request.method.check(files, request.parameters, request.options)


def _check_partner(request: Request, own: Slot) -> None:
    needed = own.partner or (own.grid if own.kind == "mask" else "")
    if not needed or needed in request.files or request.requested_outputs().intersection(own.alone_for):
        return
    partner = slot(needed)
    advice = f"leave the {own.title.lower()} out, or give the {partner.title.lower()} too"
    raise InputError(f"the {own.title.lower()} cannot be used without the {partner.title.lower()}", advice, needed)


def suffixes(own: Slot, method: str) -> tuple[str, ...]:
    """Return the endings of the files of an output of a method."""
    linear = LINEAR_SUFFIXES if method in (LINEAR, AUTOMATIC) and own.kind == "transform" else ()
    return tuple(dict.fromkeys((*linear, *SUFFIXES[own.kind])))


def _check_output(own: Slot, path: str, method: str) -> None:
    if own.is_output and own.kind in SUFFIXES:
        check_suffix(own.name, path, suffixes(own, method))
    if own.kind == "folder":
        _check_folder(own, Path(path))


def _check_folder(own: Slot, folder: Path) -> None:
    """Check that files can be written into a folder."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file, and the {own.title.lower()} need a folder", "choose another name", own.name)
    if not folder.exists() and not folder.parent.is_dir():
        raise OutputError(f"the folder {folder.parent} does not exist", "create it, or choose another", own.name)
    if not os.access(folder if folder.exists() else folder.parent, os.W_OK):
        raise OutputError(f"cannot write to the folder {folder}", "choose another, or change its permissions", own.name)
