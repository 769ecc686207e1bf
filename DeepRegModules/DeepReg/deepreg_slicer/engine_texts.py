"""Texts of the engine (titles, help, stages, errors), translated where they are shown."""

from __future__ import annotations

from slicer.i18n import translate

#: Of all texts of the engine, in translation files.
CONTEXT = "DeepRegEngine"


def engineText(text: str) -> str:
    """A text of the engine in the user's language; unchanged without a translation."""
    return translate(CONTEXT, text) if text else ""


def sentence(text: str) -> str:
    """A text of the engine as a sentence: with a capital letter and a full stop."""
    text = engineText(text)
    return f"{text[:1].upper()}{text[1:]}." if text else ""
