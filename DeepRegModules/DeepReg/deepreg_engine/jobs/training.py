"""Train features from scans in files: in a folder from which the training can be resumed (:mod:`training_folder`), or to one model file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepreg_engine.errors import check_versions
from deepreg_engine.jobs.training_folder import CHECKPOINT, CONTROL, LOG, MODEL, RUNNING, now, prepare_folder, write_record
from deepreg_engine.progress import Progress, no_progress
from deepreg_engine.training.base import RunSettings, TrainingData, TrainingRequest, train_network
from deepreg_engine.training.registry import find_trainer

if TYPE_CHECKING:
    from deepreg_engine.training.loop import Monitor, TrainingResult


def run_training(
    request: TrainingRequest, progress: Progress = no_progress, log: Callable[[str], None] = lambda text: None, control: Path | None = None
) -> dict:
    """Train in a folder, or resume its training.

    Args:
        request: what to learn.
        progress: called with the share done and a line; it may raise to stop at once: then the training resumes from its last checkpoint.
        log: called with notes for the user.
        control: file that may hold "pause" or "stop"; by default that in the folder.

    Returns:
        ``state`` ("finished", "paused", "stopped"), ``model`` (its file, or None), ``step``, ``steps``, ``best``, ``notes``, ``seconds``,
        ``device``, ``device_memory`` (largest use of a GPU's memory in bytes; None without one).

    Raises:
        InputError, ParameterError: if scans, names or options are wrong.
        OutputError: if the folder cannot be written to.
    """
    check_versions()
    options, folder = request.options(), Path(request.folder)
    former = prepare_folder(folder, request)
    if former is not None and former["state"] in ("finished", "stopped") and (folder / MODEL).is_file():
        return former["result"]
    from deepreg_engine.training.loop import PAUSED, Monitor

    control = control or folder / CONTROL
    control.unlink(missing_ok=True)  # left by an earlier run; a command that is written after this takes effect after the first step
    begun = former["begun"] if former is not None else now()
    monitor = Monitor(folder / LOG, folder / CHECKPOINT, progress, lambda: _command(control))
    run = _train(request, options, monitor, log, lambda: write_record(folder, request, RUNNING, begun))
    control.unlink(missing_ok=True)
    model = None
    if run.trained.state != PAUSED:
        model = str(folder / MODEL)
        run.write_model(model)
    result = {"state": run.trained.state, "model": model, "step": run.trained.step, "steps": options.steps, **run.report()}
    write_record(folder, request, run.trained.state, begun, result)
    return result


def train_to_file(request: TrainingRequest, model: str, log: str | None, checkpoint: str | None, progress: Progress = no_progress) -> dict:
    """Train to a model file, with a log and a checkpoint from which the training resumes, if they are named.

    Returns:
        ``learned`` (names), ``notes``, ``device``, ``device_memory``, ``best``, ``seconds``, as of :func:`run_training`.
    """
    check_versions()
    from deepreg_engine.training.loop import Monitor

    run = _train(request, request.options(), Monitor(log, checkpoint, progress))
    run.write_model(model)
    return {"learned": run.data.learned, **run.report()}


@dataclass(frozen=True)
class _Run:
    """A training that has ended.

    Args:
        request, options: of the training.
        data: that it learned from.
        trained: its result.
        device: on which it ran, in words.
        device_memory: largest use of a GPU's memory, bytes.
    """

    request: TrainingRequest
    options: Any
    data: TrainingData
    trained: TrainingResult
    device: str
    device_memory: int | None

    def report(self) -> dict[str, Any]:
        """Return the part of the results that all trainings return."""
        best = self.trained.best
        return {
            "best": None if best is None else best.to_dict(),
            "notes": self.data.notes,
            "seconds": round(self.trained.seconds, 1),
            "device": self.device,
            "device_memory": self.device_memory,
        }

    def write_model(self, path: str) -> None:
        """Write the model with its card."""
        from deepreg_engine.arrays import array_of
        from deepreg_engine.models.card import write_model

        card = find_trainer(self.request.method).card(self.request, self.options, self.data, self.trained)
        write_model(path, card, {name: array_of(value) for name, value in self.trained.network.state_dict().items()})


def _train(
    request: TrainingRequest,
    options: Any,
    monitor: Monitor,
    log: Callable[[str], None] = lambda text: None,
    begin: Callable[[], None] = lambda: None,
) -> _Run:
    """Read the scans and train.

    Args:
        request, options: of the training.
        monitor: files and callbacks.
        log: called with notes for the user.
        begin: called when all is read and training begins.
    """
    from deepreg_engine.methods.common.device import DeviceMemory, choose_device

    trainer = find_trainer(request.method)
    monitor.progress(0.0, "reading the scans")
    data = trainer.gather(request, options, lambda share, name: monitor.progress(0.0, f"reading {name}"))
    for note in data.notes:
        log(note)
    device, described = choose_device(request.device)
    start = trainer.start_network(request, options)
    begin()
    memory = DeviceMemory(device)
    trained = train_network(request, options, data, RunSettings(device, monitor, start))
    return _Run(request, options, data, trained, described, memory.most())


def _command(control: Path) -> str:
    """Return the command in a file; "" without one."""
    try:
        return control.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
