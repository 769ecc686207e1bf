"""What every registration method offers, and what it gets and returns. No torch.

A method is registered in :mod:`deepreg_engine.methods.registry`; everything that is not special to it (files, checks, alignment, outputs,
report, command line, worker, panel) is the same for all methods and reads what is declared here and in :mod:`deepreg_engine.methods.slots`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import SimpleITK as sitk

from deepreg_engine.geometry.displacement_field import DisplacementField, Statistics
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.points import PointSet
from deepreg_engine.methods.common.affine import Alignment
from deepreg_engine.methods.common.parameters import Parameters
from deepreg_engine.methods.common.presets import Preset
from deepreg_engine.progress import Progress

PointPair = tuple[PointSet, PointSet]


@dataclass
class Inputs:
    """What was read from files; None for what was not given.

    Args:
        fixed, moving: 3D float32 images.
        moving_original: the moving image with its own type of voxels.
        fixed_mask, moving_mask: 8-bit masks on the images' grids.
        clouds: fixed and moving points (N, 3), (M, 3), LPS mm.
        guides: corresponding landmarks that guide the registration.
        landmarks: corresponding landmarks that measure its result.
        labels: label maps that measure its result.
        moving_labels: label map to be warped.
        more_labels: further label maps to be warped.
        label_names: value to name.
        initial: transform from fixed to moving points from which the registration starts.
        warp_points: points of the fixed side to be transformed.
        notes: what the user should know of the inputs.
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
    more_labels: list[sitk.Image] = field(default_factory=list)
    label_names: dict[int, str] | None = None
    initial: sitk.Transform | None = None
    warp_points: PointSet | None = None
    notes: list[str] = field(default_factory=list)


@dataclass
class Task:
    """One registration to be computed.

    Args:
        parameters: of the method.
        options: of the method, see :attr:`Method.options`.
        inputs: what is registered.
        wanted: names of the outputs that are asked for.
        device: see ``choose_device``.
        alignment: of the images before the deformation; None for a method without one.
        prepared: what :meth:`Method.prepare` has loaded.
    """

    parameters: Any
    options: Any
    inputs: Inputs
    wanted: frozenset[str]
    device: str = "auto"
    alignment: Any = None
    prepared: Any = None


@dataclass
class Result:
    """What a registration returns.

    Args:
        field: from fixed to moving, on the fixed image's grid; None if no output needs one.
        deformation: length of what the deformation adds to the alignment, over the fixed image; None if it is not known.
        alignment: what came before the deformation.
        stages: what was done, one entry for each stage.
        seconds: duration of the parts, and "total".
        notes: what the user should know.
        device: where it was computed.
        features: what was compared.
        refinement_features: what a refinement compared, if the method has features of its own for it.
        details: sections of the report that are special to the method.
        products: outputs that are special to the method: name of the slot to an image, points, text, or (number, field) pairs.
        uncertainty: standard deviation of the displacement (mm) by the last search, on the fixed image's grid; None without a search.
        map_points: maps fixed points (N, 3), LPS mm, where the method has a map beyond its field.
    """

    field: DisplacementField | None
    deformation: Statistics | None
    alignment: Alignment
    stages: list[dict]
    seconds: dict[str, float]
    notes: list[str]
    device: str
    features: str
    refinement_features: str = ""
    uncertainty: sitk.Image | None = None
    map_points: Callable[[np.ndarray], np.ndarray] | None = None
    details: dict[str, Any] = field(default_factory=dict)
    products: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class NoOptions(Parameters):
    """Options of a method that has none."""


class Method(Protocol):
    """A registration method.

    Attributes:
        name: as typed.
        title: in panels.
        summary: one line for the list of methods.
        parameters: class of its parameters.
        options: class of what else can be chosen of a run, such as how many iterations are kept; not part of a preset.
        presets: named sets of parameters.
        default_preset: name of the one that is used unless another is asked for.
        shortcuts: parameters with an option of their own on the command line.
        aligns: whether images are aligned before it starts.
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
        """Refuse what is wrong without reading a file.

        Args:
            files: name of a slot to path.
            parameters, options: of the method.

        Raises:
            EngineError: naming what is wrong.
        """
        ...

    def memory(self, fixed: ImageGrid, moving: ImageGrid, parameters: Any) -> float:
        """Bytes that a registration of images on these grids needs at its peak, by estimate."""
        ...

    def prepare(self, task: Task) -> None:
        """Load what the registration needs, and refuse what is missing: device, features or memory.

        Raises:
            DeviceError, InputError, NotEnoughMemoryError, ParameterError: if something is missing.
        """
        ...

    def register(self, task: Task, progress: Progress) -> Result:
        """Compute the registration; ``progress`` gets the share of the whole run.

        Raises:
            EngineError: if it cannot be computed.
        """
        ...
