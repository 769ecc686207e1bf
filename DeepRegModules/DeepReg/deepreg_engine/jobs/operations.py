"""The operations of the worker: functions that take the arguments of a request and a :class:`Job`, and return the result.

Arguments and results hold what JSON can hold. Modules are imported inside the functions, so that the worker starts, and reports what is
missing, before the packages are installed.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deepreg_engine import __version__
from deepreg_engine.errors import InputError, ParameterError, check_packages
from deepreg_engine.jobs.job import Job
from deepreg_engine.packages import missing_packages


def info(arguments: dict, job: Job) -> dict:
    """Return versions, devices and memory of this Python."""
    found: dict[str, Any] = {
        "engine": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "processors": os.cpu_count(),
        "executable": sys.executable,
        "memory": None,
        "torch": None,
        "devices": [{"name": "cpu", "title": platform.processor() or platform.machine(), "memory": None}],
        "missing": missing_packages(),
    }
    if "psutil" not in found["missing"]:
        import psutil

        memory = psutil.virtual_memory()
        found["memory"] = {"total": memory.total, "available": memory.available}
    if "torch" in found["missing"]:
        return found
    job.progress(0.1, "loading PyTorch")
    from deepreg_engine.jobs.memory import first_import_of_torch

    with first_import_of_torch():
        import torch

    found["torch"] = {"version": torch.__version__, "cuda": torch.version.cuda, "threads": torch.get_num_threads()}
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        found["devices"].append({"name": "cuda", "title": torch.cuda.get_device_name(), "memory": {"total": total, "available": free}})
    if getattr(torch.backends, "mps", None) is not None and torch.backends.mps.is_available():
        found["devices"].append({"name": "mps", "title": "Apple Metal", "memory": None})
    return found


def warm(arguments: dict, job: Job) -> dict:
    """Import what a registration needs, so that the next one starts at once."""
    import deepreg_engine.jobs.registration
    import deepreg_engine.methods.dense.register  # noqa: F401

    return {}


def register(arguments: dict, job: Job) -> dict:
    """Register two images or two point clouds, and return the report.

    Arguments are ``method``, those of :func:`make_request`, and optionally ``preview``, a folder for the displacement fields so far.
    """
    from deepreg_engine.jobs.previews import PreviewFiles
    from deepreg_engine.jobs.registration import run_registration
    from deepreg_engine.jobs.request import make_request

    check_packages()  # before the images are read
    if "method" not in arguments:
        raise ParameterError("the argument method is missing", "name a registration method", "method")
    arguments = dict(arguments)
    folder = arguments.pop("preview", None)
    if folder is not None:
        job.control.preview = PreviewFiles(str(folder), job.show)
    return _noted(run_registration(make_request(**arguments), job.progress, job.control), job)


def _alias(method: str) -> Callable[[dict, Job], dict]:
    """Return the operation of protocol 1 that registers with one method."""

    def registered(arguments: dict, job: Job) -> dict:
        if "method" in arguments:
            raise ParameterError("there is no argument 'method'", "leave it out, or use the operation register", "method")
        return register({"method": method, **arguments}, job)

    registered.__doc__ = f"As register with the method {method}; an alias of protocol 1."
    return registered


def content(arguments: dict, job: Job) -> dict:
    """Return what two images show, and what is wrong with the pair; arguments are those of ContentRequest."""
    from deepreg_engine.jobs.content import ContentRequest, run_content

    return _noted(run_content(ContentRequest(**_known(arguments, ContentRequest))), job)


def overlap(arguments: dict, job: Job) -> dict:
    """Compare labels before and after one or several transforms: arguments are those of OverlapRequest. Returns the reports."""
    from deepreg_engine.jobs.overlap import OverlapRequest, run_overlap

    return _noted(run_overlap(OverlapRequest(**_known(arguments, OverlapRequest)), job.progress), job)


def apply(arguments: dict, job: Job) -> dict:
    """Apply a transform to many files: arguments are those of ApplyRequest. Returns the files, the contour table and the notes."""
    from deepreg_engine.jobs.apply import ApplyRequest, run_apply

    return _noted(run_apply(ApplyRequest(**_known(arguments, ApplyRequest)), job.progress), job)


def train(arguments: dict, job: Job) -> dict:
    """Train features, or continue a training: arguments are those of TrainingRequest. Returns the summary."""
    from deepreg_engine.jobs.training import run_training
    from deepreg_engine.training.base import TrainingRequest

    return run_training(TrainingRequest(**_known(arguments, TrainingRequest)), job.progress, job.log)


def train_estimate(arguments: dict, job: Job) -> dict:
    """Estimate time and memory of a training, and find the scans that it can use: arguments are those of TrainingRequest."""
    from deepreg_engine.jobs.training_estimate import estimate_training
    from deepreg_engine.training.base import TrainingRequest

    return estimate_training(TrainingRequest(**_known(arguments, TrainingRequest)), job.progress)


def cross_validate(arguments: dict, job: Job) -> dict:
    """Cross-validate a training: arguments are those of CrossValidationRequest. Returns the rows and their means."""
    from deepreg_engine.jobs.comparison import CrossValidationRequest
    from deepreg_engine.jobs.cross_validation import run_cross_validation

    return run_cross_validation(CrossValidationRequest(**_known(arguments, CrossValidationRequest)), job.progress, job.log)


def models(arguments: dict, job: Job) -> dict:
    """List all models with their cards and the problems of damaged ones."""
    from deepreg_engine.models.store import list_models, own_folder, shipped_folder, verify

    listed = []
    for model in list_models():
        card = dataclasses.asdict(model.card) if model.card else None
        shipped = model.path.parent == shipped_folder()
        listed.append({"path": str(model.path), "shipped": shipped, "card": card, "problem": verify(model)})
    return {"models": listed, "own_folder": str(own_folder())}


def import_model(arguments: dict, job: Job) -> dict:
    """Copy a model file, or convert a published checkpoint, into the folder of the user's models. Returns path and card."""
    from deepreg_engine.models.store import adopt

    if not isinstance(arguments.get("file"), str):
        raise InputError("no file is given", "choose a .safetensors or .pth file")
    model = adopt(arguments["file"], arguments.get("name"))
    return {"path": str(model.path), "card": model.card and dataclasses.asdict(model.card)}


