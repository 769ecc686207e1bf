"""The arbitrary order of what the application keeps in hashes of addresses: random, and the same within a process."""

from __future__ import annotations

import functools
import os
import random
import zlib
from collections.abc import Iterable


@functools.cache
def seed() -> int:
    """Return the seed of this process: SLICER_TESTING_SEED, if it is set."""
    return int(os.environ.get("SLICER_TESTING_SEED") or random.SystemRandom().randrange(10000))


def in_random_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return names in the order of this process."""
    return tuple(sorted(names, key=lambda name: zlib.crc32(f"{seed()} {name}".encode())))
