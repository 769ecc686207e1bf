"""One run of the Points method: what it needs besides volumes, and what it gives besides a transform."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import slicer

from deepreg_slicer import labels as labelmaps
from deepreg_slicer.landmarks import checkPairs
from deepreg_slicer.registration import Inputs, Output, Outputs, Registration, Request, Result
from deepreg_slicer.volumes import NodeError, mapPoints, snapshot
from DeepRegPointsLib import clouds, segments, sources

#: Output name to what its node is called; all are models.
MODELS = {
    "correspondences": "Correspondences of {moving} with {fixed}",
    "fixedCloud": "Points of {fixed}",
    "movingCloud": "Points of {moving}",
    "movedCloud": "Points of {moving} moved",
}
#: Colours of the clouds: no two look alike on a grey image, nor to those who see no red and green.
COLORS = {"fixedCloud": (1.0, 0.78, 0.1), "movingCloud": (0.25, 0.5, 1.0), "movedCloud": (1.0, 0.35, 0.95)}
#: Spheres of moved points are smaller: where they fit, the fixed point is seen around them.
SIZES = {"fixedCloud": 1.0, "movingCloud": 1.0, "movedCloud": 0.65}
_COLUMNS = tuple(f"{part}_{axis}" for part in ("fixed", "moved", "partner") for axis in "xyz")
# So many lines and points can be seen at a time, however far from the slice.
_FEW = 60


@dataclass
class PointsInputs(Inputs):
    """What is registered.

    Args:
        fixedPoints, movingPoints: markups, curves, models or segmentations; None for keypoints of the volumes.
        fixedPointsSegment, movingPointsSegment: a segment's ID, or "" for all.
        source: of the points of segments: "surface" or "skeleton".
    """

    fixedPoints: Any = None
    fixedPointsSegment: str = ""
    movingPoints: Any = None
    movingPointsSegment: str = ""
    source: str = "surface"

    @property
    def ends(self) -> tuple[Any, Any]:
        return self.fixed or self.fixedPoints, self.moving or self.movingPoints

    @property
    def hasPoints(self) -> bool:
        return self.fixedPoints is not None and self.movingPoints is not None

    @property
    def hasVolumes(self) -> bool:
        return self.fixed is not None and self.moving is not None

    def problem(self) -> str:
        for first, second, what in ((self.fixedPoints, self.movingPoints, "points"), (self.fixed, self.moving, "volume")):
            if (first is None) != (second is None):
                side, other = ("fixed", "moving") if first is None else ("moving", "fixed")
                return (
                    f"choose {side} {what} too, or no {other} {what}"
                    if what == "points"
                    else f"choose a {side} volume too, or no {other} volume"
                )
        if not self.hasPoints and not self.hasVolumes:
            return "choose fixed and moving points, or two volumes in which keypoints are found"
        if self.hasPoints:
            if self.fixedPoints is self.movingPoints and self.fixedPointsSegment == self.movingPointsSegment:
                return "fixed and moving points are the same: choose two sets"
            for node, segment, side in (
                (self.fixedPoints, self.fixedPointsSegment, "fixed"),
                (self.movingPoints, self.movingPointsSegment, "moving"),
            ):
                problem = sources.problem(node, segment, side)
                if problem:
                    return problem
        if self.hasVolumes:
            if self.fixed is self.moving:
                return "fixed and moving volume are the same: choose two"
            for node in (self.fixed, self.moving):
                try:
                    snapshot(node)
                except NodeError as error:
                    return str(error)
        return checkPairs(self.testFixed, self.testMoving, "test landmarks")


@dataclass
class PointsOutputs(Outputs):
    """Where the results go; there is no uncertainty map."""

    correspondences: Output = field(default_factory=lambda: Output(True))
    fixedCloud: Output = field(default_factory=lambda: Output(True))
    movingCloud: Output = field(default_factory=lambda: Output(True))
    movedCloud: Output = field(default_factory=lambda: Output(True))


@dataclass
class PointsRequest(Request):
    """A registration to be made.

    Args:
        most: points of each set, spread evenly if there are more.
        refine: go on with the Dense method, from the points' result.
        refinePreset: with these parameters of that method.
    """

    most: int = 0
    refine: bool = False
    refinePreset: str = "thorax-ct"


class PointsResult(Result):
    """What a registration gave."""

    @property
    def summary(self) -> str:
        points = self.report.get("points", {})
        line = super().summary
        if "confident_share" in points:
            line += f" \u00b7 {points['fixed']} and {points['moving']} points, {100.0 * points['confident_share']:.0f} % sure"
        return line


class PointsRegistration(Registration):
    """One run."""

    resultClass = PointsResult

    def export(self) -> Generator[float, None, dict[str, Any]]:
        request, inputs, outputs = self.request, self.request.inputs, self.request.outputs
        arguments: dict[str, Any] = {
            "parameters": request.parameters,
            "preset": request.preset,
            "device": request.device,
            "threads": request.threads,
            "compress": False,
            "thin": request.most,
        }
        yield 0.0
        if inputs.hasPoints:
            yield from self._exportClouds(arguments)
        if inputs.hasVolumes:
            yield from self._exportVolumes(arguments)
            arguments.update(refine=request.refine, refine_preset=request.refinePreset)
        self._exportLandmarks(arguments)
        if inputs.fixedLabels is not None and inputs.movingLabels is not None:
            yield from self._exportComparison(arguments)
        yield from self._exportLayers(arguments)
        self._askFor(arguments)
        for name, file in (("correspondences", "correspondences"), ("fixedCloud", "fixed_keypoints"), ("movingCloud", "moving_keypoints")):
            if getattr(outputs, name).wanted or (name == "movingCloud" and outputs.movedCloud.wanted):
                arguments[file] = self.file(f"{file}.csv")
        return arguments

    def _segments(self, node: Any, segment: str) -> str | list[str]:
        return segments.chosen(node, segment)

    def _exportClouds(self, arguments: dict[str, Any]) -> Generator[float, None, None]:
        inputs = self.request.inputs
        for side, node, segment in (
            ("fixed", inputs.fixedPoints, inputs.fixedPointsSegment),
            ("moving", inputs.movingPoints, inputs.movingPointsSegment),
        ):
            if labelmaps.isSegmentation(node):
                path = self.file(f"{side}_points.nrrd")
                yield from labelmaps.writeMask(node, segments.chosen(node, segment), path)
                arguments["source"] = inputs.source
            else:
                path = self.file(f"{side}_points.csv")
                points = sources.distinct(sources.pointsOf(node))
                yield 0.0
                if len(points) < sources.FEWEST:
                    raise NodeError(sources.few(node.GetName(), len(points), side))
                sources.writeCloud(path, points)
                yield 0.0
            arguments[f"{side}_points"] = path

    def read(self, report: dict[str, Any]) -> Generator[float, None, tuple[dict[str, Any], dict[str, Any]]]:
        outputs = self.request.outputs
        found, report = yield from super().read(report)
        if outputs.correspondences.wanted:
            path = self.file("correspondences.csv")
            positions = sources.readColumns(path, _COLUMNS).reshape(-1, 3, 3) * (-1.0, -1.0, 1.0)
            yield 1.0
            confidence = sources.readColumns(path, ("confidence",))[:, 0]
            found["correspondences"] = clouds.lines(positions[:, 0], positions[:, 1], confidence, positions[:, 2])
            yield 1.0
        points = {
            name: sources.readCloud(self.file(f"{file}.csv"))
            for name, file in (("fixedCloud", "fixed_keypoints"), ("movingCloud", "moving_keypoints"))
            if getattr(outputs, name).wanted or (name == "movingCloud" and outputs.movedCloud.wanted)
        }
        yield 1.0
        if outputs.movedCloud.wanted:  # as whatever is put below the transform
            points["movedCloud"] = mapPoints(found["transform"].GetInverse(), points["movingCloud"])
            yield 1.0
        radius = None
        for name, cloud in points.items():
            if getattr(outputs, name).wanted:
                radius = radius or clouds.usualRadius(cloud)
                found[name] = clouds.spheres(cloud, SIZES[name] * radius)
                yield 1.0
        return found, report

    def _newNode(self, name: str) -> tuple[str, str]:
        if name in MODELS:
            return "vtkMRMLModelNode", MODELS[name].format(**self._names)
        return super()._newNode(name)

    def _fill(self, name: str, node: Any, value: Any, fixed: Any, moving: Any) -> None:
        if name not in MODELS:
            volume = self.request.inputs.fixed  # the points are no geometry to paint on
            super()._fill(name, node, value, fixed if name != "labels" or volume is not None else None, moving)
            return
        node.SetAndObserveTransformNodeID(None)
        node.SetAndObservePolyData(value)
        if node.GetDisplayNode() is not None:
            return  # it looks as the user wants it
        node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        display.SetVisibility2D(True)
        count = value.GetNumberOfLines() if name == "correspondences" else len(clouds.centres(value))
        if count <= _FEW:
            display.SetSliceDisplayModeToProjection()
        if name == "correspondences":
            showConfidence(display)
        else:
            display.SetColor(*COLORS[name])
            display.SetSliceIntersectionThickness(2)
            display.SetVisibility(name != "movingCloud")  # the moved one is to be compared with the fixed one


def showConfidence(display: Any) -> None:
    """Lines in the colours of their confidence; slices show where they cross them, or all of them if they are few."""
    display.SetActiveScalarName(clouds.CONFIDENCE)
    display.SetScalarVisibility(True)
    display.SetScalarRangeFlag(slicer.vtkMRMLDisplayNode.UseManualScalarRange)
    display.SetScalarRange(0.0, 1.0)
    display.SetAndObserveColorNodeID(clouds.confidenceColors().GetID())
    display.SetLineWidth(2)
    display.SetSliceIntersectionThickness(3)
    display.SetLighting(False)
