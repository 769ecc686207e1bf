"""Trainings of data in memory."""

from __future__ import annotations

from typing import Any

import torch

from deepreg_engine.training.base import RunSettings, TrainingData
from deepreg_engine.training.loop import Monitor, TrainingResult
from deepreg_engine.training.registry import TRAININGS, find_trainer


def data(training: list, held_out: list | tuple = (), labels: int = 0) -> TrainingData:
    """Scans or pairs by number; those that are held out come last."""
    items = {str(number): [item] for number, item in enumerate([*training, *held_out])}
    names = tuple(str(len(training) + number) for number in range(len(held_out)))
    return TrainingData(items, list(range(1, labels + 1)), held_out=names)


def train(options: Any, given: TrainingData, monitor: Monitor | None = None, **settings: Any) -> TrainingResult:
    """Train on the CPU with the trainer of the options' method; ``settings`` are those of :class:`RunSettings`."""
    method = next(name for name, kind in TRAININGS.items() if isinstance(options, kind))
    return find_trainer(method).train(given, options, RunSettings(torch.device("cpu"), monitor or Monitor(), **settings))
