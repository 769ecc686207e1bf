"""Texts of the engine (titles, help, stages, notes, errors), translated where they are shown.

The engine's texts for translators are in :mod:`deepreg_slicer.engine_catalogue`.
"""

from __future__ import annotations

from functools import cache

import slicer
from slicer.i18n import translate

from deepreg_engine.texts import Texts
from deepreg_slicer.engine_catalogue import TEXTS

#: Context of the engine's texts in translation files.
CONTEXT = "DeepRegEngine"


@cache
def translationTable() -> dict[str, str]:
    """Return the translations of the engine's texts into the application's language, which does not change in a run; empty in English."""
    found = {text: translate(CONTEXT, text) for text in TEXTS}
    return {text: translation for text, translation in found.items() if translation != text}


@cache
def _texts() -> Texts:
    return Texts(translationTable())


def pageLanguage() -> str:
    """Return the language of a page with the engine's texts, as in HTML: the application's if there are translations, else English."""
    language = slicer.app.settings().value("language") if translationTable() else ""
    return str(language or "en").replace("_", "-")


def engineText(text: str) -> str:
    """Return a text of the engine in the user's language; unchanged without a translation."""
    return _texts().translated(text)


def sentence(text: str) -> str:
    """Return a text of the engine as a sentence: with a capital letter and a full stop."""
    text = engineText(text)
    return f"{text[:1].upper()}{text[1:]}." if text else ""
