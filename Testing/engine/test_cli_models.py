"""Models on the command line: from a checkpoint to a registration, and damaged ones."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from command_line import call, register_dense, succeed

from deepreg_engine.features.obelisk import Obelisk

pytestmark = pytest.mark.usefixtures("no_models")


def array(path):
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


@pytest.fixture(scope="module")
def small_folder(phantom_pair, tmp_path_factory):
    """The middle of the pair: a network works at 2 mm."""
    folder = tmp_path_factory.mktemp("small")
    for name, image in (("fixed", phantom_pair.fixed), ("moving", phantom_pair.moving)):
        start = [size // 2 - 5 for size in image.GetSize()]
        sitk.WriteImage(sitk.RegionOfInterest(image, (10, 10, 10), start), str(folder / f"{name}.nii.gz"))
    return folder


def test_a_model_from_its_checkpoint_to_a_registration(small_folder, tmp_path):
    torch.manual_seed(1)
    torch.save(Obelisk(16).state_dict(), tmp_path / "random.pth")  # the sizes of the published ones
    torch.save({"alpha": torch.arange(6.0)}, tmp_path / "alpha.pth")
    model = tmp_path / "models" / "mine.safetensors"
    model.parent.mkdir()
    printed = succeed("models", "import", tmp_path / "random.pth", "--regulariser", tmp_path / "alpha.pth", "--output", model)
    assert re.fullmatch(rf"written: {re.escape(str(model))} \(mine, 16 channels, sha256 [0-9a-f]{{12}}\)\n", printed)
    assert re.search(r"^mine +images +Apache-2.0 +multimodallearning/pdd_net", succeed("models", "list"), re.MULTILINE)
    for arguments in (("mine",), (model,), ()):
        assert re.search(r"^mine +whole$", succeed("models", "verify", *arguments), re.MULTILINE)
    fields = []
    for name in ("mine", model):
        register_dense(
            small_folder, "--initial", "none", "--features", name, "--transform", tmp_path / "t.nrrd", "--report", tmp_path / "r.json"
        )
        report = json.loads((tmp_path / "r.json").read_text())
        assert report["features"] == "mine"
        assert report["parameters"]["features"] == str(name)
        fields.append(array(tmp_path / "t.nrrd"))
    np.testing.assert_array_equal(*fields)
    register_dense(small_folder, "--initial", "none", "--transform", tmp_path / "t.nrrd")
    assert np.abs(array(tmp_path / "t.nrrd") - fields[0]).max() > 0.1  # they are used


def test_a_damaged_model_is_refused_before_the_run(small_folder, tmp_path):
    torch.save(Obelisk(16).state_dict(), tmp_path / "random.pth")
    model = tmp_path / "mine.safetensors"
    succeed("models", "import", tmp_path / "random.pth", "--output", model)
    content = bytearray(model.read_bytes())
    content[-1] ^= 1
    model.write_bytes(content)
    for arguments in (
        ("models", "verify", model),
        (
            "register",
            "dense",
            "--fixed",
            small_folder / "fixed.nii.gz",
            "--moving",
            small_folder / "moving.nii.gz",
            "--features",
            model,
            "--transform",
            tmp_path / "t.nrrd",
        ),
    ):
        outcome = call(*arguments)
        assert outcome.code == 2
        assert len(outcome.messages) == 1
        assert outcome.progress == []
    assert "do not match their checksum: the file is damaged: get it again" in outcome.messages[0]
    assert not (tmp_path / "t.nrrd").exists()


@pytest.mark.parametrize("name", ["dense_reg_deeds_v01", "dense_reg_feat_v01", "dense_reg_mind2_feat_epoch2999"])
def test_published_checkpoints(shared_data, small_folder, tmp_path, name):
    checkpoint = shared_data / "weights" / f"{name}.pth"
    if not checkpoint.exists():
        pytest.skip(f"there is no {checkpoint}")
    outcome = call("models", "import", checkpoint, "--output", tmp_path / "m.safetensors")
    if "deeds" in name:  # the weights of a regularisation
        assert outcome.code == 2
        assert "with this file as their regulariser (--regulariser)" in outcome.messages[0]
        return
    assert outcome.code == 0
    assert outcome.messages == []
    assert succeed("models", "verify", tmp_path / "m.safetensors") == "m  whole\n"
    register_dense(small_folder, "--initial", "none", "--features", tmp_path / "m.safetensors", "--transform", tmp_path / "t.nrrd")
    field = array(tmp_path / "t.nrrd")
    assert np.isfinite(field).all()
    assert np.linalg.norm(field, axis=-1).mean() > 0.1
