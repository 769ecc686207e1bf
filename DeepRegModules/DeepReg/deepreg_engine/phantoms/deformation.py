"""The deformations between the scans of a pair: smooth, large, and given in closed form.

Contract: a fixed point x has its moving point at ``x + u(x)``, with u the sum of an affine part, Gaussian bumps and, in
the thorax, breathing. Points are (N, 3), LPS mm, double precision.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_SLAB = 60_000
_DIFFERENCE = 1e-3  # mm


@dataclass(frozen=True)
class Breathing:
    """Breathing from exhalation to inhalation: the diaphragm descends, the anterior chest wall advances, the spine is fixed.

    Args:
        descent: displacement of the domes of the diaphragm, mm.
        advance: displacement of the sternum, mm.
    """

    descent: float
    advance: float

    def displacement(self, points: np.ndarray) -> np.ndarray:
        """Return displacements (N, 3) at fixed points (N, 3)."""
        x, y, z = points.T
        from_apex = 1 / (1 + np.exp((z - 212.0) / 30.0))
        radius = (x / 128.0) ** 2 + ((y + 8.0) / 92.0) ** 2
        off_wall = np.exp(-1.5 * radius**2)
        spine = np.exp(-((x / 34.0) ** 2) - ((y - 56.0) / 30.0) ** 2)
        down = self.descent * from_apex * off_wall * (1 - 0.8 * spine)
        in_front = 1 / (1 + np.exp((y + 5.0) / 28.0))
        at_chest = np.exp(-(((z - 130.0) / 110.0) ** 2))
        result = np.zeros_like(points)
        result[:, 1] = -self.advance * in_front * at_chest
        result[:, 2] = -down
        return result

    def scaled(self, factor: float) -> Breathing:
        """Return the same breathing with all displacements multiplied by a factor."""
        return Breathing(self.descent * factor, self.advance * factor)


@dataclass(frozen=True)
class Deformation:
    """A displacement in closed form.

    Args:
        centre: (3,), centre of the affine part, mm.
        linear: (3, 3), gradient of the affine part's displacement.
        shift: (3,), displacement of the affine part at the centre, mm.
        places: (K, 3), centres of the Gaussian bumps, mm.
        widths: (K,), standard deviations of the bumps, mm.
        pushes: (K, 3), displacements at the centres of the bumps, mm.
        breathing: the breathing, or None.
    """

    centre: np.ndarray
    linear: np.ndarray
    shift: np.ndarray
    places: np.ndarray
    widths: np.ndarray
    pushes: np.ndarray
    breathing: Breathing | None = None

    def displacement(self, points: np.ndarray) -> np.ndarray:
        """Return u (N, 3) at fixed points (N, 3), mm."""
        points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
        result = (points - self.centre) @ self.linear.T + self.shift
        if len(self.widths):
            scale = 1 / (2 * self.widths**2)
            places = self.places - self.centre  # relative to the centre, for the precision of the expanded square
            constant = -(places**2).sum(axis=1) * scale
            for start in range(0, len(points), _SLAB):
                part = points[start : start + _SLAB] - self.centre
                exponent = part @ (2 * places * scale[:, None]).T
                exponent -= (part**2).sum(axis=1)[:, None] * scale
                exponent += constant
                result[start : start + _SLAB] += np.exp(exponent, out=exponent) @ self.pushes
        if self.breathing is not None:
            result += self.breathing.displacement(points)
        return result

    def map_points(self, points: np.ndarray) -> np.ndarray:
        """Return the moving points x + u(x) (N, 3) of fixed points x (N, 3)."""
        points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
        return points + self.displacement(points)

    def jacobian(self, points: np.ndarray) -> np.ndarray:
        """Return the derivatives (N, 3, 3) of the mapping x + u(x), [component, axis], by central differences."""
        points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
        columns = []
        for axis in np.eye(3):
            step = axis * _DIFFERENCE
            columns.append((self.displacement(points + step) - self.displacement(points - step)) / (2 * _DIFFERENCE) + axis)
        return np.stack(columns, axis=-1)

    def inverse(self, moving: np.ndarray, tolerance: float = 1e-9, iterations: int = 60) -> np.ndarray:
        """Return the fixed points (N, 3) of moving points (N, 3), by damped Newton steps.

        Raises:
            ArithmeticError: if the residual of a point exceeds 1e-6 mm, which happens only where the mapping folds.
        """
        moving = np.asarray(moving, dtype=np.float64).reshape(-1, 3)
        fixed = moving - self.displacement(moving)
        for _ in range(iterations):
            residual = self.map_points(fixed) - moving
            length = np.linalg.norm(residual, axis=1)
            if not len(length) or length.max() < tolerance:
                break
            step = np.linalg.solve(self.jacobian(fixed), residual[..., None])[..., 0]
            limit = np.maximum(2 * length, 1e-12) / np.maximum(np.linalg.norm(step, axis=1), 1e-12)
            fixed -= step * np.minimum(1.0, limit)[:, None]
        if len(length) and np.linalg.norm(self.map_points(fixed) - moving, axis=1).max() > 1e-6:
            raise ArithmeticError("the deformation has no unique inverse at a landmark")
        return fixed

    def scaled(self, factor: float, bumps: float = 1.0) -> Deformation:
        """Return the deformation with all displacements multiplied by ``factor``, and those of the bumps also by ``bumps``."""
        breathing = None if self.breathing is None else self.breathing.scaled(factor)
        return Deformation(
            self.centre, self.linear * factor, self.shift * factor, self.places, self.widths, self.pushes * (factor * bumps), breathing
        )


@dataclass(frozen=True)
class Recipe:
    """Distribution of random deformations of an anatomy.

    Args:
        mean: range of the mean displacement over the region of interest, mm.
        rotation: standard deviation about each axis, degrees.
        stretch: standard deviation of the other entries of the linear part.
        shift: standard deviation along each axis, mm.
        bumps: number of bumps.
        widths: range of their standard deviations, mm.
        push: standard deviation of their displacement, mm.
        breathing: range of the diaphragm's descent, mm, or None.
    """

    mean: tuple[float, float]
    rotation: float
    stretch: float
    shift: float
    bumps: int
    widths: tuple[float, float]
    push: float
    breathing: tuple[float, float] | None = None


RECIPES = {
    "abdomen": Recipe((13.5, 16.5), 2.5, 0.025, 4.0, 34, (30.0, 55.0), 8.5),
    "thorax": Recipe((11.8, 14.0), 1.2, 0.012, 2.5, 30, (28.0, 45.0), 3.2, (19.0, 26.0)),
    "brain": Recipe((5.4, 6.6), 2.2, 0.02, 1.8, 40, (18.0, 32.0), 3.6),
}
# Smallest Jacobian determinant that is accepted; documentation and tests state 0.3.
_SMALLEST_JACOBIAN = 0.42


def random_deformation(recipe: Recipe, region: np.ndarray, body: np.ndarray, rng: np.random.Generator) -> Deformation:
    """Return a random deformation of the given size without folding.

    Args:
        recipe: distribution of its parameters.
        region: (N, 3), points over which the mean displacement is taken, mm.
        body: (M, 3), points at which it must not fold, mm.
        rng: random generator of the pair.
    """
    centre = body.mean(axis=0)
    linear = recipe.stretch * rng.standard_normal((3, 3))
    turn = np.radians(recipe.rotation) * rng.standard_normal(3)
    linear += np.array([[0, -turn[2], turn[1]], [turn[2], 0, -turn[0]], [-turn[1], turn[0], 0]])
    reach = body.max(axis=0) - body.min(axis=0)
    places = body.min(axis=0) + reach * rng.uniform(-0.05, 1.05, (recipe.bumps, 3))
    widths = rng.uniform(*recipe.widths, recipe.bumps)
    pushes = recipe.push * rng.standard_normal((recipe.bumps, 3))
    breathing = None
    if recipe.breathing is not None:
        breathing = Breathing(float(rng.uniform(*recipe.breathing)), float(rng.uniform(3.0, 6.0)))
    field = Deformation(centre, linear, recipe.shift * rng.standard_normal(3), places, widths, pushes, breathing)
    wanted = rng.uniform(*recipe.mean)
    for _ in range(40):
        field = field.scaled(wanted / np.linalg.norm(field.displacement(region), axis=1).mean())
        if np.linalg.det(field.jacobian(body)).min() > _SMALLEST_JACOBIAN:
            break
        # Smaller bumps; the next iteration restores the mean displacement by scaling all parts.
        field = field.scaled(1.0, bumps=0.85)
    return field
