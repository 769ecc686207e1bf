"""Loading of training examples by number, made in advance by other processes, so that the training does not wait for them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self, cast

import torch
from torch import Tensor
from torch.utils.data import DataLoader

# Examples that the processes make in advance, in addition to one each. They are in shared memory, of which a container may have little.
_AHEAD = 3
# Processes for a GPU: a core makes an example in 0.04 to 0.3 s, a GPU needs about 0.01 s for a step.
_MOST_WORKERS = 8
# Factor of an example's number in its seed.
SEED_STEP = 2_147_483_629


@dataclass(frozen=True)
class TrainingExample:
    """Base of training examples."""

    def to(self, device: torch.device) -> Self:
        """Return the same with all tensors on a device."""
        return replace(self, **{name: _moved(value, device) for name, value in vars(self).items()})


def _moved(value: Any, device: torch.device) -> Any:
    """Return a field of an example with its tensors on a device."""
    if isinstance(value, list):
        return [_moved(each, device) for each in value]
    return value.to(device) if isinstance(value, (Tensor, TrainingExample)) else value


class NumberedExamples:
    """Base of examples that depend only on their number and the training's seed.

    Args:
        options: of the training, with ``steps``, the number of examples.
        seed: of all random numbers, with an example's number.
    """

    def __init__(self, options: Any, seed: int) -> None:
        self._options, self._seed = options, seed

    def __len__(self) -> int:
        return self._options.steps

    def __getitem__(self, number: int) -> Any:
        raise NotImplementedError

    def generator(self, number: int) -> torch.Generator:
        """Return the random number generator of one example."""
        return torch.Generator().manual_seed(number * SEED_STEP + self._seed)


def load_in_order(examples: NumberedExamples, first: int, workers: int) -> Iterator[Any]:
    """Yield examples first, first + 1, ... in order; they do not depend on the number of processes.

    Args:
        examples: by number.
        first: number of the first.
        workers: processes beside this one; with 0, and on systems without fork, this process makes them.
    """
    methods = getattr(torch.multiprocessing, "get_all_start_methods", list)()
    if workers == 0 or "fork" not in methods:
        yield from (examples[number] for number in range(first, len(examples)))
        return
    numbers: Any = range(first, len(examples))
    yield from DataLoader(
        cast(Any, examples),
        batch_size=None,
        sampler=numbers,
        num_workers=workers,
        worker_init_fn=_use_one_thread,
        prefetch_factor=max(1, _AHEAD // workers),
        multiprocessing_context="fork",  # forked processes share the scans' memory
    )


def suitable_workers(device: torch.device) -> int:
    """Return the number of processes that make examples as fast as a device uses them, limited by the number of cores; a CPU needs one."""
    if device.type == "cpu":
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(_MOST_WORKERS, cores - 1))


def _use_one_thread(_worker: int) -> None:
    torch.set_num_threads(1)
