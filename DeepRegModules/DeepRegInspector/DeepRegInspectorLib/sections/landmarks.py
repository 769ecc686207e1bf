"""Landmark pairs: their errors in a table and a summary; the views move to the selected pair."""

from __future__ import annotations

import html
from typing import Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from deepreg_slicer.errors import NodeError
from deepreg_slicer.landmarks import newPoints
from deepreg_slicer.wording import capitalized, counted
from DeepRegInspectorLib import charts
from DeepRegInspectorLib.landmarks import Pairs, misreadRemarks, pairsOf
from DeepRegInspectorLib.mapping import checkNotBelow
from DeepRegInspectorLib.sections.base import Section, showText
from DeepRegInspectorLib.table import PairsTable


class LandmarksSection(Section):
    """Measures the pairs.

    Attributes:
        pairs: the last measurement.
        other: errors under the second transform (N,), mm, NaN outside its grid; None without one.
        remarks: sentences on how the points were paired and on what seems to be wrong with them.
        table: shows them.
    """

    name = "landmarks"

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self.pairs: Pairs = pairsOf(None, None, None)
        self.other: np.ndarray | None = None
        self.remarks: tuple[str, ...] = ()
        self.table = PairsTable(self.ui.pairsTable)
        self.table.selected.connect(self._onSelected)
        self.table.ticked.connect(self._onTicked)
        self.ui.acceptButton.connect("clicked(bool)", lambda *_args: self.accept())
        self.ui.removeButton.connect("clicked(bool)", self._onRemove)

    def lists(self) -> tuple[Any, Any]:
        """Return the two lists; missing ones are created."""
        node = self.node
        for name, title, color in (
            ("fixedPoints", _("Fixed landmarks"), (0.35, 0.8, 1.0)),
            ("movingPoints", _("Moving landmarks"), (1.0, 0.6, 0.15)),
        ):
            if getattr(node, name) is None:
                made = newPoints(title)
                display = made.GetDisplayNode()
                display.SetSelectedColor(*color)
                display.SetTextScale(2.5)
                display.SetGlyphScale(1.5)
                made.SetControlPointLabelFormat("%d")
                setattr(node, name, made)
        return node.fixedPoints, node.movingPoints

    # ----------------------------------------------------------------- measure

    def refresh(self) -> None:
        node = self.node
        others = [node.otherTransform]
        self.pairs = pairsOf(node.fixedPoints, node.movingPoints, node.transform, node.fixedVolume, others)
        self.remarks = (*self.pairs.remarks, *misreadRemarks(self.pairs, node.transform, node.fixedVolume, node.movingVolume, others))
        self.other = self._otherDistances()
        self.table.show(self.pairs, self.other, charts.colorRange(self.pairs))
        if self.context.sections["picking"].takeNew() and len(self.pairs):
            number = int(np.flatnonzero(self.pairs.proposed)[-1 if self.ui.pickButton.checked else 0])
            self.table.mark(number)
            self.context.sections["sideBySide"].showPartner(self.pairs.moving[number])
        showText(self.ui.summaryLabel, self._summary())

    def _otherDistances(self) -> np.ndarray | None:
        node = self.node
        if node.otherTransform is None or not len(self.pairs):
            return None
        return pairsOf(node.fixedPoints, node.movingPoints, node.otherTransform, node.fixedVolume, [node.transform]).distances

    def stages(self) -> dict[str, np.ndarray]:
        """Return the errors (mm) of the included pairs: before, after, and under the second transform."""
        pairs = self.pairs
        found = {_("before"): pairs.distances_before[pairs.counted], _("after"): pairs.distances[pairs.counted]}
        if self.other is not None:
            found[_("second")] = self.other[pairs.used & np.isfinite(self.other)]
        return found

    def _summary(self) -> str:
        pairs = self.pairs
        if self.node.fixedPoints is not None and self.node.fixedPoints is self.node.movingPoints:
            return _("The fixed and the moving landmarks are the same list: choose another.")
        try:
            checkNotBelow(self.node.fixedPoints, self.context.transforms(), "fixed_landmarks")
        except NodeError as error:
            return f"{html.escape(capitalized(error.message))}:<br>{html.escape(error.advice)}."
        if not len(pairs) and pairs.unpaired:
            return counted(
                pairs.unpaired,
                _("{count} point has no partner yet: press More, then Propose missing partners."),
                _("{count} points have no partner yet: press More, then Propose missing partners."),
            )
        if not len(pairs):
            return _("There are no pairs yet. Press Pick in fixed and click a point in the fixed volume, or choose lists above.")
        stages = {name: values for name, values in self.stages().items() if len(values)}
        if not stages:
            text = _("All pairs are excluded.") if not pairs.used.any() else _("All landmarks lie outside the transform's grid.")
            return (self._proposals() or text) + self._remarks()
        return f"{_errorTable(stages)}{self._counts()}{self._remarks()}"

    def _proposals(self) -> str:
        """Return a sentence about partners that are not accepted yet; "" without any."""
        proposed = int(self.pairs.proposed.sum())
        if not proposed:
            return ""
        return counted(
            proposed,
            _("{count} proposed partner is not counted yet: check it and press Accept and next."),
            _("{count} proposed partners are not counted yet: check each and press Accept and next."),
        )

    def _remarks(self) -> str:
        return "".join(f"<br>{html.escape(remark)}" for remark in self.remarks)

    def _counts(self) -> str:
        """Return the number of pairs that the figures include, and the reasons why others are excluded."""
        pairs = self.pairs
        limit, outliers = pairs.outlier_limit, int(pairs.outliers.sum())
        text = counted(len(pairs), _("{used} of {count} pair is included."), _("{used} of {count} pairs are included.")).format(
            used=int(pairs.counted.sum())
        )
        if np.isfinite(limit):
            text += " " + _("Outliers (above {limit:.2f} mm): {outliers}.").format(limit=limit, outliers=outliers)
        if proposals := self._proposals():
            text += "<br>" + proposals
        if pairs.unpaired:
            text += "<br>" + _("Points without a partner: {count}.").format(count=pairs.unpaired)
        outside = _("Outside the grid of {name}, so that the error is not known: {count}.")
        if pairs.outside.any():
            text += "<br>" + outside.format(name=self.node.transform.GetName(), count=int(pairs.outside.sum()))
        if self.other is not None and np.isnan(self.other).any():
            text += "<br>" + outside.format(name=self.node.otherTransform.GetName(), count=int(np.isnan(self.other).sum()))
        return text

    def enable(self) -> None:
        there = bool(len(self.pairs))
        self.allow(self.ui.acceptButton, self.pairs.proposed.any(), _("No partner is proposed."))
        self.allow(self.ui.removeButton, there, _("There are no pairs yet."))

    # -------------------------------------------------------------------- user

    def _indices(self, number: int) -> tuple[int, int]:
        """Return numbers in the two lists of the points of a pair."""
        return self.pairs.indices[number]

    def accept(self) -> None:
        """Accept the proposed partner of the selected pair, and select the next proposal; without a selected one, only select it."""
        if not self.pairs.proposed.any():
            return
        number = self.table.current
        if 0 <= number < len(self.pairs) and self.pairs.proposed[number]:
            self._accept(number)
        left = np.flatnonzero(self.pairs.proposed)
        if len(left):
            self.table.select(int(next((n for n in left if n > number), left[0])))

    def _accept(self, number: int) -> None:
        slicer.mrmlScene.SaveStateForUndo()
        self.context.sections["picking"].accept(self._indices(number)[1])
        self.context.refresh()

    def _onRemove(self, *_arguments: Any) -> None:
        number = self.table.current
        if number < 0:
            return
        slicer.mrmlScene.SaveStateForUndo()
        fixed, moving = self._indices(number)
        self.node.fixedPoints.RemoveNthControlPoint(fixed)
        self.node.movingPoints.RemoveNthControlPoint(moving)
        self.context.refresh()

    def _onTicked(self, number: int, on: bool) -> None:
        if on and self.pairs.proposed[number]:
            self._accept(number)
            return
        slicer.mrmlScene.SaveStateForUndo()
        self._setUsed(number, on)
        self.context.refresh()

    def _setUsed(self, number: int, on: bool) -> None:
        fixed, moving = self._indices(number)
        self.node.fixedPoints.SetNthControlPointSelected(fixed, on)
        self.node.movingPoints.SetNthControlPointSelected(moving, on)

    def excludeOutliers(self) -> None:
        """Exclude the present outliers."""
        slicer.mrmlScene.SaveStateForUndo()
        for number in np.flatnonzero(self.pairs.outliers & self.pairs.used):
            self._setUsed(int(number), False)
        self.context.refresh()

    def _onSelected(self, number: int) -> None:
        if number < len(self.pairs):
            self.context.sections["sideBySide"].jump(self.pairs.fixed[number], self.pairs.moving[number])


def _errorTable(stages: dict[str, np.ndarray]) -> str:
    """Return a table of the errors (HTML): a column for each stage, with its values in mm, and a row for each statistic."""
    rows = ((_("mean"), np.mean), (_("median"), np.median), (_("95 %"), lambda values: np.percentile(values, 95)), (_("maximum"), np.max))
    cell = "<td align='right'>&nbsp;&nbsp;{}</td>"
    head = "".join(cell.format(name) for name in stages)
    lines = [
        f"<tr><td>{title}</td>{''.join(cell.format(f'{measure(values):.2f}') for values in stages.values())}</tr>"
        for title, measure in rows
    ]
    return f"<table><tr><td>{_('error (mm)')}</td>{head}</tr>{''.join(lines)}</table>"
