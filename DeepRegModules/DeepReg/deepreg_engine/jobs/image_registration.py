"""Register two images in files: what is the same for every method of images.

A method is a subclass of :class:`ImageMethod`; its request is one of :class:`ImageRequest`.
"""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import psutil
import SimpleITK as sitk

from deepreg_engine import __version__
from deepreg_engine.errors import InputError
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
from deepreg_engine.geometry.points import PointSet, read_pairs
from deepreg_engine.geometry.transform_files import WRITABLE_SUFFIXES, add_field, read_transform
from deepreg_engine.jobs.label_names import read_label_names
from deepreg_engine.jobs.memory import first_import_of_torch, kept_memory
from deepreg_engine.jobs.outputs import check_outputs, check_suffix
from deepreg_engine.jobs.overview import add_overview, check_matplotlib
from deepreg_engine.methods.common.affine import Alignment, align
from deepreg_engine.methods.common.parameters import INITIALS
from deepreg_engine.metrics.overlap import shared_labels
from deepreg_engine.models.store import check_features
from deepreg_engine.progress import Progress

if TYPE_CHECKING:  # torch takes seconds to import: that waits until the input is known to be good
    from deepreg_engine.methods.common.registration import ImagePair, Result


# Below this change of volume a linear transform is no alignment but a damaged file.
_FLAT = 1e-6


@dataclass(frozen=True)
class ImageRequest:
    """What to register, how, and where the results go.

    Args:
        fixed, moving: images.
        transform: displacement field to write, or None.
        parameters: of the method; their ``initial`` is ignored if ``initial`` here names a file.
        preset: its name, for the report.
        initial: one of the parameters' choices, or a file with a transform from fixed to moving points.
        fixed_mask, moving_mask: where to look.
        test_fixed_landmarks, test_moving_landmarks: corresponding points that only judge it.
        fixed_labels, moving_labels: label maps that only judge it.
        label_names: JSON with the names of the labels.
        inverse: field from moving to fixed, to write.
        warped, warped_labels: moving image and labels on the fixed grid, to write.
        jacobian: map on the fixed grid, to write.
        warp_labels: further label maps of the moving side, each with the file on the fixed grid to write.
        overview: a picture (.png) of before, after, grid and difference, to write.
        report: JSON, to write.
        device: see ``choose_device``.
        threads: of the CPU; 0 leaves it to torch.
        compress: images that are written; a program that reads them at once waits less without.
    """

    #: Fields that name files to read, beside the images, and files to write.
    INPUTS: ClassVar[tuple[str, ...]] = (
        "fixed_mask",
        "moving_mask",
        "fixed_labels",
        "moving_labels",
        "label_names",
        "test_fixed_landmarks",
        "test_moving_landmarks",
    )
    OUTPUTS: ClassVar[tuple[str, ...]] = ("transform", "inverse", "warped", "warped_labels", "jacobian", "overview", "report")
    #: Fields that make sense only together.
    PARTNERS: ClassVar[tuple[tuple[str, str], ...]] = (("test_fixed_landmarks", "test_moving_landmarks"), ("fixed_labels", "moving_labels"))

    fixed: str
    moving: str
    transform: str | None = None
    parameters: Any = None
    preset: str = ""
    initial: str = ""
    fixed_mask: str | None = None
    moving_mask: str | None = None
    test_fixed_landmarks: str | None = None
    test_moving_landmarks: str | None = None
    fixed_labels: str | None = None
    moving_labels: str | None = None
    label_names: str | None = None
    inverse: str | None = None
    warped: str | None = None
    warped_labels: str | None = None
    warp_labels: tuple[tuple[str, str], ...] = ()
    jacobian: str | None = None
    overview: str | None = None
    report: str | None = None
    device: str = "auto"
    threads: int = 0
    compress: bool = True

    def inputs(self) -> list[str | None]:
        """Paths of all files that are read."""
        initial = None if self.initial in (*INITIALS, "") else self.initial
        others = (getattr(self, name) for name in self.INPUTS)
        return [self.fixed, self.moving, initial, *others, *(path for path, _ in self.warp_labels)]

    def outputs(self) -> dict[str, str | None]:
        """Paths of all files that are written, by option."""
        options = {f"--{name.replace('_', '-')}": getattr(self, name) for name in self.OUTPUTS}
        return {**options, **{f"warped labels {number}": path for number, (_, path) in enumerate(self.warp_labels, start=1)}}


