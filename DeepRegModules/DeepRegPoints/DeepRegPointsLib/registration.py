"""One run of the Points method, which registers point clouds; it returns a transform, the clouds, and lines between them."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import slicer
from slicer.i18n import tr as _

from deepreg_engine.methods.slots import Slot
from deepreg_slicer import labels as labelmaps
from deepreg_slicer.errors import NodeError
from deepreg_slicer.length_colors import showBar
from deepreg_slicer.registration import Registration, Steps
from deepreg_slicer.request import Inputs, Outputs, Request, Result
from deepreg_slicer.volumes import mapPoints
from DeepRegPointsLib import clouds, segments, sources

METHOD = "points"
#: The outputs that are models.
MODELS = ("correspondences", "fixedCloud", "movingCloud", "movedCloud")
#: Colours of the clouds: distinct on a grey image, also with a red-green colour vision deficiency.
COLORS = {"fixedCloud": (1.0, 0.78, 0.1), "movingCloud": (0.25, 0.5, 1.0), "movedCloud": (1.0, 0.35, 0.95)}
#: Spheres of moved points are smaller: where a moved point matches, the fixed point is visible around it.
SIZES = {"fixedCloud": 1.0, "movingCloud": 1.0, "movedCloud": 0.65}
_COLUMNS = tuple(f"{part}_{axis}" for part in ("fixed", "moved", "partner") for axis in "xyz")
# Largest number of lines and points that are shown at any distance from the slice.
_FEW = 60


class PointsInputs(Inputs):
    """The nodes to be registered: two sets of points, two volumes, or both.

    Args:
        method: name of the method.
        source: of the points of segments: "surface" or "skeleton".
        nodes: by name; ``fixedPoints`` and ``movingPoints`` are markups, curves, models or segmentations.
    """

    def __init__(self, method: str = METHOD, source: str = "surface", **nodes: Any) -> None:
        super().__init__(method, **nodes)
        self.source = source

    @property
    def ends(self) -> tuple[Any, Any]:
        return self.fixed or self.fixedPoints, self.moving or self.movingPoints

    @property
    def hasPoints(self) -> bool:
        """Whether both sets of points are given."""
        return self.fixedPoints is not None and self.movingPoints is not None

    @property
    def hasVolumes(self) -> bool:
        """Whether both volumes are given."""
        return self.fixed is not None and self.moving is not None

    def check(self) -> None:
        super().check()
        if not self.hasPoints and not self.hasVolumes:
            raise NodeError(_("choose fixed and moving points, or two volumes in which keypoints are found"), option="fixed_points")

    def checkNode(self, slot: Slot, node: Any) -> None:
        if slot.kind == "cloud":
            sources.check(node, self.segment(slot), slot.name)
        else:
            super().checkNode(slot, node)


class PointsOutputs(Outputs):
    """The results that are wanted, with the moving points mapped by the transform."""

    more = {"movedCloud": _("Moved points")}


@dataclass
class PointsRequest(Request):
    """A registration to be made.

    Args:
        most: largest number of points of each set; larger sets are thinned evenly. refine: whether the Dense method refines the result.
        refinePreset: preset of that method.
    """

    most: int = 0
    refine: bool = False
    refinePreset: str = "thorax-ct"

    def arguments(self) -> dict[str, Any]:
        arguments = {**super().arguments(), "thin": self.most}
        if any(labelmaps.isSegmentation(node) for node in (self.inputs.fixedPoints, self.inputs.movingPoints)):
            arguments["source"] = self.inputs.source
        if self.inputs.hasVolumes:
            arguments.update(refine=self.refine, refine_preset=self.refinePreset)
        return arguments


class PointsResult(Result):
    """The result of a registration."""

    @property
    def summary(self) -> str:
        points = self.report.get("points", {})
        line = super().summary
        if "confident_share" in points:
            text = _("points: {fixed} fixed, {moving} moving, {share:.0f} % reliable")
            share = 100.0 * points["confident_share"]
            line += f" \u00b7 {text.format(fixed=points['fixed'], moving=points['moving'], share=share)}"
        return line


class PointsRegistration(Registration):
    """One run."""

    resultClass = PointsResult

    def write(self, slot: Slot, node: Any) -> Generator[float, None, str]:
        if slot.kind != "cloud":
            return (yield from super().write(slot, node))
        without = self.request.leftOut(slot, node)
        if labelmaps.isSegmentation(node):
            path = self.file(f"{slot.name}.nrrd")
            yield from labelmaps.writeMask(node, segments.chosen(node, self.request.inputs.segment(slot)), path, without)
            return path
        path = self.file(f"{slot.name}.csv")
        points = sources.distinct(sources.pointsOf(node, without))
        yield 0.0
        if len(points) < sources.FEWEST:
            raise sources.tooFew(node.GetName(), len(points), slot.name)
        sources.writeCloud(path, points)
        return path

    def segments(self, node: Any, segment: str) -> str | list[str]:
        return segments.chosen(node, segment)

    def askFor(self, arguments: dict[str, Any]) -> Steps:
        yield from super().askFor(arguments)
        if self.request.outputs.movedCloud.wanted:
            slot = self.request.outputs.slots["movingCloud"]
            arguments[slot.name] = self.fileOf(slot)

    def read(self, result: dict[str, Any]) -> Generator[float, None, tuple[dict[str, Any], dict[str, Any]]]:
        outputs = self.request.outputs
        found, report = yield from super().read(result)
        if outputs.movedCloud.wanted:  # the moving points, mapped by the transform as all nodes below it
            moving = sources.readCloud(self.fileOf(outputs.slots["movingCloud"]))
            yield 1.0
            found["movedCloud"] = mapPoints(found["transform"].GetInverse(), moving)
            yield 1.0
        radius = None
        for name in (name for name in SIZES if name in found):
            radius = radius or clouds.usualRadius(found[name])
            found[name] = clouds.spheres(found[name], SIZES[name] * radius)
            yield 1.0
        return found, report

    def readOutput(self, slot: Slot, report: dict[str, Any]) -> Steps:
        if slot.kind == "points":
            return sources.readCloud(self.fileOf(slot))
        if slot.kind != "table":
            return (yield from super().readOutput(slot, report))
        positions = sources.readColumns(self.fileOf(slot), _COLUMNS).reshape(-1, 3, 3) * (-1.0, -1.0, 1.0)
        yield 1.0
        confidence = sources.readColumns(self.fileOf(slot), ("confidence",))[:, 0]
        return clouds.lines(positions[:, 0], positions[:, 1], confidence, positions[:, 2])

    def newNode(self, name: str) -> tuple[str, str]:
        if name == "movedCloud":
            return "vtkMRMLModelNode", _("Points of {moving} moved").format(**self._names)
        return super().newNode(name)

    def fill(self, name: str, node: Any, value: Any, fixed: Any, moving: Any) -> None:
        if name not in MODELS:
            volume = self.request.inputs.fixed  # a segmentation takes its geometry from a volume, not from points
            super().fill(name, node, value, fixed if name != "labels" or volume is not None else None, moving)
            return
        node.SetAndObserveTransformNodeID(None)
        node.SetAndObservePolyData(value)
        if node.GetDisplayNode() is not None:
            return  # keeps the user's settings
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
            display.SetVisibility(name != "movingCloud")  # the moved cloud is shown instead, beside the fixed one


def showConfidence(display: Any) -> None:
    """Show lines in the colours of their confidence, in slices that they intersect, or in all slices if they are few."""
    display.SetActiveScalarName(clouds.CONFIDENCE)
    display.SetScalarVisibility(True)
    display.SetScalarRangeFlag(slicer.vtkMRMLDisplayNode.UseManualScalarRange)
    display.SetScalarRange(0.0, 1.0)
    display.SetAndObserveColorNodeID(clouds.confidenceColors().GetID())
    display.SetLineWidth(2)
    showBar(display, True, _("confidence"), "left", 2)
    display.SetSliceIntersectionThickness(3)
    display.SetLighting(False)
