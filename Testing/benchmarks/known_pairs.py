"""Pairs with exact truth, made from one real scan by a known deformation.

The moving image is the scan as it is. The fixed image shows at x what the scan shows at x + u(x), with independent noise, so that no voxel
of one is a copy of a voxel of the other. u is a cubic B-spline field, or the flow of a smooth velocity, over a rotation, a shift and a
stretch; its amplitude is the largest with a Jacobian determinant above a bound, and the shift is chosen so that the mean displacement
over the body has the required value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import background_value, read_image, resample

# Compositions of a velocity's flow with itself.
_SQUARINGS = 5


@dataclass(frozen=True)
class Recipe:
    """Parameters of a pair.

    Args:
        file: the scan, below the data folder.
        preset: of the Dense method that suits it.
        mean: displacement over the body, mm.
        knot_spacing: of the B-spline, mm.
        turn: largest rotation, degrees.
        stretch: largest change of length along an axis.
        least_jacobian: bound of the Jacobian determinant from below.
        body: intensity above which a voxel belongs to the patient.
        noise: standard deviation, in units of intensity.
        moving: another contrast of the same patient on the same grid, which is the moving image; none is the scan itself.
        velocity: whether the deformation is the flow of a smooth random velocity instead of a B-spline.
    """

    file: str
    preset: str
    mean: float
    knot_spacing: float
    turn: float
    stretch: float
    least_jacobian: float
    body: float
    noise: float
    moving: str = ""
    velocity: bool = False


RECIPES = {
    "example_ct": Recipe("abdomen/example_ct.nii.gz", "abdomen-ct", 22.7, 80.0, 6.0, 0.08, 0.5, -300.0, 15.0),
    "chaos_ct": Recipe("abdomen/chaos_ct3_3mm.nii.gz", "abdomen-ct", 15.4, 70.0, 6.0, 0.08, 0.5, -300.0, 15.0),
    "ct-64": Recipe("thorax/ct-64.nrrd", "thorax-ct", 21.4, 80.0, 6.0, 0.08, 0.5, -950.0, 15.0),
    "T1": Recipe("brain/T1.nii.gz", "brain-mr", 6.9, 36.0, 4.0, 0.04, 0.5, 0.12, 0.01),
}
# Two contrasts: the fixed image is the first one, deformed, the moving one the other.
CONTRASTS = {
    "T2 to T1": Recipe("brain/T1.nii.gz", "brain-mr", 9.1, 36.0, 4.0, 0.04, 0.5, 0.12, 0.01, "brain/T2.nii.gz"),
    "FLAIR to T2": Recipe("brain/T2.nii.gz", "brain-mr", 9.4, 36.0, 4.0, 0.04, 0.5, 0.12, 0.01, "brain/FLAIR.nii.gz"),
}
# Further scans, for which no peer was measured.
OTHERS = {
    "TestInput": Recipe("thorax/TestInput.nrrd", "thorax-ct", 28.0, 80.0, 6.0, 0.08, 0.5, -950.0, 15.0),
    "ch2": Recipe("brain/ch2.nii.gz", "brain-mr", 6.9, 36.0, 4.0, 0.04, 0.5, 0.12, 0.01),
}


@dataclass(frozen=True)
class KnownPair:
    """A pair, its truth, and where to measure."""

    name: str
    recipe: Recipe
    fixed: sitk.Image
    moving: sitk.Image
    truth: DisplacementField
    body: np.ndarray

    def before(self) -> float:
        """Mean displacement over the body, mm."""
        return float(self.truth.lengths()[self.body].mean())

    def error(self, field: DisplacementField) -> float:
        """Mean distance over the body between the points to which a field and the truth map a voxel, mm."""
        vectors = field.resampled(self.truth.grid).vectors - self.truth.vectors
        return float(np.sqrt(np.square(vectors.astype(np.float64)).sum(0))[self.body].mean())


def find_scan(data: Path, file: str) -> Path:
    """A scan's file, whatever its ending."""
    path = data / file
    if path.exists():
        return path
    stem = path.name.split(".")[0]
    found = sorted(p for p in path.parent.glob(f"{stem}.*") if not p.name.endswith(".json"))
    if not found:
        raise FileNotFoundError(f"{path} is missing")
    return found[0]


