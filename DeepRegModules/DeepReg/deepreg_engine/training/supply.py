"""Examples in order, made ahead by other processes, so that learning need not wait for them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from deepreg_engine.training.options import DenseTraining
from deepreg_engine.training.training_scans import TrainingScan

# Examples that all processes together may be ahead, but for one each: what they hold of the memory that processes share, of which a container
# may have little.
_AHEAD = 3
# For a GPU: an example takes a core some 0.04 to 0.3 s, a step a hundredth of a second.
_MOST_WORKERS = 8


class ScanExamples:
    """Examples of labelled scans, by number.

    Args:
        scans: to learn from.
        options: of the training.
        seed: of all random numbers, with an example's number.
    """

    def __init__(self, scans: list[TrainingScan], options: DenseTraining, seed: int) -> None:
        self._scans, self._options, self._seed = scans, options, seed

    def __len__(self) -> int:
        return self._options.steps

    def _generator(self, number: int) -> torch.Generator:
        """Of the random numbers of one example."""
        return torch.Generator().manual_seed(number * 2_147_483_629 + self._seed)


def in_order(examples: Dataset, first: int, workers: int) -> Iterator[Any]:
    """Examples first, first + 1, ...; each follows from its number, so nothing depends on who makes it.

    Args:
        examples: by number, with a length.
        first: number of the first.
        workers: processes beside this one; 0 makes them here.
    """
    if (
        workers == 0
        or not hasattr(torch.multiprocessing, "get_all_start_methods")
        or "fork" not in torch.multiprocessing.get_all_start_methods()
    ):
        return iter(examples[number] for number in range(first, len(examples)))
    ahead = {"prefetch_factor": max(1, _AHEAD // workers), "multiprocessing_context": "fork"}  # forked, they share the scans' memory
    return iter(
        DataLoader(examples, batch_size=None, sampler=range(first, len(examples)), num_workers=workers, worker_init_fn=_alone, **ahead)
    )


def suitable_workers(device: torch.device) -> int:
    """Processes that make examples as fast as a device learns from them, as far as there are cores; a CPU, which learns slowly, needs one.

    Where processes cannot be forked there are none, whatever this says.
    """
    if device.type == "cpu":
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(_MOST_WORKERS, cores - 1))


def _alone(_worker: int) -> None:
    torch.set_num_threads(1)
