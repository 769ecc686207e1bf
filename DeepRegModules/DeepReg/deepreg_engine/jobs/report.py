"""The report of a registration from files: a page, and its figures as JSON and CSV."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from deepreg_engine.errors import InputError, ParameterError
from deepreg_engine.geometry.beyond import LinearPart, affine_transform, usable
from deepreg_engine.geometry.files import FileGroup
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import read_mask
from deepreg_engine.geometry.transform_files import kept_alignment, read_transform
from deepreg_engine.jobs.outputs import check_outputs, check_suffix
from deepreg_engine.jobs.pair_files import check_pairs, read_image_pair, read_label_pair, read_landmark_pair
from deepreg_engine.jobs.results import FIELD_MAPS
from deepreg_engine.jobs.verdict import evidence_of_pair, mirroring_notes
from deepreg_engine.metrics.overlap import shared_labels
from deepreg_engine.metrics.report import plain, to_json
from deepreg_engine.progress import Progress, no_progress
from deepreg_engine.reporting.about import described_image, described_run, described_transform, versions
from deepreg_engine.reporting.csv_table import as_csv
from deepreg_engine.reporting.figures import Measured, Pair, measure
from deepreg_engine.reporting.grey import Window, grey_windows
from deepreg_engine.reporting.interest import LEAST, coarse_view, deformation_of, point_of_interest
from deepreg_engine.reporting.limits import SOURCE, Limit, limits_with, rate
from deepreg_engine.reporting.page import page
from deepreg_engine.reporting.pictures import Views, draw, grid_spacing
from deepreg_engine.reporting.planes import Plane, planes
from deepreg_engine.reporting.png import data_uri
from deepreg_engine.reporting.private import base_name, hidden, private_words, without_paths
from deepreg_engine.texts import translations
from deepreg_engine.verdict.conclusion import conclude

#: Version of the format of the JSON file.
FORMAT = 1
# Maximal size of the page with its pictures, bytes; pictures of noisy images get fewer pixels.
_LARGEST = 3_600_000
# Pixels along the longest side of a picture, in the order in which they are tried.
_PIXELS = (380, 320, 260, 200)
# If the moving image covers a smaller share of the fixed one than this, the alignment of the run is shown as "before".
_LEAST_COMMON = 0.05
_RUN_REPORT = "give the report that the registration wrote"


@dataclass(frozen=True)
class ReportRequest:
    """The inputs and outputs of a report.

    Args:
        fixed, moving: images.
        transform: maps fixed points to moving points.
        output: the page (.html).
        json, csv: files for its figures.
        inverse: maps moving points to fixed points.
        fixed_landmarks, moving_landmarks: corresponding points.
        fixed_labels, moving_labels: label maps in which the same structure has the same number.
        label_names: file with the names of the labels; or the names, with the numbers as text.
        mask: of the fixed image: the region where the deformation is measured.
        run_report: report of the registration (.json), or its content.
        title: of the page.
        patient: name of the patient that the page shows; "" shows none.
        private: names that are hidden everywhere in the report, such as the patient's.
        fixed_name, moving_name, transform_name: instead of the names of the files.
        fixed_modality, moving_modality: such as CT.
        fixed_window, moving_window: values of black and white; by default they are chosen from the images.
        point: position of the slices, LPS mm; by default the centre of the mask, or the tissue with the largest deformation.
        limits: key of a figure to its limits of green and amber, see :data:`deepreg_engine.reporting.limits.LIMITS`.
        remarks: further notes for the reader.
        application: the program that requests the report, with its version.
        language: of the page, as in HTML.
        texts: translations of the page's texts into that language: English text to translation, see :mod:`deepreg_engine.texts`. The JSON
            and CSV files are in English.
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
    language: str = "en"
    texts: dict[str, str] = field(default_factory=dict)

    def inputs(self) -> list[str]:
        """Return the paths of all files that are read."""
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
    """Measure a registration, draw the pictures, and write all outputs together; returns the content of the JSON file.

    Raises:
        EngineError: if an input or output cannot be used; then nothing is written.
    """
    limits = _check(request)
    progress(0.02, "reading the images")
    pair, run = _read(request)
    progress(0.2, "measuring")
    measured = measure(pair, {name: compute for name, compute in FIELD_MAPS.items() if name != "jacobian"})  # it has its own figures
    if run is None:
        pair.notes += mirroring_notes((pair.fixed, pair.moving), measured.split.linear)
    progress(0.6, "drawing the pictures")
    views, where = _views(request, pair, measured.split.linear)
    ratings = rate(measured.figures, limits)
    known = None if pair.alignment is None else affine_transform(pair.alignment)
    images, linear, whole = (pair.fixed, pair.moving), bool(pair.transform.IsLinear()), measured.split.field
    evidence = evidence_of_pair(images, whole, measured.figures, run, known, linear, ratings, pair.notes)
    content = _content(request, pair, run, measured, conclude(evidence), ratings, where)
    text = _page(request, pair, measured, views, content, lambda share: progress(0.6 + 0.35 * share, "drawing the pictures"))
    progress(0.97, "writing the report")
    with FileGroup() as files:
        files.add_text(request.output, text)
        if request.json:
            files.add_text(request.json, to_json(content))
        if request.csv:
            files.add_text(request.csv, as_csv(content))
    return content


