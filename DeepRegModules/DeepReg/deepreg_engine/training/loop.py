"""The training loop: log, checkpoints, validation, early stopping and the best weights.

A checkpoint is written completely or not at all (to another file first, then renamed), so a training that is killed at any moment resumes
from the last one. It holds all that training depends on: with examples that follow from their number alone, a resumed training is the
same, bit for bit on a CPU, as one that was never interrupted.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.files import FileGroup, write_text
from deepreg_engine.methods.common.parameters import Parameters
from deepreg_engine.progress import Progress, no_progress

# Commands that end a training after its present step.
PAUSE, STOP = "pause", "stop"
FINISHED, PAUSED, STOPPED = "finished", "paused", "stopped"

Validate = Callable[[], Mapping[str, float]]


class Stateful(Protocol):
    """A network, an optimiser, a learning rate schedule or a random number generator."""

    def state_dict(self) -> dict: ...  # noqa: D102

    def load_state_dict(self, state_dict: dict, /) -> object: ...  # noqa: D102


@dataclass(frozen=True)
class Monitor:
    """Files and callbacks of a training.

    Args:
        log: gets one line of JSON every few steps; None for no log.
        checkpoint: file to save to and to resume from; None for none.
        progress: called with the share done, 0 to 1, and one line of text; it may raise to stop at once.
        command: called after each step; "pause" and "stop" end the training after a checkpoint.
    """

    log: str | os.PathLike | None = None
    checkpoint: str | os.PathLike | None = None
    progress: Progress = no_progress
    command: Callable[[], str] = lambda: ""


@dataclass(frozen=True)
class Selection:
    """How validations choose the weights that a training returns.

    Args:
        figure: name of the validation's figure that is compared; None keeps the last weights.
        higher_is_better: whether that figure is to be large.
        patience: number of validations without improvement before early stopping; 0 for none.
    """

    figure: str | None = None
    higher_is_better: bool = True
    patience: int = 0


@dataclass
class BestValidation:
    """The best validation so far.

    Args:
        step: number of steps done then.
        figure: name of the figure that was compared.
        value: of that figure.
        network: weights at that step.
    """

    step: int
    figure: str
    value: float
    network: dict[str, Tensor] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return step, figure and value, without the weights."""
        return {"step": self.step, "figure": self.figure, "value": self.value}


