"""The user's own models: adding under a unique name, export and import, each with its card."""

from __future__ import annotations

import html
import shutil
from pathlib import Path

from slicer.i18n import tr as _

from deepreg_engine.errors import EngineError
from deepreg_engine.features.registry import handcrafted_names
from deepreg_engine.models.card import ModelCard, read_card
from deepreg_engine.models.folders import own_folder
from deepreg_engine.models.store import list_models
from deepreg_slicer.feature_chooser import modelsChanged
from deepreg_slicer.worker_client import WorkerClient
from deepreg_slicer.worker_job import Job


def ownModels() -> list[tuple[Path, ModelCard]]:
    """Return file and card of each of the user's own models."""
    return [(model.path, model.card) for model in list_models() if model.card and model.path.parent == own_folder()]


def namesOfModels(architecture: str = "") -> list[str]:
    """Return the names of all models, shipped and own, or of those with one kind of network."""
    cards = [model.card for model in list_models() if model.card]
    return [card.name for card in cards if not architecture or card.architecture == architecture]


def freeName(name: str) -> str:
    """Return the name, with a number appended if a model of that name exists."""
    taken = {*handcrafted_names(), *namesOfModels()}
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found


def adopt(client: WorkerClient, file: str, name: str = "") -> Job:
    """Let a worker add a model file to the user's own models; all panels offer it then.

    Args:
        client: of a worker.
        file: ``.safetensors``, or a published ``.pth``.
        name: of the model, "" for the name in its card; a number is appended if a model of that name exists.
    """
    name = name or _nameIn(file)
    job = client.submit("import-model", {"file": str(file), "name": freeName(name)})
    job.finished.connect(lambda _result: modelsChanged.emit())
    return job


def _nameIn(file: str) -> str:
    """Return the name of the model in a file; without a card, the name of the file."""
    try:
        return read_card(file).name
    except EngineError:
        return Path(file).stem


def export(path: Path, target: str) -> None:
    """Write a model with its card to a file, completely or not at all.

    Raises:
        OSError: if that is not possible.
    """
    partial = Path(f"{target}.part")
    try:
        shutil.copyfile(path, partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def described(card: ModelCard) -> str:
    """Return a model's card as rich text."""
    lines = (
        (_("Method"), card.method),
        (_("Trained on"), card.training_data),
        (_("Date"), card.date),
        (_("For"), card.intended_use),
        (_("Figures"), ", ".join(f"{name}: {value}" for name, value in (card.figures or {}).items())),
        (_("Licence"), card.licence),
        (_("Origin"), card.origin),
    )
    return "<br>".join(f"<b>{html.escape(name)}:</b> {html.escape(str(text))}" for name, text in lines if text)
