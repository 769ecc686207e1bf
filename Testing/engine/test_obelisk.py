"""Obelisk: against its formula, with random weights and with the published ones."""

from __future__ import annotations

import numpy as np
import plain
import pytest
import torch
import torch.nn.functional as F

from deepreg_engine.errors import InputError
from deepreg_engine.features.obelisk import Obelisk, ObeliskFeatures
from deepreg_engine.models.card import read_card, read_weights
from deepreg_engine.models.published import import_checkpoint, read_checkpoint

FEATURES = ("dense_reg_feat_v01.pth", "dense_reg_mind2_feat_epoch2999.pth")
REGULARISER = "dense_reg_deeds_v01.pth"


def network(seed=0, **sizes):
    """A network with random weights, and random statistics of the batch normalisation, as after a training."""
    torch.manual_seed(seed)
    made = Obelisk(**sizes).eval()
    with torch.no_grad():
        made.offsets.mul_(5.0)  # far enough that some lie outside the image
        for name, value in made.state_dict().items():
            if name.startswith("batch") and value.is_floating_point():
                value.copy_(torch.rand_like(value) + 0.5)
    return made


@pytest.mark.parametrize(
    "sizes", [{"channels": 3}, {"channels": 4, "pairs": 5, "hidden": 6}, {"channels": 2, "pairs": 6, "hidden": 8, "groups": 4}]
)
def test_equals_the_formula(sizes):
    made = network(**sizes)
    image = torch.randn(2, 1, 19, 26, 33)
    with torch.no_grad():
        features = made(image)
        expected = torch.cat([plain.obelisk(one[None], made.state_dict()) for one in image])
    assert features.shape == (2, made.channels, 6, 8, 11)
    torch.testing.assert_close(features, expected, atol=1e-5, rtol=1e-4)


def test_the_paper_has_sixteen_channels_from_thirty_two_pairs():
    shapes = {name: tuple(value.shape) for name, value in Obelisk().state_dict().items()}
    assert shapes["offsets"] == (2, 32, 3)
    assert shapes["layer0.weight"] == (4, 1, 5, 5, 5)
    assert shapes["layer1.weight"] == (64, 128, 1, 1, 1)
    assert shapes["layer2.weight"] == (64, 64, 3, 3, 3)
    assert shapes["layer3.weight"] == (16, 64, 1, 1, 1)


def test_from_state_gives_the_same_network():
    made = network(channels=2, pairs=6, hidden=8, groups=4)
    again = Obelisk.from_state(made.state_dict())
    assert not again.training
    image = torch.randn(1, 1, 13, 14, 15)
    assert torch.equal(made(image), again(image))


def test_gradients_reach_all_weights():
    made = network(channels=2, pairs=2, hidden=3).double()
    image = torch.randn(1, 1, 12, 13, 12, dtype=torch.float64)
    names = [name for name, _ in made.named_parameters()]

    def output(*values):
        return torch.func.functional_call(made, dict(zip(names, values, strict=True)), (image,)).square().sum()

    values = tuple(value.detach().clone().requires_grad_() for value in made.parameters())
    assert torch.autograd.gradcheck(output, values, fast_mode=True, atol=1e-4)


def without(state, name):
    return {key: value for key, value in state.items() if key != name}


def test_weights_that_do_not_fit_are_refused():
    state = network(channels=2).state_dict()
    for bad in (
        {},
        without(state, "offsets"),
        without(state, "layer3.weight"),
        without(state, "batch1.running_var"),
        {**state, "extra": torch.zeros(3)},
        {**state, "layer2.weight": torch.zeros(3, 8, 3, 3, 3)},
        {**state, "layer1.weight": torch.zeros(8, 0, 1, 1, 1)},
        {**state, "offsets": torch.zeros(2)},
    ):
        with pytest.raises(InputError, match="not the weights of an Obelisk network"):
            Obelisk.from_state(bad)


@pytest.mark.parametrize("reversed_axes", [False, True])
def test_extractor_resamples_to_the_networks_spacing_and_back(reversed_axes):
    made = network(channels=3)
    volume = 500.0 * torch.randn(16, 20, 24)
    features = ObeliskFeatures(made, "mine", spacing=2.0, scale=250.0, reversed_axes=reversed_axes)(volume, 3.0)
    image = F.interpolate(volume[None, None] / 250.0, size=(23, 29, 35), mode="trilinear", align_corners=True)  # (n - 1) 3 / 2 + 1
    expected = plain.obelisk(image.transpose(2, 4) if reversed_axes else image, made.state_dict())
    expected = expected.transpose(2, 4) if reversed_axes else expected
    expected = F.interpolate(expected, size=(16, 20, 24), mode="trilinear", align_corners=True)[0]
    assert not features.requires_grad
    torch.testing.assert_close(features, expected.detach(), atol=1e-4, rtol=1e-4)


