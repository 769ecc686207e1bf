"""The user's own models: adding under a unique name, export and import, each with its card."""

from __future__ import annotations

import html
import shutil
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from deepreg_slicer.feature_chooser import modelFolders, modelsChanged, readCard
from deepreg_slicer.worker_client import Job, WorkerClient

_FORMULAS = ("mind", "intensity", "none")


def ownModels() -> list[tuple[Path, dict[str, Any]]]:
    """File and card of each model of the user's own."""
    found = ((path, readCard(path)) for path in sorted(modelFolders()[-1].glob("*.safetensors")))
    return [(path, card) for path, card in found if card]


def namesOfModels(architecture: str = "") -> list[str]:
    """Names of all models, shipped and own, or of those with one kind of network."""
    cards = (readCard(path) for folder in modelFolders() for path in sorted(folder.glob("*.safetensors")))
    return [str(card["name"]) for card in cards if card and (not architecture or card.get("architecture") == architecture)]


def freeName(name: str) -> str:
    """The name, with a number appended if a model of that name exists."""
    taken = {*_FORMULAS, *namesOfModels()}
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found


def adopt(client: WorkerClient, file: str, name: str = "") -> Job:
    """Let a worker put a model file among the user's own; all panels offer it then.

    Args:
        client: of a worker.
        file: ``.safetensors``, or a published ``.pth``.
        name: for it, "" for its own; a number is appended if a model of that name exists.
    """
    card = readCard(file)
    name = name or (str(card["name"]) if card else Path(file).stem)
    job = client.submit("import-model", {"file": str(file), "name": freeName(name)})
    job.finished.connect(lambda _result: modelsChanged.emit())
    return job


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


def described(card: dict[str, Any]) -> str:
    """A model's card as rich text."""
    figures = card.get("figures") or {}
    lines = (
        (_("Method"), card.get("method")),
        (_("Trained on"), card.get("training_data")),
        (_("Date"), card.get("date")),
        (_("For"), card.get("intended_use")),
        (_("Figures"), ", ".join(f"{name}: {value}" for name, value in figures.items())),
        (_("Licence"), card.get("licence")),
        (_("Origin"), card.get("origin")),
    )
    return "<br>".join(f"<b>{html.escape(name)}:</b> {html.escape(str(text))}" for name, text in lines if text)