def make_pair(name: str, data: Path, seed: int = 0, oblique: bool = False) -> KnownPair:
    """A pair from a scan in the data folder.

    Args:
        name: a key of :data:`RECIPES`, :data:`CONTRASTS` or :data:`OTHERS`.
        data: the data folder.
        seed: of deformation and noise.
        oblique: fixed image on a turned, anisotropic grid of another size, instead of the scan's.
    """
    recipe = {**RECIPES, **CONTRASTS, **OTHERS}[name]
    scan = read_image(find_scan(data, recipe.file))
    moving = read_image(find_scan(data, recipe.moving)) if recipe.moving else scan
    return pair_of(name, recipe, (scan, moving), seed, oblique)


def pair_of(name: str, recipe: Recipe, scans: tuple[sitk.Image, sitk.Image], seed: int = 0, oblique: bool = False) -> KnownPair:
    """A pair from the scan of which the fixed image is made, and the moving image; other arguments as of :func:`make_pair`."""
    scan, moving = scans
    scale = float(np.percentile(sitk.GetArrayViewFromImage(scan), 99.5)) if recipe.body < 1 and recipe.body > 0 else 1.0
    rng = np.random.default_rng([seed, *name.encode()])
    own = ImageGrid.of(scan)
    grid = _oblique(own, rng) if oblique else own
    inside = _body_points(scan, recipe.body * scale)
    transform = _deformation(own, inside, recipe, rng)
    truth = DisplacementField.from_transform(transform, grid)
    air = background_value(scan)
    clamped = sitk.Clamp(scan, lowerBound=air)
    fixed = resample(clamped, grid, transform, "linear", air)
    noisy = sitk.GetArrayFromImage(fixed) + rng.normal(0.0, recipe.noise * scale, grid.shape).astype(np.float32)
    body = (sitk.GetArrayFromImage(fixed) > recipe.body * scale) & _covered(own, grid, truth)
    return KnownPair(name, recipe, grid.to_image(noisy.astype(np.float32)), moving, truth, body)