def _check(request: ReportRequest) -> tuple[Limit, ...]:
    """Check what can be checked without reading an image; returns the limits."""
    check_suffix("output", request.output, (".html", ".htm"))
    check_suffix("json", request.json, (".json",))
    check_suffix("csv", request.csv, (".csv",))
    check_outputs({"output": request.output, "json": request.json, "csv": request.csv}, request.inputs())
    check_pairs(landmarks=(request.fixed_landmarks, request.moving_landmarks), labels=(request.fixed_labels, request.moving_labels))
    for name in ("fixed_window", "moving_window"):
        window = getattr(request, name)
        if window is not None and not (np.isfinite(window).all() and window[0] < window[1]):
            raise ParameterError(
                f"{window[0]:g} to {window[1]:g} is not a range of grey values", "give the values of black and white", name
            )
    if request.point is not None and not np.isfinite(request.point).all():
        raise ParameterError("the position of the slices is not finite", "give x, y and z in LPS mm", "point")
    return limits_with(request.limits)


def _read(request: ReportRequest) -> tuple[Pair, dict[str, Any] | None]:
    run = _read_run(request.run_report)
    notes: list[str] = []
    (fixed, moving), checked = read_image_pair(request.fixed, request.moving, notes)
    pair = Pair(fixed, moving, read_transform(request.transform, notes=notes))
    pair.notes += notes
    known = _alignment(run)
    pair.alignment = kept_alignment(request.transform) if known is None else known
    if request.inverse:
        pair.inverse = read_transform(request.inverse, "inverse transform", pair.notes)
    pair.landmarks = read_landmark_pair(request.fixed_landmarks, request.moving_landmarks, pair.notes, checked)
    names = request.label_names
    file = names if isinstance(names, str) else None
    pair.labels, pair.label_names = read_label_pair(request.fixed_labels, request.moving_labels, file, pair.notes)
    if pair.labels:
        shared_labels(*pair.labels)
    if isinstance(names, dict):
        pair.label_names = {int(number): str(name) for number, name in names.items()}
    if request.mask:
        pair.mask, note = read_mask(request.mask, ImageGrid.of(fixed))
        pair.notes += [note] if note else []
    return pair, run


def _read_run(run: str | dict[str, Any] | None) -> dict[str, Any] | None:
    if run is None or isinstance(run, dict):
        return run
    try:
        content = json.loads(Path(run).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"the report of the run, {run}, does not exist", "check the path", "run_report") from error
    except (OSError, ValueError) as error:
        raise InputError(f"the report of the run, {run}, is not JSON", _RUN_REPORT, "run_report") from error
    if not isinstance(content, dict) or "method" not in content or "parameters" not in content:
        raise InputError(f"{run} is not the report of a registration", _RUN_REPORT, "run_report")
    return content


def _views(request: ReportRequest, pair: Pair, linear: LinearPart) -> tuple[Views, dict[str, Any]]:
    """Return the settings of the pictures, and their description: "point_lps", "why", "before", "longest_mm", "grid_mm", "windows",
    "alike"."""
    grid = ImageGrid.of(pair.fixed)
    chosen = grey_windows(pair.fixed, pair.moving)
    windows = (_window(request.fixed_window) or chosen[0], _window(request.moving_window) or chosen[1])
    coarse = coarse_view(pair.fixed, pair.moving, pair.transform, windows)
    deformation = deformation_of(coarse, pair.transform, linear)
    before, how = None, "the images without registration"
    if coarse.before < _LEAST_COMMON:
        before, how = linear.to_transform(), "the images after the alignment, because without it they hardly overlap"
    if request.point is not None:
        point, why = np.array(request.point, dtype=np.float64), "as requested"
        if not grid.contains(point[None])[0]:
            pair.notes.append("the requested position lies outside the fixed image: the slices go through its nearest voxel")
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


def _window(given: Sequence[float] | None) -> Window | None:
    return (float(given[0]), float(given[1])) if given else None


def _alignment(run: dict[str, Any] | None) -> np.ndarray | None:
    """Return the matrix (4, 4) of the linear alignment, from the report of the run; None if it has none."""
    alignment = (run or {}).get("alignment")
    return usable(alignment.get("matrix")) if isinstance(alignment, dict) else None


def _content(
    request: ReportRequest,
    pair: Pair,
    run: dict[str, Any] | None,
    measured: Measured,
    verdict: dict[str, Any],
    ratings: list[dict],
    where: dict[str, Any],
) -> dict[str, Any]:
    """Return the content of the JSON file."""
    described, odd = described_run(run, pair.fixed, measured.figures.get("displacement")) if run is not None else (None, [])
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
        "verdict": verdict,
        "ratings": ratings,
        "limits_source": SOURCE,
        "figures": measured.figures,
        "views": where,
        "notes": [without_paths(note, request.inputs()) for note in (*request.remarks, *pair.notes, *odd)],
    }
    content = cast("dict[str, Any]", plain(content))
    words = private_words(request.private)
    for part in ("title", "inputs", "run", "verdict", "figures", "notes"):  # may contain names that users gave
        content[part] = hidden(content[part], words)
    if request.patient:
        content["patient"] = request.patient
    return content


def _modality(run: dict[str, Any] | None, side: str) -> str:
    """Return the modality that was given to the run."""
    parameters = (run or {}).get("parameters")
    given = parameters.get(f"{side}_modality", "") if isinstance(parameters, dict) else ""
    return str(given).upper() if given and given != "auto" else ""


def _page(
    request: ReportRequest, pair: Pair, measured: Measured, views: Views, content: dict[str, Any], progress: Callable[[float], None]
) -> str:
    """Return the page, with the finest pictures that its maximal size allows."""
    text, point = "", np.array(content["views"]["point_lps"])
    for pixels in _PIXELS:
        found: list[tuple[Plane, dict[str, str]]] = []
        for number, plane in enumerate(planes(ImageGrid.of(pair.fixed), point, pixels)):
            progress(number / 3.0)
            found.append((plane, {name: data_uri(picture) for name, picture in draw(pair, measured, plane, views).items()}))
        with translations(request.texts):
            text = page(content, found, request.language)
        if len(text.encode("utf-8")) <= _LARGEST:
            break
    return text
