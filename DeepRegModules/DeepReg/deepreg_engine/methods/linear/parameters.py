"""Parameters of the Linear method. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from deepreg_engine.methods.common.parameters import LINEAR_KINDS, Parameters, parameter

#: The start that is searched, and those that are given.
SEARCH, STARTS = "search", ("none", "geometry", "mass")


@dataclass(frozen=True)
class LinearParameters(Parameters):
    """Parameters of the Linear method. None is a length, so that they suit images of any size."""

    kind: str = parameter(
        "rigid",
        "what the transform may do: rigid (rotation and shift), similarity (also one scale), affine (also stretches and shears)",
        choices=LINEAR_KINDS,
        group="Alignment",
    )
    initial: str = parameter(
        SEARCH,
        "where the alignment starts: search (several positions and orientations), none (as the images lie in space), geometry (image "
        "centres) or mass (centres of mass)",
        choices=(SEARCH, *STARTS),
        group="Alignment",
    )
    working_voxels: float = parameter(
        1.0,
        "number of voxels of the fixed image on which the result is refined; never finer than the image",
        unit="million",
        minimum=0.01,
        maximum=200.0,
        group="Resolution",
    )
