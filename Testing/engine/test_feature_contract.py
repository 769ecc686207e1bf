"""The contract of features: every registered feature is tested in every solver.

A learned feature needs small weights in small_networks.

Images lie on oblique, anisotropic grids of unequal sizes. A solver must improve on the affine alignment that it starts from, whatever the
feature.
"""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from command_line import call, check_refusal, succeed
from registering import aligned, scene
from small_networks import small_network

from deepreg_engine.features import registry
from deepreg_engine.features.extractor import Extractor
from deepreg_engine.features.registry import Feature
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.points import PointSet, read_points, write_points
from deepreg_engine.geometry.transform_files import read_transform
from deepreg_engine.models.card import ModelCard, write_model
from deepreg_engine.models.store import load_extractors, load_matcher

# Few and coarse steps.
QUICK = {
    "dense": ("working_spacing=8", "control_spacing=18", "capture_range=40", "search_stages=1", "refinement_iterations=5"),
    "descent": ("working_spacing=8", "levels=2", "iterations=20"),
}
IMAGES = [feature.name for feature in registry.features("images")]
POINTS = [feature.name for feature in registry.features("points")]


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """From a feature to what ``--features`` is given: its name, or the file of a small model."""
    folder = tmp_path_factory.mktemp("models")

    def find(feature):
        if not registry.find(feature).learned:
            return feature
        weights, settings = small_network(feature)
        write_model(folder / f"{feature}.safetensors", ModelCard(f"own {feature}", "dense", feature, settings=settings), weights)
        return str(folder / f"{feature}.safetensors")

    return find


class Asked:
    """Parameters of a registration that asks for features."""

    mind_radius, mind_dilation = 1, 2

    def __init__(self, features):
        self.features = features

    def to_dict(self):
        return {"features": self.features, "mind_radius": self.mind_radius, "mind_dilation": self.mind_dilation}

    def replaced(self, changes):
        return Asked(changes["features"])


def volume(shape=(23, 26, 31), seed=0):
    """Structures in HU, with noise, so that no patch is constant."""
    random = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    values = 200.0 * np.sin(0.5 * x + 0.02 * y * z) + 300.0 * (x + y > 28) - 400.0 * (z < 5) + random.normal(0, 20.0, shape)
    return torch.from_numpy(values.astype(np.float32))


# ---------------------------------------------------------------------------------------------------------- features alone


@pytest.mark.parametrize("feature", IMAGES)
def test_features_of_an_image(feature, named):
    kind = registry.find(feature)
    fixed, moving = load_extractors(Asked(named(feature)))
    image = volume()
    found = fixed(image, 6.0)
    assert found.shape == (fixed.channels, *image.shape)
    assert kind.channels in (0, fixed.channels)
    assert found.dtype == torch.float32
    assert bool(torch.isfinite(found).all())
    assert float(found.flatten(1).std(1).max()) > 1e-4
    assert torch.equal(fixed(image, 6.0), found)
    assert torch.equal(moving(image, 6.0), found)
    assert fixed.kind is moving.kind is kind
    assert fixed.parts == (fixed,)
    assert (fixed.kept > 0) == kind.keeps
    if fixed.finest > 0:
        place = torch.tensor([3.0, 4.0, 5.0]).view(3, 1, 1, 1)
        torch.testing.assert_close(fixed.at(image, 6.0, place)[:, 0, 0, 0], found[:, 5, 4, 3])


@pytest.mark.parametrize("feature", [name for name in IMAGES if registry.find(name).follows_warp])
def test_features_depend_on_nothing_beyond_their_reach(feature, named):
    """Features of a part of an image equal the features of the whole image there, except for ``reach`` voxels at the faces of the part."""
    extractor, _ = load_extractors(Asked(named(feature)))
    image = volume()
    whole = extractor(image, 6.0)
    part = extractor(image[4:, 3:-2, :-5], 6.0)
    inner = slice(extractor.reach, -extractor.reach or None)
    torch.testing.assert_close(part[:, inner, inner, inner], whole[:, 4:, 3:-2, :-5][:, inner, inner, inner], atol=1e-4, rtol=1e-4)


def test_partners_of_a_refinement_exist():
    for feature in registry.features("images"):
        assert not feature.partner or registry.handcrafted(feature.partner).subject == "images"


