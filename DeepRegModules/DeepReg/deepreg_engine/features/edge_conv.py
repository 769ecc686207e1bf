"""Features of points from the shape of their neighbourhood: edge convolutions on a graph of nearest neighbours.

    f'_i = max over j in N(i) of  h(f_i, f_j - f_i)                      (EdgeConv; Wang et al., ACM TOG 2019, eq. 1 and 8)

h is a network of two linear layers, applied to each edge (i, j) of the graph. After three such layers each point has received information
from some centimetres around it, and a last network turns the outputs of all three into its features. Only positions are used, so that
features do not depend on the contrast of the scans.

Wang et al., "Dynamic graph CNN for learning on point clouds", ACM TOG 2019; on lungs: Hansen, Dittmer, Heinrich, GLMI 2019, and Hansen and
Heinrich, IPMI 2021. There the graph is computed again from the features before each layer (``dynamic``); here, by default, once from the
positions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from deepreg_engine.features.weights import weights_of
from deepreg_engine.solvers.neighbours import nearest

# Positions come in mm, and go through the network in this unit.
_UNIT = 20.0


class EdgeConv(nn.Module):
    """One edge convolution, with instance normalisation over all edges after each linear layer of h:

        f'_i = max_{j in N(i)} h(f_i, f_j - f_i),   h(f, d) = s(N(B s(N(A f + E d)))),   s the leaky ReLU

    Args:
        inputs, outputs: channels.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        # A f_i + E (f_j - f_i) = (A - E) f_i + E f_j: both products are computed for points, not for edges, which is k times less work.
        self.centre = nn.Linear(inputs, outputs)
        self.edge = nn.Linear(inputs, outputs, bias=False)
        self.norm = nn.InstanceNorm1d(outputs, affine=True)
        self.inner = nn.Linear(outputs, outputs)
        self.norm2 = nn.InstanceNorm1d(outputs, affine=True)

    def forward(self, values: Tensor, neighbours: Tensor) -> Tensor:
        """Compute f' (N, outputs) from f (N, inputs) and the indices of each point's neighbours (N, k)."""
        projected = self.edge(values)
        edges = (self.centre(values) - projected)[:, None] + projected[neighbours]
        edges = nn.functional.leaky_relu(_normalised(edges, self.norm), 0.1)
        edges = nn.functional.leaky_relu(_normalised(self.inner(edges), self.norm2), 0.1)
        return edges.amax(dim=1)


class PositionConv(nn.Module):
    """The first edge convolution, of positions x: its edges are (x_j - x_i, |x_j - x_i|), so that the point's own position is not used.

    Args:
        outputs: channels.
    """

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.edge = nn.Linear(4, outputs)
        self.norm = nn.InstanceNorm1d(outputs, affine=True)
        self.inner = nn.Linear(outputs, outputs)
        self.norm2 = nn.InstanceNorm1d(outputs, affine=True)

    def forward(self, points: Tensor, neighbours: Tensor) -> Tensor:
        """Map points (N, 3), mm, and indices of neighbours (N, k) to (N, outputs)."""
        edges = (points[neighbours] - points[:, None]) / _UNIT
        edges = torch.cat([edges, edges.norm(dim=2, keepdim=True)], dim=2)
        edges = nn.functional.leaky_relu(_normalised(self.edge(edges), self.norm), 0.1)
        edges = nn.functional.leaky_relu(_normalised(self.inner(edges), self.norm2), 0.1)
        return edges.amax(dim=1)


def _normalised(values: Tensor, norm: nn.InstanceNorm1d) -> Tensor:
    """Return each channel (last) with mean 0 and variance 1 over all points and edges."""
    # The module normalises channels that come first; on channels that come last that takes three times as long.
    axes = tuple(range(values.dim() - 1))
    centred = values - values.mean(axes)
    variance = centred.square().mean(axes)
    return torch.addcmul(norm.bias, centred, norm.weight * torch.rsqrt(variance + norm.eps))


class PointFeatures(nn.Module):
    """Features of a point set.

    Args:
        neighbours: k, how many nearest neighbours make the graph.
        widths: channels of the three edge convolutions.
        channels: of the features.
        dynamic: whether each layer has its own graph, of the nearest neighbours among its input features; else all layers use the graph of
        the positions.
    """

    def __init__(self, neighbours: int = 16, widths: tuple[int, ...] = (32, 32, 64), channels: int = 64, dynamic: bool = False) -> None:
        super().__init__()
        self.neighbours, self.dynamic = neighbours, dynamic
        self.first = PositionConv(widths[0])
        self.layers = nn.ModuleList(EdgeConv(a, b) for a, b in zip(widths[:-1], widths[1:], strict=True))
        self.head = nn.Sequential(nn.Linear(sum(widths), channels), nn.LeakyReLU(0.1), nn.Linear(channels, channels))

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor], neighbours: int = 16, dynamic: bool = False) -> PointFeatures:
        """Return the network with these weights, in evaluation mode.

        Raises:
            InputError: if weights are missing, unknown or do not fit together.
        """
        with weights_of("point features"):
            widths = (state["first.inner.weight"].shape[0], *(state[f"layers.{n}.centre.weight"].shape[0] for n in range(2)))
            network = cls(neighbours, widths, state["head.2.weight"].shape[0], dynamic)
            network.load_state_dict(state)
        return network.eval()

    @property
    def channels(self) -> int:
        """Number of features."""
        return cast(nn.Linear, self.head[-1]).out_features

    def _graph(self, values: Tensor) -> Tensor:
        """Return indices (N, k + 1) of the nearest neighbours, and of the point itself."""
        return nearest(values, values, min(self.neighbours + 1, len(values)))

    def forward(self, points: Tensor, graph: Tensor | None = None) -> Tensor:
        """Return the features (N, channels) of points (N, 3), mm, in the patient's axes (LPS)."""
        if graph is None:
            graph = self._graph(points)
        values = self.first(points, graph)
        collected = [values]
        for layer in self.layers:
            values = layer(values, self._graph(values) if self.dynamic else graph)
            collected.append(values)
        return self.head(torch.cat(collected, dim=1))
