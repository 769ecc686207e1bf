"""Every input and output that the engine declares is in the panel of its methods, in their parameter nodes and in scripts."""

from __future__ import annotations

import pytest
from panels import opened
from world import through

from deepreg_engine.methods.slots import inputs, outputs

# Fields of parameter nodes in scenes that were saved by earlier versions.
SAVED = [
    "fixedVolume",
    "movingVolume",
    "fixedMask",
    "fixedMaskSegment",
    "movingMask",
    "movingMaskSegment",
    "testFixed",
    "testMoving",
    "fixedLabels",
    "movingLabels",
    "initialTransform",
    "transformOutput",
    "volumeOutput",
    "volumeWanted",
    "inverseOutput",
    "inverseWanted",
    "labelsOutput",
    "labelsWanted",
    "jacobianOutput",
    "jacobianWanted",
    "preset",
    "parameters",
    "device",
    "resultTransform",
    "resultVolume",
    "resultSummary",
]
SAVED_BY = {
    "dense": ["guideFixed", "guideMoving", "uncertaintyOutput", "uncertaintyWanted", "expectedErrorOutput", "expectedErrorWanted"],
    "points": [
        "fixedPoints",
        "fixedPointsSegment",
        "movingPoints",
        "movingPointsSegment",
        "source",
        "most",
        "refine",
        "refinePreset",
        "expectedErrorOutput",
        "expectedErrorWanted",
        "correspondencesOutput",
        "correspondencesWanted",
        "correspondencesResult",
        "fixedCloudOutput",
        "fixedCloudWanted",
        "fixedCloudResult",
        "movingCloudOutput",
        "movingCloudWanted",
        "movingCloudResult",
        "movedCloudOutput",
        "movedCloudWanted",
        "movedCloudResult",
        "pointSize",
        "leastConfidence",
    ],
    "descent": [
        "featuresWanted",
        "fixedFeaturesOutput",
        "fixedFeaturesResult",
        "movingFeaturesOutput",
        "movingFeaturesResult",
        "warpedFeaturesOutput",
        "warpedFeaturesResult",
        "iterationsWanted",
        "iterationsOutput",
        "keptIterations",
        "resultIterations",
        "energyTable",
        "energyChart",
    ],
}
PANELS = {"dense": "DeepRegDense", "points": "DeepRegPoints", "descent": "DeepRegDescent"}


@pytest.mark.parametrize("method", PANELS)
def test_each_input_and_output_has_a_row_and_fields(app, method):
    import qt

    from deepreg_slicer.engine_texts import sentence
    from deepreg_slicer.slot_nodes import classesOf, nameOf, wantedField

    widget = opened(app, PANELS[method])
    ui, node = widget.ui, widget.panel.node
    titles = [label.text.replace("&", "").rstrip(":") for kind in (qt.QLabel, qt.QCheckBox) for label in widget.parent.findChildren(kind)]
    for slot in (slot for slot in (*inputs(method), *outputs(method)) if slot.node):
        name, field = (f"{slot.node}Output",) * 2 if slot.is_output else (nameOf(slot), slot.node)
        selector = getattr(ui, f"{name}Selector")
        assert tuple(selector.nodeTypes) == classesOf(slot, method)
        assert selector.property("SlicerParameterName") == field
        assert getattr(node, field) is None
        assert selector.toolTip.startswith(sentence(slot.help))
        if slot.is_output and slot.node != "transform":
            assert getattr(ui, f"{wantedField(slot)}CheckBox").checked == slot.by_default == getattr(node, wantedField(slot))
        if slot.kind != "colours":  # these share a row
            assert slot.title in titles


