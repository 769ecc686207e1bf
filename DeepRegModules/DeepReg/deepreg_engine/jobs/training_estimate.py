"""Estimate the time and memory of a training by a few of its steps."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

from deepreg_engine.errors import InputError
from deepreg_engine.progress import Progress, no_progress
from deepreg_engine.training.base import RunSettings, TrainingRequest, train_network
from deepreg_engine.training.registry import find_trainer

# Steps of each kind that are timed.
_STEPS = 3
# Shares of the progress bar.
_READING, _TIMING = 0.05, 0.6
# Time of a training that is not spent in steps: a share of it, for validations and checkpoints, and seconds to begin.
_BESIDE, _BEGINNING = 1.1, 10.0


def estimate_training(request: TrainingRequest, progress: Progress = no_progress) -> dict[str, Any]:
    """Estimate a training; nothing is written. The scans stay in memory for a training that follows.

    Returns:
        ``steps``, ``seconds``, ``step_seconds``, ``memory`` and ``free_memory`` (bytes), ``device``, ``device_memory`` and
        ``free_device_memory`` (bytes of a GPU's own; None without one), ``entries`` (number of scans or pairs), ``scans`` (name, voxels,
        labels of each), ``bad`` (name, problem of each that cannot be used), ``notes`` (on how scans were read).
    """
    import psutil

    from deepreg_engine.methods.common.device import DeviceMemory, choose_device

    options, trainer = request.options(), find_trainer(request.method)
    free = psutil.virtual_memory().available
    progress(_READING, "reading the scans")
    data = trainer.gather(
        dataclasses.replace(request, skip_bad=True),
        options,
        lambda share, name: progress(_READING + (_TIMING - _READING) * share, f"reading {name}"),
        keep=True,
    )
    device, described = choose_device(request.device)
    process, taken = psutil.Process(), DeviceMemory(device)
    before, free_there = process.memory_info().rss, taken.free()
    timer = _StepTimer(trainer.trials(options, _STEPS), progress)
    try:
        for number, (share, trial) in enumerate(timer.trials):
            run = RunSettings(
                device, timer.monitor(number), trainer.start_network(request, options), checkpoint_every=10**6, validate=False
            )
            train_network(dataclasses.replace(request, workers=0), trial, data, run)
            timer.count(share, getattr(trial, "phantoms", 0))
    except InputError as error:
        if not data.problems:
            raise
        raise InputError(error.message, "; ".join(problem.line() for problem in data.problems.values()), error.option) from error
    memory = max(process.memory_info().rss, before) + data.bytes
    seconds = timer.step_seconds * options.steps * _BESIDE + timer.phantom_seconds * getattr(options, "phantoms", 0) + _BEGINNING
    return {
        "scans": data.described,
        "bad": [{"name": name, "problem": problem.line()} for name, problem in data.problems.items()],
        "notes": list(dict.fromkeys(data.reading)),
        "entries": len({*data.items, *data.problems}),
        "steps": options.steps,
        "seconds": round(seconds, 1),
        "step_seconds": round(timer.step_seconds, 3),
        "memory": int(memory),
        "free_memory": int(free),
        "device": described,
        "device_memory": taken.most(),
        "free_device_memory": free_there,
    }


class _StepTimer:
    """Times the steps of short trainings by their calls of ``progress``.

    Args:
        trials: share and options of each.
        progress: called with the share of the estimate that is done.
    """

    def __init__(self, trials: list[tuple[float, Any]], progress: Progress) -> None:
        self.trials, self._progress = trials, progress
        self._marks: list[float] = []
        #: Mean time of a step, and of making a phantom.
        self.step_seconds = self.phantom_seconds = 0.0

    def monitor(self, number: int) -> Any:
        """Return the monitor of a trial."""
        from deepreg_engine.training.loop import Monitor

        self._marks.clear()

        def mark(share: float, stage: str) -> None:
            self._marks.append(time.perf_counter())
            self._progress(_TIMING + (1.0 - _TIMING) * (number + share) / len(self.trials), "timing a few steps")

        return Monitor(progress=mark)

    def count(self, share: float, phantoms: int) -> None:
        """Add the times of a finished trial; ``share`` is the proportion of steps of this kind in the training."""
        marks = self._marks
        # The first step includes start-up, the last one the end of the training.
        steps = zip(marks[-_STEPS:], marks[-_STEPS + 1 :], strict=False)
        self.step_seconds += share * min((later - sooner for sooner, later in steps), default=0.0)
        if phantoms:  # marked when the phantom is begun and when it is made; the first step comes after that
            self.phantom_seconds = marks[-_STEPS - 1] - marks[-_STEPS - 2]
