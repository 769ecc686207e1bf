"""Register two clouds of points, or two images by their keypoints, in files."""

from __future__ import annotations

import csv
import datetime
import io
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk

from deepreg_engine import __version__
from deepreg_engine.errors import InputError
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.files import FileGroup
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import (
    IMAGE_SUFFIXES,
    add_image,
    check_intensities,
    read_labels,
    read_mask,
    read_volume,
    resample,
    warp_intensities,
)
from deepreg_engine.geometry.inversion import invert
from deepreg_engine.geometry.point_clouds import checked_clouds, read_cloud
from deepreg_engine.geometry.points import POINT_SUFFIXES, PointSet, add_points, read_pairs, read_points
from deepreg_engine.geometry.transform_files import WRITABLE_SUFFIXES, add_field
from deepreg_engine.jobs.label_names import read_label_names
from deepreg_engine.jobs.memory import first_import_of_torch, make_room
from deepreg_engine.jobs.outputs import check_outputs, check_suffix
from deepreg_engine.jobs.overview import add_overview, check_matplotlib
from deepreg_engine.methods.points.parameters import PointsParameters
from deepreg_engine.metrics.overlap import shared_labels
from deepreg_engine.models.store import check_features
from deepreg_engine.progress import Progress

if TYPE_CHECKING:  # torch takes seconds to import: that waits until the input is known to be good
    from deepreg_engine.methods.points.register import PointsResult


# The grid of a field without an image: the box around both clouds and this much more, mm.
_MARGIN, _STEP = 20.0, 2.0
# Voxels of such a grid at most.
_VOXELS = 8_000_000
# What Dense looks for after the points, mm: they are right to a few millimetres.
_REFINED_RANGE = 12.0
_CONFIDENT = 0.5


@dataclass(frozen=True)
class PointsRequest:
    """What to register, how, and where the results go.

    Args:
        fixed_points, moving_points: points files, or label maps whose surface or skeleton is taken; else keypoints of the images.
        fixed, moving: images: for keypoints, for the grid of the field, and to be warped. Both or none.
        fixed_mask, moving_mask: where keypoints are looked for.
        source: of points from label maps: "surface" or "skeleton".
        source_spacing: distance of points from label maps, mm.
        thin: the most points of each cloud; 0 takes all.
        parameters: of the method.
        preset: its name, for the report.
        refine: go on with the Dense method on the images, from the result of the points.
        refine_preset: the preset of that.
        test_fixed_landmarks, test_moving_landmarks: corresponding points that only judge the result.
        fixed_labels, moving_labels, label_names: label maps that only judge the result, see ``DenseRequest``.
        transform, inverse, warped, warped_labels, warp_labels, jacobian, overview, report: outputs, see ``DenseRequest``.
        correspondences: CSV of each fixed point, where it goes, its partner, and the confidence.
        fixed_keypoints, moving_keypoints: points files with the points that were registered.
        moved_points: points file with the fixed points where the result takes them.
        warp_points, warped_points: a points file of the fixed side, and the file of where the result takes them.
        device, threads, compress: see ``DenseRequest``.
    """

    fixed_points: str | None = None
    moving_points: str | None = None
    fixed: str | None = None
    moving: str | None = None
    fixed_mask: str | None = None
    moving_mask: str | None = None
    source: str = "surface"
    source_spacing: float = 3.0
    thin: int = 0
    parameters: PointsParameters = field(default_factory=PointsParameters)
    preset: str = ""
    refine: bool = False
    refine_preset: str = "thorax-ct"
    test_fixed_landmarks: str | None = None
    test_moving_landmarks: str | None = None
    fixed_labels: str | None = None
    moving_labels: str | None = None
    label_names: str | None = None
    transform: str | None = None
    inverse: str | None = None
    warped: str | None = None
    warped_labels: str | None = None
    warp_labels: tuple[tuple[str, str], ...] = ()
    jacobian: str | None = None
    correspondences: str | None = None
    fixed_keypoints: str | None = None
    moving_keypoints: str | None = None
    moved_points: str | None = None
    warp_points: str | None = None
    warped_points: str | None = None
    overview: str | None = None
    report: str | None = None
    device: str = "auto"
    threads: int = 0
    compress: bool = True

    def inputs(self) -> list[str | None]:
        """Paths of all files that are read."""
        names = (
            "fixed_points",
            "moving_points",
            "fixed",
            "moving",
            "fixed_mask",
            "moving_mask",
            "test_fixed_landmarks",
            "test_moving_landmarks",
            "fixed_labels",
            "moving_labels",
            "label_names",
            "warp_points",
        )
        return [*(getattr(self, name) for name in names), *(path for path, _ in self.warp_labels)]

    def outputs(self) -> dict[str, str | None]:
        """Paths of all files that are written, by option."""
        names = (
            "transform",
            "inverse",
            "warped",
            "warped_labels",
            "jacobian",
            "correspondences",
            "fixed_keypoints",
            "moving_keypoints",
            "moved_points",
            "warped_points",
            "overview",
            "report",
        )
        options = {f"--{name.replace('_', '-')}": getattr(self, name) for name in names}
        return {**options, **{f"warped labels {number}": path for number, (_, path) in enumerate(self.warp_labels, start=1)}}


