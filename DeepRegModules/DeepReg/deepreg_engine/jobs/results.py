"""The outputs of a registration, each computed by one function; all of them are written, or none.

A new output needs its slot (:mod:`deepreg_engine.methods.slots`) and one function here, with :func:`output`, or with :func:`field_map` for
a map of the deformation beyond the alignment. Outputs of a single method are computed by the method (``Result.products``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from deepreg_engine.geometry.beyond import SplitField
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.files import FileGroup
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import add_image, warp_intensities, warp_labels
from deepreg_engine.geometry.inversion import invert
from deepreg_engine.geometry.linear_files import add_linear
from deepreg_engine.geometry.points import PointSet, add_points
from deepreg_engine.geometry.transform_files import add_field
from deepreg_engine.jobs.overview import add_overview
from deepreg_engine.jobs.request import Request
from deepreg_engine.methods.base import Inputs, Result, required
from deepreg_engine.methods.common.linear_transforms import as_affine
from deepreg_engine.methods.slots import outputs
from deepreg_engine.metrics.mapping import map_points
from deepreg_engine.reporting.contour_table import structures_csv


@dataclass
class Run:
    """A computed registration.

    Args:
        request: the request.
        inputs: contents of the input files.
        result: of the method.
        report: outputs may add sections.
    """

    request: Request
    inputs: Inputs
    result: Result
    report: dict[str, Any]

    def __post_init__(self) -> None:
        self._transform: sitk.Transform | None = None

    @property
    def field(self) -> DisplacementField:
        """The displacement field, which methods compute whenever an output needs it."""
        return self.result.displacements

    @property
    def transform(self) -> sitk.Transform:
        """The result as a transform: the linear one, or a copy of the displacement field that is made once."""
        if self._transform is None:
            self._transform = self.result.linear or self.field.to_transform()
        return self._transform

    @property
    def split(self) -> SplitField:
        """The displacement field as alignment and deformation beyond it."""
        return required(self.result.split, "displacement field")

    def on_fixed_grid(self, labels: sitk.Image) -> sitk.Image:
        """Return a label map of the moving side on the fixed image's grid, with the names of its segments."""
        return warp_labels(labels, self.field.grid, self.transform)


@dataclass(frozen=True)
class Linear:
    """A linear transform to be written.

    Args:
        transform: of LPS points, mm.
        grid: on which its displacements are written, if the format of the file holds those.
    """

    transform: sitk.AffineTransform
    grid: ImageGrid


_COMPUTED: dict[str, Callable[[Run], Any]] = {}


def output(name: str) -> Callable[[Callable[[Run], Any]], Callable[[Run], Any]]:
    """Return a decorator that registers the function of an output, which returns an image, field, linear transform, points, text, or
    (number, field) pairs."""

    def register(function: Callable[[Run], Any]) -> Callable[[Run], Any]:
        _COMPUTED[name] = function
        return function

    return register


FieldMap = Callable[[DisplacementField], np.ndarray]
#: Outputs that are maps of the deformation beyond the alignment: name to the function that computes them. The evaluation report shows them
#: as well.
FIELD_MAPS: dict[str, FieldMap] = {}


def field_map(name: str) -> Callable[[FieldMap], FieldMap]:
    """Register the function that computes a map (z, y, x) of a deformation, on its grid."""

    def register(function: FieldMap) -> FieldMap:
        FIELD_MAPS[name] = function
        output(name)(lambda run: run.field.grid.to_image(function(run.split.deformation)))
        return function

    return register


@output("transform")
def transform(run: Run) -> DisplacementField | Linear:
    """Return the displacement field, or the linear transform, from fixed to moving points."""
    return run.field if run.result.linear is None else Linear(run.result.linear, run.field.grid)


@output("alignment_transform")
def alignment_transform(run: Run) -> Linear:
    """Return the linear part of the transform, from fixed to moving points."""
    return Linear(run.split.linear.to_transform(), run.field.grid)


@output("deformation")
def deformation(run: Run) -> DisplacementField:
    """Return the deformation beyond the linear part: the transform is the linear part of x + d(x)."""
    return run.split.deformation


