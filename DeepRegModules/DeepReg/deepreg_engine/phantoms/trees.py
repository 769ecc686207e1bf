"""Branching trees: vessels and airways that grow from a root to reach points scattered in an organ.

Each new tip is connected to the node that minimises a cost of path length and turning angle. Radii follow Murray's law: the cube of a
parent's radius is the sum of the cubes of its children's radii (Murray, PNAS 1926).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepreg_engine.phantoms.shapes import Shape
from deepreg_engine.phantoms.tubes import Centreline

_STEP = 7.0  # mm between a tree's nodes
_TURN_COST = 0.9
_WAY_COST = 0.12


@dataclass(frozen=True)
class Tree:
    """Nodes in the order of growth.

    Args:
        nodes: (N, 3), mm.
        parents: (N,), index of each node's parent; the root is its own.
        radii: (N,), mm.
    """

    nodes: np.ndarray
    parents: np.ndarray
    radii: np.ndarray

    def line(self, step: float = 1.5) -> Centreline:
        """Return samples along all branches, ``step`` mm apart."""
        child = np.flatnonzero(self.parents != np.arange(len(self.nodes)))
        start, end = self.nodes[self.parents[child]], self.nodes[child]
        length = np.linalg.norm(end - start, axis=1)
        count = np.maximum(np.ceil(length / step).astype(int), 1)
        owner = np.repeat(np.arange(len(child)), count)
        rank = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
        share = ((rank + 0.5) / count[owner])[:, None]
        positions = start[owner] * (1 - share) + end[owner] * share
        tangents = (end - start)[owner] / np.maximum(length[owner], 1e-9)[:, None]
        # The first segment of a branch has the radius of the branch, not of its parent.
        radii = self.radii[child][owner]
        return Centreline(positions, tangents, radii, rank * step)

    def forks(self, thinnest: float) -> np.ndarray:
        """Return bifurcations (M, 3) into branches of at least ``thinnest`` mm radius, the thickest first."""
        thick = np.flatnonzero((self.radii >= thinnest) & (self.parents != np.arange(len(self.nodes))))
        children = np.bincount(self.parents[thick], minlength=len(self.nodes))
        forks = np.flatnonzero(children >= 2)
        return self.nodes[forks[np.argsort(-self.radii[forks], kind="stable")]]


def scatter(shape: Shape, count: int, rng: np.random.Generator, depth: float = 0.0) -> np.ndarray:
    """Return random points (count, 3) at least ``depth`` mm inside a shape."""
    found = np.empty((0, 3))
    while len(found) < count:
        trial = rng.uniform(shape.lower, shape.upper, (6 * count, 3))
        found = np.concatenate([found, trial[shape.distance(trial.T.astype(np.float32)) < -depth]])
    return found[:count]


def grow(
    trunk: np.ndarray,
    tips: np.ndarray,
    rng: np.random.Generator,
    tip_radius: float,
    thickest: float,
    wander: float = 0.12,
    region: Shape | None = None,
) -> Tree:
    """Grow a tree.

    Args:
        trunk: (K, 3), first nodes, from the root on, mm.
        tips: (M, 3), points to connect, mm.
        rng: random generator of the order of the tips and of the lateral deviation of branches.
        tip_radius: radius of the thinnest branches, mm.
        thickest: largest radius, mm.
        wander: lateral deviation of a branch as a share of its step.
        region: branches that leave it are removed.
    """
    capacity = len(trunk) + len(tips) * 60
    nodes, parents = np.empty((capacity, 3)), np.zeros(capacity, dtype=int)
    heading, way = np.zeros((capacity, 3)), np.zeros(capacity)
    used = 0

    def add(point: np.ndarray, parent: int) -> int:
        nonlocal used
        nodes[used], parents[used] = point, parent
        step = point - nodes[parent]
        length = np.linalg.norm(step)
        heading[used] = step / length if length > 0 else 0.0
        way[used] = way[parent] + length
        used += 1
        return used - 1

    for number, point in enumerate(trunk):
        add(np.asarray(point, dtype=np.float64), max(number - 1, 0))
    distance = np.linalg.norm(tips - trunk[-1], axis=1)
    for tip in tips[np.argsort(distance * rng.uniform(0.75, 1.25, len(tips)))]:
        offset = tip - nodes[:used]
        length = np.linalg.norm(offset, axis=1)
        turn = 1 - np.einsum("nc,nc->n", offset, heading[:used]) / np.maximum(length, 1e-9)
        joint = int(np.argmin(length * (1 + _TURN_COST * turn) + _WAY_COST * way[:used]))
        steps = max(int(np.ceil(length[joint] / _STEP)), 1)
        start, direction, current = nodes[joint].copy(), heading[joint].copy(), joint
        for k in range(1, steps + 1):
            share = k / steps
            straight = start + (tip - start) * share
            # Branches start in the direction of their parent and bend towards their tip.
            bend = direction * length[joint] * 0.28 * share * (1 - share) ** 2
            jitter = rng.standard_normal(3) * wander * _STEP if k < steps else 0.0
            current = add(straight + bend + jitter, current)
    nodes, parents = nodes[:used], parents[:used]
    flow = np.zeros(used)
    is_tip = np.bincount(parents[1:], minlength=used) == 0
    flow[is_tip] = 1.0
    for node in range(used - 1, 0, -1):
        flow[parents[node]] += flow[node]
    radii = np.minimum(tip_radius * flow ** (1 / 3), thickest)
    tree = Tree(nodes, parents, radii)
    return tree if region is None else _inside(tree, region, len(trunk))


def _inside(tree: Tree, region: Shape, first: int) -> Tree:
    """Return the tree without branches that leave the region, and without their descendants; nodes before ``first`` stay."""
    keep = region.distance(tree.nodes.T.astype(np.float32)) < 0
    keep[:first] = True
    for node in range(first, len(keep)):
        keep[node] &= keep[tree.parents[node]]
    number = np.cumsum(keep) - 1
    return Tree(tree.nodes[keep], number[tree.parents[keep]], tree.radii[keep])