class ImageMethod:
    """What a method adds to the frame of a registration."""

    #: Name of the method, for the report.
    name = ""
    #: Options of outputs of the method that are no images.
    not_images: tuple[str, ...] = ()

    def check(self, request: ImageRequest) -> None:
        """Refuse what is wrong without reading an image."""

    def check_room(self, request: ImageRequest, inputs: Inputs) -> None:
        """Refuse what is missing, device, features or memory, before the alignment has taken its time."""
        raise NotImplementedError

    def register(self, request: ImageRequest, pair: ImagePair, tell: Progress) -> Result:
        """Register the images."""
        raise NotImplementedError

    def report(self, request: ImageRequest, result: Result) -> dict:
        """What the report says beyond what every method's says."""
        return {}

    def write(self, request: ImageRequest, inputs: Inputs, result: Result, files: FileGroup, report: dict) -> None:
        """Add the method's own files, and what the report says of them."""


@dataclass
class Inputs:
    """What was read."""

    fixed: sitk.Image
    moving: sitk.Image
    moving_as_is: sitk.Image
    fixed_mask: sitk.Image | None
    moving_mask: sitk.Image | None
    guides: tuple[PointSet, PointSet] | None
    landmarks: tuple[PointSet, PointSet] | None
    labels: tuple[sitk.Image, sitk.Image] | None
    moving_labels: sitk.Image | None
    more_labels: list[sitk.Image]
    label_names: dict[int, str] | None
    given: sitk.Transform | None
    notes: list[str]


def run_image_registration(method: ImageMethod, request: ImageRequest, progress: Progress) -> dict:
    """Register, write all outputs together, and return the report.

    Raises:
        EngineError: whatever is wrong; then nothing was written.
    """
    begun = time.perf_counter()
    _check(method, request)
    with kept_memory():
        progress(0.0, "reading the images")
        inputs = _read(request)
        result = _compute(method, request, inputs, progress)
        progress(0.99, "writing the results")
        return _write(method, request, inputs, result, begun)


def _check(method: ImageMethod, request: ImageRequest) -> None:
    """Everything that can be wrong without reading an image."""
    check_suffix("--transform", request.transform, WRITABLE_SUFFIXES)
    check_suffix("--inverse", request.inverse, WRITABLE_SUFFIXES)
    for option, path in request.outputs().items():
        if option not in ("--transform", "--inverse", "--overview", "--report", *method.not_images):
            check_suffix(option, path, IMAGE_SUFFIXES)
    check_suffix("--overview", request.overview, (".png",))
    check_suffix("--report", request.report, (".json",))
    check_outputs(request.outputs(), request.inputs())
    if request.overview:
        check_matplotlib()
    for first, second in request.PARTNERS:
        given = [name for name in (first, second) if getattr(request, name)]
        alone = first == "fixed_labels" and given == [second] and request.warped_labels
        if len(given) == 1 and not alone:
            missing = second if given == [first] else first
            raise InputError(f"--{given[0].replace('_', '-')} needs its partner", f"give --{missing.replace('_', '-')} too")
    if request.warped_labels and not request.moving_labels:
        raise InputError("--warped-labels needs labels to warp", "give --moving-labels")
    method.check(request)
    check_features(request.parameters.features)