@output("inverse")
def inverse(run: Run) -> DisplacementField | Linear:
    """Return the field from moving to fixed points on the moving image's grid; its error is added to the report.

    The inverse of a linear transform is linear and exact.
    """
    moving = run.inputs.moving
    if run.result.linear is not None:
        inverted, corners = as_affine(run.result.linear.GetInverse()), run.field.grid.corners()
        errors = np.linalg.norm(map_points(inverted, map_points(run.result.linear, corners)) - corners, axis=1)
        run.report["inverse"] = _round_trip(float(errors.max()), float(errors.mean()), 1.0)
        return Linear(inverted, run.inputs.grids[1])
    found = invert(run.field, run.field.grid if moving is None else ImageGrid.of(moving))
    run.report["inverse"] = _round_trip(found.worst_error, found.mean_error, found.covered)
    return found.field


def _round_trip(worst: float, mean: float, covered: float) -> dict[str, float]:
    """Return the section of the report on an inverse: errors of round trips, mm, and the share of the fixed voxels that were tried."""
    return {"worst_round_trip_mm": worst, "mean_round_trip_mm": mean, "fixed_voxels_tried_percent": 100.0 * covered}


@output("warped")
def warped(run: Run) -> sitk.Image:
    """Return the moving image, with its own voxel type, on the fixed image's grid."""
    return warp_intensities(required(run.inputs.moving_original, "moving image"), run.field.grid, run.transform)


@output("warped_labels")
def warped_labels(run: Run) -> sitk.Image:
    """Return the moving labels on the fixed image's grid."""
    return run.on_fixed_grid(required(run.inputs.moving_labels, "moving labels"))


@output("structures")
def structures(run: Run) -> str:
    """Return the contour table as CSV text."""
    return structures_csv(run.report["structures"])


@field_map("jacobian")
def jacobian(field: DisplacementField) -> np.ndarray:
    """Return the Jacobian determinant of a deformation at each voxel."""
    return field.jacobian_determinant()


@field_map("magnitude")
def magnitude(field: DisplacementField) -> np.ndarray:
    """Return the length of a deformation at each voxel, mm."""
    return field.lengths()


def write_results(run: Run, finish: Callable[[], str]) -> None:
    """Write all outputs of a run, or none.

    Args:
        run: the registration; outputs add sections to its report.
        finish: returns the report as text; called last.

    Raises:
        OutputError: if an output cannot be written.
    """
    request = run.request
    with FileGroup() as files:
        for each in outputs(request.method.name):
            path = request.path(each.name)
            if not path:
                continue
            if each.kind == "picture":
                _add_overview(files, run, path)
            elif each.kind == "report":
                text = finish()
                files.add(path, lambda name, text=text: Path(name).write_text(text, encoding="utf-8"))
            else:
                computed = run.result.products.get(each.name)
                _add(files, run, each.name, path, _COMPUTED[each.name](run) if computed is None else computed)
        for labels, (_, path) in zip(run.inputs.more_labels, request.warp_labels, strict=True):
            add_image(files, path, run.on_fixed_grid(labels), request.compress)


def _add(files: FileGroup, run: Run, name: str, path: str, value: Any) -> None:
    """Add an output to the files by its type."""
    if isinstance(value, DisplacementField):
        add_field(files, path, value, run.split.linear.matrix if name == "transform" else None)
    elif isinstance(value, Linear):
        add_linear(files, path, value.transform, value.grid)
    elif isinstance(value, PointSet):
        add_points(files, path, value)
    elif isinstance(value, str):
        files.add(path, lambda name: Path(name).write_text(value, encoding="utf-8"))
    elif isinstance(value, list):
        _add_folder(files, run, name, Path(path), value)
    else:
        add_image(files, path, value, run.request.compress)


def _add_folder(files: FileGroup, run: Run, name: str, folder: Path, fields: list[tuple[int, DisplacementField]]) -> None:
    """Add numbered fields, and their files to the report."""
    folder.mkdir(exist_ok=True)
    run.report[name] = []
    for number, kept in fields:
        path = str(folder / f"iteration_{number:04d}.nrrd")
        add_field(files, path, kept)
        run.report[name].append({"iteration": number, "file": path})


def _add_overview(files: FileGroup, run: Run, path: str) -> None:
    inputs, request = run.inputs, run.request
    title = f"{Path(request.path('moving')).name} registered to {Path(request.path('fixed')).name}"
    add_overview(files, path, *inputs.images, run.field, run.result.alignment.transform, title)