class TrainingLoop:
    """Counts steps, logs figures, validates, and saves and resumes checkpoints.

    Args:
        network: that is trained.
        options: of the training; ``options.steps`` is the number of steps. A checkpoint of other options is refused.
        parts: everything else that the training depends on, by name, such as the optimiser.
        monitor: files and callbacks.
        selection: how the best weights are chosen.
        checkpoint_every: steps between two checkpoints, and validations.
        log_every: steps between two lines of the log.

    Raises:
        InputError: if the checkpoint is damaged or belongs to a training with other options.
    """

    def __init__(
        self,
        network: nn.Module,
        options: Parameters,
        parts: Mapping[str, Stateful],
        monitor: Monitor,
        selection: Selection | None = None,
        checkpoint_every: int = 100,
        log_every: int = 25,
    ) -> None:
        self._network, self._options, self._monitor = network, options, monitor
        self._steps = int(options.to_dict()["steps"])
        self._parts: dict[str, Stateful] = {"network": network, **parts}
        self._selection = selection or Selection()
        self._checkpoint_every, self._log_every = checkpoint_every, log_every
        # Sum and number of each figure since the last line: not every step has all of them.
        self._sums: dict[str, list[float]] = {}
        self._since_best, self._spent, self._begun = 0, 0.0, time.perf_counter()
        self._summary = "training"
        self.best: BestValidation | None = None
        self.step = 0
        self.state = FINISHED
        self._resume()

    @property
    def seconds(self) -> float:
        """Time spent, including that of earlier runs of the same training."""
        return self._spent + time.perf_counter() - self._begun

    @property
    def complete(self) -> bool:
        """Whether all steps are done, or early stopping ended the training in an earlier run."""
        return self.step >= self._steps

    def fit(self, examples: Iterable[Any], learn: Callable[[Any], Mapping[str, float]], validate: Validate | None = None) -> TrainingResult:
        """Train until the last step, early stopping, or a command.

        Args:
            examples: starting with the example of step :attr:`step`.
            learn: makes one optimisation step with an example; returns the figures to log.
            validate: returns the figures of a validation; None for no validation.
        """
        if not self.complete:
            for example in examples:
                if not self.record(learn(example), validate):
                    break
        return self.result()

    def record(self, figures: Mapping[str, float], validate: Validate | None = None) -> bool:
        """Record one step: log, validate and save as they are due. Returns whether the training goes on.

        Args:
            figures: of the step.
            validate: see :meth:`fit`.
        """
        self.step += 1
        self._add(figures)
        last, command = self.step >= self._steps, self._monitor.command()
        due = last or self.step % self._checkpoint_every == 0
        if due or command or self.step % self._log_every == 0:
            self._log_step(validate if due else None)
        ended = last or self._is_over()
        if not ended:
            self.state = {PAUSE: PAUSED, STOP: STOPPED}.get(command, FINISHED)
        left = command in (PAUSE, STOP)
        if due or ended or left:
            self._save(ended)
        self._monitor.progress(min(1.0, self.step / self._steps), f"step {self.step} of {self._steps}: {self._summary}")
        return not (ended or left)

    def _add(self, figures: Mapping[str, float]) -> None:
        """Add the figures of a step to the sums since the last line of the log."""
        for name, value in figures.items():
            total, count = self._sums.get(name, (0.0, 0))
            self._sums[name] = [total + value, count + 1]

    def _is_over(self) -> bool:
        """Return whether early stopping is due."""
        patience = self._selection.patience
        return bool(patience and self._since_best >= patience)

    def _log_step(self, validate: Validate | None) -> None:
        """Write the means since the last line, and the figures of a validation, to the log and into the summary."""
        line = self._means()
        if validate is not None:
            found = validate()
            line |= {f"validation_{name}": round(value, 5) for name, value in found.items()}
            self._select(found)
        self._write_log(line | {"seconds": round(self.seconds, 1)})
        self._summary = ", ".join(f"{name} {value:g}" for name, value in line.items() if name not in ("step", "steps"))

    def result(self) -> TrainingResult:
        """Return the network with its best weights (the last ones without a selection), on the CPU, in evaluation mode."""
        if self.best is not None:
            self._network.load_state_dict(self.best.network)
        return TrainingResult(self._network.cpu().eval(), self.state, self.step, self.best, self.seconds)

    def _means(self) -> dict[str, Any]:
        """Return the mean of each figure since the last line of the log."""
        means = {name: round(total / count, 5) for name, (total, count) in self._sums.items()}
        self._sums = {}
        return {"step": self.step, "steps": self._steps, **means}

    def _select(self, found: Mapping[str, float]) -> None:
        figure = self._selection.figure
        if figure is None or figure not in found:
            return
        value = float(found[figure])
        better = self.best is None or (value > self.best.value if self._selection.higher_is_better else value < self.best.value)
        self._since_best = 0 if better else self._since_best + 1
        if better:
            weights = {name: tensor.detach().cpu().clone() for name, tensor in self._network.state_dict().items()}
            self.best = BestValidation(self.step, figure, value, weights)

    # -------------------------------------------------------------- log and checkpoint

    def _write_log(self, line: dict) -> None:
        if self._monitor.log is not None:
            with open(Path(self._monitor.log), "a", encoding="utf-8") as stream:
                stream.write(json.dumps(line) + "\n")

    def _save(self, ended: bool) -> None:
        if self._monitor.checkpoint is None:
            return
        state = {
            "options": self._options.to_dict(),
            "step": self.step,
            "ended": ended,
            "parts": {name: _plain(part.state_dict()) for name, part in self._parts.items()},
            "best": None if self.best is None else vars(self.best),
            "since_best": self._since_best,
            "sums": self._sums,
            "seconds": self.seconds,
        }
        with FileGroup() as files:
            files.add(self._monitor.checkpoint, lambda name: torch.save(state, name))

    def _resume(self) -> None:
        path = self._monitor.checkpoint
        if path is None or not Path(path).exists():
            if self._monitor.log is not None:
                Path(self._monitor.log).write_text("", encoding="utf-8")
            return
        try:
            state = torch.load(path, weights_only=True, map_location="cpu")
            # Options that were added later have their defaults.
            same = {**type(self._options)().to_dict(), **state["options"]} == self._options.to_dict()
        except Exception as error:  # noqa: BLE001 - torch raises many kinds
            raise InputError(f"{path} is no checkpoint of a training", "name another file, or remove it", "checkpoint") from error
        if not same:
            advice = "give the same options, or name another file"
            raise InputError(f"the checkpoint {path} belongs to a training with other options", advice, "checkpoint")
        saved = state["parts"]
        # The generator had another name in checkpoints of earlier versions.
        former = next((name for name in saved if name not in self._parts), "")
        for name, part in self._parts.items():
            part.load_state_dict(saved[name if name in saved else former])
        self.best = None if state["best"] is None else BestValidation(**state["best"])
        self.step, self._since_best, self._spent = int(state["step"]), int(state["since_best"]), float(state["seconds"])
        self._sums = dict(state["sums"])
        if state["ended"]:
            self._steps = self.step
        self._trim_log()

    def _trim_log(self) -> None:
        """Remove the lines of steps after the checkpoint, because these steps are repeated."""
        path = self._monitor.log
        if path is None or not Path(path).exists():
            return
        kept = []
        for line in Path(path).read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:  # cut off when the training was killed
                continue
            if entry.get("step", 0) <= self.step:
                kept.append(line)
        write_text(path, "".join(f"{line}\n" for line in kept))


