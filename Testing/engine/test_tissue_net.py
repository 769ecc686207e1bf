"""Tissue classes beside self-similarity: the formula, what a registration is given, and that it can be learned."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from scipy.special import expit
from training_runs import data, train

from deepreg_engine.errors import InputError
from deepreg_engine.features.mind import mind_ssc
from deepreg_engine.features.tissue_net import TissueFeatures, TissueNet
from deepreg_engine.methods.common.image_pair import ImagePair
from deepreg_engine.methods.dense.parameters import DenseParameters
from deepreg_engine.methods.dense.register import register_dense
from deepreg_engine.models.card import ModelCard, write_model
from deepreg_engine.models.store import load_extractor
from deepreg_engine.training.descent import scenes as training_scenes
from deepreg_engine.training.descent import trainer
from deepreg_engine.training.descent.examples import SceneViews
from deepreg_engine.training.descent.parameters import DescentTraining
from deepreg_engine.training.descent.scenes import Scene, ct_patients

SHAPE = (9, 11, 10)


def scan(seed: int = 0, shape: tuple[int, int, int] = SHAPE) -> torch.Tensor:
    """HU from air to bone, with structure at all scales."""
    return 90.0 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).cumsum(0).cumsum(1)


def network() -> TissueNet:
    found = TissueNet()
    with torch.no_grad():
        found.near.fill_(np.log(0.5))
        found.far.fill_(np.log(2.0))
        found.shares.copy_(torch.tensor([0.2, 0.4, 0.8, 1.6]).log())
        found.similarity.sides.copy_(torch.tensor([0.3, 0.2]).log())
    return found


def test_it_is_its_formula():
    found = network()
    numbers = found.numbers()
    with torch.no_grad():
        features = found(scan()[None, None])[0]
        near = found.similarity(scan()[None, None])[0]
    assert features.shape == (TissueNet.channels, *SHAPE)
    assert numbers["a"] == pytest.approx([0.5, 2.0])
    torch.testing.assert_close(features[:12], 0.5 * near)
    torch.testing.assert_close(features[12:24], 2.0 * mind_ssc(scan()))
    assert numbers["b"] == pytest.approx([0.2, 0.4, 0.8, 1.6])
    assert sorted(numbers["c"]) == numbers["c"]
    for number, (share, between, width) in enumerate(zip(numbers["b"], numbers["c"], numbers["w"], strict=True)):
        np.testing.assert_allclose(features[24 + number].numpy(), share * expit((scan().numpy() - between) / width), atol=1e-5)


def test_with_and_without_gradients_it_is_the_same():
    network, image = TissueNet(), 300.0 * torch.randn(2, 1, 9, 8, 7, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        one = network(image)
    assert one.shape == (2, network.channels, 9, 8, 7)
    assert torch.equal(one, network(image))


def test_gradients_by_finite_differences():
    volume, found = scan(3, (4, 5, 4)).double(), network().double()
    names = [name for name, _ in found.named_parameters()]

    def features(*values):
        return torch.func.functional_call(found, dict(zip(names, values, strict=True)), (volume[None, None],))

    assert torch.autograd.gradcheck(
        features, tuple(value.detach().clone().requires_grad_() for value in found.parameters()), eps=1e-6, atol=1e-4
    )


@pytest.mark.parametrize("value", [-1000.0, 0.0, 3000.0])
def test_an_image_without_contrast_has_features(value):
    found = TissueFeatures(network(), "own")(torch.full(SHAPE, value), 1.0)
    assert torch.isfinite(found).all()
    assert float(found.flatten(1).std(1).max()) < 1e-6


def test_reach_is_the_largest_distance_of_a_voxel_with_influence():
    extractor = TissueFeatures(network(), "own")
    volume = scan(2, (13, 13, 13))
    changed = volume.clone()
    changed[6, 6, 6] += 4000.0
    differ = (extractor(volume, 1.0) - extractor(changed, 1.0)).abs().amax(0) > 1e-3
    far = torch.stack(torch.meshgrid(*(torch.arange(13) - 6,) * 3, indexing="ij")).abs().amax(0)
    assert differ[far <= 2].any()
    assert not differ[far > extractor.reach].any()


def test_a_model_file_gives_the_features(tmp_path):
    path = tmp_path / "own.safetensors"
    write_model(path, ModelCard("own", "dense", "tissue-net"), {name: value.numpy() for name, value in network().state_dict().items()})
    extractor = load_extractor(DenseParameters(features=str(path)))
    assert extractor.name == "own"
    assert extractor.kind.follows_warp
    assert extractor.channels == TissueNet.channels
    assert torch.equal(extractor(scan(), 2.0), TissueFeatures(network(), "own")(scan(), 2.0))


@pytest.mark.parametrize(("offset", "others"), [(0.0, ""), (2000.0, "both images are")])
def test_images_that_are_not_in_hu_are_compared_by_self_similarity(offset, others, tmp_path):
    path = tmp_path / "own.safetensors"
    write_model(path, ModelCard("own", "dense", "tissue-net"), {name: value.numpy() for name, value in network().state_dict().items()})
    image = sitk.GetImageFromArray(scan(1, (24, 26, 28)).clamp(-1000, 1000).numpy() + offset)
    parameters = DenseParameters(features=str(path), initial="none", search_stages=1, capture_range=4.0, refinement_iterations=1)
    for features, refined, compared in (
        (str(path), "same", "self-similarity"),
        ("mind", "ct-tissue", "mind"),
        (f"mind+{path}", "same", "mind+self-similarity"),
    ):
        changes = {"features": features, "refinement_features": refined}
        result = register_dense(ImagePair(image, image), parameters.replaced(changes), "cpu")
        assert len(result.notes) == bool(others)
        if others:
            assert f"{others} not in HU: self-similarity was compared instead" in result.notes[0]
            assert result.features == compared
            assert "ct-tissue" not in result.refinement_features
    assert register_dense(ImagePair(image, image), parameters.replaced({"features": "mind"}), "cpu").notes == []


@pytest.mark.parametrize("state", [{}, {"between": torch.zeros(2)}, {"sides": torch.zeros(3)}])
def test_other_weights_are_refused(state):
    with pytest.raises(InputError, match="not the weights of a tissue network"):
        TissueNet.from_state(state)


@pytest.fixture(scope="module")
def patients():
    """Two synthetic patients at coarse voxels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_scenes, "CT_PATIENTS", (("abdomen", 6.0),))
        return ct_patients(2, 40)


