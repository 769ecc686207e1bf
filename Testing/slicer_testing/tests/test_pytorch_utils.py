"""The stand-in for PyTorchUtils has each state that a test can set."""

import sys

import pytest


@pytest.fixture
def slicer(slicer_app):
    import slicer

    return slicer


@pytest.fixture
def torch_utils(slicer):
    import PyTorchUtils

    yield PyTorchUtils
    PyTorchUtils.pretend("actual")


class Fake:
    """A stand-in for torch."""

    __version__ = "9.9"

    class cuda:
        @staticmethod
        def is_available():
            return False


def test_missing_until_installed(torch_utils):
    torch_utils.pretend("missing", torch=Fake)
    logic = torch_utils.PyTorchUtilsLogic()
    assert not logic.torchInstalled()
    assert logic.torchVersionInformation == "not installed"
    with pytest.raises(ModuleNotFoundError):
        import torch  # noqa: F401
    assert logic.installTorch(askConfirmation=True, torchVersionRequirement=">=2.0") is Fake
    assert logic.torchInstalled()
    assert torch_utils.installations == [
        {
            "askConfirmation": True,
            "forceComputationBackend": None,
            "torchVersionRequirement": ">=2.0",
            "torchvisionVersionRequirement": None,
        }
    ]


def test_declined_only_where_asked(torch_utils):
    torch_utils.pretend("declined", torch=Fake)
    logic = torch_utils.PyTorchUtilsLogic()
    assert logic.installTorch(askConfirmation=True) is None
    assert not logic.torchInstalled()
    assert logic.torch is Fake, "the property installs without asking"


def test_failing(torch_utils):
    import subprocess

    torch_utils.pretend("failing")
    with pytest.raises(subprocess.CalledProcessError):
        torch_utils.PyTorchUtilsLogic().installTorch()
    assert not torch_utils.PyTorchUtilsLogic().torchInstalled()


def test_installed(torch_utils):
    torch_utils.pretend("installed", torch=Fake)
    logic = torch_utils.PyTorchUtilsLogic()
    assert logic.torchInstalled()
    assert logic.torch is Fake
    assert logic.getDevice() == "cpu"
    assert logic.cuda is False
    assert logic.torchVersionInformation == "installed version 9.9"
    logic.uninstallTorch()
    assert not logic.torchInstalled()


def test_unknown_state_is_refused(torch_utils):
    with pytest.raises(ValueError, match="missing"):
        torch_utils.pretend("gone")


def test_hidden_modules_come_back(torch_utils, monkeypatch):
    marker = type(sys)("torch")
    monkeypatch.setitem(sys.modules, "torch", marker)
    torch_utils.pretend("missing")
    assert sys.modules["torch"] is None
    torch_utils.pretend("actual")
    assert sys.modules["torch"] is marker
