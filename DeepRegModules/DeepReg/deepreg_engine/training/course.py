"""The course of a training: its log, its checkpoints, the best of its validations, and when it ends.

A checkpoint is written whole or not at all (to another file first, then renamed), so a training that is killed at any moment goes on from the
last one. It holds all that learning depends on; with examples that follow from their number alone the resumed training is the same, bit for
bit on a CPU, as one that was never interrupted.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.files import FileGroup

# What a training may be asked to do between two steps.
PAUSE, STOP = "pause", "stop"
FINISHED, PAUSED, STOPPED = "finished", "paused", "stopped"


class Stateful(Protocol):
    """A network, an optimiser, a schedule, a generator."""

    def state_dict(self) -> dict: ...  # noqa: D102

    def load_state_dict(self, state: dict) -> object: ...  # noqa: D102


@dataclass(frozen=True)
class Places:
    """Files of a training, and how it is spoken to.

    Args:
        log: gets a line of JSON now and then; None for none.
        checkpoint: None for none.
        tell: called with the share done, 0 to 1, and a line; it may raise to stop at once.
        asked: called after each step; "pause" and "stop" end the training after a checkpoint.
    """

    log: str | os.PathLike | None = None
    checkpoint: str | os.PathLike | None = None
    tell: Callable[[float, str], None] = lambda share, stage: None
    asked: Callable[[], str] = lambda: ""


@dataclass
class Best:
    """The best validation so far.

    Args:
        step: steps done then.
        figure: what was judged.
        value: of it.
        network: weights.
    """

    step: int
    figure: str
    value: float
    network: dict[str, torch.Tensor] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Without the weights."""
        return {"step": self.step, "figure": self.figure, "value": self.value}


