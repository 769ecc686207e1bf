"""A segmentation network as features: its windows over an image, its examples, its loss, its training, and its use in a registration."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from test_dense_training import scan
from training_runs import data, train

from deepreg_engine.errors import InputError, ParameterError
from deepreg_engine.features.contrast_net import standard_intensities
from deepreg_engine.features.handcrafted import Mind
from deepreg_engine.features.label_net import LabelFeatures, LabelNet, window_starts
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import resample
from deepreg_engine.geometry.sampling import identity
from deepreg_engine.methods.common.image_pair import ImagePair
from deepreg_engine.methods.common.level import LevelData
from deepreg_engine.methods.dense.parameters import DenseParameters
from deepreg_engine.methods.dense.register import extractors_of
from deepreg_engine.models.card import ModelCard, write_model
from deepreg_engine.training.augmentation.draws import RandomDraws
from deepreg_engine.training.dense.label_examples import LabelExample, LabelExamples
from deepreg_engine.training.dense.label_training import _learn, label_loss, validation_figures
from deepreg_engine.training.dense.parameters import DenseTraining
from deepreg_engine.training.dense.scans import make_scan
from deepreg_engine.training.dense.search_loss import class_weights
from deepreg_engine.training.loop import Monitor, Optimiser

SMALL = DenseTraining(steps=4, size=16, width=4, spacing=4.0, noise=0.0)


def training_scan(seed: int, turn: float = 0.0):
    name, image, labels, modality = scan(seed, turn)
    return make_scan(name, image, labels, modality, SMALL.voxel_size(()), [1, 2, 3])


@pytest.fixture(scope="module")
def scans():
    return [training_scan(seed, turn) for seed, turn in ((1, 12.0), (2, 0.0), (3, -15.0))]


# ------------------------------------------------------------------------------------------------------------- network


@given(st.integers(1, 300), st.integers(8, 96))
def test_windows_cover_an_axis_and_end_inside(size, window):
    starts = window_starts(size, window)
    seen = np.zeros(size, int)
    for start in starts:
        assert start >= 0
        assert start + window <= size or start == 0
        seen[start : start + window] += 1
    assert seen.min() >= 1
    assert starts == sorted(set(starts))
    assert all(later - sooner <= window * 2 / 3 for sooner, later in zip(starts, starts[1:], strict=False))


class Pointwise(LabelNet):
    """A network that processes single voxels, so that windows have no effect."""

    def forward(self, image):  # noqa: D102
        return torch.cat([image, -image, 2.0 * image], dim=1)


@pytest.mark.parametrize("size", [(20, 33, 41), (7, 50, 3), (64, 9, 17)])
def test_overlapping_windows_give_what_one_window_gives(size):
    torch.manual_seed(0)
    image = torch.randn(size)
    found = Pointwise(2, 4).probabilities(image, 16)
    expected = torch.softmax(torch.stack([image, -image, 2.0 * image]), dim=0)
    assert found.shape == (3, *size)
    assert torch.allclose(found.float(), expected, atol=1e-3)


@pytest.mark.parametrize("size", [(19, 26, 33), (1, 2, 3), (16, 16, 16)])
def test_images_of_any_size_have_probabilities_that_sum_to_one(size):
    torch.manual_seed(0)
    network = LabelNet(5, 4).eval()
    image = torch.randn(size)
    found = network.probabilities(image, 48).float()
    with torch.no_grad():
        direct = torch.softmax(network(image[None, None])[0], dim=0)
    assert found.shape == direct.shape == (6, *size)
    assert torch.allclose(found, direct, atol=1e-3)
    assert torch.allclose(found.sum(0), torch.ones(size), atol=3e-3)


def test_weights_of_other_networks_are_refused():
    torch.manual_seed(0)
    network = LabelNet(3, 4).eval()
    again = LabelNet.from_state(network.state_dict())
    image = torch.randn(1, 1, 16, 17, 18)
    assert torch.equal(again(image), network(image))
    assert again.channels == 4
    with pytest.raises(InputError, match="label network"):
        LabelNet.from_state({"stem.weight": torch.zeros(3)})


# ------------------------------------------------------------------------------------------------------------- features


class Counted(LabelNet):
    """Counts the calls for a whole image."""

    asked = 0

    def probabilities(self, image, window):  # noqa: D102
        self.asked += 1
        return super().probabilities(image, window)


def test_all_levels_see_the_same_structures_at_the_same_points():
    """Oblique, anisotropic images of unequal sizes: features are those of the image on the network's own voxels, computed once."""
    torch.manual_seed(0)
    network = Counted(2, 4).eval()
    network.importance.copy_(torch.tensor([0.5, 2.0, 1.0]))
    features = LabelFeatures(network, "own", 4.0, 24, "ct")
    (_, fixed, _, _), (_, moving, _, _) = scan(1, 12.0), scan(2, -8.0)
    shift = (4.0, -3.0, 2.0)
    transform = sitk.TranslationTransform(3, shift)
    from deepreg_engine.geometry.images import without_outliers
    from deepreg_engine.geometry.volume import draw

    own = ImageGrid.of(fixed).resampled(4.0)
    said = network.probabilities(standard_intensities(draw(without_outliers(fixed), own), "ct"), 24).float()
    network.asked = 0
    for spacing in (8.0, 3.0):
        grid = ImageGrid.of(fixed).resampled(spacing)
        data = LevelData(ImagePair(fixed, moving), grid, transform, 20.0, (features, features), torch.device("cpu"))
        for number in range(3):  # SimpleITK resamples the network's output onto the level's grid
            image = resample(
                own.to_image((said[number] * network.importance[number]).numpy()), grid, sitk.Transform(3, sitk.sitkIdentity), "linear"
            )
            inside = resample(own.to_image(np.ones(own.shape, np.float32)), grid, sitk.Transform(3, sitk.sitkIdentity), "linear")
            known = sitk.GetArrayFromImage(inside) > 0.5
            np.testing.assert_allclose(data.fixed_features()[number].numpy()[known], sitk.GetArrayFromImage(image)[known], atol=2e-3)
        warped, known, _ = data.warped(torch.zeros(3, *grid.shape))
        assert warped.shape == (3, *grid.shape)
        assert bool((known > 0.5).any())
    assert network.asked == 2  # the fixed image and the moving one


