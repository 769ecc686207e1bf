"""Registration of two images or two point clouds, from files to files: the pipeline of all methods."""

from __future__ import annotations

import dataclasses
import datetime
import threading
import time
from collections.abc import Callable
from typing import Any, cast

from deepreg_engine import __version__
from deepreg_engine.errors import check_versions
from deepreg_engine.geometry.beyond import SplitField
from deepreg_engine.geometry.composition import linear_matrix
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.segments import lost_names_note, segment_names
from deepreg_engine.jobs.automatic import Resolved, resolved
from deepreg_engine.jobs.memory import first_import_of_torch, kept_memory
from deepreg_engine.jobs.reading import read_inputs
from deepreg_engine.jobs.request import Request, check_request
from deepreg_engine.jobs.results import Run, write_results
from deepreg_engine.jobs.verdict import evidence_of_run
from deepreg_engine.methods.base import Inputs, Result, Task, required
from deepreg_engine.methods.common.affine import Alignment
from deepreg_engine.methods.slots import inputs as input_slots
from deepreg_engine.progress import Progress, RunControl, no_progress
from deepreg_engine.verdict.conclusion import conclude

# Progress at the beginning of the choice of method and preset, of the alignment, and of the writing.
_CHOICE, _ALIGNMENT, _WRITING = 0.005, 0.01, 0.99


def run_registration(request: Request, progress: Progress = no_progress, control: RunControl | None = None) -> dict:
    """Register, write all outputs together, and return the report.

    Args:
        request: see :func:`deepreg_engine.jobs.request.make_request`.
        progress: callback, receives the share done and the name of the stage; it may raise to stop the run.
        control: receives previews, and may end the run early.

    Raises:
        EngineError: if the registration is not possible; no output is written.
    """
    begun = time.perf_counter()
    check_versions()
    check_request(request)
    with kept_memory():
        progress(0.0, "reading the points" if request.path("fixed_points") else "reading the images")
        inputs = read_inputs(request)
        if request.changes is not None:
            progress(_CHOICE, "choosing method and preset")
        choice = _fitted(resolved(request, inputs), inputs)
        result = _compute(choice, inputs, progress, control)
        progress(_WRITING, "writing the results")
        return _write(choice, inputs, result, begun)


def _fitted(choice: Resolved, inputs: Inputs) -> Resolved:
    """Return the request with parameters that suit the fixed image or points; notes on changes are added to those of the inputs."""
    request = choice.request
    parameters, notes = request.method.fitted(request.parameters, inputs.fixed_side)
    inputs.notes += notes
    return dataclasses.replace(choice, request=dataclasses.replace(request, parameters=parameters))


class _Background(threading.Thread):
    """Computes an alignment on another thread while torch is imported; SimpleITK releases the interpreter.

    A run that ends early does not wait for the thread. The next alignment does, because alignments set SimpleITK's number of threads.
    """

    def __init__(self, function: Callable[[], Alignment]) -> None:
        super().__init__(daemon=True)
        self._function = function
        self._earlier = [thread for thread in threading.enumerate() if isinstance(thread, _Background)]
        self._result: Alignment | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        for thread in self._earlier:
            thread.join()
        try:
            self._result = self._function()
        except BaseException as error:  # noqa: BLE001 - raised again by result()
            self._error = error

    def result(self) -> Alignment:
        """Return the function's result; raises its exception."""
        while self.is_alive():
            self.join(0.1)  # short waits let Ctrl-C interrupt them
        if self._error is not None:
            raise self._error
        return cast(Alignment, self._result)


def _compute(choice: Resolved, inputs: Inputs, progress: Progress, control: RunControl | None) -> Result:
    request, method, parameters = choice.request, choice.request.method, choice.request.parameters
    task = Task(parameters, request.options, inputs, request.requested_outputs(), request.device, control=control)
    begun, background = time.perf_counter(), None
    if method.aligns:
        progress(_ALIGNMENT, "step 1: alignment")
        known = choice.alignment
        background = _Background(lambda: known or method.align(inputs, parameters))
        background.start()
    with first_import_of_torch():
        import torch

        import deepreg_engine.methods.dense.register  # noqa: F401 - loads what all methods need
    if request.threads:
        torch.set_num_threads(request.threads)
    method.prepare(task)
    if background is not None:
        task.alignment = background.result()
    seconds = time.perf_counter() - begun
    result = method.register(task, progress)
    if method.aligns:
        result.seconds["alignment"] = seconds
    return result


