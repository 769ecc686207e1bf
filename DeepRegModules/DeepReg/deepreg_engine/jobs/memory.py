"""Memory: reuse of freed blocks during a run, and caches between jobs that are released when memory is needed.

A registration allocates and frees volumes of the same few sizes hundreds of times. The C library returns large blocks to the system at
once and requests them again, and the system clears every page each time, which takes up to a fifth of a run's time.
"""

from __future__ import annotations

import ctypes
import gc
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Options of glibc's mallopt: free bytes at the end of the heap that are kept, and size from which blocks lie outside the heap.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
# Bytes; glibc takes a C int.
_LARGEST_BLOCK, _LARGEST_REST = 1 << 30, (1 << 31) - 1
# Bytes: values that glibc's own adaptation reaches in a process with large blocks; it stops adapting once they are set.
_USUAL_BLOCK, _USUAL_REST = 32 << 20, 64 << 20

_droppers: list[Callable[[], None]] = []


def drop_when_needed(drop: Callable[[], None]) -> None:
    """Register a function that releases a cache; it is called when another job needs memory."""
    if drop not in _droppers:
        _droppers.append(drop)


def make_room() -> None:
    """Release all caches that are kept between jobs, before a job that needs memory."""
    for drop in _droppers:
        drop()


@contextmanager
def kept_memory() -> Iterator[None]:
    """Release all caches, and reuse freed memory within the block, see :func:`reused_memory`."""
    make_room()
    with reused_memory():
        yield


@contextmanager
def reused_memory() -> Iterator[None]:
    """Let the C library keep freed memory for the next allocation within a ``with`` block; then it returns all of it. Only with glibc."""
    library = ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
    if library is None:
        yield
        return
    library.mallopt(_MMAP_THRESHOLD, _LARGEST_BLOCK)
    library.mallopt(_TRIM_THRESHOLD, _LARGEST_REST)
    try:
        yield
    finally:
        library.mallopt(_TRIM_THRESHOLD, _USUAL_REST)
        library.mallopt(_MMAP_THRESHOLD, _USUAL_BLOCK)
        library.malloc_trim(0)


@contextmanager
def first_import_of_torch() -> Iterator[None]:
    """Switch the garbage collector off for the first import of torch within a ``with`` block, which saves a fifth of its time.

    The import makes more than a hundred thousand permanent objects. Afterwards the collector skips them.
    """
    if "torch" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
