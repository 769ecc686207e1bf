"""Examples in order, made ahead by other processes, so that learning need not wait for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

# Examples that each process may be ahead: what they hold of memory at most.
_AHEAD = 3


def in_order(examples: Dataset, first: int, workers: int) -> Iterator[Any]:
    """Examples first, first + 1, ...; each follows from its number, so nothing depends on who makes it.

    Args:
        examples: by number, with a length.
        first: number of the first.
        workers: processes beside this one; 0 makes them here.
    """
    if workers == 0 or not hasattr(torch.multiprocessing, "get_all_start_methods") or "fork" not in torch.multiprocessing.get_all_start_methods():
        return iter(examples[number] for number in range(first, len(examples)))
    ahead = {"prefetch_factor": _AHEAD, "multiprocessing_context": "fork"}  # forked, they share the scans' memory
    return iter(DataLoader(examples, batch_size=None, sampler=range(first, len(examples)), num_workers=workers, worker_init_fn=_alone, **ahead))


def _alone(_worker: int) -> None:
    torch.set_num_threads(1)
