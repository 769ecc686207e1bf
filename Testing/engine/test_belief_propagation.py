"""Messages and beliefs: against brute force."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepreg_engine.solvers import belief_propagation as module
from deepreg_engine.solvers.belief_propagation import belief_propagation, expected_move, likeliest, marginals, pairwise_messages
from deepreg_engine.solvers.neighbours import nearest, neighbour_graph, squared_distances


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def energy(choice, cost, displacements, edges, weight):
    """Of one choice of a candidate for each point."""
    total = sum(float(cost[n, k]) for n, k in enumerate(choice))
    for a, b in edges.T.tolist():
        total += weight * float((displacements[a, choice[a]] - displacements[b, choice[b]]).square().sum())
    return total


@pytest.mark.parametrize("block", [1, 400_000])
def test_messages_are_the_lower_envelope(block, monkeypatch, device):
    monkeypatch.setattr(module, "_BLOCK", block)
    beliefs, source, target = random(5, 4), random(5, 4, 3, seed=1), random(5, 6, 3, seed=2)
    found = pairwise_messages(*(part.to(device) for part in (beliefs, source, target)), 0.7).cpu()
    for e in range(5):
        plain = [min(float(beliefs[e, a] + 0.7 * (source[e, a] - target[e, b]).square().sum()) for a in range(4)) for b in range(6)]
        torch.testing.assert_close(found[e], torch.tensor(plain, dtype=torch.float64) - min(plain), atol=1e-9, rtol=0)


@given(seed=st.integers(0, 1000), weight=st.floats(0.0, 3.0))
@settings(max_examples=25, deadline=None)
def test_on_a_chain_it_finds_the_best_of_all_choices(seed, weight):
    count, candidates = 5, 3
    cost, moves = random(count, candidates, seed=seed), random(count, candidates, 3, seed=seed + 1)
    edges = torch.tensor([[0, 1, 2, 3], [1, 2, 3, 4]])
    beliefs = belief_propagation(cost, moves, edges, weight, iterations=count)
    energies = {choice: energy(choice, cost, moves, edges, weight) for choice in itertools.product(range(candidates), repeat=count)}
    assert energies[tuple(beliefs.argmin(1).tolist())] == pytest.approx(min(energies.values()), abs=1e-9)
    # Beliefs are min-marginals: the best with one choice fixed, up to a constant for each point.
    for n in range(count):
        best = torch.tensor([min(e for choice, e in energies.items() if choice[n] == k) for k in range(candidates)], dtype=torch.float64)
        torch.testing.assert_close(beliefs[n] - beliefs[n].min(), best - best.min(), atol=1e-9, rtol=0)


def test_on_a_star_too(device):
    cost, moves = random(6, 4), random(6, 4, 3, seed=1)
    edges = torch.tensor([[0, 0, 0, 0, 0], [1, 2, 3, 4, 5]])
    found = belief_propagation(cost.to(device), moves.to(device), edges.to(device), 0.4, 3).argmin(1).tolist()
    best = min(itertools.product(range(4), repeat=6), key=lambda choice: energy(choice, cost, moves, edges, 0.4))
    assert tuple(found) == best


def test_without_edges_or_bond_each_point_decides_alone():
    cost, moves = random(7, 5), random(7, 5, 3, seed=1)
    none = torch.zeros(2, 0, dtype=torch.long)
    torch.testing.assert_close(belief_propagation(cost, moves, none, 1.0), cost)
    beliefs = belief_propagation(cost, moves, torch.tensor([[0, 1], [1, 2]]), 0.0)
    assert torch.equal(beliefs.argmin(1), cost.argmin(1))


def test_neighbours_decide_for_a_point_that_cannot():
    moves = torch.tensor([[5.0, 0, 0], [-5, 0, 0]], dtype=torch.float64).expand(3, 2, 3).contiguous()
    cost = torch.tensor([[0.0, 9.0], [0.1, 0.0], [0.0, 9.0]], dtype=torch.float64)
    assert belief_propagation(cost, moves, torch.tensor([[0, 1], [1, 2]]), 0.1, 2).argmin(1).tolist() == [0, 0, 0]


def test_likeliest_takes_what_there_is():
    cost = torch.tensor([[3.0, 1.0, 2.0]])
    assert likeliest(cost, 2).tolist() == [[1, 2]]
    assert sorted(likeliest(cost, 9)[0].tolist()) == [0, 1, 2]


def test_expected_move_and_variance():
    probability = torch.tensor([[0.25, 0.75]])
    moves = torch.tensor([[[0.0, 0.0, 0.0], [4.0, 0.0, 0.0]]])
    mean, variance = expected_move(probability, moves)
    assert mean.tolist() == [[3.0, 0.0, 0.0]]
    assert float(variance) == pytest.approx(3.0)
    assert float(marginals(torch.tensor([[0.0, 1.0]]), 50.0)[0, 0]) == pytest.approx(1.0)


# --------------------------------------------------------------------------------------------------------------- neighbours


@given(seed=st.integers(0, 1000), offset=st.floats(-5000, 5000))
@settings(max_examples=20, deadline=None)
def test_nearest_are_nearest(seed, offset):
    points, others = 100 * random(20, 3, seed=seed) + offset, 100 * random(30, 3, seed=seed + 1) + offset
    found = nearest(points, others, 7)
    distances = torch.cdist(points, others)
    torch.testing.assert_close(distances.gather(1, found), distances.sort(1).values[:, :7], atol=1e-6, rtol=0)
    assert nearest(points, others, 99).shape == (20, 30)


def test_squared_distances_of_equal_points_have_gradients():
    points = random(4, 3).requires_grad_()
    squares = squared_distances(points, points)
    (gradient,) = torch.autograd.grad(squares.sum(), points)
    assert torch.isfinite(gradient).all()
    assert float(squares.diagonal().max().detach()) < 1e-12


def test_the_graph_joins_each_pair_once():
    points = torch.tensor([[0.0, 0, 0], [1, 0, 0], [2.5, 0, 0], [10, 0, 0]])
    assert neighbour_graph(points, 1).T.tolist() == [[0, 1], [1, 2], [2, 3]]
    assert neighbour_graph(points, 50).shape == (2, 6)


def test_duplicates_make_no_loops():
    points = torch.zeros(6, 3)
    points[4:] = 5.0
    edges = neighbour_graph(points, 3)
    assert (edges[0] < edges[1]).all()
    assert len(torch.unique(edges)) == 6
    cost, moves = random(6, 3), random(6, 3, 3, seed=1)
    assert torch.isfinite(belief_propagation(cost, moves, edges, 1.0)).all()


# ---------------------------------------------------------------------------------------------------------------- gradients


def test_gradients_of_beliefs():
    cost, moves = random(5, 3).requires_grad_(), random(5, 3, 3, seed=1).requires_grad_()
    weight = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    edges = torch.tensor([[0, 1, 2, 3, 0], [1, 2, 3, 4, 2]])
    assert torch.autograd.gradcheck(lambda c, d, w: belief_propagation(c, d, edges, w, 3), (cost, moves, weight))


def test_gradients_of_the_expected_move():
    cost, moves = random(5, 3).requires_grad_(), random(5, 3, 3, seed=1).requires_grad_()
    edges = torch.tensor([[0, 1, 2, 3, 0], [1, 2, 3, 4, 2]])

    def solve(costs, displacements):
        return expected_move(marginals(belief_propagation(costs, displacements, edges, 0.3, 2), 0.7), displacements)

    assert torch.autograd.gradcheck(solve, (cost, moves))
