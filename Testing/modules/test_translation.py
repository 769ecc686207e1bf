"""The engine's texts in the application's language: in panels, in errors of the worker, and on the page of a report."""

from __future__ import annotations

import pytest
from panels import opened

ITALIAN = {
    "Fixed volume": "Volume fisso",
    "Abdomen CT": "TC addome",
    "working spacing": "passo di lavoro",
    "Resolution": "Risoluzione",
    "the {role} {path} does not exist": "{role} {path} non esiste",
    "fixed image": "l'immagine fissa",
    "check the path": "controlla il percorso",
    "Landmark error, median": "Errore dei punti, mediana",
}


@pytest.fixture
def italian(app, monkeypatch):
    """The application's translator has some of the engine's texts in Italian."""
    from deepreg_slicer import engine_texts

    def translated(context, text):
        return ITALIAN.get(text, text) if context == "DeepRegEngine" else text

    monkeypatch.setattr(engine_texts, "translate", translated)
    for function in (engine_texts.translationTable, engine_texts._texts):
        function.cache_clear()
    yield engine_texts
    for function in (engine_texts.translationTable, engine_texts._texts):
        function.cache_clear()


def test_a_panel_shows_declarations_in_the_users_language(app, italian):
    import qt

    widget = opened(app, "DeepRegDense")
    labels = {label.text.replace("&", "").rstrip(":") for label in widget.parent.findChildren(qt.QLabel)}
    assert {"Volume fisso", "Passo di lavoro"} <= labels
    assert "<b>Risoluzione</b>" in labels
    assert widget.ui.presetComboBox.findText("TC addome") >= 0


def test_errors_of_the_worker_are_translated_with_their_values(app, italian):
    assert italian.engineText("the fixed image a.nrrd does not exist") == "l'immagine fissa a.nrrd non esiste"
    assert italian.sentence("check the path") == "Controlla il percorso."


def test_a_report_gets_the_translations(app, italian):
    import slicer

    opened(app, "DeepRegInspector")  # its folder is then on the path
    from DeepRegInspectorLib.report import ReportInputs, ReportTask

    volume, transform = (slicer.mrmlScene.AddNewNodeByClass(f"vtkMRML{kind}Node") for kind in ("ScalarVolume", "LinearTransform"))
    slicer.app.settings().setValue("language", "it_IT")
    try:
        arguments = ReportTask(ReportInputs(transform, volume, volume), "/nowhere/r.html", False)._names([])
    finally:
        slicer.app.settings().remove("language")
    assert arguments["language"] == "it-IT"
    assert arguments["texts"] == ITALIAN


def test_in_english_there_is_no_table(app):
    from deepreg_slicer import engine_texts

    assert engine_texts.translationTable() == {}
    assert engine_texts.pageLanguage() == "en"
