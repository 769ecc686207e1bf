"""One run of the Descent method: features as colours, iterations as a sequence, and the energy."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

from slicer.i18n import tr as _

from deepreg_engine.methods.slots import Slot, outputs
from deepreg_slicer.errors import NodeError
from deepreg_slicer.nrrd import Geometry, NrrdError
from deepreg_slicer.provenance import LINEAR_PART
from deepreg_slicer.registration import Registration, Steps
from deepreg_slicer.request import Outputs, Request, inScene
from deepreg_slicer.transforms import readField
from deepreg_slicer.volumes import Snapshot, readImage, setVolume, showLike, snapshot, worldGeometry
from DeepRegDescentLib import energy, iterations

METHOD = "descent"
#: The volumes with features, as colours: of the fixed volume, of the moving one, and of the moving one where the result takes it.
FEATURES = tuple(slot.node for slot in outputs(METHOD) if slot.kind == "colours")


class DescentOutputs(Outputs):
    """The results that are wanted, with the energy as a table."""

    more = {"energy": _("Energy")}

    def overwritten(self) -> Iterator[tuple[str, Any]]:
        yield from super().overwritten()
        if self.iterations.wanted and self.iterations.node is not None:
            shown = iterations.proxyOf(self.iterations.node), iterations.movedOf(self.iterations.node)
            yield from (("iterations", node) for node in shown if node is not None)


@dataclass
class DescentRequest(Request):
    """A registration to be made.

    Args:
        keptIterations: approximate number of items of the sequence.
        chart: an existing chart to fill with the energy; None makes a new one.
    """

    keptIterations: int = 20
    chart: Any = None

    def check(self) -> None:
        if self.outputs.iterations.wanted and not iterations.available():
            raise NodeError(_("this application has no sequences"), _("do not ask for the iterations"), "iterations")
        super().check()

    def arguments(self) -> dict[str, Any]:
        kept = {"kept_iterations": self.keptIterations} if self.outputs.iterations.wanted else {}
        return {**super().arguments(), **kept}


class DescentRegistration(Registration):
    """One run."""

    #: The moving volume as it was exported, and its place in the world.
    _moving: Snapshot
    _moved: tuple[Any, Geometry]

    def write(self, slot: Slot, node: Any) -> Generator[float, None, str]:
        if slot.name == "moving":
            self._moving = snapshot(node, self.request.leftOut(slot, node))
        return (yield from super().write(slot, node))

    def read(self, result: dict[str, Any]) -> Generator[float, None, tuple[dict[str, Any], dict[str, Any]]]:
        found, report = yield from super().read(result)
        if self.request.outputs.energy.wanted:
            found["energy"] = report["energies"]
        return found, report

    def readOutput(self, slot: Slot, report: dict[str, Any]) -> Steps:
        if slot.name == "iterations":
            return (yield from self._readIterations(report))
        value = yield from super().readOutput(slot, report)
        if slot.kind == "colours" and value[0].GetNumberOfScalarComponents() != 3:
            raise NrrdError(f"{slot.name} has no colours")
        return value

    def _readIterations(self, report: dict[str, Any]) -> Generator[float, None, list[tuple[int, Any]]]:
        found = []
        for entry in report["iterations"]:
            transform = yield from readField(entry["file"])
            found.append((int(entry["iteration"]), transform))
        geometry, resampled = worldGeometry(self._moving)
        # The voxels are shared with the moving volume where they can be.
        self._moved = (yield from readImage(self.file("moving.nrrd"))) if resampled else (self._moving.image, geometry)
        return found

    def newNode(self, name: str) -> tuple[str, str]:
        if name == "energy":
            return "vtkMRMLTableNode", _("{moving} to {fixed} energy").format(**self._names)
        return super().newNode(name)

    def fill(self, name: str, node: Any, value: Any, fixed: Any, moving: Any) -> None:
        if name == "iterations":
            iterations.fill(node, value)
        elif name == "energy":
            energy.fillTable(node, value)
        else:
            super().fill(name, node, value, fixed, moving)

    def helpers(self, nodes: dict[str, Any], fixed: Any, moving: Any) -> dict[str, Any]:
        helpers: dict[str, Any] = {}
        if "iterations" in nodes:
            helpers.update(self._browse(nodes["iterations"], moving))
        if "energy" in nodes:
            chart = self.request.chart if inScene(self.request.chart) else None
            title = _("{moving} to {fixed}").format(**self._names)
            helpers["chart"] = chart or self.make("vtkMRMLPlotChartNode", _("{title} energy chart").format(title=title))
            energy.fillChart(helpers["chart"], nodes["energy"], title, self.make)
        return helpers

    def _browse(self, sequence: Any, moving: Any) -> dict[str, Any]:
        """Return a browser of the iterations, and a copy of the moving volume that follows them."""
        iterations.keepWhole(sequence, self.make)
        browser = iterations.browserOf(sequence)
        if browser is None:
            browser = iterations.newBrowser(sequence, _("{moving} to {fixed} at iteration").format(**self._names), self.make)
            proxy = browser.GetProxyNode(sequence)
            proxy.SetUndoEnabled(True)
            self._made.insert(0, proxy)  # removed after its browser, which would otherwise make a new one
        proxy = browser.GetProxyNode(sequence)
        proxy.SetAttribute(LINEAR_PART, sequence.GetAttribute(LINEAR_PART))
        iterations.select(browser, sequence.GetNumberOfDataNodes() - 1)
        moved = iterations.movedOf(sequence)
        if moved is None:
            moved = self.make("vtkMRMLScalarVolumeNode", _("{moving} at iteration").format(**self._names))
            sequence.SetNodeReferenceID(iterations.MOVED, moved.GetID())
        setVolume(moved, *self._moved)
        new = moved.GetDisplayNode() is None
        moved.CreateDefaultDisplayNodes()
        if new and moving is not None:
            showLike(moved, moving)
        moved.SetAndObserveTransformNodeID(proxy.GetID())
        return {"browser": browser, "iterationTransform": proxy, "moved": moved}
