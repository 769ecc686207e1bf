"""Training of the Dense method's features: examples, losses, and positions of the network's nodes."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from scipy.spatial.transform import Rotation
from training_runs import data, train

from deepreg_engine.features.context_net import STRIDE, ContextFeatures, ContextNet
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.sampling import identity, sample
from deepreg_engine.methods.common.affine import align
from deepreg_engine.methods.common.image_pair import ImagePair
from deepreg_engine.methods.common.level import LevelData
from deepreg_engine.solvers.correlation import expected_labels, lattice_size
from deepreg_engine.training import precision
from deepreg_engine.training.dense.parameters import DenseTraining
from deepreg_engine.training.dense.scans import make_scan
from deepreg_engine.training.dense.search_examples import CONTROL, SearchExample, SearchExamples
from deepreg_engine.training.dense.search_loss import class_weights, label_loss, training_loss, truth_loss
from deepreg_engine.training.loop import Monitor

SMALL = DenseTraining(network="context", steps=4, controls=5, radius=2, width=6, channels=4, spacing=3.0, initial="geometry", noise=0.0)


def scan(seed: int, turn: float = 0.0, name: str = "", modality: str = "ct"):
    """A soft-tissue block with three organs, on an oblique, anisotropic grid."""
    random = np.random.default_rng(seed)
    direction = Rotation.from_euler("xyz", (turn, -turn, 2 * turn), degrees=True).as_matrix()
    size, spacing = (44 + seed, 40, 33 - seed), (2.5, 2.8, 3.6)
    grid = ImageGrid(size, spacing, tuple(random.uniform(-60, -50, 3)), tuple(direction.ravel()))
    points = grid.points() - grid.centre
    values, labels = np.full(grid.shape, -1000.0), np.zeros(grid.shape, np.uint8)
    values[np.linalg.norm(points / (48, 46, 48), axis=-1) < 1] = 0.0
    for label, (place, radius, hu) in enumerate((((18, 5, 0), 16, 90), ((-16, 8, 6), 13, 160), ((0, -20, -8), 11, -60)), start=1):
        inside = np.linalg.norm(points - (np.array(place) + random.normal(0, 2, 3)), axis=-1) < radius
        values[inside], labels[inside] = hu, label
    image = sitk.DiscreteGaussian(grid.to_image(values.astype(np.float32)), 4.0)
    return name or f"scan{seed}", image, grid.to_image(labels), modality


def training_scan(seed: int, turn: float = 0.0):
    name, image, labels, modality = scan(seed, turn)
    return make_scan(name, image, labels, modality, SMALL.spacing, [1, 2, 3])


@pytest.fixture(scope="module")
def scans():
    return [training_scan(seed, turn) for seed, turn in ((1, 12.0), (2, 0.0), (3, -15.0))]


# -------------------------------------------------------------------------------------------------------------- solver


@pytest.mark.parametrize(("ratio", "radius"), [(1, 2), (2, 1)])
def test_expected_labels_are_the_plain_sum_and_their_gradients_are_right(ratio, radius):
    torch.manual_seed(0)
    counts, labels = (3, 2, 4), 2 * radius + 1
    probability = torch.rand(3, 2, labels, labels, labels, 4, dtype=torch.float64, requires_grad=True)
    moving = torch.rand(2, *lattice_size(counts, ratio, radius), dtype=torch.float64, requires_grad=True)
    found = expected_labels(probability, moving, ratio)
    for z, y, x in ((0, 0, 0), (2, 1, 3), (1, 0, 2)):
        part = moving[:, z * ratio : z * ratio + labels, y * ratio : y * ratio + labels, x * ratio : x * ratio + labels]
        assert torch.allclose(found[:, z, y, x], (probability[z, y, ..., x] * part).sum((1, 2, 3)))
    assert torch.autograd.gradcheck(lambda p, m: expected_labels(p, m, ratio), (probability, moving))


# -------------------------------------------------------------------------------------------------------------- losses


def certain(truth: torch.Tensor, radius: int) -> torch.Tensor:
    """Probabilities (Kz, Ky, L, L, L, Kx) that are 1 at whole displacements (3, Kz, Ky, Kx)."""
    labels = 2 * radius + 1
    planes, rows, columns = truth.shape[1:]
    probability = torch.zeros(planes, rows, labels, labels, labels, columns)
    for z in range(planes):
        for y in range(rows):
            for x in range(columns):
                dx, dy, dz = (int(v) + radius for v in truth[:, z, y, x])
                probability[z, y, dz, dy, dx, x] = 1.0
    return probability


@pytest.mark.parametrize("step", [1, 2])
def test_the_label_loss_is_zero_where_labels_land_on_labels(step):
    torch.manual_seed(1)
    controls, radius, shift = 4, 2, (1, -1, 2)  # x, y, z in steps
    nodes, reach = controls * CONTROL, radius * step
    outer = nodes + 2 * reach
    moving = torch.randint(0, 4, (outer,) * 3)
    # The fixed side shows at x what the moving one shows at x + shift.
    first = [reach + step * s for s in reversed(shift)]
    fixed = moving[first[0] : first[0] + nodes, first[1] : first[1] + nodes, first[2] : first[2] + nodes]
    nothing = torch.zeros(1)
    example = SearchExample(nothing, nothing, fixed, moving, step, None)
    truth = torch.tensor(shift, dtype=torch.float32).view(3, 1, 1, 1).expand(3, controls, controls, controls)
    right, figures = label_loss(certain(truth, radius), example, torch.ones(4))
    wrong, worse = label_loss(certain(truth * 0, radius), example, torch.ones(4))
    assert float(right) == pytest.approx(0.0, abs=1e-9)
    assert figures["dice"] == pytest.approx(1.0)
    assert float(wrong) > 0.1
    assert worse["dice"] < 0.7


def test_the_divergence_is_the_cross_entropy_with_the_eight_neighbours():
    radius, truth = 2, torch.zeros(3, 2, 3, 2)
    truth[0, 0], truth[1] = 1.25, -0.5
    truth[2, 1, 2, 1] = 9.0  # beyond the search: does not count
    labels = 2 * radius + 1
    even = torch.full((2, 3, labels, labels, labels, 2), -3 * np.log(labels))
    divergence, error = truth_loss(even, torch.zeros_like(truth), truth)
    # Between two labels along y everywhere, and a quarter of the way along x in half of the control points.
    spread = np.log(2.0) + (0.25 * np.log(4.0) + 0.75 * np.log(4.0 / 3.0)) * 6 / 11
    assert float(divergence) == pytest.approx(3 * np.log(labels) - spread, rel=1e-5)
    assert float(error) == pytest.approx((6 * np.hypot(1.25, 0.5) + 5 * 0.5) / 11, rel=1e-5)
    whole = torch.zeros(3, 2, 3, 2)
    sure = torch.log(certain(whole, radius) + 1e-12)
    assert float(truth_loss(sure, whole, whole)[0]) == pytest.approx(0.0, abs=1e-6)


def test_rare_labels_weigh_more(scans):
    weights = class_weights(scans, 3)
    count = sum(torch.bincount(one.labels.flatten().long(), minlength=4).double() / one.labels.numel() for one in scans)
    assert torch.allclose(weights[1:] / weights[0], (count[0] / count[1:]).sqrt().float(), rtol=1e-4)
    assert float(weights.mean()) == pytest.approx(1.0, abs=1e-5)


# ------------------------------------------------------------------------------------------------------------ examples


def test_examples_are_repeatable_and_their_truth_leads_to_the_same_tissue(scans):
    options = SMALL.replaced({"same": 1.0, "controls": 8, "radius": 3})
    differences, before = [], []
    for number in range(6):
        one, same = (SearchExamples(scans[:1], options, 5)[number] for _ in range(2))
        assert torch.equal(one.fixed, same.fixed)
        assert torch.equal(one.truth, same.truth)
        nodes, reach = options.controls * CONTROL, options.radius * one.step
        assert one.fixed.shape == (STRIDE * (nodes - 1) + 1,) * 3
        assert one.moving_labels.shape == (nodes + 2 * reach,) * 3
        centres = CONTROL * identity((options.controls,) * 3, torch.zeros(1)) + 0.5 * (CONTROL - 1)
        fixed = sample(one.fixed[None], centres * STRIDE)[0]
        for truth, kept in ((one.truth, differences), (one.truth * 0, before)):
            place = centres + reach + truth * one.step
            moving = sample(one.moving[None], place * STRIDE)[0]
            seen = ((place > 1) & (place < nodes + 2 * reach - 2)).all(0) & (one.truth.abs() <= options.radius).all(0)
            kept.append((fixed - moving)[seen].var())  # each view has its own brightness
    assert float(torch.stack(differences).mean()) < 0.1 * float(torch.stack(before).mean())


def test_two_scans_are_aligned_as_a_registration_aligns_them(scans):
    examples = SearchExamples(scans, SMALL, 0)
    matrix = examples.between(0, 2)
    transform = align(scans[0].small, scans[2].small, "geometry").transform
    for index in ((0, 0, 0), (11, 7, 5), (3, 20, 16)):
        point = scans[0].grid.index_to_physical(np.array([index], dtype=float))[0]
        expected = scans[2].grid.physical_to_index(np.array([transform.TransformPoint(tuple(point))]))[0]
        np.testing.assert_allclose((matrix @ [*index, 1.0])[:3], expected, atol=1e-3)
    assert any(examples[number].truth is None for number in range(6))


def test_random_contrast_changes_intensities_but_not_places(scans):
    plain, other = (SearchExamples(scans, SMALL.replaced({"contrast": contrast}), 3)[2] for contrast in (0.0, 1.0))
    assert plain.fixed.shape == other.fixed.shape
    assert not torch.allclose(plain.fixed, other.fixed)
    assert float(other.fixed.abs().max()) < 3.0
    assert torch.isfinite(other.moving).all()


# ------------------------------------------------------------------------------------------------------------- network


def test_nodes_lie_at_every_third_voxel():
    torch.manual_seed(0)
    network = ContextNet(5, 8).eval()
    for size in ((31, 28, 40), (30, 32, 27)):
        image = torch.randn(1, 1, *size)
        with torch.no_grad():
            features = network(image)[0]
        assert features.shape == (5, *(ContextNet.nodes(n) for n in size))
        extractor = ContextFeatures(network, "own", 2.0, "other")
        index = 3.0 * identity((3, 4, 2), torch.zeros(1)) + 3.0
        found = extractor.at(image[0, 0], 2.0, index)
        from deepreg_engine.features.contrast_net import standard_intensities

        with torch.no_grad():
            direct = network(standard_intensities(image[0, 0], "other")[None, None])[0]
        assert torch.allclose(found, direct[:, 1:4, 1:5, 1:3], atol=1e-4)
    assert torch.equal(ContextNet.from_state(network.state_dict())(image), network(image))


def test_features_of_a_coarse_level_come_from_the_finer_image(scans):
    """Oblique, anisotropic images of unequal sizes: a level has the features of the same point of the patient."""
    torch.manual_seed(0)
    extractor = ContextFeatures(ContextNet(3, 6).eval(), "own", 3.0, "ct")
    (_, fixed, _, _), (_, moving, _, _) = scan(1, 12.0), scan(2, -8.0)
    grid = ImageGrid.of(fixed).resampled(7.0)
    transform = sitk.TranslationTransform(3, (4.0, -3.0, 2.0))
    data = LevelData(ImagePair(fixed, moving), grid, transform, 20.0, (extractor, extractor), torch.device("cpu"))
    own = ImageGrid.of(fixed).resampled(3.0)
    from deepreg_engine.geometry.images import without_outliers
    from deepreg_engine.geometry.volume import draw

    volume = draw(without_outliers(fixed), own)
    points = grid.index_to_physical(np.array([[2.0, 3.0, 1.0], [4.0, 2.0, 3.0]]))
    index = torch.from_numpy(own.physical_to_index(points).T.astype(np.float32))[:, None, None]
    expected = extractor.at(volume, 3.0, index)[:, 0, 0]
    found = data.fixed_features()
    assert own.voxels > 3 * grid.voxels
    assert torch.allclose(found[:, [1, 3], [3, 2], [2, 4]], expected, atol=1e-4)
    warped, known, _ = data.warped(torch.zeros(3, *grid.shape))
    assert warped.shape == found.shape
    assert bool((known > 0.5).any())


# ------------------------------------------------------------------------------------------------------------ training


def test_features_learn_the_scans_by_heart(scans):
    torch.manual_seed(0)
    network, head = ContextNet(6, 8), torch.nn.Conv3d(6, 4, 1)
    options = SMALL.replaced({"same": 0.0})
    example, weights = SearchExamples(scans, options, 1)[0], class_weights(scans, 3)
    optimiser = torch.optim.AdamW([*network.parameters(), *head.parameters()], lr=2e-2)
    history = []
    for _ in range(25):
        loss, figures = training_loss(network, head, example, weights, options)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        history.append(figures)
    assert history[-1]["entropy"] < 0.5 * history[0]["entropy"]
    assert history[-1]["label"] < history[0]["label"]


def test_a_paused_training_resumes_bit_for_bit(scans, tmp_path):
    given = data(scans[:2], scans[2:], labels=3)
    whole = train(SMALL, given, checkpoint_every=2)
    monitor = Monitor(tmp_path / "log.jsonl", tmp_path / "c.pt", command=iter(["", "", "pause"]).__next__)
    assert train(SMALL, given, monitor, checkpoint_every=2).state == "paused"
    resumed = train(SMALL, given, Monitor(tmp_path / "log.jsonl", tmp_path / "c.pt"), checkpoint_every=2)
    assert resumed.best.to_dict() == whole.best.to_dict()
    assert resumed.best.figure == "dice"
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[name]), name
    made_by_another_process = train(SMALL, given, workers=1, checkpoint_every=2)
    assert torch.equal(made_by_another_process.network.out.weight, whole.network.out.weight)


def test_half_the_digits_change_the_network_not_the_solver(scans, monkeypatch):
    """What a GPU does with mixed precision, done on the CPU: gradients keep their direction, and the loss its value."""
    example, weights = SearchExamples(scans, SMALL, 0)[0], class_weights(scans, 3)

    def learned() -> tuple[torch.Tensor, float]:
        torch.manual_seed(1)
        network, head = ContextNet(SMALL.channels, SMALL.width).train(), torch.nn.Conv3d(SMALL.channels, 4, 1)
        seen = []
        head.register_forward_hook(lambda module, inputs, output: seen.append((inputs[0].dtype, output.dtype)))
        loss, _ = training_loss(network, head, example, weights, SMALL)
        loss.backward()
        kinds.append(seen[0])
        assert loss.dtype == torch.float32
        assert all(parameter.grad.dtype == torch.float32 for parameter in network.parameters())
        return torch.cat([parameter.grad.flatten() for parameter in network.parameters()]), float(loss.detach())

    kinds: list[tuple[torch.dtype, torch.dtype]] = []
    whole, loss = learned()
    monkeypatch.setattr(precision, "_gains", lambda device: True)
    half, half_loss = learned()
    assert kinds == [(torch.float32, torch.float32), (torch.bfloat16, torch.bfloat16)]
    assert half_loss == pytest.approx(loss, rel=0.02)
    assert half_loss != loss
    if not half.isfinite().all():
        pytest.skip("this processor's half-precision gradients are no numbers")
    assert torch.cosine_similarity(whole, half, dim=0) > 0.97


@pytest.mark.parametrize(
    ("kind", "capability", "half"), [("cpu", None, False), ("mps", None, False), ("cuda", (7, 5), False), ("cuda", (8, 0), True)]
)
def test_half_the_digits_where_a_device_has_them(kind, capability, half, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert precision._gains(torch.device(kind)) is half
