"""The report of a registration, from files to files: a page, and its figures as JSON and CSV."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import InputError, ParameterError
from deepreg_engine.geometry.files import FileGroup
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import check_intensities, read_labels, read_mask, read_volume
from deepreg_engine.geometry.points import PointSet, read_pairs
from deepreg_engine.geometry.transform_files import read_transform
from deepreg_engine.jobs.label_names import read_label_names
from deepreg_engine.jobs.outputs import check_outputs, check_suffix
from deepreg_engine.metrics.overlap import shared_labels
from deepreg_engine.metrics.report import plain, to_json
from deepreg_engine.progress import Progress, no_progress
from deepreg_engine.reporting.about import described_image, described_run, described_transform, versions
from deepreg_engine.reporting.figures import Measured, Pair, measure
from deepreg_engine.reporting.grey import grey_windows
from deepreg_engine.reporting.interest import LEAST, coarse_view, linear_part, point_of_interest
from deepreg_engine.reporting.limits import SOURCE, limits_with, rate
from deepreg_engine.reporting.page import page
from deepreg_engine.reporting.pictures import Views, draw, grid_spacing
from deepreg_engine.reporting.planes import Plane, planes
from deepreg_engine.reporting.png import data_uri
from deepreg_engine.reporting.private import base_name, hidden, private_words, without_paths
from deepreg_engine.reporting.table import as_csv

#: Of the form of the JSON file.
FORMAT = 1
# The page with its pictures shall be no larger than this, bytes; with noisier images they get fewer pixels.
_LARGEST = 3_600_000
# Pixels along the longest side of a picture, the most first.
_PIXELS = (380, 320, 260, 200)
# Where the moving image covers less of the fixed one than this, the alignment of the run is shown as "before".
_LEAST_COMMON = 0.05


@dataclass(frozen=True)
class ReportRequest:
    """What to report on, and where to.

    Args:
        fixed, moving: images.
        transform: takes fixed points to moving points.
        output: the page (.html).
        json, csv: its figures, to write.
        inverse: transform from moving points to fixed points.
        fixed_landmarks, moving_landmarks: corresponding points.
        fixed_labels, moving_labels: label maps in which the same structure has the same number.
        label_names: file with the names of the labels; or the names themselves, their numbers as text.
        mask: on the fixed image: where the deformation counts.
        run_report: report of the registration (.json), or what it holds.
        title: of the page.
        patient: name of the patient, to be shown; "" shows none.
        private: names that must not stand anywhere in the report, such as the patient's.
        fixed_name, moving_name, transform_name: instead of the names of the files.
        fixed_modality, moving_modality: such as CT.
        fixed_window, moving_window: values from black to white; by default they are chosen.
        point: where the views are, LPS mm; by default the tissue that is deformed most, or the middle of the mask.
        limits: key of a figure to its limits of green and amber, see :data:`deepreg_engine.reporting.limits.LIMITS`.
        remarks: what a reader should know beyond that; they stand under the notes.
        application: the program that asks, with its version.
    """

    fixed: str
    moving: str
    transform: str
    output: str
    json: str | None = None
    csv: str | None = None
    inverse: str | None = None
    fixed_landmarks: str | None = None
    moving_landmarks: str | None = None
    fixed_labels: str | None = None
    moving_labels: str | None = None
    label_names: str | dict[str, str] | None = None
    mask: str | None = None
    run_report: str | dict[str, Any] | None = None
    title: str = "Registration report"
    patient: str = ""
    private: tuple[str, ...] = ()
    fixed_name: str = ""
    moving_name: str = ""
    transform_name: str = ""
    fixed_modality: str = ""
    moving_modality: str = ""
    fixed_window: tuple[float, float] | None = None
    moving_window: tuple[float, float] | None = None
    point: tuple[float, float, float] | None = None
    limits: dict[str, tuple[float, float]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    application: str = ""

    def inputs(self) -> list[str | None]:
        """Paths of all files that are read."""
        files = (
            self.fixed,
            self.moving,
            self.transform,
            self.inverse,
            self.fixed_landmarks,
            self.moving_landmarks,
            self.fixed_labels,
            self.moving_labels,
            self.label_names,
            self.mask,
            self.run_report,
        )
        return [file for file in files if isinstance(file, str)]


def run_report(request: ReportRequest, progress: Progress = no_progress) -> dict[str, Any]:
    """Measure, draw, and write all outputs together; returns what the JSON file holds.

    Raises:
        EngineError: whatever is wrong; then nothing was written.
    """
    limits = _check(request)
    progress(0.02, "reading the images")
    pair, run = _read(request)
    progress(0.2, "measuring")
    measured = measure(pair)
    progress(0.6, "drawing the pictures")
    views, where = _views(request, pair, run)
    content = _content(request, pair, run, measured, rate(measured.figures, limits), where)
    text = _page(pair, measured, views, where, content, lambda share: progress(0.6 + 0.35 * share, "drawing the pictures"))
    progress(0.97, "writing the report")
    with FileGroup() as files:
        files.add(request.output, lambda name: Path(name).write_text(text, encoding="utf-8"))
        if request.json:
            files.add(request.json, lambda name: Path(name).write_text(to_json(content), encoding="utf-8"))
        if request.csv:
            files.add(request.csv, lambda name: Path(name).write_text(as_csv(content), encoding="utf-8"))
    return content


def _check(request: ReportRequest) -> tuple:
    """Everything that can be wrong without reading an image; returns the limits."""
    check_suffix("--output", request.output, (".html", ".htm"))
    check_suffix("--json", request.json, (".json",))
    check_suffix("--csv", request.csv, (".csv",))
    check_outputs({"--output": request.output, "--json": request.json, "--csv": request.csv}, request.inputs())
    for kind in ("landmarks", "labels"):
        given = [side for side in ("fixed", "moving") if getattr(request, f"{side}_{kind}")]
        if len(given) == 1:
            missing = "moving" if given == ["fixed"] else "fixed"
            raise InputError(f"--{given[0]}-{kind} needs its partner", f"give --{missing}-{kind} too")
    for name in ("fixed_window", "moving_window"):
        window = getattr(request, name)
        if window is not None and not (np.isfinite(window).all() and window[0] < window[1]):
            raise ParameterError(
                f"--{name.replace('_', '-')} {window[0]:g} to {window[1]:g} is no range of values", "give the values of black and of white"
            )
    if request.point is not None and not np.isfinite(request.point).all():
        raise ParameterError("the point of the views is not finite", "give x, y and z in LPS mm")
    return limits_with(request.limits)


def _read(request: ReportRequest) -> tuple[Pair, dict[str, Any] | None]:
    run = _read_run(request.run_report)
    fixed, moving = (read_volume(getattr(request, side), f"{side} image") for side in ("fixed", "moving"))
    for image, side in ((fixed, "fixed"), (moving, "moving")):
        check_intensities(image, f"{side} image", getattr(request, side))
    pair = Pair(fixed, moving, read_transform(request.transform))
    if request.inverse:
        pair.inverse = read_transform(request.inverse, "inverse transform")
    if request.fixed_landmarks:
        pair.landmarks = _read_pairs(request, pair)
    if request.fixed_labels:
        pair.labels = read_labels(request.fixed_labels, "fixed labels"), read_labels(request.moving_labels, "moving labels")
        shared_labels(*pair.labels)
    if isinstance(request.label_names, dict):
        pair.label_names = {int(number): str(name) for number, name in request.label_names.items()}
    elif request.label_names:
        pair.label_names = read_label_names(request.label_names)
    if request.mask:
        pair.mask, note = read_mask(request.mask, ImageGrid.of(fixed))
        pair.notes += [note] if note else []
    return pair, run


def _read_pairs(request: ReportRequest, pair: Pair) -> tuple[PointSet, PointSet]:
    pairs = read_pairs(request.fixed_landmarks, request.moving_landmarks)
    for points, image, side in zip(pairs, (pair.fixed, pair.moving), ("fixed", "moving")):
        outside = int((~ImageGrid.of(image).contains(points.positions)).sum())
        if outside == len(points):
            advice = "check that they belong to it and are in LPS mm (CSV) or say their frame (.mrk.json, .fcsv)"
            raise InputError(f"none of the {len(points)} {side} landmarks lies in the {side} image", advice)
        if outside:
            pair.notes.append(f"{outside} of {len(points)} {side} landmarks lie outside the {side} image")
    return pairs


def _read_run(run: str | dict[str, Any] | None) -> dict[str, Any] | None:
    if run is None or isinstance(run, dict):
        return run
    try:
        content = json.loads(Path(run).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"the run's report {run} does not exist", "check the path") from error
    except (OSError, ValueError) as error:
        raise InputError(f"the run's report {run} is not JSON", "give what register wrote with --report") from error
    if not isinstance(content, dict) or "method" not in content or "parameters" not in content:
        raise InputError(f"{run} is not the report of a registration", "give what register wrote with --report")
    return content


def _views(request: ReportRequest, pair: Pair, run: dict[str, Any] | None) -> tuple[Views, dict[str, Any]]:
    """How pictures are drawn, and where: "point_lps", "why" there, "before" in words, lengths of the colours."""
    grid = ImageGrid.of(pair.fixed)
    chosen = grey_windows(pair.fixed, pair.moving)
    windows = tuple(tuple(given) if given else own for given, own in zip((request.fixed_window, request.moving_window), chosen))
    coarse = coarse_view(pair.fixed, pair.moving, pair.transform, windows)
    linear, deformation = linear_part(coarse, pair.transform)
    before, how = None, "as the images lie in space"
    alignment = _alignment(run)
    if coarse.before < _LEAST_COMMON and alignment is not None:
        before, how = alignment, "after the alignment, as the images hardly meet as they lie in space"
    elif coarse.before < _LEAST_COMMON:
        pair.notes.append("as they lie in space the images hardly meet: the pictures before show next to nothing")
    if request.point is not None:
        point, why = np.array(request.point, dtype=np.float64), "as asked for"
        if not grid.contains(point[None])[0]:
            pair.notes.append("the point that was asked for lies outside the fixed image: the views are at the nearest of its voxels")
    else:
        point, why = point_of_interest(coarse, deformation, pair.mask)
    longest = max(float(np.percentile(np.linalg.norm(deformation, axis=1), 99)), LEAST)
    views = Views(windows, before, linear, longest, grid_spacing(grid), coarse.alike)
    where = {
        "point_lps": point.tolist(),
        "why": why,
        "before": how,
        "longest_mm": longest,
        "grid_mm": views.spacing,
        "windows": [list(window) for window in windows],
        "alike": coarse.alike,
    }
    return views, where


def _alignment(run: dict[str, Any] | None) -> sitk.Transform | None:
    """The linear transform before the deformation, from the run's report."""
    alignment = (run or {}).get("alignment")
    matrix = np.array(alignment.get("matrix") if isinstance(alignment, dict) and alignment.get("matrix") else [], dtype=np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:3, :3])) < 1e-6:
        return None
    affine = sitk.AffineTransform(3)
    affine.SetMatrix(matrix[:3, :3].ravel().tolist())
    affine.SetTranslation(matrix[:3, 3].tolist())
    return affine