@dataclass
class _Inputs:
    """What was read."""

    fixed: sitk.Image | None
    moving: sitk.Image | None
    moving_as_is: sitk.Image | None
    masks: list[sitk.Image | None]
    clouds: list[np.ndarray] | None
    landmarks: tuple[PointSet, PointSet] | None
    labels: tuple[sitk.Image, sitk.Image] | None
    moving_labels: sitk.Image | None
    more_labels: list[sitk.Image]
    label_names: dict[int, str] | None
    warp_points: PointSet | None
    notes: list[str]


def run_points(request: PointsRequest, progress: Progress) -> dict:
    """Register and write the results; returns the report.

    Args:
        request: what to do.
        progress: called with the share done and the name of the stage; it may raise to stop the run.

    Raises:
        EngineError: whatever is wrong; then nothing was written.
    """
    begun = time.perf_counter()
    _check(request)
    make_room()
    progress(0.0, "reading the points" if request.fixed_points else "reading the images")
    inputs = _read(request)
    with first_import_of_torch():
        import torch

        from deepreg_engine.methods.points.register import register_points

    if request.threads:
        torch.set_num_threads(request.threads)
    clouds = inputs.clouds or _keypoints(request, inputs, progress)
    fixed, moving, initial, notes = checked_clouds(*clouds, request.parameters.initial, request.thin)
    inputs.notes += notes
    _check_place(inputs, fixed, moving)
    parameters = request.parameters.replaced({"initial": initial})
    first, last = (0.05 if inputs.clouds else 0.25), (0.5 if request.refine else 0.9)
    result = register_points(
        fixed, moving, parameters, request.device, lambda share, stage: progress(first + (last - first) * share, stage)
    )
    inputs.notes += result.notes
    progress(last, "displacement field")
    needs_field = any(
        (
            request.transform,
            request.inverse,
            request.warped,
            request.warped_labels,
            request.warp_labels,
            request.jacobian,
            request.overview,
            request.refine,
            inputs.labels,
            request.report,
            inputs.landmarks,
        )
    )
    field = result.field(_grid(inputs, fixed, moving)) if needs_field else None
    refined = None
    if request.refine:
        field, refined = _refined(request, inputs, field, lambda share, stage: progress(last + (0.95 - last) * share, stage))
    progress(0.95, "writing the results")
    return _write(request, inputs, result, (fixed, moving), field, refined, begun)