def test_a_registration_matches_structures_that_only_their_labels_distinguish(monkeypatch):
    """Rows of equal balls: for MIND, each ball already lies on another one; the labels show that it belongs to the neighbour of that
    one."""
    from deepreg_engine.methods.dense import register as method
    from deepreg_engine.metrics.overlap import label_overlap

    def balls(grid, centres):
        points, labels = grid.points(), np.zeros(grid.shape, np.uint8)
        values = np.full(grid.shape, -50.0, np.float32)
        for label, centre in enumerate(centres, start=4 - len(centres)):  # the last ones are 1, 2, 3
            inside = np.linalg.norm(points - centre, axis=-1) < 14
            labels[inside], values[inside] = label, 100.0
        return sitk.DiscreteGaussian(grid.to_image(values), 2.0), grid.to_image(labels)

    turned = tuple(Rotation.from_euler("x", 20, degrees=True).as_matrix().ravel())
    fixed_grid = ImageGrid((50, 30, 26), (3.0, 3.4, 4.0), (-74, -32, -63), turned)
    fixed, fixed_labels = balls(fixed_grid, ((-40, 0, 0), (0, 0, 0), (40, 0, 0)))
    moving_grid = ImageGrid((56, 34, 27), (3.3, 3.0, 3.9), (-74, -50, -52), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    moving, moving_labels = balls(moving_grid, ((-40, 0, 0), (0, 0, 0), (40, 0, 0), (80, 0, 0)))

    class Named(LabelFeatures):
        def __init__(self, truth):
            super().__init__(LabelNet(3, 4), "named", 4.0, 64, "ct")
            self._truth = truth

        def _probabilities(self, image):
            found = self._truth(image)
            return torch.nn.functional.one_hot(found, 4).movedim(-1, 0).half()

    def by_place(image):
        bright = image > 25.0
        last = int(bright.nonzero()[:, 2].max())
        x = torch.arange(image.shape[2], device=image.device).expand(image.shape)
        return torch.where(bright, (3 - (last - x) // 10).clamp(0, 3), 0)

    parameters = DenseParameters(
        capture_range=60.0, control_spacing=8.0, refinement_iterations=0, initial="none", search_smoothness=30.0, truncation=1.0
    )
    dice = {}
    for name, extractor in (("mind", None), ("named", Named(by_place))):
        if extractor is not None:
            monkeypatch.setattr(method, "load_extractor", lambda given, extractor=extractor: extractor)
        result = method.register_dense(ImagePair(fixed, moving), parameters)
        moved = resample(moving_labels, fixed_grid, result.field.to_transform(), "nearest")
        dice[name] = np.nanmean([overlap.dice for overlap in label_overlap(fixed_labels, moved)])
    assert dice["named"] > 0.75
    assert dice["mind"] < 0.3


def test_mind_joins_probabilities_in_the_refinement(tmp_path):
    weights = {name: value.numpy() for name, value in LabelNet(2, 4).state_dict().items()}
    write_model(tmp_path / "own.safetensors", ModelCard("own", "dense", "label-net"), weights)
    search, refinement = extractors_of(DenseParameters(features=str(tmp_path / "own.safetensors"), mind_dilation=3))
    assert (search.name, search.channels) == ("own", 3)
    assert (refinement.name, refinement.channels) == ("mind+own", 15)
    assert refinement.reach == Mind(1, 3).reach
    assert refinement.kept == search.kept == 3.0
    # Voxels where probabilities differ keep their weight.
    assert not refinement.kind.robust
    assert Mind.kind.robust
    for features in ("mind", f"mind+{tmp_path / 'own.safetensors'}"):  # those that see edges, or are joined already, need none
        search, refinement = extractors_of(DenseParameters(features=features))
        assert refinement is search


# ------------------------------------------------------------------------------------------------------------ examples


def test_examples_are_repeatable_and_their_labels_lie_on_their_structures(scans):
    options = SMALL.replaced({"size": 24, "structures": 0.0})
    marked = [type(one)(**{**vars(one), "image": one.labels.half()}) for one in scans]  # the image is the label itself
    likeness = []
    for number in range(8):
        one, same = (LabelExamples(marked, options, 5)[number] for _ in range(2))
        assert torch.equal(one.image, same.image)
        assert torch.equal(one.labels, same.labels)
        assert one.image.shape == one.labels.shape == (24, 24, 24)
        if len(one.labels.unique()) > 1:
            likeness.append(float(torch.corrcoef(torch.stack([one.image.flatten(), one.labels.float().flatten()]))[0, 1]))
    assert len(likeness) > 4
    assert np.mean(likeness) > 0.9
    other = LabelExamples(marked, options, 6)[0]
    assert not torch.equal(other.image, LabelExamples(marked, options, 5)[0].image)


def test_structures_get_other_intensities_each_as_a_whole(scans):
    flat = type(scans[0])(**{**vars(scans[0]), "image": torch.zeros_like(scans[0].image), "modality": "other"})
    draws = RandomDraws(torch.Generator().manual_seed(3))
    places = identity(flat.labels.shape, torch.zeros(1))
    seen = flat.view(draws, places, SMALL, structures=0.5)
    # A bias field makes the picture uneven by a fifth at most; structures lie apart by more.
    means = [float(seen[flat.labels == label].mean()) for label in range(4)]
    assert len({round(mean, 2) for mean in means}) == 4
    plain = flat.view(draws, places, SMALL)
    assert float((plain + 1.0).log().std()) < 0.2


# ---------------------------------------------------------------------------------------------------------------- loss


def test_the_loss_of_certainty_and_of_ignorance():
    labels = torch.zeros(4, 5, 6, dtype=torch.long)
    labels[:2], labels[2] = 1, 2
    weights = torch.tensor([0.5, 1.0, 1.5, 2.0])
    sure = torch.nn.functional.one_hot(labels, 4).movedim(-1, 0).float() * 40.0
    assert float(label_loss(sure, labels, weights)) == pytest.approx(0.0, abs=1e-5)
    one, two = 60.0, 30.0  # voxels of the labels of 120
    dice = [(2 * n / 4 + 1) / (120 / 4 + n + 1) for n in (one, two)]
    assert float(label_loss(torch.zeros(4, 4, 5, 6), labels, weights)) == pytest.approx(np.log(4) + 1 - np.mean(dice), rel=1e-5)
    assert float(label_loss(torch.zeros(4, 2, 2, 2), torch.zeros(2, 2, 2, dtype=torch.long), weights)) == pytest.approx(np.log(4), rel=1e-5)


def test_the_loss_has_the_right_gradient():
    torch.manual_seed(0)
    labels, weights = torch.randint(0, 3, (2, 3, 2)), torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
    logits = torch.randn(3, 2, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda given: label_loss(given, labels, weights), logits)


def test_a_validation_is_the_dice_of_the_segmentation():
    class Given(LabelNet):
        def forward(self, image):  # noqa: D102
            return torch.nn.functional.one_hot(image[0, 0].long(), 3).movedim(-1, 0)[None] * 9.0

    labels = torch.zeros(8, 8, 8, dtype=torch.long)
    labels[:4], labels[4:6] = 1, 2
    found = labels.clone()
    found[3] = 2  # a quarter of one structure is labelled as the other
    found = validation_figures(Given(2, 4), [LabelExample(found.float(), labels)] * 3, torch.ones(3), torch.device("cpu"))
    assert found["dice"] == pytest.approx((2 * 3 / 7 + 2 * 2 / 5) / 2)
    assert found["loss"] > 0


# ------------------------------------------------------------------------------------------------------------ training


def test_a_network_learns_a_scan_by_heart(scans):
    options = SMALL.replaced({"width": 8, "rate": 2e-2, "steps": 70})
    torch.manual_seed(0)
    network = LabelNet(3, 8)
    optimiser = Optimiser(network, options, weight_decay=1e-2, largest_gradient=5.0)
    example = next(e for e in (LabelExamples(scans, options, 1)[n] for n in range(60)) if len(e.labels.unique()) == 4)
    losses = [_learn(network, optimiser, example, torch.ones(4))["loss"] for _ in range(70)]
    assert losses[-1] < 0.3 * losses[0]


def test_a_paused_training_resumes_bit_for_bit(scans, tmp_path):
    given = data(scans[:2], scans[2:], labels=3)
    whole = train(SMALL, given, checkpoint_every=2)
    monitor = Monitor(tmp_path / "log.jsonl", tmp_path / "c.pt", command=iter(["", "", "pause"]).__next__)
    assert train(SMALL, given, monitor, checkpoint_every=2).state == "paused"
    resumed = train(SMALL, given, Monitor(tmp_path / "log.jsonl", tmp_path / "c.pt"), checkpoint_every=2)
    assert resumed.best.to_dict() == whole.best.to_dict()
    assert resumed.best.figure == "dice"
    assert torch.equal(whole.network.importance, class_weights(scans[:2], 3).clamp(max=3.0))
    made_by_another_process = train(SMALL, given, workers=1, checkpoint_every=2)
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[name]), name
        assert torch.equal(value, made_by_another_process.network.state_dict()[name]), name


def test_what_does_not_fit_is_refused(scans):
    with pytest.raises(InputError, match="numbers of labels differ: 5 in the model, 3 in the scans"):
        train(SMALL, data(scans, labels=3), start=LabelNet(5, 4))
    empty = [type(one)(**{**vars(one), "labels": torch.zeros_like(one.labels)}) for one in scans]
    with pytest.raises(InputError, match="none of the labels"):
        train(SMALL, data(empty, labels=3))
    with pytest.raises(ParameterError, match="too fine"):
        DenseTraining(spacing=0.05).voxel_size(())


@pytest.mark.parametrize(("size", "spacing", "label", "context", "edge"), [
    ((512, 512, 120), (0.8, 0.8, 3.0), 3.0, 1.5, 64),  # a trunk
    ((180, 220, 180), (1.0, 1.0, 1.0), 1.8, 1.0, 64),  # a head: in proportion to its size
    ((36, 50, 36), (1.0, 1.0, 1.0), 1.0, 1.0, 40),  # a hippocampus: not finer than its voxels, and cubes of its size
    ((100, 60, 60), (0.1, 0.1, 0.2), 0.2, 0.2, 48),  # a mouse's organ
])  # fmt: skip
def test_the_network_s_voxels_and_cubes_suit_the_scans(size, spacing, label, context, edge):
    grid = ImageGrid(size, spacing, (0.0, 0.0, 0.0))
    options = DenseTraining()
    assert options.voxel_size([]) == 3.0
    assert options.voxel_size([grid, grid]) == pytest.approx(label)
    assert DenseTraining(network="context").voxel_size([grid]) == pytest.approx(context)
    assert DenseTraining(spacing=2.5).voxel_size([grid]) == 2.5
    assert options.fitted([grid.resampled(label)]).size == edge


@pytest.mark.parametrize(("names", "asked", "given"), [
    ("mind", 0.0, 0.3), ("own", 0.0, 1.0), ("mind+own", 0.0, 0.3), ("own", 0.5, 0.5), ("self-similarity", 0.0, 0.3),
])  # fmt: skip
def test_the_ceiling_of_a_mismatch_suits_the_features(names, asked, given, tmp_path, monkeypatch):
    from deepreg_engine.methods.dense import register as dense
    from deepreg_engine.models.card import ModelCard, write_model

    path = tmp_path / "own.safetensors"
    write_model(path, ModelCard("own", "dense", "label-net"), {name: value.numpy() for name, value in LabelNet(2, 4).state_dict().items()})
    image = sitk.GetImageFromArray(np.random.default_rng(0).normal(size=(20, 21, 22)).astype(np.float32))
    seen = []

    class Costs(dense.SearchCosts):
        def __init__(self, data, field, search, padding, truncation, weights):
            seen.append(truncation)
            super().__init__(data, field, search, padding, truncation, weights)

    monkeypatch.setattr(dense, "SearchCosts", Costs)
    parameters = DenseParameters(
        features=names.replace("own", str(path)),
        initial="none",
        search_stages=1,
        capture_range=4.0,
        truncation=asked,
        refinement_iterations=0,
    )
    dense.register_dense(ImagePair(image, image), parameters, "cpu")
    assert seen == [given]
