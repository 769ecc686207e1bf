"""Model files: whole, described, found by name."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from deepreg_engine.errors import InputError, OutputError, ParameterError
from deepreg_engine.features.handcrafted import Intensity, Mind
from deepreg_engine.features.obelisk import Obelisk, ObeliskFeatures
from deepreg_engine.methods.dense.parameters import DenseParameters
from deepreg_engine.models import folders as places
from deepreg_engine.models import store
from deepreg_engine.models.card import ModelCard, read_card, read_weights, weights_digest, write_model
from deepreg_engine.models.published import import_checkpoint
from deepreg_engine.models.store import StoredModel, find_model, list_models, load_extractor, own_folder, shipped_folder, verify

CARD = ModelCard(
    name="kidneys",
    method="dense",
    architecture="obelisk",
    origin="a test",
    licence="Apache-2.0",
    training_data="phantoms, “größer”",
    date="2026-01-31",
    intended_use="abdomen",
    figures={"dice": 0.5, "cases": 3},
    settings={"spacing_mm": 3.0, "intensity_scale": 250.0, "reversed_axes": True},
)


def obelisk_weights(channels=3, seed=0):
    torch.manual_seed(seed)
    return {name: value.numpy() for name, value in Obelisk(channels).state_dict().items()}


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    """A separate models folder for each test, and no shipped models, so that the models on this machine have no effect."""
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.setenv("DEEPREG_MODELS", str(own))
    monkeypatch.setattr(store, "shipped_folder", lambda: tmp_path / "shipped")
    return own


@pytest.fixture
def stored(folders):
    """A model among the user's own."""
    write_model(folders / "kidneys.safetensors", CARD, obelisk_weights())
    return folders / "kidneys.safetensors"


def line_of(action, kind=InputError):
    """The one line that the user would read."""
    with pytest.raises(kind) as caught:
        action()
    return caught.value.line()


def flip_last_byte(path):
    """Damage one weight."""
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))


# ------------------------------------------------------------------------------------------------------------------- cards


def test_card_and_weights_come_back_as_they_were(tmp_path):
    weights = {
        "matrix": np.arange(6, dtype=np.float32).reshape(2, 3),
        "number": np.array(7, dtype=np.int64),  # a single number has no axis
        "half": np.ones(3, dtype=np.float16),
        "transposed": np.arange(6.0).reshape(2, 3).T,
        "empty": np.zeros((0, 2), dtype=np.float32),
    }
    written = write_model(tmp_path / "m.safetensors", CARD, weights)
    assert written.sha256 == weights_digest(weights)
    assert read_card(tmp_path / "m.safetensors") == written
    again = read_weights(tmp_path / "m.safetensors")
    assert set(again) == set(weights)
    for name, value in weights.items():
        assert (again[name].shape, again[name].dtype) == (value.shape, value.dtype)
        np.testing.assert_array_equal(again[name], value)


def test_the_digest_sees_names_shapes_types_and_values():
    weights = {"a": np.zeros((2, 3), np.float32), "b": np.ones(4, np.float32)}
    others = [
        {"a": weights["a"], "c": weights["b"]},
        {"a": weights["a"].reshape(3, 2), "b": weights["b"]},
        {"a": weights["a"].view(np.int32), "b": weights["b"]},
        {"a": weights["a"], "b": weights["b"] + 1},
        {"a": weights["a"]},
    ]
    digests = {weights_digest(w) for w in (weights, *others)}
    assert len(digests) == 6
    assert weights_digest(dict(reversed(weights.items()))) == weights_digest(weights)


def test_one_flipped_bit_is_found(stored):
    flip_last_byte(stored)
    assert read_card(stored).name == "kidneys"
    assert line_of(lambda: read_weights(stored)).endswith("do not match their checksum: the file is damaged: get it again")
    assert set(read_weights(stored, check=False)) == set(obelisk_weights())
    assert "checksum" in line_of(lambda: load_extractor(DenseParameters(features="kidneys")))


def test_a_file_that_ends_too_early_is_refused(stored):
    stored.write_bytes(stored.read_bytes()[:-100])
    assert line_of(lambda: read_card(stored)).endswith("is not a safetensors file: it may be damaged")


def test_missing_files_say_so(tmp_path):
    assert "does not exist" in line_of(lambda: read_card(tmp_path / "no.safetensors"))
    assert "does not exist" in line_of(lambda: read_weights(tmp_path / "no.safetensors"))
    assert "does not exist" in line_of(lambda: find_model(str(tmp_path / "no.safetensors")))
    assert "does not exist" in line_of(lambda: read_card(tmp_path))


