"""Features of points from their neighbourhood, and the shipped matcher."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepreg_engine.errors import InputError
from deepreg_engine.features.edge_conv import EdgeConv, PointFeatures
from deepreg_engine.features.point_matcher import Matcher
from deepreg_engine.models.store import load_matcher


def cloud(count=150, seed=0):
    return 100.0 * torch.rand(count, 3, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def shipped():
    return load_matcher("lung-points")[0]


@given(shift=st.tuples(*[st.integers(-1500, 1500)] * 3), seed=st.integers(0, 99))
@settings(max_examples=10, deadline=None)
def test_features_do_not_depend_on_place_or_order(shipped, shift, seed):
    points = (cloud(seed=seed) * 64.0).round() / 64.0  # exact under whole shifts
    order = torch.randperm(len(points), generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        features = shipped.features(points)
        torch.testing.assert_close(shipped.features(points + torch.tensor(shift)), features, atol=2e-3, rtol=1e-3)
        torch.testing.assert_close(shipped.features(points[order]), features[order], atol=2e-3, rtol=1e-3)
    assert features.shape == (150, shipped.features.channels)


def test_features_differ_between_places(shipped):
    """A cloud and the same a little moved: most points are most like themselves."""
    points = cloud(400)
    with torch.no_grad():
        own = shipped.features(points)
        other = shipped.features(points + 0.3 * torch.randn(400, 3, generator=torch.Generator().manual_seed(1)))
    assert float((torch.cdist(own, other).argmin(1) == torch.arange(400)).float().mean()) > 0.5


def test_the_first_layer_on_points_is_that_on_edges():
    layer = EdgeConv(5, 7)
    values, graph = torch.randn(20, 5), torch.randint(0, 20, (20, 4))
    weights = torch.cat([layer.centre.weight, layer.edge.weight], 1)  # of (value, neighbour's value - value)
    own = values[:, None].expand(-1, 4, -1)
    edges = torch.cat([own, values[graph] - own], 2) @ weights.T + layer.centre.bias
    for norm, linear in ((layer.norm, layer.inner), (layer.norm2, None)):
        mean, variance = edges.mean((0, 1)), edges.var((0, 1), unbiased=False)
        edges = torch.nn.functional.leaky_relu((edges - mean) / (variance + norm.eps).sqrt() * norm.weight + norm.bias, 0.1)
        edges = linear(edges) if linear is not None else edges
    torch.testing.assert_close(layer(values, graph), edges.amax(1), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("count", [4, 10, 21])
def test_few_points_and_duplicates(shipped, count):
    for points in (cloud(count), cloud(count)[:1].repeat(count, 1)):
        with torch.no_grad():
            assert torch.isfinite(shipped.features(points)).all()


def test_gradients_reach_points_and_weights():
    network, points = PointFeatures(6), cloud(30).requires_grad_()
    network(points).square().sum().backward()
    assert torch.isfinite(points.grad).all()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())


def test_costs_are_those_of_features_and_distance(shipped):
    one, two = cloud(40), cloud(50, 1)
    candidates = torch.randint(0, 50, (40, 6), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        cost, move = shipped.costs(one, two, candidates)
        own, other = shipped.features(one), shipped.features(two)
        apart = (own[:, None] - other[candidates]).square().sum(2)
        length = (two[candidates] - one[:, None]).square().sum(2)
        expected = shipped.log_scale.exp() * apart + shipped.log_space.exp() * length
    torch.testing.assert_close(cost, expected, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(move, two[candidates] - one[:, None])


def test_a_dynamic_graph_joins_what_has_like_features():
    """Each layer of the dynamic network is the edge convolution on the nearest neighbours among its inputs, found here by sorting."""
    torch.manual_seed(0)
    static = PointFeatures(5)
    dynamic = PointFeatures.from_state(static.state_dict(), 5, dynamic=True)
    points = cloud(60)

    def graph(values):
        return torch.cdist(values.double(), values.double()).argsort(1)[:, :6]

    with torch.no_grad():
        values = [static.first(points, graph(points))]
        for layer in static.layers:
            values.append(layer(values[-1], graph(values[-1])))
        torch.testing.assert_close(dynamic(points), static.head(torch.cat(values, 1)), atol=1e-5, rtol=1e-4)
        assert float((dynamic(points) - static(points)).abs().max()) > 1e-2


def test_the_card_says_which_graph_a_model_was_trained_with():
    state = Matcher(12).state_dict()
    assert [Matcher.load("own", state, settings).features.dynamic for settings in ({}, {"graph": "static"}, {"graph": "dynamic"})] == [
        False,
        False,
        True,
    ]


def test_weights_travel():
    matcher = Matcher(12)
    again = Matcher.from_state(matcher.state_dict(), 12)
    points = cloud(30)
    with torch.no_grad():
        assert torch.equal(again.features(points), matcher.features(points))
    assert not again.training


@pytest.mark.parametrize("harm", ["missing", "bond", "shape", "scalar", "unknown"])
def test_other_weights_are_refused_in_one_line(harm):
    state = dict(Matcher(12).state_dict())
    if harm == "missing":
        del state["features.first.inner.weight"]
    elif harm == "bond":
        del state["log_bond"]
    elif harm == "shape":
        state["features.layers.0.inner.weight"] = torch.zeros(3, 3)
    elif harm == "scalar":
        state["log_space"] = torch.zeros(2)
    else:
        state["features.extra"] = torch.zeros(3)
    with pytest.raises(InputError, match="these are not the weights of") as caught:
        Matcher.from_state(state, 12)
    assert "\n" not in str(caught.value)
