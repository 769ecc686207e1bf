"""Stand-in for the module PyTorchUtils of the extension PyTorch. It never downloads or installs anything.

A test sets the state of the application::

    import PyTorchUtils
    PyTorchUtils.pretend("missing")      # torch is not installed, but can be installed
    ...
    PyTorchUtils.pretend("actual")       # the real state again

States of :func:`pretend` (``pretend`` and ``installations`` exist in this stand-in only, not in the extension):

``actual``     the state of this Python, the default: installed if torch can be imported; otherwise an installation fails
``installed``  torch is installed: the real one, or the module given as ``torch``
``missing``    torch is not installed (``import torch`` raises ModuleNotFoundError) until ``installTorch`` is called
``declined``   like ``missing``, but the user declines the installation
``failing``    like ``missing``, but the installation fails as it does without a network

``installations`` lists the arguments of each call of ``installTorch`` since the last ``pretend``.
"""

import importlib.util
import logging
import subprocess
import sys

import slicer
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleLogic, ScriptedLoadableModuleTest

STATES = ("actual", "installed", "missing", "declined", "failing")

installations = []

# Computation backends that a test can add to the machine.
compatibleBackends = ["cpu"]

_PACKAGES = ("torch", "torchvision")
_state = "actual"
_given = None
_hidden = None


def pretend(state, torch=None, backends=("cpu",)):
    """Set the state that the logic reports; see the module's description.

    :param torch: module that takes the place of torch once it is "installed"; by default the real one.
    :param backends: the value of ``getCompatibleComputationBackends``.
    """
    global _state, _given
    if state not in STATES:
        raise ValueError(f"Unknown state {state!r}: it must be one of {', '.join(STATES)}.")
    _reveal()
    _state, _given = state, torch
    installations.clear()
    compatibleBackends[:] = backends
    if state in ("missing", "declined", "failing"):
        _hide()


def _hide():
    """Make ``import torch`` fail: set it to None in sys.modules and keep the loaded modules, which cannot be loaded a second time."""
    global _hidden
    names = [name for name in sys.modules if name.split(".")[0] in _PACKAGES]
    _hidden = {name: sys.modules[name] for name in names}
    sys.modules.update(dict.fromkeys({*names, *_PACKAGES}))


def _reveal():
    global _hidden
    if _hidden is None:
        return
    for name in [name for name in sys.modules if name.split(".")[0] in _PACKAGES]:
        del sys.modules[name]
    sys.modules.update(_hidden)
    _hidden = None


def _importTorch():
    """Return the module that takes the place of torch."""
    if _given is not None:
        return _given
    import torch

    return torch


class PyTorchUtils(ScriptedLoadableModule):
    """Hidden module with tools to use PyTorch."""

    def __init__(self, parent):
        super().__init__(parent)
        parent.title = "PyTorch Utils"
        parent.categories = ["Utilities"]
        parent.helpText = "Stand-in for the module that installs PyTorch."