def _check(request: PointsRequest) -> None:
    """Everything that can be wrong without reading a file's content."""
    for option in ("transform", "inverse"):
        check_suffix(f"--{option}", getattr(request, option), WRITABLE_SUFFIXES)
    for option in ("warped", "warped_labels", "jacobian"):
        check_suffix(f"--{option.replace('_', '-')}", getattr(request, option), IMAGE_SUFFIXES)
    for option in ("fixed_keypoints", "moving_keypoints", "moved_points", "warped_points"):
        check_suffix(f"--{option.replace('_', '-')}", getattr(request, option), POINT_SUFFIXES)
    check_suffix("--correspondences", request.correspondences, (".csv",))
    check_suffix("--overview", request.overview, (".png",))
    check_suffix("--report", request.report, (".json",))
    check_outputs(request.outputs(), request.inputs())
    for one, two in (
        ("fixed_points", "moving_points"),
        ("fixed", "moving"),
        ("test_fixed_landmarks", "test_moving_landmarks"),
        ("warp_points", "warped_points"),
    ):
        given = [name for name in (one, two) if getattr(request, name)]
        if len(given) == 1:
            missing = two if given == [one] else one
            raise InputError(f"--{given[0].replace('_', '-')} needs its partner", f"give --{missing.replace('_', '-')} too")
    if not request.fixed_points and not request.fixed:
        raise InputError("there is nothing to register", "give --fixed-points and --moving-points, or --fixed and --moving images")
    for option in ("warped", "overview", "refine"):
        if getattr(request, option) and not request.fixed:
            raise InputError(f"--{option} needs images", "give --fixed and --moving")
    if (request.fixed_mask or request.moving_mask) and not request.fixed:
        raise InputError("masks belong to images", "give --fixed and --moving, or leave the masks out")
    if bool(request.fixed_labels) and not request.moving_labels:
        raise InputError("--fixed-labels needs its partner", "give --moving-labels too")
    if request.warped_labels and not request.moving_labels:
        raise InputError("--warped-labels needs labels to warp", "give --moving-labels")
    if not any(path for option, path in request.outputs().items() if option != "--report"):
        raise InputError("no result is asked for", "give --transform, --correspondences, or --warp-points with --warped-points")
    if request.overview:
        check_matplotlib()
    check_features(request.parameters.features, "points")
    if request.refine:
        from deepreg_engine.methods.dense.presets import dense_preset

        dense_preset(request.refine_preset)


def _read(request: PointsRequest) -> _Inputs:
    notes: list[str] = []
    fixed = moving = moving_as_is = None
    masks: list[sitk.Image | None] = [None, None]
    if request.fixed:
        fixed = check_intensities(read_volume(request.fixed, "fixed image"), "fixed image", request.fixed)
        moving_as_is = read_volume(request.moving, "moving image")
        moving = check_intensities(moving_as_is, "moving image", request.moving)
        for number, (path, image, role) in enumerate(
            ((request.fixed_mask, fixed, "fixed mask"), (request.moving_mask, moving, "moving mask"))
        ):
            if path:
                masks[number], note = read_mask(path, ImageGrid.of(image), role)
                notes += [note] if note else []
    clouds = None
    if request.fixed_points:
        clouds = [
            read_cloud(path, f"{side} points", request.source, request.source_spacing)
            for path, side in ((request.fixed_points, "fixed"), (request.moving_points, "moving"))
        ]
    landmarks = read_pairs(request.test_fixed_landmarks, request.test_moving_landmarks) if request.test_fixed_landmarks else None
    moving_labels = read_labels(request.moving_labels, "moving labels") if request.moving_labels else None
    labels = (read_labels(request.fixed_labels, "fixed labels"), moving_labels) if request.fixed_labels else None
    if labels:
        shared_labels(*labels)
    more = [read_labels(path, "moving labels") for path, _ in request.warp_labels]
    names = read_label_names(request.label_names) if request.label_names else None
    points = read_points(request.warp_points, "points to warp") if request.warp_points else None
    return _Inputs(fixed, moving, moving_as_is, masks, clouds, landmarks, labels, moving_labels, more, names, points, notes)


def _keypoints(request: PointsRequest, inputs: _Inputs, progress: Progress) -> list[np.ndarray]:
    from deepreg_engine.methods.common.device import choose_device
    from deepreg_engine.methods.points.keypoints import image_keypoints

    device, _ = choose_device(request.device)
    found = []
    for number, (image, side) in enumerate(((inputs.fixed, "fixed"), (inputs.moving, "moving"))):
        progress(0.05 + 0.1 * number, f"keypoints of the {side} image")
        found.append(image_keypoints(image, inputs.masks[number], request.parameters, f"{side} image", device)[0])
        if inputs.masks[number] is None and number == 0:
            inputs.notes.append("keypoints were looked for everywhere; a mask of the organ makes them better")
    return found