def test_a_checkpoint_in_place_of_a_model_is_explained(tmp_path):
    torch.save(Obelisk(2).state_dict(), tmp_path / "net.pth")
    for action in (lambda: read_card(tmp_path / "net.pth"), lambda: load_extractor(DenseParameters(features=str(tmp_path / "net.pth")))):
        assert line_of(action).endswith("not a safetensors file: import published .pth files with: models import")


def test_foreign_safetensors_are_refused(tmp_path):
    weights = {"a": np.zeros(3, np.float32)}
    save_file(weights, tmp_path / "bare.safetensors")
    save_file(weights, tmp_path / "text.safetensors", metadata={"deepreg": "not json"})
    save_file(weights, tmp_path / "list.safetensors", metadata={"deepreg": "[1]"})
    save_file(weights, tmp_path / "few.safetensors", metadata={"deepreg": json.dumps({"name": "x"})})
    (tmp_path / "noise.safetensors").write_bytes(bytes(range(256)))
    (tmp_path / "empty.safetensors").write_bytes(b"")
    (tmp_path / "huge.safetensors").write_bytes(struct.pack("<Q", 1 << 60) + b"{}")
    (tmp_path / "short.safetensors").write_bytes(b"hello")
    (tmp_path / "list_header.safetensors").write_bytes(struct.pack("<Q", 2) + b"[]")
    (tmp_path / "no_offsets.safetensors").write_bytes(struct.pack("<Q", 8) + b'{"a":{}}')
    (tmp_path / "longer.safetensors").write_bytes((tmp_path / "bare.safetensors").read_bytes() + b"\0")
    for name in ("bare", "text", "list", "few"):
        assert "has no card in its header" in line_of(lambda: read_card(tmp_path / f"{name}.safetensors")), name  # noqa: B023
    for name in ("noise", "empty", "huge", "short", "list_header", "no_offsets", "longer"):
        assert "not a safetensors file" in line_of(lambda: read_card(tmp_path / f"{name}.safetensors")), name  # noqa: B023


