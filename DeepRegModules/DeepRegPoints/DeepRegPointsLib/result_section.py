"""The results of the Points method in the views: clouds of points, and lines between them."""

from __future__ import annotations

from typing import Any

import slicer

from deepreg_slicer.request import Result
from deepreg_slicer.result_section import ResultSection
from DeepRegPointsLib import clouds, view
from DeepRegPointsLib.registration import MODELS, SIZES


class PointsResultSection(ResultSection):
    """The widgets below Result, with those for points and correspondences."""

    def connect(self) -> None:
        super().connect()
        self._isFirst = True
        self._shows = {name: getattr(self.ui, f"{name}ShowCheckBox") for name in MODELS}
        for name, box in self._shows.items():
            box.connect("toggled(bool)", lambda on, name=name: self._onShow(name, on))
        self.ui.pointSizeSlider.connect("valueChanged(double)", self._onPointSize)
        self.ui.leastConfidenceSlider.connect("valueChanged(double)", self._onLeastConfidence)

    def keep(self, result: Result) -> None:
        super().keep(result)
        node = self.node
        self._isFirst = all(getattr(node, f"{name}Result") is None for name in MODELS)
        for name in MODELS:
            former, present = getattr(node, f"{name}Result"), result.nodes.get(name)
            if former is not None and former is not present and view.isShown(former):
                view.show(former, False)  # only one result is shown, because two cannot be distinguished
            setattr(node, f"{name}Result", present)

    def showVolume(self, result: Result) -> None:
        made = [result.nodes[name] for name in MODELS if name in result.nodes and result.nodes[name].GetScene() is slicer.mrmlScene]
        if self.node is not None:
            if self.node.pointSize != 100.0:
                self._onPointSize(self.node.pointSize)
            self._onLeastConfidence(self.node.leastConfidence)
        if result.fixed is None and self._isFirst:  # afterwards the user has chosen the position of the views
            view.goTo(made)
        super().showVolume(result)

    def showTransform(self, result: Result) -> None:
        if result.fixed is None:
            super().showTransform(result)
            return
        # The grid would hide points and lines on the volumes; the user can show it.
        self.showing = False
        self.update()

    def update(self) -> None:
        super().update()
        self.updating = True
        try:
            for name, box in self._shows.items():
                made = self._made(name)
                box.setEnabled(made is not None)
                box.checked = view.isShown(made)
            self.ui.pointSizeSlider.setEnabled(any(self._made(name) is not None for name in SIZES))
            self.ui.leastConfidenceSlider.setEnabled(self._made("correspondences") is not None)
        finally:
            self.updating = False

    def _made(self, name: str) -> Any:
        return getattr(self.node, f"{name}Result") if self.node is not None else None

    def _onShow(self, name: str, on: bool) -> None:
        if not self.updating and self._made(name) is not None:
            view.show(self._made(name), bool(on))

    def _onPointSize(self, percent: float) -> None:
        for name, size in SIZES.items():
            if self._made(name) is not None:
                clouds.resize(self._made(name), size * percent / 100.0)

    def _onLeastConfidence(self, percent: float) -> None:
        if self._made("correspondences") is not None:
            view.hideBelow(self._made("correspondences"), percent / 100.0)
