"""Look: a registered volume compared with the fixed one in the slice views, in several ways."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from deepreg_slicer import look_images, result_view
from deepreg_slicer.choice_box import ChoiceBox
from deepreg_slicer.cooperative import Cooperative
from deepreg_slicer.linked_display import LinkedDisplays, leaderOf
from deepreg_slicer.map_overlay import MapOverlay
from deepreg_slicer.parents import shownThrough
from deepreg_slicer.request import inScene
from deepreg_slicer.slice_views import composites, sliceWidgets
from deepreg_slicer.surfaces_shown import SurfacesShown
from deepreg_slicer.temporary import removeNodes, temporaryCopy
from deepreg_slicer.timers import makeTimer, releaseTimer

# Interval of the mode blink, ms.
_BLINK = 700
# Number of squares of a checkerboard along the longest side: at 0 % and at 100 % of the slider.
_MOST_FIELDS, _FEWEST_FIELDS = 20.0, 3.0
_MODES = (
    ("fade", _("Fade"), _("The registered volume over the fixed one; the slider changes its opacity.")),
    ("blink", _("Blink"), _("The two volumes alternate: structures that jump are not aligned.")),
    ("checkerboard", _("Checkerboard"), _("Squares of both volumes in turn, whose size the slider changes: aligned edges continue.")),
    ("difference", _("Difference"), _("Registered minus fixed: grey where they agree. Only for volumes of the same contrast.")),
    ("colours", _("Magenta and green"), _("The fixed volume in magenta, the registered one in green: grey where they agree.")),
)  # fmt: skip


class LookSection:
    """The section ``look.ui``. Nodes that it makes are temporary, and all is put back by :meth:`rest`.

    Args:
        ui: the widgets of the panel.
    """

    def __init__(self, ui: Any) -> None:
        self.ui = ui
        self._fixed: Any = None
        self._registered: Any = None
        self._moving: Any = None
        self._transform: Any = None
        # Whether the views show the comparison, and whether they did when the module was left.
        self._shown = self._resting = False
        self._overlap: look_images.Overlap | None = None
        self._work: Cooperative | None = None
        self._made: list[Any] = []
        self._links: list[LinkedDisplays] = []
        self._outlined: list[Any] = []
        self._jump = False
        self._updating = False
        self._blinkTimer = makeTimer(_BLINK, self._onBlink)
        self._boardTimer = makeTimer(150, self._renew, once=True)
        self.map = MapOverlay(ui)
        self.surfaces = SurfacesShown(ui)
        self._modes = ChoiceBox(ui.lookComboBox, _MODES)
        self._modes.changed.connect(lambda _value: self._onMode())
        self.map.changed.connect(self._onMap)
        ui.fadeSlider.connect("valueChanged(double)", lambda _value: self._onSlider())
        ui.linkCheckBox.connect("toggled(bool)", lambda _on: self._onLink())
        scene = slicer.mrmlScene
        self._tags = [
            scene.AddObserver(event, function)
            for event, function in (
                (scene.StartSaveEvent, lambda *_arguments: self.rest()),
                (scene.EndSaveEvent, lambda *_arguments: self.resume()),
                (scene.StartCloseEvent, lambda *_arguments: self.clear()),
            )
        ]
        self._enable()

    # ------------------------------------------------------------------ subject

    @property
    def mode(self) -> str:
        """The chosen way of comparison."""
        return self.ui.lookComboBox.itemData(self.ui.lookComboBox.currentIndex)

    @property
    def opacity(self) -> float:
        """Opacity of the registered volume in the mode fade, 0 to 1."""
        return self.ui.fadeSlider.value / 100.0

    @property
    def busy(self) -> bool:
        """Whether volumes are being computed."""
        return self._work is not None or self.surfaces.busy

    def offer(self, fixed: Any, registered: Any, moving: Any = None, transform: Any = None) -> None:
        """Set what the section can show, without showing it; None if there is nothing.

        Args:
            fixed: volume.
            registered: the moving volume on the grid of the fixed one.
            moving: the volume that was registered.
            transform: node of the result.
        """
        subject = [node if inScene(node) else None for node in (fixed, registered, moving, transform)]
        if any(old is not new for old, new in zip(self._subject(), subject, strict=True)):
            self.clear()
            self._fixed, self._registered, self._moving, self._transform = subject
        self.map.offer(self._transform)
        self.surfaces.offer(self._fixed, self._registered, self._moving)
        self._enable()

    def show(self, fixed: Any, registered: Any, moving: Any = None, transform: Any = None) -> None:
        """Show a registered volume over the fixed one; for the arguments see :meth:`offer`.

        Views that did not show the fixed volume go to the middle of the region that both volumes show.
        """
        self.clear()
        self.offer(fixed, registered, moving, transform)
        if not self.possible:
            return
        known = {self._fixed.GetID()}
        self._jump = not any(composite.GetBackgroundVolumeID() in known for composite in composites())
        self._begin()
        self.surfaces.show()

    @property
    def possible(self) -> bool:
        """Whether there are two volumes to compare."""
        return inScene(self._fixed) and inScene(self._registered) and self._registered.GetImageData() is not None

    def _subject(self) -> tuple[Any, ...]:
        return self._fixed, self._registered, self._moving, self._transform

    def clear(self) -> None:
        """Put back the views, and forget the volumes."""
        self.rest()
        self._resting = False
        self.surfaces.clear()
        self.map.clear()
        self._fixed = self._registered = self._moving = self._transform = self._overlap = None
        self._enable()

    # ------------------------------------------------------------ leave and come

    def rest(self) -> None:
        """Put everything back: the views show the registered volume over the fixed one, without what this section has added."""
        self._resting = self._resting or self._shown
        self._stop()
        if self._shown:
            self._plain()
        self._shown = False
        self._undo()
        self.map.rest()
        self.surfaces.rest()

    def resume(self) -> None:
        """Show again what :meth:`rest` has taken away."""
        if self._resting and self.possible:
            self._resting = False
            self._begin()
        self.surfaces.resume()

    def cleanup(self) -> None:
        """Put everything back, and release timers and observers."""
        self.clear()
        for tag in self._tags:
            slicer.mrmlScene.RemoveObserver(tag)
        self._tags = []
        releaseTimer(self._blinkTimer)
        releaseTimer(self._boardTimer)

    # -------------------------------------------------------------------- modes

    def _onMode(self) -> None:
        if self._updating:
            return
        self._enable()
        if self.possible:
            self._begin()

    def _onMap(self) -> None:
        if self.possible and (self._shown or self.map.node is not None):
            self._begin()

    def _onSlider(self) -> None:
        if self.mode == "checkerboard" and self.map.node is None:
            self._boardTimer.start()
        else:
            result_view.fade(self.opacity)

    def _renew(self) -> None:
        if self._shown and self.mode == "checkerboard":
            self._begin()

    def _begin(self) -> None:
        """Show the present mode; volumes that it needs are computed in pieces."""
        self._stop()
        if not self._shown:
            result_view.showOver(self._fixed, self._registered, self.opacity)
        self._shown, self._resting = True, False
        self._outlineLabels()
        self._link()
        if self.map.node is not None:
            self._plain()
            self._place(self._fixed, self.map.node, self.opacity)
            self.map.show()
            return
        self.map.rest()
        self._work = Cooperative(self._prepare())
        self._work.finished.connect(self._onPrepared)
        self._work.failed.connect(self._onFailed)
        self._work.start()

    def _prepare(self) -> Generator[float, None, Any]:
        """Compute where the volumes overlap, and what the mode shows; returns a function that shows it."""
        if self._overlap is None and inScene(self._moving) and inScene(self._transform):
            self._overlap = yield from look_images.overlap(self._registered, self._moving, self._transform, shownThrough(self._moving))
        inside = self._overlap.inside if self._overlap is not None else None
        hidden = None if inside is None else ~inside
        mode = self.mode
        if mode == "difference":
            image, low, most = yield from look_images.difference(self._fixed, self._registered, hidden)
            return lambda: self._showDifference(image, low, most)
        if mode == "checkerboard" or hidden is not None:
            image, low = yield from look_images.without(self._registered, hidden, self._boardSide() if mode == "checkerboard" else 0.0)
            return lambda: self._showTogether(mode, image, low)
        return lambda: self._showTogether(mode, None, 0.0)

    def _boardSide(self) -> float:
        """Return the side of the squares of a checkerboard, mm."""
        bounds = np.zeros(6)
        self._registered.GetRASBounds(bounds)
        longest = float((bounds[1::2] - bounds[::2]).max())
        return longest / (_MOST_FIELDS * (_FEWEST_FIELDS / _MOST_FIELDS) ** self.opacity)

    def _onPrepared(self, showIt: Callable[[], None]) -> None:
        self._work = None
        if not self.possible:
            self._shown = False
            return
        former, self._made = self._made, []
        showIt()
        removeNodes(former)
        if self._jump and self._overlap is not None:
            jumpTo(self._overlap.middle)
        self._jump = False

    def _onFailed(self, error: Exception) -> None:
        self._work = None
        self.ui.lookInfoLabel.text = str(error)[:1].upper() + str(error)[1:]
        self.ui.lookInfoLabel.setVisible(True)

    def _showTogether(self, mode: str, image: Any, low: float) -> None:
        """Show the registered volume over the fixed one, or both in colours; ``image`` are its voxels with transparent parts."""
        above = self._registered
        if image is not None or mode == "colours":
            above, display = temporaryCopy(self._registered, image)
            self._made += [display, above]
            if image is not None:
                display.SetAutoThreshold(0)
                display.SetThreshold(low, 1e30)
                display.SetApplyThreshold(True)
            self._follow(self._registered, display)
        if mode == "colours":
            below, magenta = temporaryCopy(self._fixed)
            self._made += [magenta, below]
            self._follow(self._fixed, magenta)
            for coloured, name in ((magenta, "Magenta"), (display, "Green")):
                coloured.SetAndObserveColorNodeID(slicer.util.getFirstNodeByClassByName("vtkMRMLColorTableNode", name).GetID())
            self._place(below, above, 1.0, slicer.vtkMRMLSliceCompositeNode.Add)
            return
        self._place(self._fixed, above, 1.0 if mode in ("blink", "checkerboard") else self.opacity)
        if mode == "blink":
            self._blinkTimer.start()

    def _showDifference(self, image: Any, low: float, most: float) -> None:
        copy, display = temporaryCopy(self._registered, image)
        self._made += [display, copy]
        display.SetAutoWindowLevel(False)
        display.SetWindowLevelMinMax(-most, most)
        display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey")
        display.SetThreshold(low, 1e30)
        display.SetApplyThreshold(True)
        self._place(copy, None, 1.0)

    def _onBlink(self) -> None:
        shown = [composite for composite in composites() if composite.GetForegroundVolumeID()]
        opacity = 0.0 if shown and shown[0].GetForegroundOpacity() > 0.5 else 1.0
        result_view.fade(opacity)
        self.ui.lookInfoLabel.text = _("Registered volume") if opacity else _("Fixed volume")

    # ------------------------------------------------------------------- display

    def _place(self, background: Any, foreground: Any, opacity: float, compositing: int | None = None) -> None:
        """Show volumes in all slice views, whose place and zoom stay."""
        for composite in composites():
            modified = composite.StartModify()
            composite.SetBackgroundVolumeID(background.GetID())
            composite.SetForegroundVolumeID(foreground.GetID() if foreground is not None else None)
            composite.SetForegroundOpacity(opacity)
            composite.SetCompositing(slicer.vtkMRMLSliceCompositeNode.Alpha if compositing is None else compositing)
            composite.EndModify(modified)

    def _plain(self) -> None:
        """Show the registered volume itself over the fixed one, in the views that show what this section has made."""
        if self.possible:
            mine = {node.GetID() for node in (*self._made, self.map.node) if node is not None}
            mine |= {self._registered.GetID(), self._fixed.GetID()}
            if any({composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID()} & mine for composite in composites()):
                self._place(self._fixed, self._registered, self.opacity)

    def _undo(self) -> None:
        """Remove what was made, and put back displays."""
        self._unlink()
        for view in self._outlined:
            if inScene(view):
                view.SetUseLabelOutline(False)
        self._outlined = []
        removeNodes(self._made)

    def _stop(self) -> None:
        """Stop computing and blinking."""
        if self._work is not None:
            self._work.stop()
            self._work = None
        self._boardTimer.stop()
        self._blinkTimer.stop()
        self.ui.lookInfoLabel.text = ""
        self.ui.lookInfoLabel.setVisible(self.mode == "blink" and self._shown)

    def _outlineLabels(self) -> None:
        """Show label maps as outlines, so that a mask does not cover the volumes."""
        for widget in sliceWidgets().values():
            view = widget.mrmlSliceNode()
            if widget.sliceLogic().GetSliceCompositeNode().GetLabelVolumeID() and not view.GetUseLabelOutline():
                view.SetUseLabelOutline(True)
                self._outlined.append(view)

    # ---------------------------------------------------------------------- link

    def _onLink(self) -> None:
        if self._shown and not self._updating:
            self._begin()

    def _link(self) -> None:
        """Link window and level of both volumes, if that is ticked."""
        self._unlink()
        fixed, registered = self._fixed.GetDisplayNode(), self._registered.GetDisplayNode()
        if self.ui.linkCheckBox.checked and fixed is not None and registered is not None:
            self._links.append(LinkedDisplays(leaderOf(fixed, registered), [fixed, registered]))

    def _follow(self, volume: Any, display: Any) -> None:
        """Link window and level of a volume and of its copy; what the user sets for the copy stays."""
        original = volume.GetDisplayNode()
        if original is not None:
            self._links.append(LinkedDisplays(original, [display], kept=(original, display)))

    def _unlink(self) -> None:
        for link in self._links:
            link.end()
        self._links = []

    def _enable(self) -> None:
        """Enable the widgets that have an effect."""
        ui, possible = self.ui, self.possible
        ui.lookComboBox.setEnabled(possible)
        ui.linkCheckBox.setEnabled(possible)
        ui.fadeSlider.setEnabled(possible and (self.mode in ("fade", "checkerboard") or self.map.node is not None))
        board = self.mode == "checkerboard"
        ui.fadeLabel.text = _("Size of squares:") if board else _("Fixed \u2194 registered:")
        ui.lookInfoLabel.setVisible(self.mode == "blink" and self._shown)


def jumpTo(place: np.ndarray) -> None:
    """Move all slice views to a place, RAS mm."""
    for widget in sliceWidgets().values():
        widget.mrmlSliceNode().JumpSliceByCentering(*place)
