"""The line above Apply that says what is wrong with the chosen volumes before a run."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from deepreg_engine.models.store import needs_of
from deepreg_slicer.appearance import BAD, CAUTION, setTone
from deepreg_slicer.content import concernsOf, contentSteps
from deepreg_slicer.cooperative import Cooperative
from deepreg_slicer.engine_texts import engineText
from deepreg_slicer.errors import NodeError
from deepreg_slicer.signals import Signal
from deepreg_slicer.wording import sentence

if TYPE_CHECKING:
    from deepreg_engine.content.concerns import Concern
    from deepreg_engine.content.description import Content


class ConcernSection:
    """The concerns about a pair of volumes, found between the events of the window whenever the pair changes.

    Args:
        label: shows the worst one; its tool tip shows all.

    Attributes:
        concerns: the present ones, the worst first.

    Signals: ``changed()``, when the line was shown or hidden.
    """

    def __init__(self, label: Any) -> None:
        self.changed = Signal()
        self.concerns: list[Concern] = []
        self._label, self._key = label, ()
        self._work: Cooperative | None = None
        self._show([])

    @property
    def searching(self) -> bool:
        """Whether the concerns of the present pair are not known yet."""
        return self._work is not None

    def update(self, fixed: Any, moving: Any, features: str = "", contents: tuple[Content, Content] | None = None) -> None:
        """Find the concerns about two volume nodes if anything has changed; without one of them there are none.

        Args:
            fixed, moving: the nodes, or None.
            features: by name, that will be compared.
            contents: of both, as a user has corrected them; None for what is seen.
        """
        pair = [node for node in (fixed, moving) if node is not None and node.IsA("vtkMRMLScalarVolumeNode") and node.GetImageData()]
        key = (features, contents, *((node.GetID(), node.GetMTime(), node.GetImageData().GetMTime(), _placeOf(node)) for node in pair))
        if key == self._key:
            return
        self.stop()
        self._key = key
        if len(pair) < 2:
            self._show([])
            return
        self._work = Cooperative(_steps(fixed, moving, features, contents))
        self._work.finished.connect(self._onFinished)
        self._work.failed.connect(lambda _error: self._onFinished([]))
        self._work.start()

    def stop(self) -> None:
        """End the search."""
        if self._work is not None:
            self._work.stop()
            self._work = None
        self._key = ()

    def _onFinished(self, concerns: list[Concern]) -> None:
        self._work = None
        self._show(concerns)

    def _show(self, concerns: list[Concern]) -> None:
        label, self.concerns = self._label, concerns
        lines = [sentence(engineText(concern.line)) for concern in concerns]
        more = _("{first} And {count} more: see the tool tip.").format(first=lines[0], count=len(lines) - 1) if len(lines) > 1 else ""
        label.text = more or "".join(lines)
        label.toolTip = "\n".join(lines)
        setTone(label, BAD if any(concern.severity == "stop" for concern in concerns) else CAUTION)
        label.setVisible(bool(lines))
        self.changed.emit()


def _placeOf(node: Any) -> int:
    """Return the time at which the transform above a node was changed, 0 without one."""
    parent = node.GetParentTransformNode()
    return parent.GetTransformToWorldMTime() if parent is not None else 0


def _steps(fixed: Any, moving: Any, features: str, known: tuple[Content, Content] | None) -> Generator[float, None, list[Concern]]:
    """Find the concerns about two volume nodes in steps; ``known`` are their contents, None for what is seen."""
    hounsfield, sameContrast = needs_of(features) if features else (False, False)
    yield 0.0
    contents = []
    for node in (fixed, moving):
        try:
            contents.append((yield from contentSteps(node)))
        except NodeError:  # the reason why Apply is disabled says it
            return []
    return concernsOf(fixed, moving, known or contents, hounsfield, sameContrast)