@pytest.mark.parametrize("method", PANELS)
def test_a_chosen_node_gets_into_the_request(app, method):
    import slicer

    from deepreg_slicer.slot_nodes import classesOf, nameOf, wantedField

    widget = opened(app, PANELS[method])
    node, ui = widget.panel.node, widget.ui
    for slot in (slot for slot in (*inputs(method), *outputs(method)) if slot.node):
        chosen = slicer.mrmlScene.AddNewNodeByClass(classesOf(slot, method)[0], slot.name)
        if slot.is_output:
            if slot.node != "transform":
                setattr(node, wantedField(slot), True)
            if slot.name == "iterations":
                chosen.SetAttribute("DeepReg.Output", "iterations")
            getattr(ui, f"{slot.node}OutputSelector").setCurrentNode(chosen)
            output = getattr(widget.panel.request().outputs, nameOf(slot))
            assert (output.node, slot.name == "warped" or output.wanted) == (chosen, True)
        else:
            getattr(ui, f"{nameOf(slot)}Selector").setCurrentNode(chosen)
            assert widget.panel.request().inputs.of(slot) is chosen


@pytest.mark.parametrize("method", PANELS)
def test_unknown_names_are_refused_in_scripts(app, method):
    from deepreg_slicer.request import Inputs
    from deepreg_slicer.scripting import outputsNamed
    from deepreg_slicer.slot_nodes import nameOf, outputSlots

    names = [nameOf(slot) for slot in outputSlots(method) if slot.kind != "colours"]
    assert {name for name, _ in outputsNamed(names, method).wanted()} == set(names)
    with pytest.raises(RuntimeError, match="no output 'depth'"):
        outputsNamed(["depth"], method)
    with pytest.raises(RuntimeError, match="no input depth"):
        Inputs(method, depth=None)


def alignment_alone(node):
    """A linear node without its parent."""
    node.SetAndObserveTransformNodeID(None)
    return node


def test_the_displacement_is_measured(warm_app, pair):
    """The output that is only declared, and computed by the engine."""
    import numpy as np
    import slicer

    warm_app.load_module("DeepRegDense")
    from DeepRegDense import DeepRegDenseLogic

    outputs = ("transform", "magnitude", "alignment", "deformation")
    result = DeepRegDenseLogic().register(*pair, preset="quick", parameters={"working_spacing": 6.0}, outputs=outputs)
    node = result.nodes["magnitude"]
    assert node.GetName().startswith("Displacement of moving to fixed")
    lengths = slicer.util.arrayFromVolume(node)
    assert lengths.shape == slicer.util.arrayFromVolume(pair[0]).shape
    assert np.isfinite(lengths).all()
    assert lengths.mean() == pytest.approx(result.report["deformation"]["mean"], rel=1e-3)
    # The two parts of the transform, one below the other, have the effect of the whole.
    alignment, deformation, whole = (result.nodes[name] for name in ("alignment", "deformation", "transform"))
    assert alignment.IsA("vtkMRMLLinearTransformNode")
    assert alignment.GetName().startswith("Alignment of moving to fixed")
    alignment.SetAndObserveTransformNodeID(deformation.GetID())
    bounds = np.zeros(6)
    pair[0].GetRASBounds(bounds)
    points = bounds[::2] + np.random.default_rng(0).uniform(0.2, 0.8, (50, 3)) * (bounds[1::2] - bounds[::2])
    once, twice = (through(node, points, inverse=True) for node in (whole, alignment))
    assert np.linalg.norm(once - points, axis=1).mean() > 1.0
    np.testing.assert_allclose(twice, once, atol=2e-3)
    # Views draw the deformation alone, without fitting anything.
    from deepreg_slicer.beyond import linearPartOf

    linear = linearPartOf(whole, None)
    assert linear.source == "alignment"
    np.testing.assert_allclose(linear.matrix, linearPartOf(alignment_alone(alignment), None).matrix, atol=1e-6)


@pytest.mark.parametrize("method", PANELS)
def test_scenes_of_earlier_versions_find_their_fields(app, method):
    node = opened(app, PANELS[method]).panel.node
    assert [name for name in (*SAVED, *SAVED_BY[method]) if not hasattr(type(node), name) and not hasattr(node, name)] == []
