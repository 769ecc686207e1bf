"""Names of the shown volumes in the lower left corner of a slice view, as in the application's data probe."""

from __future__ import annotations

import slicer
from PySide6.QtCore import QObject
from vtkmodules.vtkRenderingAnnotation import vtkCornerAnnotation

from slicer_testing.views.slice_widget import qMRMLSliceWidget
from slicer_testing.widgets.mrml_observation import Observations

LONGEST_NAME = 35


class SliceAnnotations(QObject):
    """Keeps the annotations of one slice view up to date.

    Args:
        slice_widget: the annotated view; it owns this object.
    """

    def __init__(self, slice_widget: qMRMLSliceWidget) -> None:
        super().__init__(slice_widget)
        self._widget = slice_widget
        self._observations = Observations(self)
        self._volumes: list[slicer.vtkMRMLVolumeNode] = []
        self._observations.add(slice_widget.sliceLogic(), "ModifiedEvent", self._update)
        text = slice_widget.sliceView().cornerAnnotation().GetTextProperty()
        text.SetFontFamilyToArial()
        text.SetColor(1, 1, 1)
        text.SetShadow(True)
        self._update()

    def _update(self) -> None:
        composite = self._widget.mrmlSliceCompositeNode()
        lines = self._lines(composite)
        annotation = self._widget.sliceView().cornerAnnotation()
        text = "\n".join(lines)
        if annotation.GetText(vtkCornerAnnotation.LowerLeft) != text:
            annotation.SetText(vtkCornerAnnotation.LowerLeft, text)
            self._widget.sliceView().scheduleRender()

    def _lines(self, composite: slicer.vtkMRMLSliceCompositeNode | None) -> list[str]:
        """Return the label map, foreground and background, each with its opacity unless that is 0 or 1."""
        logic = self._widget.sliceLogic()
        layers = (
            ("L", logic.GetLabelLayer(), composite.GetLabelOpacity() if composite is not None else 0.0),
            ("F", logic.GetForegroundLayer(), composite.GetForegroundOpacity() if composite is not None else 0.0),
            ("B", logic.GetBackgroundLayer(), 1.0),
        )
        lines = []
        shown = [layer.GetVolumeNode() for _, layer, _ in layers if layer is not None]
        for volume in self._volumes:
            if volume not in shown:
                # An observer keeps the observed object alive, and a volume is large.
                self._observations.drop(volume)
        self._volumes = [volume for volume in shown if volume is not None]
        for letter, layer, opacity in layers:
            volume = layer.GetVolumeNode() if layer is not None else None
            if volume is not None and opacity > 0:
                self._observations.add(volume, "ModifiedEvent", self._update)
                name = volume.GetName() or ""
                name = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 3]}..."
                lines.append(f"{letter}: {name}" + (f" ({opacity:.0%})" if opacity < 1 else ""))
        return lines
