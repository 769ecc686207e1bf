"""Operations of the worker: self-test and models."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepreg_engine.errors import ParameterError
from deepreg_engine.jobs import operations


class Quiet:
    """A job that only records its progress."""

    def __init__(self) -> None:
        self.reported: list[float] = []

    def progress(self, share: float, stage: str) -> None:
        self.reported.append(share)

    def log(self, text: str) -> None:
        pass


def test_the_self_test_passes_and_can_fail(monkeypatch):
    job = Quiet()
    result = operations.self_test({"device": "cpu"}, job)
    assert result["passed"]
    assert result["problems"] == []
    assert "landmark error" in result["summary"]
    assert job.reported == sorted(job.reported)
    # A registration that changes nothing fails the self-test.
    from deepreg_engine.methods.common.presets import Preset
    from deepreg_engine.methods.dense import presets

    idle = presets.dense_preset("quick").parameters.replaced({"initial": "none", "search_stages": 0, "refinement_iterations": 0})
    monkeypatch.setattr(presets, "dense_preset", lambda name: Preset(name, "", "", idle))
    result = operations.self_test({"device": "cpu"}, Quiet())
    assert not result["passed"]
    assert "landmark error fell only" in result["problems"][0]


def test_models_are_listed_and_imported(shared_data, tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPREG_MODELS", str(tmp_path / "models"))
    weights = shared_data / "weights" / "dense_reg_feat_v01.pth"
    adopted = operations.import_model({"file": str(weights), "name": "obelisk 16"}, Quiet())
    assert Path(adopted["path"]).parent == tmp_path / "models"
    listed = operations.models({}, Quiet())
    own = [model for model in listed["models"] if not model["shipped"]]
    assert [model["card"]["name"] for model in own] == ["obelisk 16"]
    assert own[0]["problem"] == ""
    # A copy under another name is equal; the same name is refused; damaged weights are reported.
    again = operations.import_model({"file": adopted["path"], "name": "copy"}, Quiet())
    assert again["card"]["sha256"] == adopted["card"]["sha256"]
    with pytest.raises(Exception, match="there is a model 'copy' already"):
        operations.import_model({"file": adopted["path"], "name": "copy"}, Quiet())
    data = bytearray(Path(again["path"]).read_bytes())
    data[-1] ^= 255
    Path(again["path"]).write_bytes(bytes(data))
    problems = {model["card"]["name"]: model["problem"] for model in operations.models({}, Quiet())["models"] if not model["shipped"]}
    assert problems["obelisk 16"] == ""
    assert "checksum" in problems["copy"]


@pytest.mark.parametrize(("arguments", "missing"), [({}, "anatomy"), ({"anatomy": "abdomen"}, "folder"), ({"anatomy": 5}, "anatomy")])
def test_a_phantom_needs_anatomy_and_folder(arguments, missing):
    with pytest.raises(ParameterError, match=f"the argument {missing} is missing"):
        operations.phantom(arguments, Quiet())
