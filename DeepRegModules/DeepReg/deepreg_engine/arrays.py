"""Arrays to tensors and back, without torch's numpy bridge.

A PyTorch that was built for numpy 1 raises "Numpy is not available" beside numpy 2 for ``from_numpy``, ``Tensor.numpy``, ``numpy.asarray``
of a tensor and ``torch.tensor`` of an array. The last PyTorch for Macs with an Intel processor was built so. Memory is shared by DLPack
and by numpy's array interface instead, which do not depend on what either library was built with. Numpy's own numbers (``numpy.int64``)
are converted to Python's, because such a PyTorch refuses them or crashes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

_TYPES = {
    torch.bool: "|b1",
    torch.uint8: "|u1",
    torch.int8: "|i1",
    torch.int16: "=i2",
    torch.int32: "=i4",
    torch.int64: "=i8",
    torch.float16: "=f2",
    torch.float32: "=f4",
    torch.float64: "=f8",
}
_DTYPES = {np.dtype(name): dtype for dtype, name in _TYPES.items()}


class _Memory:
    """The memory of a tensor by numpy's array interface; an array made of it keeps the tensor alive."""

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor
        size = tensor.element_size()
        self.__array_interface__ = {
            "version": 3,
            "typestr": np.dtype(_TYPES[tensor.dtype]).str,
            "shape": tuple(tensor.shape),
            "strides": tuple(size * step for step in tensor.stride()),
            "data": (tensor.data_ptr(), False),
        }


def array_of(tensor: Tensor) -> np.ndarray:
    """Return a tensor as an array of the same shape and type. The array of a tensor on the CPU shares its memory.

    Raises:
        TypeError: for a type that numpy does not have, such as bfloat16.
    """
    tensor = tensor.detach().cpu()
    if tensor.dtype not in _TYPES:
        raise TypeError(f"numpy has no type for a tensor of {tensor.dtype}")
    if tensor.numel() == 0:
        return np.empty(tuple(tensor.shape), _TYPES[tensor.dtype])
    return np.asarray(_Memory(tensor))


def tensor_of(array: np.ndarray) -> Tensor:
    """Return an array as a tensor of the same shape and type on the CPU.

    The tensor shares the memory of the array. Tensors can neither be read-only nor have negative strides, so that such arrays are copied.

    Raises:
        TypeError: for a type that the engine's tensors do not have, such as complex, uint16 or another byte order.
    """
    if array.dtype not in _DTYPES:
        raise TypeError(f"no tensor is made of an array of {array.dtype}")
    if array.size == 0:
        return torch.empty(array.shape, dtype=_DTYPES[array.dtype])
    if not array.flags.writeable or any(step < 0 or step % array.itemsize for step in array.strides):
        array = array.copy()
    if array.ndim == 0:  # DLPack between these libraries has no single numbers
        return tensor_of(array.reshape(1)).reshape(())
    if array.dtype == np.bool_:  # DLPack of older versions has no type for truth values
        return torch.from_dlpack(array.view(np.uint8)).view(torch.bool)
    return torch.from_dlpack(array)


def new_tensor(values: Any, dtype: torch.dtype | None = None, device: torch.device | str | None = None) -> Tensor:
    """Return a contiguous copy of an array, or of nested sequences of numbers, as a tensor; numpy's numbers may be among them.

    Args:
        values: array or sequences; what numpy makes of sequences of float is float64.
        dtype: of the tensor; None for that of the array.
        device: where the tensor is; None for the CPU.
    """
    return tensor_of(np.array(values, order="C")).to(device=device or "cpu", dtype=dtype)