def test_patients_are_examined_several_times_in_one_place(patients):
    scenes, pairs = patients
    (first, second), images = scenes, scenes[0].takes("ct")
    assert [(one.name, other.name) for one, other in pairs] == [(first.name, second.name), (second.name, first.name)]
    assert images.shape == (2, *first.labels.shape)
    assert images.dtype == torch.float32
    body = first.labels > 0
    assert float(images[0][body].mean()) > -300
    assert float(images[:, ~body].mean()) < -800
    # One anatomy: the examinations differ in noise and contrast medium, not in anatomy.
    apart = (images[0] - images[1]).abs()
    assert 1.0 < float(apart[body].median()) < 40.0
    assert float(np.corrcoef(images[0][body].numpy(), images[1][body].numpy())[0, 1]) > 0.95


def test_two_views_of_a_patient_are_two_examinations(patients):
    (patient, _), _ = patients
    views = SceneViews(("ct",), 24, torch.Generator().manual_seed(0), 4.0, 0.0, calibrated=True)
    marked = Scene(patient.labels, {"ct": torch.stack([torch.full(patient.labels.shape, value) for value in (-1000.0, 1000.0)])})
    for _ in range(4):
        example = views.draw(marked)
        assert abs(float(example.fixed.mean() - example.moving.mean())) > 1900  # in HU, and never the same one twice
        assert {example.fixed_modality, example.moving_modality} == {"ct"}


def test_few_numbers_are_learned_and_learned_again(patients, monkeypatch):
    monkeypatch.setattr(trainer, "ct_patients", lambda *arguments: patients)
    monkeypatch.setattr(trainer, "_VALIDATION", 2)
    options = DescentTraining(network="tissue", rate=0.03, steps=5, size=24, phantoms=2)
    one, other = (train(options, data([]), workers=workers).network for workers in (0, 1))
    assert one.numbers() == other.numbers() != TissueNet().numbers()
    assert all(np.isfinite(value).all() for value in one.numbers().values())