# ------------------------------------------------------------------------------------------------------- features in solvers


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The pair of images and its affine alignment."""
    folder, pair = tmp_path_factory.mktemp("pair"), scene("abdomen")
    sitk.WriteImage(pair.fixed, str(folder / "fixed.nii.gz"))
    sitk.WriteImage(pair.moving, str(folder / "moving.nii.gz"))
    sitk.WriteTransform(aligned(pair).transform, str(folder / "affine.tfm"))
    return folder


def register(method, features, files, output):
    """The pair's mean error after a registration from the command line, mm."""
    command = ["register", method, "--fixed", files / "fixed.nii.gz", "--moving", files / "moving.nii.gz", "--quiet", "--device", "cpu"]
    for setting in QUICK[method]:
        command += ["--set", setting]
    succeed(*command, "--initial", files / "affine.tfm", "--features", features, "--transform", output)
    return scene("abdomen").error(DisplacementField.from_transform(read_transform(output), scene("abdomen").grid).vectors)


@pytest.mark.parametrize("method", list(QUICK))
@pytest.mark.parametrize("feature", IMAGES)
def test_every_feature_serves_every_solver(feature, method, named, files, tmp_path):
    error = register(method, named(feature), files, tmp_path / "t.nrrd")
    assert error < 0.95 * scene("abdomen").affine_error()


class GradientLength(Extractor):
    """An added feature: the length of the image's gradient."""

    kind = Feature("gradient-length", "length of the gradient", f"{__name__}:GradientLength", channels=1, follows_warp=True)
    name, channels, reach = "gradient-length", 1, 1

    @classmethod
    def load(cls, name, weights, settings):
        return cls()

    def __call__(self, volume, spacing):
        return torch.stack(torch.gradient(volume)).norm(dim=0)[None] / (100.0 / spacing)


@pytest.fixture
def added():
    """The registry with an additional feature."""
    registry.register(GradientLength.kind)
    yield GradientLength.kind
    registry.unregister(GradientLength.kind.name)


@pytest.mark.parametrize("method", list(QUICK))
def test_a_feature_that_was_added_is_one_of_them(method, added, files, tmp_path):
    assert added.name in succeed("models", "list")
    assert register(method, added.name, files, tmp_path / "t.nrrd") < 0.95 * scene("abdomen").affine_error()
    assert register(method, f"{added.name}+mind", files, tmp_path / "joined.nrrd") < 0.95 * scene("abdomen").affine_error()


def test_what_was_not_added_does_not_exist(files, tmp_path):
    command = [
        "register",
        "dense",
        "--fixed",
        files / "fixed.nii.gz",
        "--moving",
        files / "moving.nii.gz",
        "--transform",
        tmp_path / "t.nrrd",
    ]
    check_refusal(call(*command, "--features", "gradient-length"), "no features 'gradient-length'")


# ------------------------------------------------------------------------------------------------------------------- points


def motion(points):
    """Fixed to moving points, mm."""
    return points * [1.05, 0.97, 1.04] + [8.0, -6.0, 5.0] + 4.0 * np.sin(points[:, [1, 2, 0]] / 30.0)


@pytest.mark.parametrize("feature", POINTS)
def test_every_feature_of_points_serves_the_points_method(feature, named, tmp_path):
    random = np.random.default_rng(4)
    fixed, marks = random.uniform(-60, 60, (250, 3)), random.uniform(-50, 50, (60, 3))
    moving = motion(fixed)[random.permutation(250)][:230]
    for name, points in (("fixed", fixed), ("moving", moving), ("marks", marks)):
        write_points(tmp_path / f"{name}.csv", PointSet(points))
    output = tmp_path / "warped.csv"
    command = ["register", "points", "--fixed-points", tmp_path / "fixed.csv", "--moving-points", tmp_path / "moving.csv", "--quiet"]
    succeed(*command, "--features", named(feature), "--warp-points", tmp_path / "marks.csv", "--warped-points", output)
    before, after = (np.linalg.norm(found - motion(marks), axis=1).mean() for found in (marks, read_points(output).positions))
    assert after < 0.5 * before
    matcher, _ = load_matcher(named(feature))
    if matcher is not None:
        one, two = torch.from_numpy(fixed).float(), torch.from_numpy(moving).float()
        candidates = torch.randint(0, 230, (250, 7))
        with torch.no_grad():
            cost, move = matcher.costs(one, two, candidates)
            again, _ = matcher.costs(one, two, candidates)
            features = matcher.features(one)
        assert cost.shape == (250, 7)
        assert move.shape == (250, 7, 3)
        assert torch.equal(cost, again)
        assert bool(torch.isfinite(cost).all())
        assert features.shape == (250, registry.find(feature).channels)
        assert torch.equal(matcher.features(one.clone()), features)