# ------------------------------------------------------------------------------------------------- published checkpoints


@pytest.mark.parametrize("name", FEATURES)
def test_published_checkpoints_import_whole(name, shared_data, tmp_path):
    source = shared_data / "weights" / name
    card = import_checkpoint(source, tmp_path / "model.safetensors", "published")
    raw = torch.load(source, map_location="cpu", weights_only=True)
    weights = read_weights(tmp_path / "model.safetensors")
    assert {key: value.shape for key, value in weights.items()} == {key: tuple(value.shape) for key, value in raw.items()}
    for key, value in raw.items():
        np.testing.assert_array_equal(weights[key], value.numpy())
    assert (card.name, card.method, card.architecture, card.licence) == ("published", "dense", "obelisk", "Apache-2.0")
    assert card.figures == {"channels": 24}
    assert read_card(tmp_path / "model.safetensors") == card


@pytest.mark.parametrize("name", FEATURES)
def test_published_features_equal_the_formula(name, shared_data, tmp_path):
    source = shared_data / "weights" / name
    import_checkpoint(source, tmp_path / "model.safetensors")
    made = Obelisk.from_state({key: torch.from_numpy(value) for key, value in read_weights(tmp_path / "model.safetensors").items()})
    torch.manual_seed(3)
    image = F.interpolate(torch.randn(1, 1, 6, 7, 8), size=(30, 36, 40), mode="trilinear", align_corners=True)
    expected = plain.obelisk(image, torch.load(source, map_location="cpu", weights_only=True))
    with torch.no_grad():
        features = made(image)
    assert features.shape == (1, 24, 10, 12, 13)
    assert features.std() > 0.01
    torch.testing.assert_close(features, expected, atol=1e-4, rtol=1e-3)


def test_regularisation_weights_travel_with_the_features(shared_data, tmp_path):
    folder = shared_data / "weights"
    import_checkpoint(folder / FEATURES[0], tmp_path / "both.safetensors", regulariser=folder / REGULARISER)
    weights = read_weights(tmp_path / "both.safetensors")
    np.testing.assert_array_equal(weights["alpha"], torch.load(folder / REGULARISER, weights_only=True)["alpha"].numpy())
    with pytest.raises(InputError, match="weights of the regularisation, not features"):
        import_checkpoint(folder / REGULARISER, tmp_path / "no.safetensors")
    with pytest.raises(InputError, match="does not hold the weights of the regularisation"):
        import_checkpoint(folder / FEATURES[0], tmp_path / "no.safetensors", regulariser=folder / FEATURES[1])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["both.safetensors"]


# ------------------------------------------------------------------------------------------------- bad checkpoints


class Trap:
    """Unpickled, it would leave a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_bad_checkpoints_are_refused_and_nothing_in_them_runs(tmp_path):
    state = network(channels=2).state_dict()
    trap = tmp_path / "trap"
    torch.save({"offsets": Trap(trap)}, tmp_path / "malicious.pth")
    torch.save({"epoch": 3, "state": state}, tmp_path / "nested.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save(without(state, "layer2.weight"), tmp_path / "incomplete.pth")
    (tmp_path / "text.pth").write_text("not a checkpoint")
    (tmp_path / "empty.pth").write_bytes(b"")
    before = set(tmp_path.iterdir())
    for name, message in (
        ("malicious", "not a checkpoint of plain weights"),
        ("nested", "holds more than weights"),
        ("list", "holds more than weights"),
        ("incomplete", "not the weights of an Obelisk network"),
        ("text", "not a checkpoint of plain weights"),
        ("empty", "not a checkpoint of plain weights"),
        ("missing", "does not exist"),
    ):
        with pytest.raises(InputError, match=message):
            import_checkpoint(tmp_path / f"{name}.pth", tmp_path / "model.safetensors")
    assert not trap.exists()
    assert set(tmp_path.iterdir()) == before
    torch.save(state, tmp_path / "good.pth")
    assert set(read_checkpoint(tmp_path / "good.pth")) == set(state)