class PyTorchUtilsLogic(ScriptedLoadableModuleLogic):
    """Counterpart of the extension's logic, with the same names."""

    def __init__(self):
        super().__init__()
        self._torch = None

    @property
    def nvidiaDriverVersionInformation(self):
        """Version of the NVIDIA driver as a text: the stand-in has none."""
        return ""

    @property
    def torchVersionInformation(self):
        """Version of torch as a text for the user."""
        return f"installed version {_importTorch().__version__}" if self.torchInstalled() else "not installed"

    @property
    def torchvisionVersionInformation(self):
        """Version of torchvision as a text for the user."""
        if not self.torchvisionInstalled():
            return "not installed"
        import torchvision

        return f"installed version {torchvision.__version__}"

    @property
    def torch(self):
        """The module ``torch``; it is installed first if needed, without asking. None if that was declined."""
        if self._torch is None:
            self._torch = self.importTorch()
        return self._torch

    @staticmethod
    def torchInstalled():
        """Return True if torch can be imported."""
        if _state in ("missing", "declined", "failing"):
            return False
        return _given is not None or importlib.util.find_spec("torch") is not None

    @staticmethod
    def torchvisionInstalled():
        """Return True if torchvision can be imported."""
        if _hidden is not None:
            return False
        return importlib.util.find_spec("torchvision") is not None

    def importTorch(self):
        """Import torch and return the module; it is installed first if needed."""
        torch = _importTorch() if self.torchInstalled() else self.installTorch()
        if torch is None:
            logging.warning("PyTorch was not installed")
        else:
            logging.info(f"PyTorch {torch.__version__} imported successfully")
        return torch

    def installTorch(
        self, askConfirmation=False, forceComputationBackend=None, torchVersionRequirement=None, torchvisionVersionRequirement=None
    ):
        """Install torch and return the module; None if the user declines.

        :param askConfirmation: ask the user (not in testing mode).
        :param forceComputationBackend: ``cpu``, ``cu126`` ..., or None for the backend that fits the machine.
        :param torchVersionRequirement: for example ``>=2.0``; the same for torchvision.
        :raises subprocess.CalledProcessError: if the installation fails.
        """
        args = self._getPipInstallArguments(forceComputationBackend, torchVersionRequirement, torchvisionVersionRequirement)
        installations.append(
            {
                "askConfirmation": askConfirmation,
                "forceComputationBackend": forceComputationBackend,
                "torchVersionRequirement": torchVersionRequirement,
                "torchvisionVersionRequirement": torchvisionVersionRequirement,
            }
        )
        if askConfirmation and not self._confirmed(args):
            logging.info("Installation of PyTorch aborted by user")
            return None
        if _state == "failing" or (_state == "actual" and not self.torchInstalled()):
            raise subprocess.CalledProcessError(1, ["PythonSlicer", "-m", "light_the_torch", *args])
        if not self.torchInstalled():
            _becomeInstalled()
        return _importTorch()

    @staticmethod
    def _confirmed(args):
        if _state == "declined":
            return False
        if slicer.app.testingEnabled():
            return True
        return slicer.util.confirmOkCancelDisplay(
            f"PyTorch will be downloaded and installed using light-the-torch (ltt {' '.join(args)}). The process might take some minutes."
        )

    def uninstallTorch(self, askConfirmation=False, forceComputationBackend=None):
        """Uninstall torch: its state is ``missing`` from then on."""
        pretend("missing", torch=_given, backends=list(compatibleBackends))
        self._torch = None

    @staticmethod
    def _getPipInstallArguments(forceComputationBackend=None, torchVersionRequirement=None, torchvisionVersionRequirement=None):
        args = ["install", "torch" + (torchVersionRequirement or ""), "torchvision" + (torchvisionVersionRequirement or "")]
        if forceComputationBackend is not None:
            args.append(f"--pytorch-computation-backend={forceComputationBackend}")
        return args

    @staticmethod
    def getCompatibleComputationBackends(forceComputationBackend=None, torchVersionRequirement=None):
        """Return the computation backends that the machine can use."""
        return [forceComputationBackend] if forceComputationBackend else sorted(compatibleBackends)

    def getPyTorchHubModel(self, repoOwner, repoName, modelName, addPretrainedKwarg=True, *args, **kwargs):
        """Load a model from PyTorch Hub."""
        if addPretrainedKwarg:
            kwargs["pretrained"] = True
        return self.torch.hub.load(f"{repoOwner}/{repoName}", modelName, *args, **kwargs)

    def getDevice(self):
        """Return ``torch.device("cuda")`` if there is one, otherwise the text ``cpu``."""
        return self.torch.device("cuda") if self.torch.cuda.is_available() else "cpu"

    @property
    def cuda(self):
        """True if a CUDA device can be used."""
        return self.getDevice() != "cpu"


def _becomeInstalled():
    """Set the state to ``installed`` without clearing the list of installations."""
    global _state
    _reveal()
    _state = "installed"


class PyTorchUtilsTest(ScriptedLoadableModuleTest):
    """Counterpart of the extension's test."""

    def runTest(self):
        self.test_PyTorchUtils()

    def test_PyTorchUtils(self):
        """The device can be obtained."""
        self.delayDisplay(f"Device: {PyTorchUtilsLogic().getDevice()}")
