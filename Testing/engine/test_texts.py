"""Translations: of finished texts and templates, of the report's page, and the list of the engine's texts for translators."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from reports import Page, blank_views, many, report_fixture, scene_fixture, small_pictures_fixture  # noqa: F401 - fixtures

from deepreg_engine.errors import InputError
from deepreg_engine.reporting.page import page
from deepreg_engine.texts import Texts, tr, translated, translations

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import engine_texts

GERMAN = {
    "the image {path} has no labels in {labels}": "im Bild {path} fehlen die Labels {labels}",
    "the {role} is empty": "{role} enthält nichts",
    "the {role} {path} is empty": "{role} {path} enthält nichts",
    "the {role} {path}": "{role} {path}",
    "fixed image": "das feste Bild",
    "give it": "gib es an",
    "{count} voxels": "{count} Voxel",
    "step {number} of {count}: {name}": "Schritt {number} von {all}: {name}",  # wrong: another placeholder
    "done {share}": "fertig {share",  # wrong: a single brace
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("give it", "gib es an"),
        ("the image a/b.nrrd has no labels in 3, 4", "im Bild a/b.nrrd fehlen die Labels 3, 4"),
        ("the fixed image is empty", "das feste Bild enthält nichts"),
        ("the fixed image a b.nrrd is empty", "fixed image a b.nrrd enthält nichts"),
        ("the fixed image a.nrrd is empty", "das feste Bild a.nrrd enthält nichts"),
        ("the image a.nrrd has no labels in 3: give it", "im Bild a.nrrd fehlen die Labels 3: gib es an"),
        ("the fixed image a.nrrd is empty: give it", "das feste Bild a.nrrd enthält nichts: gib es an"),
        ("the fixed image a.nrrd: give it", "das feste Bild a.nrrd: gib es an"),
        ("scan 7: give it", "scan 7: gib es an"),
        ("nobody has translated this", "nobody has translated this"),
        ("step 2 of 5: coarse search", "step 2 of 5: coarse search"),
        ("done 3", "done 3"),
        ("{braces}", "{braces}"),
        ("", ""),
    ],
)
def test_finished_texts_are_translated_by_their_templates(text, expected):
    assert Texts(GERMAN).translated(text) == expected
    assert Texts().translated(text) == text


def test_templates_are_filled_in_the_language_of_the_block():
    assert tr("{count} voxels", count=3) == "3 voxels"
    with translations(GERMAN):
        assert tr("{count} voxels", count=3) == "3 Voxel"
        assert translated("give it") == "gib es an"
        assert tr("step {number} of {count}: {name}", number=1, count=2, name="search") == "step 1 of 2: search"
    assert tr("{count} voxels", count=3) == "3 voxels"


def marked(text: str) -> str:
    return f"\u27e6{text}\u27e7"


def without_marked(text: str) -> str:
    """What is in no marks, from the innermost marks outwards."""
    while True:
        shorter = re.sub("\u27e6[^\u27e6\u27e7]*\u27e7", "", text)
        if shorter == text:
            return text
        text = shorter


def _words(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z]{4,}", text))


@pytest.mark.parametrize("much", [False, True])
def test_every_text_of_the_page_is_translated(report, much):
    content = many(report[0]) if much else report[0]
    with translations({text: marked(text) for text in engine_texts.texts()}):
        html = page(content, blank_views((60, 50, 40)), "de-DE")
    assert html.startswith('<!DOCTYPE html>\n<html lang="de-DE">')
    read = Page(html)
    assert all(head.startswith("\u27e6") for head, _ in read.headings[1:])
    left = without_marked(re.sub(r"<style>.*?</style>|<script>.*?</script>|<title>.*?</title>", "", html, flags=re.DOTALL))
    attributes = " ".join(re.findall(r'(?:alt|aria-label|data-before|data-after|data-between|data-stop)="([^"]*)"', left))
    words = _words(re.sub(r"<[^>]*>|&\w+;", " ", left) + attributes)
    given = [content[part] for part in ("inputs", "run", "versions", "figures", "title", "notes")]
    named = _words(str([*given, content.get("patient", "")]))
    assert words - named - {"JSON"} == set()


def test_the_list_for_translators_is_up_to_date():
    message = "run: python Testing/engine_texts.py"
    assert engine_texts.CATALOGUE.read_text(encoding="utf-8") == engine_texts.catalogue(), message


def test_messages_advice_notes_stages_and_declarations_are_in_the_list():
    found = engine_texts.texts()
    for text in (
        "the {role} {path} does not exist",
        "check the path",
        "the {role} was on another grid ({image}) and was resampled",
        "step {number} of {count}: {name}",
        "coarse search",
        "reading the images",
        "Fixed volume",
        "working spacing",
        "largest displacement searched along each axis, beyond the alignment",
        "Abdomen CT",
        "Landmark error, median",
        "Before and after",
    ):
        assert text in found, text


def test_an_error_is_found_in_the_list():
    """The template that the script derives from the source fits the message that the engine makes."""
    from deepreg_engine.geometry.images import read_volume

    with pytest.raises(InputError) as caught:
        read_volume("/nowhere/a.nrrd", "fixed image")
    texts = Texts({text: marked(text) for text in engine_texts.texts()})
    assert without_marked(texts.translated(caught.value.line())).strip(": ") == ""
