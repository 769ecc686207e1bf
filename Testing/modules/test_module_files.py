"""The module files: what the application knows of them, and that they can be reloaded."""

from __future__ import annotations

import pytest
from panels import opened

MODULES = ("DeepReg", "DeepRegDense", "DeepRegDescent", "DeepRegPoints", "DeepRegInspector", "DeepRegTrainer")


@pytest.mark.parametrize("name", MODULES)
def test_the_application_knows_what_a_module_is(app, name):
    module = app.load_module(name)
    assert module.title
    assert module.categories == ["Registration.DeepReg"]
    assert module.dependencies == ([] if name == "DeepReg" else ["DeepReg"])
    assert module.helpText.endswith(".")
    assert module.acknowledgementText.endswith(".")


@pytest.mark.parametrize(
    ("name", "papers"),
    [
        ("DeepRegDense", ["Heinrich", "MICCAI 2019"]),
        ("DeepRegPoints", ["Dittmer", "GLMI 2019", "IPMI 2021"]),
        ("DeepRegDescent", ["Blendowski", "MIDL 2019", "Medical Image Analysis 2021"]),
    ],
)
def test_a_method_cites_its_papers(app, name, papers):
    text = app.load_module(name).acknowledgementText
    assert [paper for paper in papers if paper not in text] == []


@pytest.mark.parametrize("name", MODULES)
def test_a_module_can_be_reloaded(app, name):
    import slicer

    before = opened(app, name)
    before.onReload()
    after = getattr(slicer.modules, name.lower()).widgetRepresentation().self()
    app.process_events()
    assert after is not before
    assert before.panel is None
    assert after.panel is not None
    if name != "DeepReg":
        assert after.panel.node is not None
        assert after.logic.wrap(after.panel.node.parameterNode) is not None
