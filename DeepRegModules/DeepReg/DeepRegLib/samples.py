"""Sample data: synthetic pairs that the engine makes, and pairs of real scans of Slicer's sample data."""

from __future__ import annotations

import colorsys
import tempfile
from typing import Any

import slicer

from deepreg_slicer.slice_views import setLayers
from deepreg_slicer.waiting import waitForJob, waitUntilFree
from deepreg_slicer.worker_client import workerClient

CATEGORY = "DeepReg"
#: Title, anatomy, modality pair.
PHANTOMS = (
    ("Abdomen CT phantom", "abdomen", "ct-ct"),
    ("Abdomen MR-CT phantom", "abdomen", "mr-ct"),
    ("Thorax CT phantom", "thorax", "ct-ct"),
    ("Brain MR phantom", "brain", "mr-mr"),
)
#: Title, names of Slicer's own samples.
PAIRS = (
    ("Brain tumor MR pair", ("MRBrainTumor1", "MRBrainTumor2")),
    ("Dental CBCT pair", ("CBCTDentalSurgery",)),
    ("Brain CT and MR", ("CTMRBrain",)),
    ("Prostate MR and US", ("MRUSProstate",)),
    ("Head CBCT and MR", ("CBCTMRHead",)),
)
# From black to white, HU: soft tissue, lung.
_CT_WINDOWS = {"abdomen": (-160.0, 240.0), "thorax": (-1350.0, 150.0)}
# No MR has values below this.
_NO_MR = -500.0
_GOLDEN = 0.618034


def register() -> None:
    """Offer all pairs in the module Sample Data."""
    import SampleData

    for title, anatomy, modalities in PHANTOMS:
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category=CATEGORY,
            sampleName=title,
            uris=[],
            fileNames=[],
            customDownloader=lambda _source, a=anatomy, m=modalities, t=title: _offered(a, m, t),
        )
    for title, names in PAIRS:
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category=CATEGORY, sampleName=title, uris=[], fileNames=[], customDownloader=lambda _source, names=names: _download(names)
        )


def _offered(anatomy: str, modalities: str, title: str) -> list[Any]:
    """Return the nodes of a phantom; without PyTorch none, and the user is shown what to do."""
    try:
        return list(makePhantom(anatomy, 0, modalities).values())
    except RuntimeError as error:
        slicer.util.errorDisplay(str(error), windowTitle=title)
        return []


def _download(names: tuple[str, ...]) -> list[Any]:
    import SampleData

    logic = SampleData.SampleDataLogic()
    return [node for name in names for node in logic.downloadSamples(name)]


def makePhantom(anatomy: str, seed: int = 0, modalityPair: str | None = None) -> dict[str, Any]:
    """Make a synthetic pair in the worker and load it.

    Returns:
        fixed, moving, fixedLabels, movingLabels (segmentations), fixedLandmarks, movingLandmarks.

    Raises:
        RuntimeError: with a message and advice.
    """
    waitUntilFree()
    client = workerClient()
    with tempfile.TemporaryDirectory(prefix="phantom-", dir=client.scratch()) as folder:
        arguments = {"anatomy": anatomy, "folder": folder, "seed": int(seed), **({"modality_pair": modalityPair} if modalityPair else {})}
        made = waitForJob(client.submit("phantom", arguments))
        taken = slicer.mrmlScene.GetFirstNodeByName(f"{anatomy} fixed") is not None  # several patients have different names
        return load(made, anatomy, f"{anatomy} {seed}" if taken else anatomy)


def load(made: dict[str, Any], anatomy: str, name: str = "") -> dict[str, Any]:
    """Load the files of a phantom, under names that begin with ``name``, by default the anatomy's."""
    name = name or anatomy
    files, labels = made["files"], {int(value): title for value, title in made["labels"].items()}
    nodes = {}
    for side in ("fixed", "moving"):
        nodes[side] = slicer.util.loadVolume(files[side], {"name": f"{name} {side}", "show": False})
        showInWindow(nodes[side], anatomy)
        nodes[f"{side}Labels"] = loadSegmentation(files[f"{side}_labels"], f"{name} {side} organs", labels)
        nodes[f"{side}Labels"].SetReferenceImageGeometryParameterFromVolumeNode(nodes[side])
        nodes[f"{side}Landmarks"] = loadPoints(files[f"{side}_landmarks"], f"{name} {side} landmarks")
    setLayers(nodes["fixed"], nodes["moving"], 0.5, fit=True)
    for node in nodes.values():
        # The files are temporary: saving the scene has to write them again.
        if node.GetStorageNode() is not None:
            slicer.mrmlScene.RemoveNode(node.GetStorageNode())
    return {key: nodes[key] for key in ("fixed", "moving", "fixedLabels", "movingLabels", "fixedLandmarks", "movingLandmarks")}


def showInWindow(node: Any, anatomy: str) -> None:
    """Show a phantom's CT with a clinical window; an MR keeps the window of the application."""
    if anatomy in _CT_WINDOWS and node.GetImageData().GetScalarRange()[0] < _NO_MR:
        node.GetDisplayNode().SetAutoWindowLevel(False)
        node.GetDisplayNode().SetWindowLevelMinMax(*_CT_WINDOWS[anatomy])


def loadSegmentation(path: str, name: str, labels: dict[int, str]) -> Any:
    """Load a label map as a segmentation with names."""
    labelMap = slicer.util.loadLabelVolume(path, {"show": False})
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    slicer.modules.segmentations.logic().ImportLabelmapToSegmentationNode(labelMap, node)
    slicer.mrmlScene.RemoveNode(labelMap)
    segmentation = node.GetSegmentation()
    for number in range(segmentation.GetNumberOfSegments()):
        segment = segmentation.GetNthSegment(number)
        segment.SetName(labels.get(segment.GetLabelValue(), segment.GetName()))
        # Neighbouring structures have different colours; a structure has the same colour in both volumes of a pair.
        segment.SetColor(*colorsys.hsv_to_rgb(segment.GetLabelValue() * _GOLDEN % 1.0, 0.55, 0.95))
    node.GetDisplayNode().SetVisibility(False)
    return node


def loadPoints(path: str, name: str) -> Any:
    """Load a points file of the engine's as markups."""
    import csv

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name)
    node.CreateDefaultDisplayNodes()
    with open(path, newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            node.AddControlPoint([-float(row["x"]), -float(row["y"]), float(row["z"])], row.get("label") or "")
    node.GetDisplayNode().SetVisibility(False)
    return node