def _content(
    request: ReportRequest, pair: Pair, run: dict[str, Any] | None, measured: Measured, ratings: list[dict], where: dict[str, Any]
) -> dict[str, Any]:
    """What the report says, as plain data."""
    described, odd = described_run(run, pair.fixed) if run is not None else (None, [])
    modalities = [getattr(request, f"{side}_modality") or _modality(run, side) for side in ("fixed", "moving")]
    content: dict[str, Any] = {
        "format": FORMAT,
        "title": request.title,
        "created": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "versions": versions(request.application),
        "inputs": {
            "fixed": described_image(pair.fixed, request.fixed_name or base_name(request.fixed), modalities[0]),
            "moving": described_image(pair.moving, request.moving_name or base_name(request.moving), modalities[1]),
            "transform": described_transform(pair.transform, request.transform_name or base_name(request.transform)),
            "with": [
                what
                for what, there in (
                    ("landmarks", pair.landmarks),
                    ("labels", pair.labels),
                    ("mask", pair.mask),
                    ("inverse transform", pair.inverse),
                )
                if there is not None
            ],
        },
        "run": described,
        "ratings": ratings,
        "limits_source": SOURCE,
        "figures": measured.figures,
        "views": where,
        "notes": [without_paths(note, request.inputs()) for note in (*request.remarks, *pair.notes, *odd)],
    }
    content = plain(content)
    words = private_words(request.private)
    for part in ("title", "inputs", "run", "figures", "notes"):  # what may hold names that users gave
        content[part] = hidden(content[part], words)
    if request.patient:
        content["patient"] = request.patient
    return content


def _modality(run: dict[str, Any] | None, side: str) -> str:
    """As the run was told."""
    parameters = (run or {}).get("parameters")
    told = parameters.get(f"{side}_modality", "") if isinstance(parameters, dict) else ""
    return str(told).upper() if told and told != "auto" else ""


def _page(
    pair: Pair, measured: Measured, views: Views, where: dict[str, Any], content: dict[str, Any], progress: Callable[[float], None]
) -> str:
    """The page, its pictures as fine as its size allows."""
    text = ""
    for pixels in _PIXELS:
        found: list[tuple[Plane, dict[str, str]]] = []
        for number, plane in enumerate(planes(ImageGrid.of(pair.fixed), np.array(where["point_lps"]), pixels)):
            progress(number / 3.0)
            found.append((plane, {name: data_uri(picture) for name, picture in draw(pair, measured, plane, views).items()}))
        text = page(content, found)
        if len(text.encode("utf-8")) <= _LARGEST:
            break
    return text


def default_names(output: str | os.PathLike) -> tuple[str, str]:
    """Names of the files of figures that go with a page."""
    stem = Path(output).with_suffix("")
    return f"{stem}_figures.json", f"{stem}_figures.csv"