def _read(request: ImageRequest) -> Inputs:
    notes: list[str] = []
    fixed = check_intensities(read_volume(request.fixed, "fixed image"), "fixed image", request.fixed)
    moving_as_is = read_volume(request.moving, "moving image")
    moving = check_intensities(moving_as_is, "moving image", request.moving)
    masks = []
    for path, image, role in ((request.fixed_mask, fixed, "fixed mask"), (request.moving_mask, moving, "moving mask")):
        mask, note = read_mask(path, ImageGrid.of(image), role) if path else (None, "")
        masks.append(mask)
        notes += [note] if note else []
    guiding = (getattr(request, f"{side}_landmarks", None) for side in ("fixed", "moving"))
    guides = _read_pairs(*guiding, fixed, moving, "guiding", notes)
    landmarks = _read_pairs(request.test_fixed_landmarks, request.test_moving_landmarks, fixed, moving, "test", notes)
    moving_labels = read_labels(request.moving_labels, "moving labels") if request.moving_labels else None
    labels = (read_labels(request.fixed_labels, "fixed labels"), moving_labels) if request.fixed_labels else None
    if labels:
        shared_labels(*labels)  # now, not after a run that they were to judge
    more = [read_labels(path, "moving labels") for path, _ in request.warp_labels]
    names = read_label_names(request.label_names) if request.label_names else None
    given = None
    if request.initial and request.initial not in INITIALS:
        given = read_transform(request.initial, "initial transform")
        if given.IsLinear() and abs(np.linalg.det(np.array(_matrix(given)))) < _FLAT:
            raise InputError(f"the initial transform {request.initial} squeezes all space flat", "compute it again")
    return Inputs(fixed, moving, moving_as_is, masks[0], masks[1], guides, landmarks, labels, moving_labels, more, names, given, notes)


def _read_pairs(
    fixed_path: str | None, moving_path: str | None, fixed: sitk.Image, moving: sitk.Image, kind: str, notes: list[str]
) -> tuple[PointSet, PointSet] | None:
    """Landmark pairs, with a look whether they are where the images are: files in the wrong frame are common."""
    if not (fixed_path and moving_path):
        return None
    pairs = read_pairs(fixed_path, moving_path)
    for points, image, side in zip(pairs, (fixed, moving), ("fixed", "moving")):
        inside = ImageGrid.of(image).contains(points.positions)
        if not inside.any():
            raise InputError(
                f"none of the {len(points)} {kind} {side} landmarks lies in the {side} image",
                "check that they belong to it and are in LPS mm (CSV) or say their frame (.mrk.json, .fcsv)",
            )
        if not inside.all():
            notes.append(f"{int((~inside).sum())} of {len(points)} {kind} {side} landmarks lie outside the {side} image")
    return pairs