def _check_place(inputs: _Inputs, fixed: np.ndarray, moving: np.ndarray) -> None:
    """A look whether the points are where the images are: files in the wrong frame or unit are common."""
    if inputs.fixed is None:
        return
    for points, image, side in ((fixed, inputs.fixed, "fixed"), (moving, inputs.moving, "moving")):
        inside = ImageGrid.of(image).contains(points)
        if not inside.any():
            raise InputError(
                f"none of the {len(points)} {side} points lies in the {side} image",
                "check that they belong to it and are in LPS mm (CSV) or say their frame (.mrk.json, .fcsv)",
            )
        if not inside.all():
            inputs.notes.append(f"{int((~inside).sum())} of {len(points)} {side} points lie outside the {side} image")


def _grid(inputs: _Inputs, fixed: np.ndarray, moving: np.ndarray) -> ImageGrid:
    if inputs.fixed is not None:
        return ImageGrid.of(inputs.fixed)
    both = np.concatenate([fixed, moving])
    low, high = both.min(0) - _MARGIN, both.max(0) + _MARGIN
    return ImageGrid.around(low, high, max(_STEP, float((np.prod(high - low) / _VOXELS) ** (1 / 3))))


def _refined(request: PointsRequest, inputs: _Inputs, field: DisplacementField, progress: Progress) -> tuple[DisplacementField, dict]:
    from deepreg_engine.methods.common.affine import Alignment
    from deepreg_engine.methods.dense.presets import dense_preset
    from deepreg_engine.methods.dense.register import DenseInput, register_dense

    parameters = dense_preset(request.refine_preset).parameters.replaced({"capture_range": _REFINED_RANGE})
    pair = DenseInput(inputs.fixed, inputs.moving, *inputs.masks, None, Alignment(field.to_transform(), "points"))
    result = register_dense(pair, parameters, request.device, progress)
    inputs.notes += result.notes
    return result.field, {
        "preset": request.refine_preset,
        "parameters": parameters.to_dict(),
        "stages": result.stages,
        "seconds": result.seconds,
    }


def _write(
    request: PointsRequest,
    inputs: _Inputs,
    result: PointsResult,
    clouds: tuple[np.ndarray, np.ndarray],
    field: DisplacementField | None,
    refined: dict | None,
    begun: float,
) -> dict:
    """All outputs, or none."""

    def mapped(points: np.ndarray) -> np.ndarray:
        # Beyond the grid the points' own map goes on; the refinement knows the image only.
        if refined is None:
            return result.map_points(points)
        inside = field.grid.contains(points)
        return np.where(inside[:, None], field.map_points(points), result.map_points(points))

    moved = mapped(clouds[0])
    report = _report(request, inputs, result, clouds, field, refined)
    with FileGroup() as files:

        def add(path: str, image: sitk.Image) -> None:
            add_image(files, path, image, request.compress)

        if field is not None:
            grid, transform = field.grid, field.to_transform()
        if request.transform:
            add_field(files, request.transform, field)
        if request.inverse:
            inverse = invert(field, grid if inputs.moving is None else ImageGrid.of(inputs.moving))
            report["inverse"] = {
                "worst_round_trip_mm": inverse.worst_error,
                "mean_round_trip_mm": inverse.mean_error,
                "fixed_voxels_tried_percent": 100.0 * inverse.covered,
            }
            add_field(files, request.inverse, inverse.field)
        if request.warped:
            add(request.warped, warp_intensities(inputs.moving_as_is, grid, transform))
        labels = [(inputs.moving_labels, request.warped_labels)] if request.warped_labels else []
        for image, path in (*labels, *zip(inputs.more_labels, (path for _, path in request.warp_labels))):
            add(path, resample(image, grid, transform, "nearest"))
        if request.jacobian:
            add(request.jacobian, grid.to_image(field.jacobian_determinant()))
        for path, points in ((request.fixed_keypoints, clouds[0]), (request.moving_keypoints, clouds[1]), (request.moved_points, moved)):
            if path:
                add_points(files, path, PointSet(points))
        if request.warped_points:
            add_points(files, request.warped_points, PointSet(mapped(inputs.warp_points.positions), inputs.warp_points.labels))
        if request.correspondences:
            text = _correspondences(clouds, moved, result)
            files.add(request.correspondences, lambda name: Path(name).write_text(text, encoding="utf-8"))
        if request.overview:
            affine = sitk.AffineTransform(3)
            affine.SetMatrix(result.alignment[:3, :3].ravel().tolist())
            affine.SetTranslation(result.alignment[:3, 3].tolist())
            title = f"{Path(request.moving).name} registered to {Path(request.fixed).name}"
            add_overview(files, request.overview, inputs.fixed, inputs.moving, field, affine, title)
        report["seconds"]["total"] = time.perf_counter() - begun
        if request.report:
            from deepreg_engine.metrics.report import to_json

            text_of_report = to_json(report)
            files.add(request.report, lambda name: Path(name).write_text(text_of_report, encoding="utf-8"))
    return report


