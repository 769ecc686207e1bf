"""Mixed precision, where it makes a network faster."""

from __future__ import annotations

import contextlib

import torch

# The oldest CUDA cards with bfloat16 in hardware; older ones emulate it or do not support it.
_FIRST = (8, 0)


def mixed_precision(device: torch.device) -> contextlib.AbstractContextManager:
    """Return a context in which a suitable GPU computes convolutions and matrix products in bfloat16; elsewhere it has no effect.

    Use it for networks only: differences of large sums, as in solvers and losses, need full precision.
    """
    return torch.autocast(device.type, torch.bfloat16) if _gains(device) else contextlib.nullcontext()


def _gains(device: torch.device) -> bool:
    # Some CPUs are twice as fast in half precision, but their gradients of few voxels differ at each call, at times NaN (torch 2.13).
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= _FIRST