def test_cards_are_read_without_the_package_safetensors(stored, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    assert read_card(stored).name == "kidneys"


def test_a_card_from_a_newer_engine_is_read(tmp_path):
    entry = json.dumps({"name": "new", "method": "dense", "architecture": "obelisk", "invented_later": 3})
    save_file({"a": np.zeros(3, np.float32)}, tmp_path / "new.safetensors", metadata={"deepreg": entry})
    assert read_card(tmp_path / "new.safetensors").name == "new"
    assert "checksum" in line_of(lambda: read_weights(tmp_path / "new.safetensors"))  # it has none


def test_models_are_written_whole_or_not_at_all(tmp_path):
    assert line_of(lambda: write_model(tmp_path / "m.pth", CARD, obelisk_weights())).endswith("use .safetensors")
    assert "does not exist" in line_of(lambda: write_model(tmp_path / "nowhere" / "m.safetensors", CARD, obelisk_weights()), OutputError)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own"]


# ------------------------------------------------------------------------------------------------------------------- store


def test_own_models_lie_where_the_variable_says(folders, stored):
    assert own_folder() == folders
    assert list_models() == [StoredModel(stored, read_card(stored))]
    assert find_model("kidneys").path == stored
    assert find_model(str(stored)).card == read_card(stored)


@pytest.mark.parametrize(
    ("system", "environment", "expected"),
    [
        ("linux", {}, "home/.local/share/DeepReg/models"),
        ("linux", {"XDG_DATA_HOME": "data"}, "data/DeepReg/models"),
        ("linux", {"XDG_DATA_HOME": "", "DEEPREG_MODELS": ""}, "home/.local/share/DeepReg/models"),
        ("darwin", {"XDG_DATA_HOME": "data"}, "home/Library/Application Support/DeepReg/models"),
        ("win32", {}, "home/AppData/Local/DeepReg/models"),
        ("win32", {"LOCALAPPDATA": "Müller/Local"}, "Müller/Local/DeepReg/models"),
        ("win32", {"LOCALAPPDATA": "Local", "DEEPREG_MODELS": "脳"}, "脳"),
    ],
)
def test_the_users_own_folder_on_each_system(system, environment, expected):
    assert places.models_folder(system, environment, Path("home")) == Path(expected)


def test_a_folder_that_does_not_exist_has_no_models(monkeypatch, tmp_path):
    monkeypatch.setenv("DEEPREG_MODELS", str(tmp_path / "none"))
    assert list_models() == []


def test_shipped_models_come_first(tmp_path, stored, monkeypatch):
    (tmp_path / "shipped").mkdir()
    shipped = tmp_path / "shipped" / "kidneys.safetensors"
    write_model(shipped, CARD, obelisk_weights(seed=5))
    assert [model.path for model in list_models()] == [shipped, stored]
    assert find_model("kidneys").path == shipped
    monkeypatch.undo()
    assert shipped_folder().parts[-3:] == ("DeepReg", "deepreg_engine", "weights")


def test_verify(folders, stored):
    flawed = folders / "flawed.safetensors"
    write_model(flawed, CARD, obelisk_weights())
    flip_last_byte(flawed)
    (folders / "garbage.safetensors").write_bytes(b"garbage")
    results = {model.path.name: verify(model) for model in list_models()}
    assert results["kidneys.safetensors"] == ""
    assert "checksum" in results["flawed.safetensors"]
    assert "not a safetensors file" in results["garbage.safetensors"]
    assert len(results) == 3


def test_a_model_that_vanished_is_a_finding_not_a_crash(stored):
    (model,) = list_models()
    stored.unlink()
    assert "does not exist" in verify(model)


@pytest.mark.parametrize(("typed", "meant"), [("kidney", "kidneys"), ("mnd", "mind"), ("intesity", "intensity"), ("Kidneys", "kidneys")])
def test_the_nearest_name_is_offered(typed, meant, stored):
    assert line_of(lambda: find_model(typed), ParameterError) == f"there are no features {typed!r}: did you mean {meant}?"


def test_if_no_name_is_near_all_are_listed(stored):
    line = line_of(lambda: find_model("zzzzzz"), ParameterError)
    assert line == "there are no features 'zzzzzz': there are mind, intensity, normalised, kidneys; or give a .safetensors file"


# -------------------------------------------------------------------------------------------------------------- extractors


def test_handcrafted_features():
    mind = load_extractor(DenseParameters(features="mind", mind_radius=2, mind_dilation=3))
    assert isinstance(mind, Mind)
    assert mind.reach == 5
    assert isinstance(load_extractor(DenseParameters(features="intensity")), Intensity)


@pytest.mark.parametrize("by_file", [False, True])
def test_a_model_becomes_an_extractor_with_its_settings(stored, by_file):
    extractor = load_extractor(DenseParameters(features=str(stored) if by_file else "kidneys"))
    network = Obelisk.from_state({name: torch.from_numpy(value) for name, value in obelisk_weights().items()})
    expected = ObeliskFeatures(network, "kidneys", 3.0, 250.0, reversed_axes=True)
    assert (extractor.name, extractor.channels) == ("kidneys", 3)
    volume = 100.0 * torch.randn(14, 15, 16, generator=torch.Generator().manual_seed(1))
    features = extractor(volume, 2.0)
    assert features.shape == (3, 14, 15, 16)
    assert torch.equal(features, expected(volume, 2.0))
    other = ObeliskFeatures(network, "kidneys", 2.0, 250.0, reversed_axes=True)
    assert not torch.allclose(features, other(volume, 2.0))


def test_an_imported_checkpoint_can_be_used(folders, tmp_path):
    """With weights of the regularisation beside the features, which are no part of the network."""
    torch.save(Obelisk(2).state_dict(), tmp_path / "net.pth")
    torch.save({"alpha": torch.ones(6)}, tmp_path / "alpha.pth")
    card = import_checkpoint(tmp_path / "net.pth", folders / "mine.safetensors", regulariser=tmp_path / "alpha.pth")
    assert card.name == "mine"
    assert set(read_weights(folders / "mine.safetensors")) == {*Obelisk(2).state_dict(), "alpha"}
    extractor = load_extractor(DenseParameters(features="mine"))
    assert extractor(torch.randn(12, 12, 12), 2.0).shape == (2, 12, 12, 12)


def test_published_features_can_be_used(folders, shared_data):
    source = shared_data / "weights" / "dense_reg_mind2_feat_epoch2999.pth"
    import_checkpoint(source, folders / "pdd.safetensors")
    extractor = load_extractor(DenseParameters(features="pdd"))
    features = extractor(300.0 * torch.randn(12, 13, 14, generator=torch.Generator().manual_seed(2)), 2.0)
    assert features.shape == (24, 12, 13, 14)
    assert torch.isfinite(features).all()


def test_models_of_other_kinds_are_refused(folders):
    card = ModelCard(name="graph", method="points", architecture="edgeconv")
    write_model(folders / "graph.safetensors", card, {"a": np.zeros(3, np.float32)})
    with pytest.raises(InputError, match=r"graph \(edgeconv\) gives no features of images"):
        load_extractor(DenseParameters(features="graph"))


def test_a_model_whose_weights_do_not_fit_is_refused(folders):
    weights = obelisk_weights()
    weights.pop("offsets")
    write_model(folders / "holes.safetensors", CARD, weights)
    with pytest.raises(InputError, match="not the weights of an Obelisk network"):
        load_extractor(DenseParameters(features=str(folders / "holes.safetensors")))
