"""Self-similarity with learned numbers: it begins as MIND, is its formula, and can be learned."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from deepreg_engine.errors import InputError
from deepreg_engine.features import similarity_net
from deepreg_engine.features.mind import NEIGHBOURS, PAIRS, mind_ssc
from deepreg_engine.features.similarity_net import SimilarityFeatures, SimilarityNet
from deepreg_engine.methods.dense.parameters import DenseParameters
from deepreg_engine.models.card import ModelCard, write_model
from deepreg_engine.models.store import load_extractor

SHAPE = (9, 11, 10)


def image(seed: int = 0, shape: tuple[int, int, int] = SHAPE) -> torch.Tensor:
    """A volume with structure at all scales."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).cumsum(0).cumsum(1)


def network(plane: float = 0.4, across: float = 0.2, steepness: float = 1.7) -> SimilarityNet:
    found = SimilarityNet()
    with torch.no_grad():
        found.sides.copy_(torch.tensor([plane, across]).log())
        found.steepness.fill_(np.log(steepness))
    return found


def plain(volume: np.ndarray, plane: float, across: float, steepness: float) -> np.ndarray:
    """The formula, a voxel of a patch at a time; the image and the squares go on beyond the faces with their values."""
    padded = np.pad(volume, 1, mode="edge")
    size = volume.shape

    def shifted(array, step, margin):
        return array[tuple(slice(margin + s, margin + s + n) for s, n in zip(step, size, strict=True))]

    distances = []
    for one, other in PAIRS:
        squares = np.pad((shifted(padded, NEIGHBOURS[one], 1) - shifted(padded, NEIGHBOURS[other], 1)) ** 2, 1, mode="edge")
        total = np.zeros(size)
        for step in np.ndindex(3, 3, 3):
            offset, weight = [s - 1 for s in step], 1.0
            for axis in range(3):
                if offset[axis]:
                    weight *= plane if NEIGHBOURS[one][axis] != NEIGHBOURS[other][axis] else across
            total += weight * shifted(squares, offset, 1)
        distances.append(total)
    distances = np.stack(distances)
    distances -= distances.min(0)
    return np.exp(-steepness * distances / distances.mean(0))


def test_training_begins_with_mind():
    with torch.no_grad():
        torch.testing.assert_close(SimilarityNet()(image()[None, None])[0], mind_ssc(image(), 1, 1), atol=2e-5, rtol=0)


def test_it_is_its_formula():
    numbers = {"plane": 0.4, "across": 0.2, "steepness": 1.7}
    volume = image(1).double()
    with torch.no_grad():
        found = network(**numbers).double()(volume[None, None])[0]
    np.testing.assert_allclose(found.numpy(), plain(volume.numpy(), *numbers.values()), atol=1e-5)
    assert network(**numbers).numbers() == pytest.approx({"s in plane": 0.4, "s across": 0.2, "g": 1.7}, rel=1e-5)


@pytest.mark.parametrize("voxels", [1, 300, 1 << 20])
def test_slabs_and_recording_change_nothing(voxels, monkeypatch):
    recorded = network()(image()[None, None])[0]
    assert recorded.requires_grad
    monkeypatch.setattr(similarity_net, "_SLAB_VOXELS", {"cpu": voxels})
    with torch.no_grad():
        torch.testing.assert_close(network()(image()[None, None])[0], recorded.detach(), atol=1e-6, rtol=1e-6)


def test_brightness_and_contrast_change_nothing():
    extractor = SimilarityFeatures(network(), "own")
    torch.testing.assert_close(extractor(image(), 1.0), extractor(-7.0 * image() + 300.0, 1.0), atol=2e-4, rtol=0)


@pytest.mark.parametrize("value", [0.0, 1000.0])
def test_an_image_without_contrast_has_features(value):
    found = SimilarityFeatures(network(), "own")(torch.full(SHAPE, value), 1.0)
    assert found.shape == (12, *SHAPE)
    assert torch.isfinite(found).all()
    assert torch.equal(found, torch.ones_like(found))  # every pair is as near as the nearest


def test_reach_is_the_largest_distance_of_a_voxel_with_influence():
    extractor = SimilarityFeatures(network(), "own")
    volume = image(2, (11, 11, 11))
    changed = volume.clone()
    changed[5, 5, 5] += 40.0
    differ = (extractor(volume, 1.0) - extractor(changed, 1.0)).abs().amax(0) > 1e-3
    far = torch.stack(torch.meshgrid(*(torch.arange(11) - 5,) * 3, indexing="ij")).abs().amax(0)
    assert differ[far <= 1].any()
    assert not differ[far > extractor.reach].any()


def test_gradients_by_finite_differences():
    volume = image(3, (4, 5, 4)).double()
    found = network().double()
    names = [name for name, _ in found.named_parameters()]

    def features(*values):
        return torch.func.functional_call(found, dict(zip(names, values, strict=True)), (volume[None, None],))

    values = tuple(value.detach().clone().requires_grad_() for value in found.parameters())
    assert torch.autograd.gradcheck(features, values, eps=1e-6, atol=1e-4)


def test_a_model_file_gives_the_features(tmp_path):
    path = tmp_path / "own.safetensors"
    write_model(
        path, ModelCard("own", "descent", "similarity-net"), {name: value.numpy() for name, value in network().state_dict().items()}
    )
    extractor = load_extractor(DenseParameters(features=str(path)))
    assert extractor.name == "own"
    assert extractor.kind.follows_warp
    assert extractor.channels == 12
    assert torch.equal(extractor(image(), 2.0), SimilarityFeatures(network(), "own")(image(), 2.0))


def test_other_weights_are_refused():
    with pytest.raises(InputError, match="not the weights of a similarity network"):
        SimilarityNet.from_state({"sides": torch.zeros(3)})
