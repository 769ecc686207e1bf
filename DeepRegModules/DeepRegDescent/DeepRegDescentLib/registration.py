"""One run of the Descent method: what it gives besides what all methods do."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

from deepreg_slicer.nrrd import Geometry, NrrdError
from deepreg_slicer.registration import Output, Outputs, Registration, Request, inScene
from deepreg_slicer.transforms import readField
from deepreg_slicer.volumes import Snapshot, readImage, setVolume, showLike, snapshot, worldGeometry
from DeepRegDescentLib import energy, iterations

#: Output name to the worker's name for it, and to what its node is called.
FEATURES = {
    "fixedFeatures": ("fixed_colours", "Features of {fixed}"),
    "movingFeatures": ("moving_colours", "Features of {moving}"),
    "warpedFeatures": ("warped_colours", "Features of {moving} warped"),
}


@dataclass
class DescentOutputs(Outputs):
    """Where the results go; there is no uncertainty map.

    Args:
        fixedFeatures, movingFeatures, warpedFeatures: what was compared, as colours: of the fixed volume, of the moving one where it was,
            and of the moving one where the result takes it.
        iterations: a sequence of transforms.
        energy: a table.
    """

    fixedFeatures: Output = field(default_factory=Output)
    movingFeatures: Output = field(default_factory=Output)
    warpedFeatures: Output = field(default_factory=Output)
    iterations: Output = field(default_factory=Output)
    energy: Output = field(default_factory=Output)


@dataclass
class DescentRequest(Request):
    """A registration to be made.

    Args:
        keptIterations: items of the sequence, about.
        chart: an existing chart to fill with the energy; None makes a new one.
    """

    keptIterations: int = 20
    chart: Any = None

    def problem(self) -> str:
        if self.inputs.guideFixed is not None or self.inputs.guideMoving is not None:
            return "this method takes no guiding landmarks: leave them out, or use Dense Registration"
        if self.outputs.iterations.wanted and not iterations.available():
            return "this application has no sequences: do not ask for the iterations"
        return super().problem()


class DescentRegistration(Registration):
    """One run."""

    #: The moving volume as it was exported, and where it lies in the world.
    _moving: Snapshot
    _moved: tuple[Any, Geometry]

    def _exportVolumes(self, arguments: dict[str, Any]) -> Generator[float, None, Geometry]:
        self._moving = snapshot(self.request.inputs.moving)
        return (yield from super()._exportVolumes(arguments))

    def _askFor(self, arguments: dict[str, Any]) -> None:
        super()._askFor(arguments)
        for name, (file, _) in FEATURES.items():
            if getattr(self.request.outputs, name).wanted:
                arguments[file] = self.file(f"{file}.nrrd")
        if self.request.outputs.iterations.wanted:
            arguments["iterations"] = self.file("iterations")
            arguments["kept_iterations"] = self.request.keptIterations

    def read(self, report: dict[str, Any]) -> Generator[float, None, tuple[dict[str, Any], dict[str, Any]]]:
        outputs = self.request.outputs
        found, report = yield from super().read(report)
        for name, (file, _) in FEATURES.items():
            if getattr(outputs, name).wanted:
                image, geometry = yield from readImage(self.file(f"{file}.nrrd"))
                if image.GetNumberOfScalarComponents() != 3:
                    raise NrrdError(f"{file} has no colours")
                found[name] = image, geometry
        if outputs.iterations.wanted:
            found["iterations"] = []
            for entry in report["iterations"]:
                transform = yield from readField(entry["file"])
                found["iterations"].append((int(entry["iteration"]), transform))
            geometry, drawn = worldGeometry(self._moving)
            # The voxels are shared with the moving volume where they can be.
            self._moved = (yield from readImage(self.file("moving.nrrd"))) if drawn else (self._moving.image, geometry)
        if outputs.energy.wanted:
            found["energy"] = report["energies"]
        return found, report

    def _newNode(self, name: str) -> tuple[str, str]:
        if name in FEATURES:
            return "vtkMRMLVectorVolumeNode", FEATURES[name][1].format(**self._names)
        pair = "{moving} to {fixed}".format(**self._names)
        if name == "iterations":
            return "vtkMRMLSequenceNode", f"{pair} iterations"
        if name == "energy":
            return "vtkMRMLTableNode", f"{pair} energy"
        return super()._newNode(name)

    def _fill(self, name: str, node: Any, value: Any, fixed: Any, moving: Any) -> None:
        if name == "iterations":
            iterations.fill(node, value)
        elif name == "energy":
            energy.fillTable(node, value)
        elif name in FEATURES:
            setVolume(node, *value)
            new = node.GetDisplayNode() is None
            node.CreateDefaultDisplayNodes()
            if new:  # colours as they are
                node.GetDisplayNode().SetAutoWindowLevel(False)
                node.GetDisplayNode().SetWindowLevelMinMax(0.0, 255.0)
        else:
            super()._fill(name, node, value, fixed, moving)

    def _helpers(self, nodes: dict[str, Any], fixed: Any, moving: Any) -> dict[str, Any]:
        helpers: dict[str, Any] = {}
        if "iterations" in nodes:
            helpers.update(self._browse(nodes["iterations"], moving))
        if "energy" in nodes:
            chart = self.request.chart if inScene(self.request.chart) else None
            title = "{moving} to {fixed}".format(**self._names)
            helpers["chart"] = chart or self._make("vtkMRMLPlotChartNode", f"{title} energy chart")
            energy.fillChart(helpers["chart"], nodes["energy"], title, self._make)
        return helpers

    def _browse(self, sequence: Any, moving: Any) -> dict[str, Any]:
        """A browser of the iterations, and a copy of the moving volume that follows them."""
        iterations.keepWhole(sequence, self._make)
        browser = iterations.browserOf(sequence)
        if browser is None:
            browser = iterations.newBrowser(sequence, "{moving} to {fixed} at iteration".format(**self._names), self._make)
            proxy = browser.GetProxyNode(sequence)
            proxy.SetUndoEnabled(True)
            self._made.insert(0, proxy)  # it goes after its browser, which would make another
        proxy = browser.GetProxyNode(sequence)
        iterations.select(browser, sequence.GetNumberOfDataNodes() - 1)
        moved = iterations.movedOf(sequence)
        if moved is None:
            moved = self._make("vtkMRMLScalarVolumeNode", "{moving} at iteration".format(**self._names))
            sequence.SetNodeReferenceID(iterations.MOVED, moved.GetID())
        setVolume(moved, *self._moved)
        new = moved.GetDisplayNode() is None
        moved.CreateDefaultDisplayNodes()
        if new and moving is not None:
            showLike(moved, moving)
        moved.SetAndObserveTransformNodeID(proxy.GetID())
        return {"browser": browser, "iterationTransform": proxy, "moved": moved}
