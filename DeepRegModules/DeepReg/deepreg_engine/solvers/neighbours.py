"""Nearest neighbours of points, and the graph that they make."""

from __future__ import annotations

import torch
from torch import Tensor

# Distances of this many pairs are held at once.
_PAIRS, _PAIRS_GPU = 1_000_000, 64_000_000


def squared_distances(first: Tensor, second: Tensor) -> Tensor:
    """Return squared distances (N, M) of points or features (N, C) and (M, C); differentiable, also where two are equal."""
    squares = torch.addmm((second * second).sum(1)[None], first, second.T, alpha=-2.0)
    return (squares + (first * first).sum(1)[:, None]).clamp_(min=0.0)


@torch.no_grad()
def nearest(points: Tensor, others: Tensor, count: int) -> Tensor:
    """Return the indices (N, count) of the nearest of others (M, 3) to each point (N, 3), nearest first; count is at most M."""
    count = min(count, len(others))
    rows = max(1, (_PAIRS_GPU if points.is_cuda else _PAIRS) // max(1, len(others)))
    centre = others.mean(0)  # far from the origin the squares would lose digits
    others = others - centre
    # The point's own square does not change the order.
    squares = (others * others).sum(1)[None]
    parts = (torch.addmm(squares, part - centre, others.T, alpha=-2.0) for part in points.split(rows))
    return torch.cat([part.topk(count, dim=1, largest=False).indices for part in parts])


@torch.no_grad()
def neighbour_graph(points: Tensor, count: int) -> Tensor:
    """Return undirected edges (2, E) that join each point (N, 3) with its nearest others, each pair once, smaller index first."""
    near = nearest(points, points, count + 1)
    own = torch.arange(len(points), device=points.device)[:, None].expand_as(near)
    # A point is its own nearest neighbour, but not always the first one if there are duplicates.
    ends = torch.stack([own, near]).reshape(2, -1)
    ends = ends[:, ends[0] != ends[1]]
    pairs = torch.stack([ends.amin(0), ends.amax(0)])
    return torch.unique(pairs, dim=1)