def phantom(arguments: dict, job: Job) -> dict:
    """Make a phantom pair: anatomy, folder, and optionally seed, modality_pair, detail, patients. Returns files and label names."""
    from deepreg_engine.phantoms import make_pair, write_pair

    job.progress(0.02, "making the phantom")
    known = ("anatomy", "folder", "seed", "modality_pair", "detail", "patients")
    for name in arguments:
        if name not in known:
            raise ParameterError(f"there is no argument {name!r}", f"there are {', '.join(known)}")
    for name in known[:2]:
        if not isinstance(arguments.get(name), str):
            raise ParameterError(f"the argument {name} is missing", f"needed are {', '.join(known[:2])}", name)
    folder = Path(arguments["folder"])
    pair = make_pair(
        arguments["anatomy"],
        int(arguments.get("seed", 0)),
        arguments.get("modality_pair"),
        float(arguments.get("detail", 1.0)),
        int(arguments.get("patients", 1)),
    )
    job.progress(0.8, "writing the phantom")
    paths = write_pair(pair, folder)
    return {"files": {name: str(path) for name, path in paths.items()}, "labels": {str(k): v for k, v in pair.label_names.items()}}


def self_test(arguments: dict, job: Job) -> dict:
    """Register a small phantom and check landmark error, folding, and the written field against SimpleITK. Returns the outcome."""
    check_packages()
    import numpy as np

    from deepreg_engine.geometry.transform_files import read_field, read_transform
    from deepreg_engine.jobs.registration import run_registration
    from deepreg_engine.jobs.request import make_request
    from deepreg_engine.methods.dense.presets import dense_preset
    from deepreg_engine.metrics.regularity import MOST_FOLDED
    from deepreg_engine.phantoms import make_pair, write_pair

    job.progress(0.0, "making a phantom")
    pair = make_pair("abdomen", seed=1, detail=0.35)
    with tempfile.TemporaryDirectory(prefix="deepreg-selftest-") as folder:
        paths = write_pair(pair, folder)
        transform = str(Path(folder) / "transform.nrrd")
        request = make_request(
            "dense",
            fixed=str(paths["fixed"]),
            moving=str(paths["moving"]),
            transform=transform,
            parameters=dense_preset("quick").parameters,
            test_fixed_landmarks=str(paths["fixed_landmarks"]),
            test_moving_landmarks=str(paths["moving_landmarks"]),
            device=str(arguments.get("device", "auto")),
        )
        report = run_registration(request, lambda share, stage: job.progress(0.2 + 0.75 * share, stage))
        points = pair.fixed_landmarks.positions
        ours, itk = read_field(transform).map_points(points), read_transform(transform)
        apart = float(np.abs(ours - [itk.TransformPoint(point) for point in points.tolist()]).max())
    before, after = (report["landmarks"][key]["mean"] for key in ("before", "after"))
    folding = report["regularity"]["folding_percent"]
    problems = []
    if not after < before / 3:
        problems.append(f"the landmark error fell only from {before:.1f} to {after:.1f} mm")
    if folding > MOST_FOLDED:
        problems.append(f"{folding:.2f} % of the voxels are folded")
    if not apart < 1e-3:
        problems.append(f"the written transform differs from SimpleITK's by {apart:.2g} mm")
    summary = (
        f"{report['device']}: landmark error {before:.1f} to {after:.1f} mm, folding {folding:.2f} %, {report['seconds']['total']:.1f} s"
    )
    return {"passed": not problems, "problems": problems, "summary": summary, "report": report}


