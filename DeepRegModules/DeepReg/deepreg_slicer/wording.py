"""Texts for users that are made from others: sentences, and numbers of things."""

from __future__ import annotations

from deepreg_engine.texts import counted

__all__ = ["capitalized", "counted", "sentence"]


def capitalized(text: str) -> str:
    """Return a text with a capital first letter."""
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """Return a text with a capital first letter and a full stop; "" for none."""
    return capitalized(text) + ("" if text.endswith((".", "!", "?")) else ".") if text else ""
