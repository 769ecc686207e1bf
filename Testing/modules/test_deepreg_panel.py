"""The set-up panel: computing, installation, self-test, sample data, models."""

from __future__ import annotations

import numpy as np
import pytest
from panels import landmark_error, opened


@pytest.fixture(name="widget")
def widget_fixture(warm_app):
    widget = opened(warm_app, "DeepReg")
    settled(warm_app, widget)
    return widget


def settled(app, widget) -> None:
    """All that was asked of the worker is answered."""
    app.wait_for(lambda: not widget.panel.client.busy and not widget.panel.client._waiting, 60)
    app.process_events()


def test_it_shows_what_there_is(warm_app, widget):
    import torch

    ui = widget.ui
    assert ui.torchLabel.text == torch.__version__
    assert "Python" in ui.engineLabel.text
    assert ui.deviceLabel.text.startswith("CPU") or torch.cuda.is_available()
    assert "GB free" in ui.memoryLabel.text
    assert ui.explanationLabel.text == ""
    assert not ui.installButton.enabled


def test_the_self_test_says_in_one_line_whether_all_works(warm_app, hands, widget):
    hands.click(widget.ui.selfTestButton)
    assert not widget.ui.makePhantomButton.enabled
    assert widget.ui.selfTestProgressBar.visible
    settled(warm_app, widget)
    text = widget.ui.selfTestLabel.text
    assert text.startswith("All works.")
    assert "landmark error" in text
    assert "\n" not in text
    assert not widget.ui.selfTestProgressBar.visible
    assert widget.ui.selfTestButton.enabled
    widget.panel._onSelfTested({"passed": False, "problems": ["the landmark error fell only from 13 to 12 mm"], "summary": ""})
    assert widget.ui.selfTestLabel.text == "Something is wrong: the landmark error fell only from 13 to 12 mm."


# ------------------------------------------------------------------------------------------------------------ sample data


def test_sample_data_are_offered(warm_app, widget):
    import SampleData

    sources = {source.sampleName: source for source in SampleData.SampleDataLogic.sampleDataSourcesByCategory("DeepReg")}
    assert {"Abdomen CT phantom", "Brain tumor MR pair", "Dental CBCT pair"} <= set(sources)
    # Slicer's own are referred to by names that Slicer has.
    from DeepRegLib.samples import PAIRS

    logic = SampleData.SampleDataLogic()
    for _title, names in PAIRS:
        for name in names:
            assert logic.sourceForSampleName(name) is not None, name


def test_own_pairs_are_downloaded_by_reference(warm_app, widget, monkeypatch):
    import SampleData

    asked = []
    monkeypatch.setattr(SampleData.SampleDataLogic, "downloadSamples", lambda self, name: asked.append(name) or [name])
    source = SampleData.SampleDataLogic().sourceForSampleName("Brain tumor MR pair")
    assert source.customDownloader(source) == ["MRBrainTumor1", "MRBrainTumor2"] == asked


def test_a_phantom_is_made_with_organs_and_landmarks(warm_app, hands, widget):
    import slicer

    hands.choose(widget.ui.phantomComboBox, "Brain MR phantom")
    widget.ui.seedSpinBox.value = 3
    hands.click(widget.ui.makePhantomButton)
    settled(warm_app, widget)
    assert "Loaded: brain fixed" in widget.ui.sampleLabel.text
    fixed, moving = (slicer.util.getNode(f"brain {side}") for side in ("fixed", "moving"))
    assert fixed.GetImageData().GetDimensions() != moving.GetImageData().GetDimensions()
    for side in ("fixed", "moving"):
        organs = slicer.util.getNode(f"brain {side} organs").GetSegmentation()
        names = [organs.GetNthSegment(n).GetName() for n in range(organs.GetNumberOfSegments())]
        assert len(names) > 4, names
        assert not any(name.startswith("Segment") for name in names), names
    points = [slicer.util.getNode(f"brain {side} landmarks") for side in ("fixed", "moving")]
    identity = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode")
    assert points[0].GetNumberOfControlPoints() == points[1].GetNumberOfControlPoints() > 10
    assert 1.0 < landmark_error(identity, *points) < 30.0
    # The landmarks lie in the volumes; a saved scene does not point to temporary files.
    bounds = np.zeros(6)
    fixed.GetRASBounds(bounds)
    for n in range(points[0].GetNumberOfControlPoints()):
        position = points[0].GetNthControlPointPositionWorld(n)
        assert all(bounds[2 * a] <= position[a] <= bounds[2 * a + 1] for a in range(3))
    assert fixed.GetStorageNode() is None


# ----------------------------------------------------------------------------------------------------------------- models


@pytest.fixture
def own_models(tmp_path, monkeypatch):
    """A folder for the user's own models, with one model; the worker uses it too."""
    from deepreg_engine.models.card import ModelCard, write_model

    monkeypatch.setenv("DEEPREG_MODELS", str(tmp_path))
    card = ModelCard("liver 7", "dense", "obelisk", origin="a test", licence="CC0", training_data="nothing", figures={"Dice": 0.5})
    write_model(tmp_path / "liver.safetensors", card, {"a": np.zeros(3, dtype=np.float32)})
    return tmp_path


def test_models_are_listed_with_card_and_checksum(slicer_app, own_models):
    from bench import MODULES, stop_worker

    slicer_app.add_module_path(MODULES)
    stop_worker()  # a worker that already runs does not use the folder
    try:
        widget = opened(slicer_app, "DeepReg")
        settled(slicer_app, widget)
        table = widget.ui.modelsTable
        rows = [[table.item(row, column).text() for column in range(table.columnCount)] for row in range(table.rowCount)]
        own = [row for row in rows if row[0] == "liver 7"]
        assert own == [["liver 7", "dense", "CC0", "OK"]]
        assert [row[0] for row in rows[:2]] == ["mind", "intensity"]
        table.setCurrentCell(rows.index(own[0]), 0)
        for words in ("a test", "CC0", "Dice: 0.5", "Trained on"):
            assert words in widget.ui.modelLabel.text
        data = bytearray((own_models / "liver.safetensors").read_bytes())
        data[-1] ^= 1
        (own_models / "liver.safetensors").write_bytes(bytes(data))
        widget.panel.listModels()
        settled(slicer_app, widget)
        assert "damaged" in [table.item(row, 3).text() for row in range(table.rowCount)]
        # The registration panel offers it by name.
        from deepreg_slicer.feature_chooser import modelNames

        assert ("liver 7", "a test") in modelNames("dense")
    finally:
        stop_worker()


# ---------------------------------------------------------------------------------------------------------- a damaged one
