"""Instance optimisation as in the paper: the field of one pair with high probability and small gradients.

    u = argmax  mean_k p(k, u(k))  -  lambda mean |grad u|^2           (Heinrich, MICCAI 2019, section 2)

Adam optimises the values at the control points; two moving averages of three smooth the field.
"""

from __future__ import annotations

import torch

from deepreg_engine.solvers.labels import interpolate_labels, radius_of


def _averaged(field: torch.Tensor) -> torch.Tensor:
    """Return the moving average of 3 along each axis; zero beyond the faces, as in the paper's pooling."""
    return torch.nn.functional.avg_pool3d(field[None], 3, stride=1, padding=1)[0]


def maximise_probability(
    probability: torch.Tensor, start: torch.Tensor, smoothness: float = 1.5, iterations: int = 50, rate: float = 0.05
) -> torch.Tensor:
    """Run Adam on the field of one pair.

    Args:
        probability: p (Kz, Ky, L, L, L, Kx).
        start: displacements (3, Kz, Ky, Kx), in steps.
        smoothness: lambda, with displacements as shares of 2.5 times the largest label (the paper's normalised
            coordinates, whose labels reach 0.4).
        iterations: of Adam.
        rate: Adam's learning rate, as a share of the largest label.

    Returns:
        (3, Kz, Ky, Kx), in steps. The probabilities are not changed.
    """
    radius = radius_of(probability)
    unit = 0.4 / radius
    with torch.enable_grad():
        free = start.detach().clone().requires_grad_()
        optimiser = torch.optim.Adam([free], lr=rate * radius)
        for _ in range(iterations):
            optimiser.zero_grad()
            field = _averaged(_averaged(free))
            likely = interpolate_labels(probability.detach(), field).mean()
            rough = sum((unit * field.diff(dim=axis)).square().mean() for axis in (1, 2, 3))
            (smoothness * rough - likely).backward()
            optimiser.step()
        return _averaged(_averaged(free)).detach()
