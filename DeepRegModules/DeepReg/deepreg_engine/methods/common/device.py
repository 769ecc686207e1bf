"""The device that computes, and its memory."""

from __future__ import annotations

import psutil
import torch

from deepreg_engine.errors import DeviceError
from deepreg_engine.methods.common.parameters import DEVICES


class DeviceMemory:
    """Counts the memory that torch holds on a GPU, from its creation on.

    Args:
        device: see :func:`choose_device`; only CUDA devices are counted.
    """

    def __init__(self, device: torch.device) -> None:
        self._counts = device.type == "cuda"
        if self._counts:
            torch.cuda.init()
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def most(self) -> int | None:
        """Return the peak memory held by torch, bytes; None without a GPU."""
        return None if not self._counts else int(torch.cuda.max_memory_reserved())

    def free(self) -> int | None:
        """Return the available memory, including what torch holds, bytes; None without a GPU."""
        if not self._counts:
            return None
        return int(torch.cuda.mem_get_info()[0] + torch.cuda.memory_reserved())


def choose_device(name: str) -> tuple[torch.device, str]:
    """Return the device of that name, and its description.

    Args:
        name: "cpu", "cuda", "mps", or "auto" for the fastest available.

    Raises:
        DeviceError: if the device is not available.
    """
    if name not in DEVICES:
        raise DeviceError(f"there is no device {name!r}", f"there are {', '.join(DEVICES)}", "device")
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name == "auto":
        name = "cuda" if cuda else "mps" if mps else "cpu"
    if name == "cuda":
        if not cuda:
            reason = "this PyTorch was built without CUDA" if torch.version.cuda is None else "no CUDA device was found"
            raise DeviceError(
                f"the device cuda is not available: {reason}", "use cpu, or install a driver and a CUDA build of PyTorch", "device"
            )
        return torch.device("cuda"), torch.cuda.get_device_name()
    if name == "mps":
        if not mps:
            raise DeviceError("the device mps is not available: no Metal device was found", "use cpu", "device")
        return torch.device("mps"), "Apple Metal"
    threads = torch.get_num_threads()
    return torch.device("cpu"), f"CPU, {threads} thread{'' if threads == 1 else 's'}"


def free_memory(device: torch.device) -> float:
    """Return the available memory of a GPU with CUDA, otherwise of the computer, bytes."""
    return float(torch.cuda.mem_get_info()[0] if device.type == "cuda" else psutil.virtual_memory().available)
