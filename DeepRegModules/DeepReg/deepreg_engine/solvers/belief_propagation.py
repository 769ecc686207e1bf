"""Loopy belief propagation on a graph of points, which computes the moving point that corresponds to each fixed point.

Each fixed point has candidates. The data cost of a candidate is the distance of its features, the pairwise cost the squared difference of
the displacements of two neighbours. Min-sum messages along the edges of the graph minimise the sum; the expected displacement under the
marginals is more accurate than the spacing of the points, and differentiable.

Felzenszwalb and Huttenlocher, IJCV 2006 (min-sum messages); Heinrich, "Keypoint matching with loopy belief propagation", as in
Hansen and Heinrich, "Deep learning based geometric registration for medical images: how accurate can we get without visual
features?", IPMI 2021.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Pairs of candidates that are compared at once: these stay in the processor's cache.
_BLOCK = 400_000
_BLOCK_GPU = 64_000_000


def pairwise_messages(beliefs: Tensor, source: Tensor, target: Tensor, weight: Tensor | float) -> Tensor:
    """Return messages from sources to targets: the lower envelope of the beliefs of the sources.

    ``m(b) = min_a beliefs(a) + weight |source(a) - target(b)|^2``.

    Args:
        beliefs: (E, K).
        source, target: displacements (E, K, 3) and (E, L, 3), in the same unit.
        weight: a number.

    Returns:
        (E, L), each row with the least value 0.
    """
    pairs = source.shape[1] * target.shape[1]
    rows = max(1, (_BLOCK_GPU if beliefs.is_cuda else _BLOCK) // pairs)
    # The mixed term of source and target is one matrix product.
    own = beliefs + weight * (source * source).sum(2)
    left = torch.cat([target, torch.ones_like(target[..., :1])], dim=2)
    right = torch.cat([-2.0 * weight * source, own[..., None]], dim=2).transpose(1, 2)
    least = [torch.bmm(one, two).amin(dim=2) for one, two in zip(left.split(rows), right.split(rows), strict=True)]
    messages = torch.cat(least) + weight * (target * target).sum(2)
    return messages - messages.amin(dim=1, keepdim=True)


def belief_propagation(cost: Tensor, displacements: Tensor, edges: Tensor, weight: Tensor | float, iterations: int = 5) -> Tensor:
    """Run min-sum loopy belief propagation.

    Args:
        cost: data cost (N, K) of each candidate.
        displacements: (N, K, 3) of each candidate, in the unit of the weight.
        edges: (2, E), see :func:`neighbour_graph`.
        weight: of a squared difference of two neighbours' displacements, in units of the cost.
        iterations: rounds of messages.

    Returns:
        Beliefs (N, K): costs; the candidate with the lowest is the most probable.
    """
    senders = torch.cat([edges[0], edges[1]])
    receivers = torch.cat([edges[1], edges[0]])
    back = torch.arange(len(senders), device=cost.device).roll(edges.shape[1])
    messages = cost.new_zeros(len(senders), cost.shape[1])
    source, target = displacements[senders], displacements[receivers]
    for _ in range(iterations):
        outgoing = _beliefs(cost, messages, receivers)[senders] - messages[back]
        messages = pairwise_messages(outgoing, source, target, weight)
    return _beliefs(cost, messages, receivers)


def likeliest(cost: Tensor, count: int) -> Tensor:
    """Return the indices (N, count) of each point's cheapest candidates; all of them if there are no more."""
    return cost.topk(min(count, cost.shape[1]), dim=1, largest=False).indices


def _beliefs(data: Tensor, messages: Tensor, receivers: Tensor) -> Tensor:
    return data.index_add(0, receivers, messages)


def marginals(beliefs: Tensor, sharpness: float = 1.0) -> Tensor:
    """Return the probabilities (N, K) of the candidates."""
    return torch.softmax(-sharpness * beliefs, dim=1)


def expected_move(probability: Tensor, displacements: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean (N, 3) and variance (N,), summed over the axes, of displacements (N, K, 3) under probabilities (N, K)."""
    mean = torch.einsum("nk,nkc->nc", probability, displacements)
    spread = ((displacements - mean[:, None]) ** 2).sum(2)
    return mean, (probability * spread).sum(1)