class Course:
    """Keeps a training's books.

    Args:
        options: of the training: a checkpoint of others is refused.
        steps: in all.
        parts: what learning depends on, by name; "network" is one of them.
        places: see :class:`Places`.
        keep_every: steps from one checkpoint, and validation, to the next.
        log_every: steps from one line of the log to the next.
        figure: name of the validation's figure that is judged; None keeps the last weights.
        higher_is_better: whether that figure is to be large.
        patience: validations without a better one before the training ends early; 0 never ends it.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        steps: int,
        parts: Mapping[str, Stateful],
        places: Places,
        keep_every: int = 100,
        log_every: int = 25,
        figure: str | None = None,
        higher_is_better: bool = True,
        patience: int = 0,
    ) -> None:
        self._options, self._steps, self._parts, self._places = dict(options), steps, parts, places
        self._keep_every, self._log_every = keep_every, log_every
        self._figure, self._higher, self._patience = figure, higher_is_better, patience
        # Sum and number of each figure since the last line: not every step has all of them.
        self._sums: dict[str, list[float]] = {}
        self._since_best, self._spent, self._begun = 0, 0.0, time.perf_counter()
        self._said = "learning"
        self.best: Best | None = None
        self.done = 0
        self.state = FINISHED
        self._resume()

    @property
    def seconds(self) -> float:
        """Time spent in all, of former runs too."""
        return self._spent + time.perf_counter() - self._begun

    def after(self, figures: Mapping[str, float], validate: Callable[[], Mapping[str, float]] | None = None) -> bool:
        """Book one step.

        Args:
            figures: of the step.
            validate: makes the figures of a validation.

        Returns:
            Whether the training goes on.
        """
        self.done += 1
        for name, value in figures.items():
            total, count = self._sums.get(name, (0.0, 0))
            self._sums[name] = [total + value, count + 1]
        last, asked = self.done >= self._steps, self._places.asked()
        due = last or self.done % self._keep_every == 0
        line = None
        if due or self.done % self._log_every == 0 or asked:
            line = {
                "step": self.done,
                "steps": self._steps,
                **{name: round(total / count, 5) for name, (total, count) in self._sums.items()},
            }
            self._sums = {}
        if due and validate is not None:
            found = validate()
            line |= {f"validation_{name}": round(value, 5) for name, value in found.items()}
            self._judge(found)
        if line is not None:
            self._write(line | {"seconds": round(self.seconds, 1)})
            self._said = ", ".join(f"{name} {value:g}" for name, value in line.items() if name not in ("step", "steps"))
        tired = bool(self._patience and self._since_best >= self._patience)
        self.state = FINISHED if last or tired else PAUSED if asked == PAUSE else STOPPED if asked == STOP else FINISHED
        ends = last or tired or asked in (PAUSE, STOP)
        if due or ends:
            self._keep(ended=last or tired)
        self._places.tell(min(1.0, self.done / self._steps), f"step {self.done} of {self._steps}: {self._said}")
        return not ends

    @property
    def over(self) -> bool:
        """Whether there is nothing left to do, as in a training that ended before."""
        return self.done >= self._steps

    def settle(self) -> None:
        """Give the network the best weights, if validations have judged."""
        if self.best is not None:
            self._parts["network"].load_state_dict(self.best.network)

    def result(self) -> Trained:
        """The network with its best weights, on the CPU, in evaluation mode."""
        self.settle()
        return Trained(self._parts["network"].cpu().eval(), self)

    def _judge(self, found: Mapping[str, float]) -> None:
        if self._figure is None or self._figure not in found:
            return
        value = float(found[self._figure])
        better = self.best is None or (value > self.best.value if self._higher else value < self.best.value)
        self._since_best = 0 if better else self._since_best + 1
        if better:
            weights = {name: tensor.detach().cpu().clone() for name, tensor in self._parts["network"].state_dict().items()}
            self.best = Best(self.done, self._figure, value, weights)

    def _write(self, line: dict) -> None:
        if self._places.log is not None:
            with open(Path(self._places.log), "a", encoding="utf-8") as stream:
                stream.write(json.dumps(line) + "\n")

    def _keep(self, ended: bool) -> None:
        if self._places.checkpoint is None:
            return
        state = {
            "options": self._options,
            "step": self.done,
            "ended": ended,
            "parts": {name: copy.copy(part.state_dict()) for name, part in self._parts.items()},
            "best": None if self.best is None else vars(self.best),
            "since_best": self._since_best,
            "sums": self._sums,
            "seconds": self.seconds,
        }
        with FileGroup() as files:
            files.add(self._places.checkpoint, lambda name: torch.save(state, name))

    def _resume(self) -> None:
        path = self._places.checkpoint
        if path is None or not Path(path).exists():
            if self._places.log is not None:
                Path(self._places.log).write_text("", encoding="utf-8")
            return
        try:
            state = torch.load(path, weights_only=True, map_location="cpu")
            known = state["options"] == self._options
        except Exception as error:  # noqa: BLE001 - torch raises many kinds
            raise InputError(f"{path} is no checkpoint of a training", "name another file, or remove it") from error
        if not known:
            raise InputError(f"the checkpoint {path} belongs to a training with other options", "give the same, or name another file")
        for name, part in self._parts.items():
            part.load_state_dict(state["parts"][name])
        self.best = None if state["best"] is None else Best(**state["best"])
        self.done, self._since_best, self._spent = int(state["step"]), int(state["since_best"]), float(state["seconds"])
        self._sums = dict(state["sums"])
        if state["ended"]:
            self._steps = self.done
        self._trim_log()

    def _trim_log(self) -> None:
        """Take away lines of steps that are done again."""
        path = self._places.log
        if path is None or not Path(path).exists():
            return
        kept = []
        for line in Path(path).read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:  # cut off by a kill
                continue
            if entry.get("step", 0) <= self.done:
                kept.append(line)
        with FileGroup() as files:
            files.add(path, lambda name: Path(name).write_text("".join(f"{line}\n" for line in kept), encoding="utf-8"))


@dataclass(frozen=True)
class Trained:
    """What a training ends with.

    Args:
        network: on the CPU, in evaluation mode; the best of its validations.
        course: its books.
    """

    network: nn.Module
    course: Course


class Chance:
    """A generator of random numbers whose place in its sequence is kept with a checkpoint."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def state_dict(self) -> dict:
        """Its place."""
        return {"state": self.generator.get_state()}

    def load_state_dict(self, state: dict) -> None:
        """Go on from there."""
        self.generator.set_state(state["state"])


@contextlib.contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """Sums of gradients in a fixed order: on a CPU, threads would add them as they come. (CUDA has no such mode for all that is needed.)"""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(before or device.type == "cpu")
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