def _plain(state: Any) -> Any:
    """Return a copy of a part's state without functions: those in the schedules of PyTorch 2.2 could not be read as weights alone."""
    if not isinstance(state, dict) or not any(callable(value) for value in state.values()):
        return copy.copy(state)
    return {name: value for name, value in state.items() if not callable(value)}


@dataclass(frozen=True)
class TrainingResult:
    """What a training returns.

    Args:
        network: on the CPU, in evaluation mode, with the weights of the best validation.
        state: "finished", "paused" or "stopped".
        step: number of steps done.
        best: the best validation; None without one.
        seconds: time spent, including earlier runs of the same training.
    """

    network: nn.Module
    state: str
    step: int
    best: BestValidation | None
    seconds: float


class Optimiser:
    """AdamW with a one-cycle learning rate and gradient clipping.

    Args:
        network: that is trained; its gradient is clipped.
        options: of the training, with ``rate`` (the highest learning rate) and ``steps``.
        weight_decay: of AdamW.
        largest_gradient: norm at which a gradient is clipped: some examples contain only noise.
        warm_up: share of the steps in which the learning rate rises.
        head: a further module that is trained with it.
    """

    def __init__(
        self,
        network: nn.Module,
        options: Any,
        weight_decay: float,
        largest_gradient: float = 1.0,
        warm_up: float = 0.1,
        head: nn.Module | None = None,
    ) -> None:
        self._network, self._largest_gradient = network, largest_gradient
        parameters = [*network.parameters(), *(head.parameters() if head is not None else ())]
        self._optimiser = torch.optim.AdamW(parameters, lr=options.rate, weight_decay=weight_decay)
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(self._optimiser, options.rate, total_steps=options.steps, pct_start=warm_up)
        #: What a checkpoint has to hold.
        self.parts: dict[str, Stateful] = {"optimiser": self._optimiser, "schedule": self._schedule}

    def step(self) -> None:
        """Change the weights by the gradient, and clear the gradient."""
        nn.utils.clip_grad_norm_(self._network.parameters(), self._largest_gradient)
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        self._schedule.step()


def mean_figures(figures: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each figure over the examples that have it."""
    values: dict[str, list[float]] = {}
    for each in figures:
        for name, value in each.items():
            values.setdefault(name, []).append(value)
    return {name: sum(found) / len(found) for name, found in values.items()}


@contextlib.contextmanager
def deterministic(device: torch.device) -> Iterator[None]:
    """Let a CPU add gradients in a fixed order within a ``with`` block, for any number of threads. (CUDA cannot for all operations.)"""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(before or device.type == "cpu")
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
