"""The feature network of the Descent method, features as volumes, and their colours."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from scenes import FIXED, image_on, smooth_image

from deepreg_engine.errors import InputError
from deepreg_engine.features.colours import make_palette
from deepreg_engine.features.contrast_net import ContrastFeatures, ContrastNet, guess_modality, standard_intensities, stem_for
from deepreg_engine.features.handcrafted import Mind
from deepreg_engine.features.mind import mind_ssc
from deepreg_engine.features.volumes import feature_volume, on_grid
from deepreg_engine.geometry.image_grid import ImageGrid


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_features_are_standardised_and_come_back_from_their_weights():
    torch.manual_seed(1)
    network = ContrastNet(("ct", "mr"), width=6, channels=9).eval()
    image = noise(1, 1, 14, 15, 16)
    features = network(image, "mr")
    assert features.shape == (1, 9, 14, 15, 16)
    assert torch.allclose(features.mean((2, 3, 4)), torch.zeros(1, 9), atol=1e-4)
    assert torch.allclose(features.var((2, 3, 4), unbiased=False), torch.ones(1, 9), atol=1e-2)
    again = ContrastNet.from_state(network.state_dict())
    assert again.modalities == ("ct", "mr")
    assert torch.equal(again(image, "mr"), features)
    assert not torch.allclose(again(image, "ct"), features, atol=1e-2)


def test_an_untrained_network_is_nearly_mind():
    torch.manual_seed(0)
    network = ContrastNet(("other",))
    image = noise(1, 1, 20, 21, 22)
    mind = torch.nn.functional.instance_norm(mind_ssc(image[0, 0])[None])
    alike = torch.nn.functional.cosine_similarity(network(image, "other"), mind, dim=1)
    assert float(alike.detach().mean()) > 0.98


def test_features_depend_on_nothing_beyond_their_margin():
    torch.manual_seed(0)
    network = ContrastNet(("other",), width=4, channels=3).double()
    image = noise(1, 1, 9, 9, 41).double()
    changed = image.clone()
    changed[..., 0] += 3.0

    # The norms look everywhere: they are frozen to see what the layers do.
    def plain(volume: torch.Tensor) -> torch.Tensor:
        hidden = torch.cat([volume, mind_ssc(volume[0, 0])[None]], dim=1)
        for layer in [*network.stems["other"], *network.trunk]:
            hidden = layer(hidden)
        return hidden

    apart = (plain(image) - plain(changed)).abs().amax((0, 1, 2, 3))
    assert apart[network.reach + 1 :].max() < 1e-2 * apart.max()  # MIND's variance is held within bounds of the image's mean
    assert apart[: network.reach].max() > 0


@pytest.mark.parametrize("state", [{}, {"stems.ct.0.weight": torch.zeros(3, 13, 3, 3, 3)}, {"layer0.weight": torch.zeros(2)}])
def test_other_weights_are_refused(state):
    with pytest.raises(InputError, match="not the weights of a contrast network"):
        ContrastNet.from_state(state)


def test_intensities_and_guesses():
    ct = torch.linspace(-1000, 1500, 1000).reshape(10, 10, 10)
    values = standard_intensities(ct, "ct")
    assert values.min() >= -1
    assert values.max() <= 1
    assert (values.flatten().diff() >= 0).all()
    assert torch.allclose(standard_intensities(ct * 3.0 + 20.0, "mr"), standard_intensities(ct, "mr"), atol=1e-5)
    assert guess_modality(ct) == "ct"
    assert guess_modality(ct.clamp(min=0)) == "mr"
    flat = torch.zeros(8, 8, 8)
    flat[0, 0, 0] = 4.0
    assert torch.isfinite(standard_intensities(flat, "mr")).all()
    assert stem_for("ct", ("ct", "mr", "other")) == "ct"
    assert stem_for("us", ("ct", "mr", "other")) == "other"
    assert stem_for("ct", ("us",)) == "us"


def test_feature_volumes_lie_where_their_image_does():
    image = smooth_image(FIXED, 4)
    volume, grid = feature_volume(image, Mind(), 1.5)
    assert volume.shape[0] == 12
    assert grid.axes == pytest.approx(FIXED.axes)
    drawn = on_grid(volume, grid, FIXED)
    assert ImageGrid.of(drawn) == FIXED
    assert drawn.GetNumberOfComponentsPerPixel() == 12
    # A channel that is linear in space stays that, on an oblique grid too.
    points = grid.points()
    ramp = torch.from_numpy((points @ np.array([0.3, -0.2, 0.5])).astype(np.float32))[None]
    values = sitk.GetArrayFromImage(on_grid(ramp, grid, FIXED))
    inner = (slice(2, -2),) * 3
    expected = FIXED.points() @ np.array([0.3, -0.2, 0.5])
    assert np.abs(values.squeeze() - expected)[inner].max() < 1e-3


def test_colours_are_the_same_where_features_are_and_show_the_most():
    features = noise(5, 9, 10, 11)
    features[0] *= 10.0
    other = features.flip(3)
    palette = make_palette(features, other)
    colours, mirrored = palette(features), palette(other)
    assert colours.dtype == torch.uint8
    assert colours.shape == (3, 9, 10, 11)
    assert torch.equal(colours.flip(3), mirrored)
    red = np.corrcoef(colours[0].flatten().numpy(), features[0].flatten().numpy())[0, 1]
    assert abs(red) > 0.98
    assert torch.allclose(palette.axes @ palette.axes.T, torch.eye(3), atol=1e-5)


def test_fewer_features_than_colours():
    colours = make_palette(noise(1, 6, 6, 6))(noise(1, 6, 6, 6))
    assert colours.shape == (3, 6, 6, 6)
    assert colours[0].float().std() > 10


def test_extractor_takes_the_stem_of_the_modality():
    torch.manual_seed(2)
    network = ContrastNet(("ct", "other"), width=4, channels=4).eval()
    volume = 500.0 * noise(12, 13, 14)
    asked = ContrastFeatures(network, "own", "ct")(volume, 1.0)
    expected = network(standard_intensities(volume, "ct")[None, None], "ct")[0]
    assert torch.allclose(asked, expected)
    unknown = ContrastFeatures(network, "own", "mr")(volume, 1.0)
    assert torch.allclose(unknown, network(standard_intensities(volume, "other")[None, None], "other")[0])
    assert image_on(FIXED, np.zeros(FIXED.shape, dtype=np.float32)).GetSize() == FIXED.size
