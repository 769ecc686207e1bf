"""Landmark errors as arrows in the views and as a histogram."""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _

from deepreg_slicer.length_colors import showBar
from deepreg_slicer.provenance import PREFIX
from deepreg_slicer.volumes import newNode
from DeepRegInspectorLib import charts, views
from DeepRegInspectorLib.sections.base import Section


class ErrorsShownSection(Section):
    """The buttons Error vectors and Histogram; follows the section that measures the pairs."""

    name = "errorsShown"

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self.ui.vectorsButton.connect("toggled(bool)", self._onVectors)
        self.ui.histogramButton.connect("clicked(bool)", self._onHistogram)

    @property
    def _landmarks(self) -> Any:
        return self.context.sections["landmarks"]

    def onParameters(self, changed: set[str]) -> None:
        if self.ui.vectorsButton.checked and self.node.vectors is not None:
            self._showBar()

    def _showBar(self) -> None:
        # Slices side by side are too narrow for the bar; the 3D view beside them shows it.
        showBar(self.node.vectors.GetDisplayNode(), True, _("error (mm)"), "right, below", in2D=not views.isSideBySide())

    def refresh(self) -> None:
        node = self.node
        if self.ui.vectorsButton.checked:
            self._fillVectors()
        if node.chart is not None and node.table is not None and len(self._landmarks.pairs):
            charts.fillHistogram(node.table, node.chart, self._landmarks.stages())

    def enable(self) -> None:
        pairs = self._landmarks.pairs
        self.allow(self.ui.histogramButton, bool(pairs.used.any()), _("All pairs are excluded."))
        self.allow(self.ui.vectorsButton, bool(len(pairs)), _("There are no pairs yet."))
        self.allow(self.ui.vectorScaleSlider, self.ui.vectorsButton.checked, _("Show error vectors first."))

    def _onVectors(self, on: bool) -> None:
        if self.node is None:
            return
        if on:
            self._fillVectors()
        elif self.node.vectors is not None and self.node.vectors.GetDisplayNode() is not None:
            self.node.vectors.GetDisplayNode().SetVisibility(False)
            showBar(self.node.vectors.GetDisplayNode(), False)
        self.context.enable()

    def _fillVectors(self) -> None:
        node, pairs = self.node, self._landmarks.pairs
        if node.vectors is None:
            node.vectors = newNode("vtkMRMLModelNode", _("Landmark error vectors"))
            node.vectors.SetAttribute(f"{PREFIX}Output", "errors")
            node.vectorScale = charts.suitableScale(pairs)
        charts.fillVectors(node.vectors, pairs, node.vectorScale)
        node.vectors.GetDisplayNode().SetVisibility(True)
        self._showBar()
        views.assign(node.fixedPoints, node.movingPoints, node.vectors)

    def hide(self) -> None:
        self.ui.vectorsButton.checked = False

    def _onHistogram(self, *_arguments: Any) -> None:
        node = self.node
        if node.table is None:
            node.table = newNode("vtkMRMLTableNode", _("Landmark error counts"))
        if node.chart is None:
            node.chart = newNode("vtkMRMLPlotChartNode", _("Landmark errors"))
        charts.fillHistogram(node.table, node.chart, self._landmarks.stages())
        if views.isSideBySide():
            self.context.sections["sideBySide"].showChart(node.chart)
        elif slicer.app.layoutManager() is not None:
            slicer.modules.plots.logic().ShowChartInLayout(node.chart)
