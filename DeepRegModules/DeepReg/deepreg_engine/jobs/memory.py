"""Memory that a run gives back only at its end, and what is kept between jobs only as long as nobody needs its room.

A registration makes and drops volumes of the same few sizes hundreds of times. The C library gives large blocks back to the
system at once and asks for them anew, and the system clears every page of them each time: up to a fifth of a run's time.
"""

from __future__ import annotations

import ctypes
import gc
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Options of glibc's mallopt: how much may lie free at the end of the heap, and from what size on a block is not of the heap.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
# Bytes; an int in C.
_LARGEST_BLOCK, _LARGEST_REST = 1 << 30, (1 << 31) - 1
# Bytes: where glibc's own adaptation ends in a process that uses large blocks; once set, it adapts no more.
_USUAL_BLOCK, _USUAL_REST = 32 << 20, 64 << 20

_droppers: list[Callable[[], None]] = []


def drop_when_needed(drop: Callable[[], None]) -> None:
    """Name a function that forgets what is kept for a later job; it is called when another job needs memory."""
    if drop not in _droppers:
        _droppers.append(drop)


def make_room() -> None:
    """Forget what is kept between jobs: a job that needs memory begins with this."""
    for drop in _droppers:
        drop()


@contextmanager
def kept_memory() -> Iterator[None]:
    """Make room; within, freed memory is kept for what comes next; afterwards all of it goes back. Without glibc it makes room only."""
    make_room()
    with reused_memory():
        yield


@contextmanager
def reused_memory() -> Iterator[None]:
    """As :func:`kept_memory`, but what is kept between jobs stays."""
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
    """Within, torch may be imported for the first time without the garbage collector, which saves a fifth of the time.

    The import makes more than a hundred thousand objects that all stay. Afterwards the collector leaves them out of its searches.
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
