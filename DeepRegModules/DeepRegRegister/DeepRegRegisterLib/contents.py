"""What the volumes of a pair are, as it is seen and as the user has corrected it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deepreg_engine.content.description import Content
from deepreg_slicer.content import contentSteps
from deepreg_slicer.cooperative import Cooperative
from deepreg_slicer.request import inScene

# Number of volumes whose content is kept.
_KEPT = 8


class ContentReader:
    """Finds what volumes are, between the events of the window, so that a panel opens without waiting.

    Args:
        changed: is called when the content of a volume has become known.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._known: list[tuple[Any, tuple[Any, ...], Content | None]] = []
        self._waiting: list[Any] = []
        self._work: Cooperative | None = None

    @property
    def busy(self) -> bool:
        """Whether the content of a volume is not known yet."""
        return bool(self._waiting)

    def seen(self, volume: Any) -> Content | None:
        """Return what a volume is; None while it is not known, without a volume, and without voxels."""
        if volume is None or volume.GetImageData() is None:
            return None
        state = _stateOf(volume)
        for known, at, content in self._known:
            if known is volume and at == state:
                return content
        if not any(volume is each for each in self._waiting):
            self._waiting.append(volume)
            self._next()
        return None

    def corrected(self, volume: Any, modality: str, bodyPart: str) -> Content | None:
        """Return what a volume is, with the user's corrections; "" leaves what is seen. None while it is not known."""
        content = self.seen(volume)
        return correctedContent(content, modality, bodyPart) if content is not None else None

    def pair(self, node: Any) -> tuple[Content | None, Content | None]:
        """Return what the fixed and the moving volume of a parameter node are."""
        return (
            self.corrected(node.fixedVolume, node.fixedModality, node.fixedBodyPart),
            self.corrected(node.movingVolume, node.movingModality, node.movingBodyPart),
        )

    def _next(self) -> None:
        """Begin with the next volume."""
        if self._work is not None or not self._waiting:
            return
        self._work = Cooperative(contentSteps(self._waiting[0]))
        self._work.finished.connect(self._onFinished)
        self._work.failed.connect(lambda _error: self._onFinished(None))
        self._work.start()

    def _onFinished(self, content: Content | None) -> None:
        volume, self._work = self._waiting.pop(0), None
        if inScene(volume) and volume.GetImageData() is not None:
            others = [entry for entry in self._known if entry[0] is not volume and inScene(entry[0])]
            self._known = [*others, (volume, _stateOf(volume), content)][-_KEPT:]
            self._changed()
        self._next()

    def cleanup(self) -> None:
        """Stop."""
        if self._work is not None:
            self._work.stop()
            self._work = None
        self._waiting, self._known = [], []


def _stateOf(volume: Any) -> tuple[Any, ...]:
    """Return what changes with the voxels of a volume, or with what is stated of it."""
    scalars = volume.GetImageData().GetPointData().GetScalars()
    return volume.GetImageData().GetMTime(), scalars.GetMTime() if scalars is not None else 0, volume.GetName(), volume.GetSpacing()


def correctedContent(content: Content, modality: str, bodyPart: str) -> Content:
    """Return a content with a user's corrections; "" leaves what is seen."""
    changes: dict[str, Any] = {}
    if modality:
        changes.update(modality=modality, modality_certain=True, contrast=content.contrast if modality == content.modality else "")
    if bodyPart:
        changes.update(body_part=bodyPart, body_part_certain=True)
    return content.replaced(**changes) if changes else content