def _write(choice: Resolved, inputs: Inputs, result: Result, begun: float) -> dict:
    from deepreg_engine.metrics.report import to_json

    request, report = choice.request, _report(choice, inputs, result)
    evidence, measured = evidence_of_run(inputs, result, report), time.perf_counter()
    report["verdict"] = conclude(evidence)
    report["seconds"]["verdict"] = time.perf_counter() - measured

    def finish() -> str:
        report["verdict"] = conclude(evidence)  # outputs, such as the inverse, may have added to the report
        report["seconds"]["total"] = time.perf_counter() - begun
        return to_json(report)

    write_results(Run(request, inputs, result, report), finish)
    report["verdict"] = conclude(evidence)
    report["seconds"]["total"] = time.perf_counter() - begun
    return report


def _report(choice: Resolved, inputs: Inputs, result: Result) -> dict[str, Any]:
    """Return the report of a registration, as plain data."""
    from deepreg_engine.metrics.report import evaluation_report

    request = choice.request
    matrix = linear_matrix(result.alignment.transform)
    report: dict[str, Any] = {
        "engine": f"deepreg-engine {__version__}",
        "created": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "method": request.method.name,
        "preset": request.preset,
        "parameters": request.parameters.to_dict(),
        "inputs": _described(request, inputs),
        "device": result.device,
        "features": result.features,
    }
    if choice.suggestion is not None:
        report["suggestion"] = choice.suggestion.to_dict()
    if result.refinement_features:
        report["refinement_features"] = result.refinement_features
    if result.stopped:
        report["stopped"] = result.stopped
    report["alignment"] = {
        "kind": result.alignment.kind,
        "matrix": None if matrix is None else matrix.tolist(),
        "file": request.initial or None,
    }
    report.update(
        stages=result.stages,
        seconds=dict(result.seconds),
        notes=list(dict.fromkeys([*_stopped_notes(result), *inputs.notes, *result.notes, *_lost_names(request, inputs)])),
        outputs={name.replace("_", "-"): path for name, path in request.outputs().items()},
        **result.details,
    )
    if result.split is not None:
        transform = (result.linear or result.displacements.to_transform()) if inputs.landmarks or inputs.labels else None
        report.update(
            evaluation_report(
                transform,
                inputs.known_grids,
                landmarks=inputs.landmarks,
                labels=inputs.labels,
                label_names=inputs.label_names,
                mask=inputs.fixed_mask,
                field=result.split,
                notes=report["notes"],
            )
        )
        if inputs.moving_labels is not None:
            report["structures"] = _structures(result.split, inputs)
    return report


def _stopped_notes(result: Result) -> list[str]:
    """Return the note of a run that was ended early; none of one to the end."""
    return [f"stopped by the user after {result.stopped}; the result so far was kept"] if result.stopped else []


def _structures(split: SplitField, inputs: Inputs) -> list[dict[str, Any]]:
    """Return the contour table of the segmentations of a run."""
    from deepreg_engine.metrics.structures import structure_table

    if inputs.labels is not None:
        fixed, moving = inputs.labels
        return structure_table(split, moving, fixed, inputs.label_names)
    moving = required(inputs.moving_labels, "moving labels")
    return structure_table(split, moving, None, inputs.label_names or segment_names(moving))


def _lost_names(request: Request, inputs: Inputs) -> list[str]:
    """Return notes on names of segments that files of warped labels cannot hold."""
    written = [(inputs.moving_labels, request.path("warped_labels"))]
    written += [(labels, path) for labels, (_, path) in zip(inputs.more_labels, request.warp_labels, strict=True)]
    notes = [lost_names_note(labels, path, "segments") for labels, path in written if labels is not None and path]
    return [note for note in notes if note]


def _described(request: Request, inputs: Inputs) -> dict[str, dict]:
    """Return the input files, and the grids of the images, for the report."""
    images = {"fixed": inputs.fixed, "moving": inputs.moving_original}
    described = {}
    for each in input_slots(request.method.name):
        if not request.path(each.name):
            continue
        described[each.name] = {"file": request.path(each.name)}
        image = images.get(each.name)
        if image is not None:
            described[each.name].update(pixel_type=image.GetPixelIDTypeAsString(), **ImageGrid.of(image).to_dict())
    return described
