"""Features that are joined with "+", and a refinement that compares other features than the search."""

from __future__ import annotations

import dataclasses

import pytest
import SimpleITK as sitk
import torch
from registering import scene
from test_dense_training import scan

from deepreg_engine.errors import ParameterError
from deepreg_engine.features.context_net import ContextFeatures, ContextNet
from deepreg_engine.features.extractor import Joined
from deepreg_engine.features.handcrafted import Intensity, Mind
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.methods.common.image_pair import ImagePair
from deepreg_engine.methods.common.level import LevelData
from deepreg_engine.methods.dense.presets import dense_preset
from deepreg_engine.methods.dense.register import register_dense
from deepreg_engine.models.store import check_features, load_extractor

QUICK = dense_preset("quick").parameters


def level(image, grid, extractor):
    """An image with itself."""
    return LevelData(ImagePair(image, image), grid, sitk.Transform(3, sitk.sitkIdentity), 15.0, (extractor, extractor), torch.device("cpu"))


@pytest.fixture
def joined():
    torch.manual_seed(0)
    return Joined(ContextFeatures(ContextNet(4, 6).eval(), "own", 3.0, "ct"), Mind())


def test_each_part_counts_alike_and_both_sides_have_the_same_units(joined):
    """The fixed and the moving image are one and the same, on an oblique, anisotropic grid."""
    _, image, _, _ = scan(1, 12.0)
    grid = ImageGrid.of(image).resampled(6.0)
    data = level(image, grid, joined)
    fixed = data.fixed_features()
    assert joined.name == "own+mind"
    assert joined.channels == fixed.shape[0] == 16
    assert not joined.kind.follows_warp
    variances = fixed.flatten(1).var(1)
    assert float(variances[:12].sum()) == pytest.approx(1.0, rel=1e-3)
    assert float(variances[12:].sum()) == pytest.approx(1.0, rel=1e-3)
    moving, known, _ = data.warped(torch.zeros(3, *grid.shape))
    inside = (slice(None), *(slice(3, -3),) * 3)
    assert bool((known[inside[1:]] > 0.99).all())
    fitted, _, _ = data.warped_best_padding(torch.zeros(3, *grid.shape))
    for seen in (moving, fitted):
        assert float((seen - fixed)[:12][inside].abs().max()) < 0.05
    # The network's input is larger on the moving side, so its features differ; both sides have the unit of the fixed side.
    alone = level(image, grid, joined.parts[1])
    unit = fixed[12:].norm() / alone.fixed_features().norm()
    assert torch.allclose(moving[12:], alone.warped(torch.zeros(3, *grid.shape))[0] * unit, rtol=1e-3, atol=1e-4)


def test_names_are_joined_with_a_plus():
    extractor = load_extractor(QUICK.replaced({"features": "mind + intensity", "mind_dilation": 3}))
    assert extractor.name == "mind+intensity"
    assert extractor.channels == 13
    assert extractor.kind.follows_warp
    volume = torch.rand(9, 8, 7)
    expected = torch.cat([part / part.flatten(1).var(1).sum().sqrt() for part in (Mind(1, 3)(volume, 2.0), Intensity()(volume, 2.0))])
    assert torch.allclose(extractor(volume, 2.0), expected, rtol=1e-4, atol=1e-6)
    with pytest.raises(ParameterError, match="no features 'mnd'"):
        check_features("intensity+mnd")


@pytest.mark.parametrize("changes", [{"features": "mind+intensity"}, {"features": "intensity", "refinement_features": "mind"}])
def test_they_register(changes):
    pair = scene("abdomen")
    data = ImagePair(pair.fixed, pair.moving)
    result = register_dense(data, dataclasses.replace(QUICK, **changes), "cpu")
    assert pair.error(result.field.vectors) < 0.5 * pair.affine_error()
    assert result.features == changes["features"]


@pytest.mark.parametrize("method", ["dense", "descent"])
def test_joined_features_from_files_to_files(method, tmp_path):
    from command_line import call, check_refusal, succeed

    from deepreg_engine.geometry.images import read_image
    from deepreg_engine.phantoms import make_pair, write_pair

    write_pair(make_pair("abdomen", 1, detail=0.25), tmp_path / "pair")
    images = {side: next((tmp_path / "pair").glob(f"{side}.*")) for side in ("fixed", "moving")}
    command = [
        "register",
        method,
        "--fixed",
        images["fixed"],
        "--moving",
        images["moving"],
        "--preset",
        "quick",
        "--transform",
        tmp_path / "t.nrrd",
        "--warped",
        tmp_path / "w.nrrd",
    ]
    succeed(*command, "--features", "mind+intensity")
    assert read_image(tmp_path / "w.nrrd", "warped").GetSize() == read_image(images["fixed"], "fixed").GetSize()
    check_refusal(call(*command, "--features", "mnd+intensity"), "did you mean mind?")