def _correspondences(clouds: tuple[np.ndarray, np.ndarray], moved: np.ndarray, result: PointsResult) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([f"{part}_{axis}" for part in ("fixed", "moved", "partner") for axis in "xyz"] + ["confidence"])
    rows = np.column_stack([clouds[0], moved, clouds[1][result.partners], result.confidence])
    writer.writerows([[f"{value:.6f}" for value in row[:-1]] + [f"{row[-1]:.4f}"] for row in rows])
    return stream.getvalue()


def _report(
    request: PointsRequest,
    inputs: _Inputs,
    result: PointsResult,
    clouds: tuple[np.ndarray, np.ndarray],
    field: DisplacementField | None,
    refined: dict | None,
) -> dict:
    from deepreg_engine.metrics.report import evaluation_report

    described = {"fixed": (request.fixed, inputs.fixed), "moving": (request.moving, inputs.moving_as_is)}
    files = (
        "fixed_points",
        "moving_points",
        "fixed_mask",
        "moving_mask",
        "test_fixed_landmarks",
        "test_moving_landmarks",
        "fixed_labels",
        "moving_labels",
    )
    partners = clouds[1][result.partners]
    distance = np.linalg.norm(result.moved - partners, axis=1)
    report = {
        "engine": f"deepreg-engine {__version__}",
        "created": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "method": "points",
        "preset": request.preset,
        "parameters": request.parameters.to_dict(),
        "inputs": {
            **{
                name: {"file": str(path), "pixel_type": image.GetPixelIDTypeAsString(), **ImageGrid.of(image).to_dict()}
                for name, (path, image) in described.items()
                if image is not None
            },
            **{name: {"file": str(getattr(request, name))} for name in files if getattr(request, name)},
        },
        "device": result.device,
        "features": result.features,
        "alignment": {"kind": request.parameters.initial, "matrix": result.alignment.tolist()},
        "points": {
            "fixed": len(clouds[0]),
            "moving": len(clouds[1]),
            "confident_share": float((result.confidence > _CONFIDENT).mean()),
            "median_confidence": float(np.median(result.confidence)),
            "median_distance_to_partner_mm": float(np.median(distance)),
            "sigma_mm": result.sigma,
        },
        "stages": result.stages,
        "seconds": dict(result.seconds),
        "notes": list(dict.fromkeys(inputs.notes)),
        "outputs": {option.lstrip("-"): path for option, path in request.outputs().items() if path},
    }
    if refined is not None:
        report["refinement"] = refined
    if field is not None:
        report.update(
            evaluation_report(
                field.to_transform(),
                labels=inputs.labels,
                label_names=inputs.label_names,
                mask=inputs.masks[0],
                field=field,
                landmarks=inputs.landmarks,
            )
        )
    return report
