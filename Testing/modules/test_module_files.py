"""The module files: their metadata in the application, and reloading."""

from __future__ import annotations

import pytest
from panels import opened

MODULES = ("DeepReg", "DeepRegRegister", "DeepRegDense", "DeepRegDescent", "DeepRegPoints", "DeepRegInspector", "DeepRegTrainer")


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


@pytest.mark.parametrize("name", MODULES)
def test_registered_tests_that_compute_are_skipped_without_pytorch(app, name, monkeypatch):
    import importlib
    import unittest

    from deepreg_slicer import module as base

    app.load_module(name)
    tests = getattr(importlib.import_module(name), f"{name}Test")
    monkeypatch.setattr(base, "missingPackages", lambda: ["torch"])
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(tests).run(result)  # as the application's own runner
    assert result.testsRun == 1
    assert (result.errors, result.failures) == ([], [])
    assert len(result.skipped) == (0 if name in ("DeepRegInspector", "DeepRegTrainer") else 1)
    tests().runTest()  # as Reload and Test
