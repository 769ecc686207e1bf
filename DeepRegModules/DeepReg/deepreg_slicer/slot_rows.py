"""interim"""

from __future__ import annotations

from typing import Any

import qt

from deepreg_slicer.node_rows import NodeRow, addGroup, addRow

VOLUME = ("vtkMRMLScalarVolumeNode",)
LABELS = ("vtkMRMLSegmentationNode", "vtkMRMLLabelMapVolumeNode")
POINTS = ("vtkMRMLMarkupsFiducialNode",)
CLOUD = ("vtkMRMLMarkupsFiducialNode", "vtkMRMLMarkupsCurveNode", "vtkMRMLModelNode", "vtkMRMLSegmentationNode")
TRANSFORM = ("vtkMRMLGridTransformNode", "vtkMRMLTransformNode")
MODEL = ("vtkMRMLModelNode",)


def out(name, title, help, classes, wanted=True):
    return NodeRow(f"{name}Output", f"{name}Output", title, help, classes, "new", wanted=f"{name}Wanted" if wanted else "")


INPUTS = {
    "fixedPoints": NodeRow(
        "fixedPoints",
        "fixedPoints",
        "Fixed points",
        "Where points shall be.",
        CLOUD,
        "keypoints of the volume",
        "Segment whose surface gives the points.",
    ),
    "movingPoints": NodeRow(
        "movingPoints",
        "movingPoints",
        "Moving points",
        "Points.",
        CLOUD,
        "keypoints of the volume",
        "Segment whose surface gives the points.",
    ),
    "fixed": NodeRow(
        "fixed", "fixedVolume", "Fixed volume", "The volume that stays where it is. Results are on its voxels.", VOLUME, "Select a volume"
    ),
    "moving": NodeRow(
        "moving", "movingVolume", "Moving volume", "The volume that is deformed onto the fixed one.", VOLUME, "Select a volume"
    ),
}
MORE = {
    "fixedMask": NodeRow("fixedMask", "fixedMask", "Fixed mask", "Mask.", LABELS, "whole volume", "Segment that is the mask."),
    "movingMask": NodeRow("movingMask", "movingMask", "Moving mask", "Mask.", LABELS, "whole volume", "Segment that is the mask."),
    "guideFixed": NodeRow("guideFixed", "guideFixed", "Guides, fixed", "Pairs.", POINTS, "none"),
    "guideMoving": NodeRow("guideMoving", "guideMoving", "Guides, moving", "Pairs.", POINTS, "none"),
    "testFixed": NodeRow("testFixed", "testFixed", "Test points, fixed", "Pairs.", POINTS, "none"),
    "testMoving": NodeRow("testMoving", "testMoving", "Test points, moving", "Pairs.", POINTS, "none"),
    "fixedLabels": NodeRow("fixedLabels", "fixedLabels", "Segmentation, fixed", "Labels.", LABELS, "none"),
    "movingLabels": NodeRow("movingLabels", "movingLabels", "Segmentation, moving", "Labels.", LABELS, "none"),
    "initialTransform": NodeRow(
        "initialTransform", "initialTransform", "Initial transform", "Start.", ("vtkMRMLTransformNode",), "automatic"
    ),
}
OUTPUTS = {
    "transform": out("transform", "Transform", "Takes the moving volume onto the fixed one.", TRANSFORM, False),
    "volume": out("volume", "Warped volume", "The moving volume on the voxels of the fixed one.", VOLUME),
    "correspondences": out("correspondences", "Correspondences", "Lines.", MODEL),
    "fixedCloud": out("fixedCloud", "Fixed points", "Cloud.", MODEL),
    "movingCloud": out("movingCloud", "Moving points", "Cloud.", MODEL),
    "movedCloud": out("movedCloud", "Moved points", "Cloud.", MODEL),
    "inverse": out("inverse", "Inverse", "Inverse.", TRANSFORM),
    "labels": out("labels", "Warped segmentation", "Labels.", LABELS),
    "jacobian": out("jacobian", "Jacobian map", "Jacobian.", VOLUME),
    "uncertainty": out("uncertainty", "Uncertainty map", "SD.", VOLUME),
}


def addRows(panel: Any, method: str) -> None:
    form = panel.findChild(qt.QFormLayout, "inputsLayout")
    names = list(INPUTS) if method == "points" else ["fixed", "moving"]
    for i, name in enumerate(names):
        addRow(form, i, INPUTS[name])
    form = panel.findChild(qt.QFormLayout, "moreInputsLayout")
    for name, row in MORE.items():
        if method != "dense" and name.startswith("guide") or method == "points" and name.startswith("initial"):
            continue
        addRow(form, form.rowCount(), row)
    form = panel.findChild(qt.QFormLayout, "outputsLayout")
    for name, row in OUTPUTS.items():
        if row.classes == MODEL and method != "points" or name == "uncertainty" and method != "dense":
            continue
        addRow(form, form.rowCount(), row)
    if method == "descent":
        kept = qt.QSpinBox()
        kept.objectName = "keptIterationsSpinBox"
        kept.setProperty("SlicerParameterName", "keptIterations")
        kept.setRange(2, 200)
        kept.prefix = "about "
        kept.suffix = " kept"
        features = [
            NodeRow(f"{n}FeaturesOutput", f"{n}FeaturesOutput", n, "f", ("vtkMRMLVectorVolumeNode",), f"new: {t}")
            for n, t in (("fixed", "fixed"), ("moving", "moving"), ("warped", "moving, warped"))
        ]
        addGroup(form, form.rowCount(), NodeRow("features", "", "Feature maps", "Maps", (), "", wanted="featuresWanted"), features)
        addGroup(
            form,
            form.rowCount(),
            NodeRow("iterations", "", "Iterations", "Its", (), "", wanted="iterationsWanted"),
            [out("iterations", "Iterations", "I", ("vtkMRMLSequenceNode",))],
            kept,
        )