def explain_open(arguments: dict, job: Job) -> dict:
    """Prepare the explanation of a pair and its result: arguments are those of ExplanationRequest. Returns its key, ``state``."""
    from deepreg_engine.jobs.explanation import ExplanationRequest, open_explanation

    return _noted(open_explanation(ExplanationRequest(**_known(arguments, ExplanationRequest)), job.progress), job)


def explain(arguments: dict, job: Job) -> dict:
    """Compute one explanation: ``what``, ``state``, and the arguments of that kind. Returns values or files."""
    from deepreg_engine.jobs.explanation_answers import answer

    return answer(arguments, job.progress)


def report(arguments: dict, job: Job) -> dict:
    """Write the report of a registration: arguments are those of ReportRequest. Returns what its JSON file holds."""
    from deepreg_engine.jobs.report import ReportRequest, run_report

    return run_report(ReportRequest(**_known(arguments, ReportRequest)), job.progress)


def _noted(result: dict, job: Job) -> dict:
    """Send the notes of a result to the log, and return the result."""
    for note in result["notes"]:
        job.log(note)
    return result


def _known(arguments: dict, request: type) -> dict:
    """Return a copy of the arguments, if they are fields of a request and none is missing.

    Raises:
        ParameterError: naming the first that is unknown or missing.
    """
    names = [f.name for f in dataclasses.fields(request)]
    for name in arguments:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            raise ParameterError(f"there is no argument {name!r}", f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}")
    missing = [
        f.name
        for f in dataclasses.fields(request)
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING and f.name not in arguments
    ]
    if missing:
        raise ParameterError(f"the argument {missing[0]} is missing", f"needed are {', '.join(missing)}")
    return dict(arguments)


OPERATIONS: dict[str, Callable[[dict, Job], dict]] = {
    "info": info,
    "warm": warm,
    "register": register,
    "dense": _alias("dense"),
    "points": _alias("points"),
    "descent": _alias("descent"),
    "content": content,
    "overlap": overlap,
    "apply": apply,
    "train": train,
    "train-estimate": train_estimate,
    "cross-validate": cross_validate,
    "models": models,
    "import-model": import_model,
    "phantom": phantom,
    "self-test": self_test,
    "explain-open": explain_open,
    "explain": explain,
    "report": report,
}

#: Operations that can end early with their result so far.
CAN_FINISH = ("register", "dense", "points", "descent")
