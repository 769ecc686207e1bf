"""One transform applied to many files of any kind: volumes, dose, segmentations, points, curves and models; all of them, or none.

Images are resampled onto the fixed grid through the transform, which takes fixed to moving points. Points and models of the moving side go
the other way, through its inverse, whose error is reported; those of the fixed side go through the transform itself to the moving side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import InputError, ParameterError, concerning
from deepreg_engine.geometry.beyond import SplitField
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.files import FileGroup, suffix
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import IMAGE_SUFFIXES, INTERPOLATORS, LABEL_SUFFIXES, add_image, read_labels, read_volume
from deepreg_engine.geometry.label_pairs import joined
from deepreg_engine.geometry.model_files import MODEL_SUFFIXES, add_mapped_model
from deepreg_engine.geometry.point_files import add_mapped_points
from deepreg_engine.geometry.points import POINT_SUFFIXES
from deepreg_engine.geometry.segments import lost_names_note, segment_names
from deepreg_engine.geometry.transform_files import field_grid, kept_alignment, read_transform
from deepreg_engine.jobs.apply_images import decided_kind, warped_image
from deepreg_engine.jobs.apply_points import PointMap
from deepreg_engine.jobs.label_names import read_label_names
from deepreg_engine.jobs.outputs import check_outputs, check_suffix
from deepreg_engine.metrics.report import plain, to_json
from deepreg_engine.metrics.structures import structure_table
from deepreg_engine.progress import Progress, no_progress
from deepreg_engine.reporting.contour_table import structures_csv

#: Kinds of files; "" is decided from the ending and the content.
KINDS = ("", "image", "ct", "dose", "labels", "points", "model")
SIDES = ("moving", "fixed")
_ENDINGS = {"points": POINT_SUFFIXES, "model": MODEL_SUFFIXES, "labels": LABEL_SUFFIXES, "": (*LABEL_SUFFIXES,)}


@dataclass(frozen=True)
class Warping:
    """One file to warp.

    Args:
        input, output: paths.
        kind: one of :data:`KINDS`. "ct" has the value of air outside, "dose" 0; "labels" keep their values and names.
        side: "moving", or "fixed" for points and models that go from the fixed to the moving side.
        interpolation: of images: "linear", "nearest" or "cubic"; "" for linear, and nearest of labels.
        background: value outside the image; None for that of the kind.
        names: names of the labels, their numbers as text; by default those of the segments in the file.
    """

    input: str
    output: str
    kind: str = ""
    side: str = "moving"
    interpolation: str = ""
    background: float | None = None
    names: Mapping[str, str] | None = None

    @property
    def has_points(self) -> bool:
        """Whether it is a file of points or a model."""
        return self.kind in ("points", "model") or (not self.kind and suffix(self.input) in (*POINT_SUFFIXES, *MODEL_SUFFIXES))


@dataclass(frozen=True)
class ApplyRequest:
    """A transform and the files to which it is applied.

    Args:
        transform: file, takes fixed points to moving points.
        files: :class:`Warping`, or their fields as dictionaries.
        reference: image whose grid the images get; the transform's own by default.
        inverse: file, takes moving points to fixed points; without it the transform is inverted where it is needed.
        fixed_labels: label map of the fixed side, the partner of the structures.
        label_names: file with the names of the labels; or the names, with the numbers as text.
        alignment: matrix (4, 4) of the transform's linear part, fixed to moving, LPS mm, beyond which shifts of structures are; by default
            that of the file, or the fitted one.
        structures: the contour table to write (.csv).
        report: what is returned, to write (.json).
        compress: whether written images are compressed.
    """

    transform: str
    files: Sequence[Warping | Mapping[str, Any]] = field(default_factory=list)
    reference: str | None = None
    inverse: str | None = None
    fixed_labels: str | None = None
    label_names: str | Mapping[str, str] | None = None
    alignment: Sequence[Sequence[float]] | None = None
    structures: str | None = None
    report: str | None = None
    compress: bool = True

    def warpings(self) -> list[Warping]:
        """Return the files.

        Raises:
            ParameterError: if an entry has an unknown or a missing field.
        """
        known = {each.name for each in fields(Warping)}
        found = []
        for entry in self.files:
            if isinstance(entry, Warping):
                found.append(entry)
                continue
            if not isinstance(entry, Mapping) or not {"input", "output"} <= set(entry) <= known:
                raise ParameterError(
                    f"{entry} does not describe a file to warp",
                    f"give input and output; the fields are {', '.join(sorted(known))}",
                    "files",
                )
            found.append(Warping(**entry))
        return found


def run_apply(request: ApplyRequest, progress: Progress = no_progress) -> dict[str, Any]:
    """Warp all files together.

    Returns:
        "files": for each, in their order, "input", "output", "kind", "side", and of points and models "points", "outside", and of an
        inversion "round_trip_mm" (largest) and "mean_round_trip_mm". "structures": the rows of
        :func:`deepreg_engine.metrics.structures.structure_table`, if there are segmentations. "notes".

    Raises:
        EngineError: if a file cannot be used; then nothing is written.
    """
    warpings = request.warpings()
    _check(request, warpings)
    progress(0.02, "reading the transform")
    return _Application(request, warpings).run(progress)


def _check(request: ApplyRequest, warpings: list[Warping]) -> None:
    """Check the request without reading a file."""
    if not warpings and not request.fixed_labels:
        raise InputError("there is no file to warp", "give at least one", "files")
    for each in warpings:
        _check_warping(each)
    check_suffix("structures", request.structures, (".csv",))
    check_suffix("report", request.report, (".json",))
    written: dict[str, str | None] = {f"file {number}": each.output for number, each in enumerate(warpings, start=1)}
    others = [request.transform, request.reference, request.inverse, request.fixed_labels]
    names = request.label_names if isinstance(request.label_names, str) else None
    check_outputs(
        {**written, "structures": request.structures, "report": request.report}, [*(each.input for each in warpings), *others, names]
    )


def _check_warping(each: Warping) -> None:
    """Check one file to warp, without reading it."""
    for value, choices, what in (
        (each.kind, KINDS, "kind"),
        (each.side, SIDES, "side"),
        (each.interpolation, ("", *INTERPOLATORS), "interpolation"),
    ):
        if value not in choices:
            raise ParameterError(f"there is no {what} {value!r}", f"there are {', '.join(filter(None, choices))}", what)
    if each.has_points:
        if each.interpolation or each.background is not None:
            raise ParameterError("interpolation and background are for images", "leave them out for points", "interpolation")
        kind = each.kind or ("points" if suffix(each.input) in POINT_SUFFIXES else "model")
        check_suffix("output", each.output, _ENDINGS[kind])
        return
    if each.side == "fixed":
        raise ParameterError("images are warped from the moving to the fixed side", "use the inverse as the transform", "side")
    if each.kind == "labels" and each.interpolation not in ("", "nearest"):
        message = f"labels and {each.interpolation} interpolation contradict each other"
        raise ParameterError(message, "use nearest, or leave the interpolation out", "interpolation")
    check_suffix("output", each.output, _ENDINGS.get(each.kind, IMAGE_SUFFIXES))


class _Application:
    """One run: the transform, and what has been found so far."""

    def __init__(self, request: ApplyRequest, warpings: list[Warping]) -> None:
        self._request, self._warpings = request, warpings
        self._notes: list[str] = []
        self._segmentations: list[tuple[sitk.Image, dict[int, str]]] = []
        with concerning("transform"):
            self._transform = read_transform(request.transform, notes=self._notes)
        self._grid = self._fixed_grid()
        with concerning("inverse"):
            inverse = read_transform(request.inverse, "inverse transform", self._notes) if request.inverse else None
        self._points = PointMap(self._transform, inverse, self._grid)

    def run(self, progress: Progress) -> dict[str, Any]:
        found: dict[str, Any] = {"files": []}
        with FileGroup() as files:
            for number, each in enumerate(self._warpings):
                progress(0.05 + 0.8 * number / len(self._warpings), "warping the files")
                with concerning("files"):
                    found["files"].append(self._warp(files, each))
            if self._segmentations or self._request.fixed_labels:
                progress(0.88, "measuring the structures")
                found["structures"] = self._structures()
            found["notes"] = list(dict.fromkeys(self._notes))
            found = dict(plain(found))  # type: ignore[call-overload]
            self._write(files, found)
        return found

    def _write(self, files: FileGroup, found: dict[str, Any]) -> None:
        if self._request.structures:
            if "structures" not in found:
                raise InputError("there is no segmentation for the contour table", "give one, or leave the table out", "structures")
            files.add_text(self._request.structures, structures_csv(found["structures"]))
        if self._request.report:
            files.add_text(self._request.report, to_json(found))

    def _fixed_grid(self) -> ImageGrid | None:
        """Return the grid of the reference image, or the transform's own; None without either."""
        if not self._request.reference:
            return field_grid(self._transform)
        with concerning("reference"):
            return ImageGrid.of(read_volume(self._request.reference, "reference image", self._notes))

    def _needed_grid(self) -> ImageGrid:
        if self._grid is None:
            message = f"the transform {self._request.transform} has no grid of its own"
            raise InputError(message, "give the reference image whose grid to use", "reference")
        return self._grid

    def _warp(self, files: FileGroup, each: Warping) -> dict[str, Any]:
        """Add a warped file to the group; returns its entry in the result."""
        if each.has_points:
            return self._warp_points(files, each)
        grid, names = self._needed_grid(), each.names
        image, kind = self._read(each)
        warped = warped_image(image, kind, grid, self._transform, (each.interpolation, each.background))
        _check_reached(warped, self._transform, image, each.input)
        if kind == "labels":
            named = {int(number): str(name) for number, name in names.items()} if names else segment_names(image)
            self._segmentations.append((image, named))
            note = lost_names_note(image, each.output, "segments")
            self._notes += [note] if note else []
        add_image(files, each.output, warped, self._request.compress)
        return {"input": each.input, "output": each.output, "kind": kind, "side": each.side}

    def _read(self, each: Warping) -> tuple[sitk.Image, str]:
        """Return the image, and its kind."""
        if each.kind == "labels":
            return read_labels(each.input, notes=self._notes), "labels"
        image = read_volume(each.input, notes=self._notes, labels=True)
        kind = each.kind or decided_kind(image)
        if kind == "labels":
            return read_labels(each.input), "labels"
        check_suffix("output", each.output, IMAGE_SUFFIXES)
        return image, kind

    def _warp_points(self, files: FileGroup, each: Warping) -> dict[str, Any]:
        mapping = self._points.measured(each.side)
        model = each.kind == "model" or (not each.kind and suffix(each.input) in MODEL_SUFFIXES)
        add = add_mapped_model if model else add_mapped_points
        count = add(files, each.input, each.output, mapping, self._notes)
        if mapping.outside == count:
            raise InputError(
                f"no point of {each.input} lies in the displacement field", "check that they belong to it and to its coordinate system"
            )
        note = mapping.note(each.input, count)
        self._notes += [note] if note else []
        entry = {"input": each.input, "output": each.output, "kind": "model" if model else "points", "side": each.side}
        return {**entry, "points": count, "outside": mapping.outside, **mapping.errors()}

    # ------------------------------------------------------------- structures

    def _structures(self) -> list[dict[str, Any]]:
        """Return the contour table of all segmentations; if there are several, each row has the number of its segmentation."""
        request = self._request
        names = read_label_names(request.label_names) if isinstance(request.label_names, str) else request.label_names
        given = {int(number): str(name) for number, name in names.items()} if names else None
        fixed = None
        if request.fixed_labels:
            with concerning("fixed_labels"):
                fixed = read_labels(request.fixed_labels, "fixed labels", self._notes)
        grid = self._grid if self._grid is not None else ImageGrid.of(fixed) if fixed is not None else self._needed_grid()
        sampled = DisplacementField.from_transform(self._transform, grid)
        kept = kept_alignment(request.transform) if request.alignment is None else request.alignment
        split = SplitField.of(sampled, kept, self._transform)
        if not self._segmentations and fixed is not None:
            return structure_table(split, None, fixed, given or segment_names(fixed))
        rows: list[dict[str, Any]] = []
        for number, (moving, own) in enumerate(self._segmentations, start=1):
            found = self._table(split, moving, fixed, given or own)
            rows += [{**row, "segmentation": number} for row in found] if len(self._segmentations) > 1 else found
        return rows

    def _table(self, split: SplitField, moving: sitk.Image, fixed: sitk.Image | None, names: dict[int, str]) -> list[dict[str, Any]]:
        if fixed is None:
            return structure_table(split, moving, None, names)
        (first, second), paired = joined(fixed, moving, self._notes)
        return structure_table(split, second, first, {**names, **paired} if paired else names)


def _check_reached(warped: sitk.Image, transform: sitk.Transform, image: sitk.Image, path: str) -> None:
    """Raise InputError if no point of the result lies inside the image, which then belongs to another scan."""
    values = sitk.GetArrayViewFromImage(warped)
    if values.min() != values.max():
        return
    grid = ImageGrid.of(warped)
    points = grid.points().reshape(-1, 3)
    moved = points + np.moveaxis(DisplacementField.from_transform(transform, grid).vectors, 0, -1).reshape(-1, 3)
    if not ImageGrid.of(image).contains(moved).any():
        raise InputError(f"the transform maps no point of the result into the image {path}", "check that they belong together", "image")
