"""The interface of a registration method: its inputs, its result, and its functions. No torch.

Methods are listed in :mod:`deepreg_engine.methods.registry`. Files, checks, alignment, outputs, report, command line, worker and panel are
the same for all methods and are derived from what is declared here and in :mod:`deepreg_engine.methods.slots`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.points import PointPair, PointSet
from deepreg_engine.methods.common.parameters import Parameters
from deepreg_engine.methods.common.presets import Preset
from deepreg_engine.progress import Progress, RunControl

if TYPE_CHECKING:  # panels read the declarations of methods; loading SimpleITK would delay their opening
    import SimpleITK as sitk

    from deepreg_engine.geometry.beyond import SplitField
    from deepreg_engine.geometry.displacement_field import DisplacementField
    from deepreg_engine.methods.common.affine import Alignment
    from deepreg_engine.methods.common.expected_error import ExpectedError

T = TypeVar("T")


def required(value: T | None, name: str) -> T:
    """Return the value.

    Raises:
        ValueError: if it is None; the message has the ``name`` of the missing value.
    """
    if value is None:
        raise ValueError(f"there is no {name}")
    return value


@dataclass
class Inputs:
    """The contents of the input files; None for files that were not given.

    Args:
        fixed, moving: 3D float32 images.
        moving_original: the moving image with its own voxel type.
        fixed_mask, moving_mask: 8-bit masks on the images' grids.
        clouds: fixed and moving points (N, 3), (M, 3), LPS mm.
        guides: corresponding landmarks that guide the registration.
        landmarks: corresponding landmarks that measure its result.
        labels: fixed and moving label map that measure its result.
        moving_labels: label map to be warped.
        more_labels: further label maps to be warped.
        label_names: label value to name.
        initial: transform from fixed to moving points from which the registration starts.
        warp_points: points of the fixed side to be transformed.
        notes: remarks on the inputs for the user.
    """

    fixed: sitk.Image | None = None
    moving: sitk.Image | None = None
    moving_original: sitk.Image | None = None
    fixed_mask: sitk.Image | None = None
    moving_mask: sitk.Image | None = None
    clouds: tuple[np.ndarray, np.ndarray] | None = None
    guides: PointPair | None = None
    landmarks: PointPair | None = None
    labels: tuple[sitk.Image, sitk.Image] | None = None
    moving_labels: sitk.Image | None = None
    more_labels: list[sitk.Image] = dataclass_field(default_factory=list)
    label_names: dict[int, str] | None = None
    initial: sitk.Transform | None = None
    warp_points: PointSet | None = None
    notes: list[str] = dataclass_field(default_factory=list)

    @property
    def images(self) -> tuple[sitk.Image, sitk.Image]:
        """The fixed and the moving image; raises ValueError without images."""
        return required(self.fixed, "fixed image"), required(self.moving, "moving image")

    @property
    def grids(self) -> tuple[ImageGrid, ImageGrid]:
        """The grids of the fixed and of the moving image; raises ValueError without images."""
        fixed, moving = self.images
        return ImageGrid.of(fixed), ImageGrid.of(moving)

    @property
    def known_grids(self) -> tuple[ImageGrid | None, ImageGrid | None]:
        """Grids of the fixed and the moving image; None without the image."""
        fixed, moving = (None if image is None else ImageGrid.of(image) for image in (self.fixed, self.moving))
        return fixed, moving

    @property
    def fixed_side(self) -> ImageGrid | np.ndarray:
        """The grid of the fixed image; without images the fixed points (N, 3), LPS mm. Raises ValueError without either."""
        return required(self.clouds, "fixed image")[0] if self.fixed is None else ImageGrid.of(self.fixed)


@dataclass
class Task:
    """One registration to be computed.

    Args:
        parameters: of the method.
        options: of the method, see :attr:`Method.options`.
        inputs: the contents of the input files.
        outputs: names of the requested outputs.
        device: see ``choose_device``.
        alignment: of the images before the deformation; None for a method without one.
        prepared: what :meth:`Method.prepare` has loaded.
        control: receives previews, and may end the run early; None for a run to the end.
    """

    parameters: Any
    options: Any
    inputs: Inputs
    outputs: frozenset[str]
    device: str = "auto"
    alignment: Alignment | None = None
    prepared: Any = None
    control: RunControl | None = None


@dataclass
class Result:
    """The result of a registration.

    Args:
        field: displacements from fixed to moving points on the fixed image's grid, mm; None if no requested output needs it.
        alignment: the transform before the deformation.
        stages: one entry for each stage of the computation.
        seconds: duration of the parts, and "total".
        notes: remarks for the user.
        device: description of the device.
        features: name of the compared features.
        refinement_features: name of the features of a refinement, if it has its own.
        uncertainty: standard deviation of the displacement in the last search, mm, on the fixed image's grid; None without a search.
        linear: the result itself, from fixed to moving points, where it is linear; None for a deformation.
        expected_error: at each point; None if the method or the run does not determine it.
        map_points: maps fixed points (N, 3), LPS mm, to moving points, where the method has a map beyond the field.
        details: sections of the report that only this method has.
        products: outputs that only this method has: name of the slot to an image, points, text, or (number, field) pairs.
        stopped: what was done last in a run that was ended early by its caller; "" for a run to the end.
    """

    field: DisplacementField | None
    alignment: Alignment
    stages: list[dict]
    seconds: dict[str, float]
    notes: list[str]
    device: str
    features: str
    refinement_features: str = ""
    uncertainty: sitk.Image | None = None
    linear: sitk.AffineTransform | None = None
    expected_error: ExpectedError | None = None
    map_points: Callable[[np.ndarray], np.ndarray] | None = None
    details: dict[str, Any] = dataclass_field(default_factory=dict)
    products: dict[str, Any] = dataclass_field(default_factory=dict)
    stopped: str = ""
    _split: SplitField | None = dataclass_field(default=None, init=False, repr=False)

    @property
    def displacements(self) -> DisplacementField:
        """The field; raises ValueError if it was not computed."""
        return required(self.field, "displacement field")

    @property
    def split(self) -> SplitField | None:
        """The field with the alignment and the deformation beyond it, made once for each field; None without a field."""
        if self.field is None:
            return None
        if self._split is None or self._split.field is not self.field:
            from deepreg_engine.geometry.beyond import SplitField
            from deepreg_engine.geometry.composition import linear_matrix

            self._split = SplitField.of(self.field, linear_matrix(self.alignment.transform))
        return self._split


@dataclass(frozen=True)
class NoOptions(Parameters):
    """Options of a method that has none."""


class Method(Protocol):
    """A registration method.

    Attributes:
        name: on the command line and in files.
        title: in panels.
        summary: one line for the list of methods.
        parameters: class of its parameters.
        options: class of further settings of a run that are not part of a preset, such as the number of iterations to keep.
        presets: named sets of parameters.
        default_preset: name of the preset that is used by default.
        shortcuts: parameters with an option of their own on the command line.
        aligns: whether images are aligned before the deformation.
    """

    name: str
    title: str
    summary: str
    parameters: type[Parameters]
    options: type[Parameters]
    presets: tuple[Preset, ...]
    default_preset: str
    shortcuts: tuple[str, ...]
    aligns: bool

    def check(self, files: Mapping[str, str], parameters: Any, options: Any) -> None:
        """Check the request without reading a file.

        Args:
            files: name of a slot to path.
            parameters, options: of the method.

        Raises:
            EngineError: on the first error.
        """
        ...

    def fitted(self, parameters: Any, fixed: ImageGrid | np.ndarray) -> tuple[Any, list[str]]:
        """Return the parameters as they are used for a fixed image or fixed points, for the report; and notes on what was changed.

        Args:
            parameters: of the method.
            fixed: grid of the image, or points (N, 3), LPS mm.
        """
        return parameters, []

    def memory(self, fixed: ImageGrid, moving: ImageGrid, parameters: Any) -> float:
        """Return the estimated peak memory of a registration of images on these grids, bytes."""
        ...

    def align(self, inputs: Inputs, parameters: Any) -> Alignment:
        """Align the images before the deformation; only methods that align them have it.

        Args:
            inputs: the images, their masks, and the transform to start from.
            parameters: of the method.

        Raises:
            InputError: if the images or the transform cannot be used.
        """
        ...

    def prepare(self, task: Task) -> None:
        """Load the features and check the memory; the alignment may be computed at the same time on another thread.

        Raises:
            DeviceError, InputError, NotEnoughMemoryError, ParameterError: if device, features or memory are missing.
        """
        ...

    def register(self, task: Task, progress: Progress) -> Result:
        """Compute the registration; ``progress`` receives the share of the whole run.

        Raises:
            EngineError: if it cannot be computed.
        """
        ...
