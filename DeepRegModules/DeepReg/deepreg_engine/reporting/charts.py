"""Histograms as SVG drawings within a page: sharp on paper, readable without colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from deepreg_engine.metrics.bins import nice_step
from deepreg_engine.reporting.markup import count
from deepreg_engine.texts import tr

_WIDTH, _HEIGHT = 440.0, 168.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 18.0, 20.0, 34.0
_TICKS = 6
# Bins of a histogram, about.
_BINS = 14
_INK, _BEFORE, _AFTER = "#333", "#9aa5b1", "#1b5fa8"


class _Chart:
    """Axes over a range, with bars and marks."""

    def __init__(self, title: str, low: float, high: float, most: float, across: str, up: str) -> None:
        self._low, self._high, self._most = low, max(high, low + 1e-9), max(most, 1.0)
        self._parts = [f'<text x="{_WIDTH / 2:g}" y="12" text-anchor="middle" class="head">{escape(title)}</text>']
        self._axes(across, up)

    def x(self, value: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (value - self._low) / (self._high - self._low)

    def y(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * min(value, self._most) / self._most

    def _axes(self, across: str, up: str) -> None:
        step = nice_step((self._high - self._low) / _TICKS)
        count = math.ceil(self._low / step - 1e-9)
        while count * step <= self._high + 1e-9 * step:
            place = self.x(count * step)
            self._parts.append(f'<line x1="{place:.1f}" y1="{self.y(0):.1f}" x2="{place:.1f}" y2="{self.y(0) + 4:.1f}" stroke="{_INK}"/>')
            self.text(place, self.y(0) + 14, f"{count * step:g}", "middle")
            count += 1
        step = max(1.0, nice_step(self._most / 4))
        for number in range(int(self._most / step) + 1):
            height = self.y(number * step)
            self._parts.append(f'<line x1="{_LEFT:g}" y1="{height:.1f}" x2="{_WIDTH - _RIGHT:g}" y2="{height:.1f}" stroke="#ddd"/>')
            self.text(_LEFT - 4, height + 3.5, f"{number * step:,.0f}".replace(",", "\u202f"), "end")
        self.text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 4, across, "middle")
        middle = (_TOP + _HEIGHT - _BOTTOM) / 2
        self._parts.append(f'<text x="9" y="{middle:g}" text-anchor="middle" transform="rotate(-90 9 {middle:g})">{escape(up)}</text>')

    def text(self, x: float, y: float, text: str, anchor: str = "start") -> None:
        self._parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>')

    def bars(self, edges: Sequence[float], counts: Sequence[int], fill: str, share: tuple[float, float] = (0.0, 1.0)) -> None:
        """Draw bars over bins; ``share`` is the part of a bin's width that a bar takes."""
        for low, high, height in zip(edges[:-1], edges[1:], counts, strict=True):
            if height:
                left, right = (low + part * (high - low) for part in share)
                x, y = self.x(left), self.y(height)
                # A bin with a single voxel among a million shows as a line.
                width, height = max(self.x(right) - x - 0.4, 0.6), max(self.y(0) - y, 0.6)
                self._parts.append(
                    f'<rect x="{x:.1f}" y="{self.y(0) - height:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}"/>'
                )

    def mark(self, value: float, text: str, colour: str) -> None:
        """Draw a vertical line, with a text beside it if there is one."""
        if self._low <= value <= self._high:
            place = self.x(value)
            self._parts.append(
                f'<line x1="{place:.1f}" y1="{_TOP:g}" x2="{place:.1f}" y2="{self.y(0):.1f}" stroke="{colour}" stroke-dasharray="4 3"/>'
            )
            end = place > _WIDTH - 110
            if text:
                self.text(place + (-3 if end else 3), _TOP + 8, text, "end" if end else "start")

    def key(self, entries: Sequence[tuple[str, str]]) -> None:
        """Draw a legend of the colours of the bars."""
        for number, (name, fill) in enumerate(entries):
            y = _TOP + 8 + 13 * number
            self._parts.append(f'<rect x="{_WIDTH - 82:g}" y="{y - 8:g}" width="10" height="9" fill="{fill}"/>')
            self.text(_WIDTH - 68, y, name)

    def svg(self, label: str) -> str:
        body = "".join(self._parts)
        return f'<svg class="chart" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img" aria-label="{escape(label, quote=True)}">{body}</svg>'


def error_chart(histogram: dict, limits: tuple[float, float] | None) -> str:
    """Draw the number of landmark pairs by error, before and after.

    Args:
        histogram: "edges", mm, "before" and "after", counts, and "beyond", the number of errors before that are above the last edge.
        limits: of the median error for green and amber, mm.
    """
    edges, most = histogram["edges"], max([*histogram["before"], *histogram["after"]])
    chart = _Chart(tr("Landmark error before and after"), 0.0, edges[-1], most, tr("error (mm)"), tr("pairs"))
    chart.bars(edges, histogram["before"], _BEFORE)
    chart.bars(edges, histogram["after"], _AFTER, (0.25, 0.75))
    if limits is not None:
        chart.mark(limits[1], tr("limit {limit} mm", limit=f"{limits[1]:g}"), "#a33")
    chart.key(((tr("before"), _BEFORE), (tr("after"), _AFTER)))
    if histogram["beyond"]:
        words = tr("before, above {limit} mm: {pairs} pairs", limit=f"{edges[-1]:g}", pairs=histogram["beyond"])
        chart.text(_WIDTH - _RIGHT, _TOP + 34, words, "end")
    return chart.svg(tr("Histogram of the landmark errors before and after"))


def jacobian_chart(histogram: dict) -> str:
    """Draw the percentage of voxels by Jacobian determinant; the number of folded voxels is written."""
    edges, counts = histogram["edges"], histogram["counts"]
    total = max(sum(counts) + histogram["folded"] + histogram["beyond"], 1)
    shares = [100.0 * each / total for each in counts]
    across = tr("local change of volume (1: none)")
    chart = _Chart(tr("Jacobian determinant"), edges[0], edges[-1], max(shares), across, tr("% of voxels"))
    chart.bars(edges, shares, _AFTER)
    chart.mark(1.0, "", "#999")
    words = tr("folded voxels (\u2264 0): {voxels}", voxels=count(histogram["folded"]))
    if histogram["beyond"]:
        words += "; " + tr("above {limit}: {voxels}", limit=f"{edges[-1]:g}", voxels=count(histogram["beyond"]))
    kind = ' class="fold"' if histogram["folded"] else ""
    return chart.svg(tr("Histogram of the Jacobian determinant")).replace(
        "</svg>", f'<text x="{_WIDTH - _RIGHT:g}" y="{_TOP + 8:g}" text-anchor="end"{kind}>{escape(words)}</text></svg>'
    )


def count_chart(title: str, values: Sequence[float], across: str, up: str) -> str:
    """Draw the number of values in bins of equal width.

    Args:
        title: of the chart.
        values: at least one.
        across, up: texts of the axes.
    """
    low, high = min(values), max(values)
    step = nice_step(max(high - low, 1e-6 * max(abs(high), 1.0)) / _BINS)
    first, last = math.floor(low / step), math.floor(high / step) + 1
    edges = [step * number for number in range(first, last + 1)]
    counts = [0] * (len(edges) - 1)
    for value in values:
        counts[min(max(math.floor(value / step) - first, 0), len(counts) - 1)] += 1
    chart = _Chart(title, edges[0], edges[-1], max(counts), across, up)
    chart.bars(edges, counts, _AFTER)
    return chart.svg(title)