def _body_points(scan: sitk.Image, threshold: float) -> np.ndarray:
    index = np.argwhere(sitk.GetArrayViewFromImage(scan) > threshold)[:, ::-1]
    return ImageGrid.of(scan).index_to_physical(index[:: max(1, len(index) // 20000)])


def _covered(own: ImageGrid, grid: ImageGrid, truth: DisplacementField) -> np.ndarray:
    """Fixed voxels whose partner the scan shows."""
    target = grid.points() + np.moveaxis(truth.vectors, 0, -1)
    return own.contains(target.reshape(-1, 3)).reshape(grid.shape)


def _oblique(own: ImageGrid, rng: np.random.Generator) -> ImageGrid:
    """A grid about the same centre, turned about all axes, with thicker slices and a little less field of view."""
    angles = np.radians(rng.uniform(6.0, 14.0, 3) * rng.choice((-1, 1), 3))
    turn = sitk.Euler3DTransform((0.0, 0.0, 0.0), *angles)
    axes = np.array(turn.GetMatrix()).reshape(3, 3) @ own.axes
    spacing = np.array(own.spacing) * (0.9, 1.15, 1.5)
    size = np.round(own.extent * (0.95, 1.0, 0.95) / spacing).astype(int)
    origin = own.centre - axes @ (spacing * (size - 1) / 2)
    return ImageGrid(tuple(size), tuple(spacing), tuple(origin), axes.ravel())


def _deformation(own: ImageGrid, inside: np.ndarray, recipe: Recipe, rng: np.random.Generator) -> sitk.Transform:
    """x -> x + u(x): a linear part after a B-spline; the B-spline's amplitude and the shift are fitted to the recipe."""
    reach = own.padded(np.ceil(0.35 * own.extent.max() / np.array(own.spacing)).astype(int))  # contains the corners of oblique grids too
    flexible = _flow(reach, recipe.knot_spacing, rng) if recipe.velocity else _spline(reach, recipe.knot_spacing, rng)
    angles = np.radians(rng.uniform(-1.0, 1.0, 3) * recipe.turn)
    stretch = np.diag(1.0 + rng.uniform(-1.0, 1.0, 3) * recipe.stretch)
    linear = sitk.AffineTransform(3)
    linear.SetCenter(own.centre.tolist())
    linear.SetMatrix((np.array(sitk.Euler3DTransform((0, 0, 0), *angles).GetMatrix()).reshape(3, 3) @ stretch).ravel().tolist())
    heading = rng.normal(0.0, 1.0, 3)
    heading /= np.linalg.norm(heading)
    coarse = own.resampled(float(np.prod(own.extent) / 40_000) ** (1 / 3))

    def made(amplitude: float, shift: float) -> sitk.Transform:
        linear.SetTranslation((shift * heading).tolist())
        return sitk.CompositeTransform([sitk.Transform(linear), flexible(amplitude)])

    amplitude = 1.6 * recipe.mean  # upper limit; reduced where it would compress too much
    while True:
        field = DisplacementField.from_transform(made(amplitude, 0.0), coarse)
        if field.jacobian_determinant().min() >= recipe.least_jacobian and _mean(made(amplitude, 0.0), inside) <= recipe.mean:
            break
        amplitude *= 0.96
        if amplitude < 1e-3 * recipe.mean:
            raise ValueError(f"rotation and stretch alone exceed a mean displacement of {recipe.mean:.3g} mm")
    low, high = 0.0, 3.0 * recipe.mean  # the shift gives the remaining displacement
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _mean(made(amplitude, middle), inside) < recipe.mean else (low, middle)
    return made(amplitude, low)


def _spline(reach: ImageGrid, knot_spacing: float, rng: np.random.Generator) -> Callable[[float], sitk.Transform]:
    """A function that returns a random cubic B-spline of an amplitude, mm."""
    mesh = [max(2, round(float(length) / knot_spacing)) for length in reach.extent]
    spline = sitk.BSplineTransformInitializer(reach.to_image(np.zeros(reach.shape, dtype=np.uint8)), mesh, 3)
    coefficients = rng.normal(0.0, 1.0, len(spline.GetParameters()))

    def made(amplitude: float) -> sitk.Transform:
        spline.SetParameters((amplitude * coefficients).tolist())
        return sitk.Transform(spline)

    return made


def _flow(reach: ImageGrid, width: float, rng: np.random.Generator) -> Callable[[float], sitk.Transform]:
    """A function that returns the flow, by scaling and squaring, of a random velocity of an amplitude, mm, smooth over ``width`` mm."""
    grid = reach.resampled(width / 4.0)
    noise = rng.normal(0.0, 1.0, (3, *grid.shape))
    velocity = np.stack([ndimage.gaussian_filter(part, 2.0, mode="nearest") for part in noise])
    velocity /= velocity.std()

    def made(amplitude: float) -> sitk.Transform:
        field = DisplacementField(velocity * (amplitude / 2**_SQUARINGS), grid)
        for _ in range(_SQUARINGS):
            field = field.then(field)
        return sitk.Transform(field.to_transform())

    return made


def _mean(transform: sitk.Transform, points: np.ndarray) -> float:
    some = points[:: max(1, len(points) // 1500)]
    return float(np.mean([np.linalg.norm(np.subtract(transform.TransformPoint(p), p)) for p in some.tolist()]))
