"""Where to compute."""

from __future__ import annotations

import torch

from deepreg_engine.errors import DeviceError
from deepreg_engine.methods.parameters import DEVICES

__all__ = ["DEVICES", "choose_device"]


def choose_device(name: str) -> tuple[torch.device, str]:
    """The device of that name, and its description.

    Args:
        name: "cpu", "cuda", "mps", or "auto": the fastest that is there.

    Raises:
        DeviceError: if it was asked for by name and is not there.
    """
    cuda = torch.cuda.is_available()
    mps = getattr(torch.backends, "mps", None) is not None and torch.backends.mps.is_available()
    if name == "auto":
        name = "cuda" if cuda else "mps" if mps else "cpu"
    if name == "cuda":
        if not cuda:
            reason = "this PyTorch was built without CUDA" if torch.version.cuda is None else "no CUDA device was found"
            raise DeviceError(f"--device cuda: {reason}", "use --device cpu, or install a driver and a CUDA build of PyTorch")
        return torch.device("cuda"), torch.cuda.get_device_name()
    if name == "mps":
        if not mps:
            raise DeviceError("--device mps: no Metal device was found", "use --device cpu")
        return torch.device("mps"), "Apple Metal"
    if name != "cpu":
        raise DeviceError(f"there is no device {name!r}", f"there are {', '.join(DEVICES)}")
    return torch.device("cpu"), f"CPU, {torch.get_num_threads()} threads"