class _Background(threading.Thread):
    """A function on another thread; SimpleITK releases the interpreter, so torch can be imported meanwhile.

    If the run ends before it, by Ctrl-C or for want of memory, nobody waits for it. Only the next one does: alignments set
    SimpleITK's number of threads, and two at once would take that from each other.
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
        except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
            self._error = error

    def result(self) -> Alignment:
        """What the function returned, or raises what it raised."""
        while self.is_alive():
            self.join(0.1)  # short waits: Ctrl-C is noticed between them
        if self._error is not None:
            raise self._error
        return self._result


def _compute(method: ImageMethod, request: ImageRequest, inputs: Inputs, progress: Progress) -> Result:
    kind = request.initial if request.initial in INITIALS else request.parameters.initial
    if inputs.given is not None:
        alignment = Alignment(inputs.given, "file")
        name = "the given transform"
    else:
        name = kind
    progress(0.01, f"alignment ({name})")
    begun = time.perf_counter()
    background = None
    if inputs.given is None:
        background = _Background(lambda: align(inputs.fixed, inputs.moving, kind, inputs.fixed_mask, inputs.moving_mask))
        background.start()
    with first_import_of_torch():
        import torch

        from deepreg_engine.methods.common.guides import LandmarkPairs
        from deepreg_engine.methods.common.registration import ImagePair

    if request.threads:
        torch.set_num_threads(request.threads)
    method.check_room(request, inputs)
    if background is not None:
        alignment = background.result()
    seconds = time.perf_counter() - begun
    guides = inputs.guides and LandmarkPairs(*(points.positions for points in inputs.guides))
    pair = ImagePair(inputs.fixed, inputs.moving, inputs.fixed_mask, inputs.moving_mask, guides or None, alignment)

    def tell(share: float, stage: str) -> None:
        if share < 1.0:  # its end is not yet that of the run
            progress(0.1 + 0.88 * share, stage)

    result = method.register(request, pair, tell)
    result.seconds["alignment"] = seconds
    return result


def free_memory(device: str) -> float:
    """Bytes that a registration can have.

    Raises:
        DeviceError: if there is no such device.
    """
    import torch

    from deepreg_engine.methods.common.device import choose_device

    chosen, _ = choose_device(device)
    return float(torch.cuda.mem_get_info()[0] if chosen.type == "cuda" else psutil.virtual_memory().available)


def _write(method: ImageMethod, request: ImageRequest, inputs: Inputs, result: Result, begun: float) -> dict:
    """All outputs, or none."""
    grid = ImageGrid.of(inputs.fixed)
    warps = request.warped or request.warped_labels or request.warp_labels
    transform = result.field.to_transform() if warps else None
    report = _report(method, request, inputs, result)
    with FileGroup() as files:

        def add(path: str, image: sitk.Image) -> None:
            add_image(files, path, image, request.compress)

        if request.transform:
            add_field(files, request.transform, result.field)
        if request.inverse:
            inverse = invert(result.field, ImageGrid.of(inputs.moving))
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
            add(request.jacobian, grid.to_image(result.field.jacobian_determinant()))
        method.write(request, inputs, result, files, report)
        if request.overview:
            title = f"{Path(request.moving).name} registered to {Path(request.fixed).name}"
            add_overview(files, request.overview, inputs.fixed, inputs.moving, result.field, result.alignment.transform, title)
        report["seconds"]["total"] = time.perf_counter() - begun
        if request.report:
            from deepreg_engine.metrics.report import to_json

            text = to_json(report)
            files.add(request.report, lambda name: Path(name).write_text(text, encoding="utf-8"))
    return report


def _report(method: ImageMethod, request: ImageRequest, inputs: Inputs, result: Result) -> dict:
    from deepreg_engine.metrics.report import evaluation_report

    described = {"fixed": (request.fixed, inputs.fixed), "moving": (request.moving, inputs.moving_as_is)}
    report = {
        "engine": f"deepreg-engine {__version__}",
        "created": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "method": method.name,
        "preset": request.preset,
        "parameters": request.parameters.to_dict(),
        "inputs": {
            **{
                name: {"file": str(path), "pixel_type": image.GetPixelIDTypeAsString(), **ImageGrid.of(image).to_dict()}
                for name, (path, image) in described.items()
            },
            **{name: {"file": str(getattr(request, name))} for name in request.INPUTS if getattr(request, name)},
        },
        "device": result.device,
        "features": result.features,
        **({"refinement_features": result.refinement_features} if result.refinement_features else {}),
        "alignment": {
            "kind": result.alignment.kind,
            "matrix": _matrix(result.alignment.transform),
            "file": request.initial if result.alignment.kind == "file" else None,
        },
        "deformation": vars(result.deformation),
        "stages": result.stages,
        "seconds": dict(result.seconds),
        "notes": [*inputs.notes, *result.notes],
        **method.report(request, result),
        "outputs": {option.lstrip("-"): path for option, path in request.outputs().items() if path},
    }
    report.update(
        evaluation_report(
            result.field.to_transform() if inputs.landmarks or inputs.labels else None,  # a copy that nothing else needs
            landmarks=inputs.landmarks,
            labels=inputs.labels,
            label_names=inputs.label_names,
            mask=inputs.fixed_mask,
            field=result.field,
        )
    )
    return report


def _matrix(transform: sitk.Transform) -> list[list[float]] | None:
    """A linear transform of LPS points as 4x4; None for others."""
    if not transform.IsLinear():
        return None
    origin = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    linear = np.stack([np.array(transform.TransformPoint(tuple(axis))) - origin for axis in np.eye(3)], axis=1)
    return [*np.column_stack([linear, origin]).tolist(), [0.0, 0.0, 0.0, 1.0]]
