"""Docstrings for the API pages: roles and literal blocks of reStructuredText become Markdown."""

import re

import griffe


class Markdown(griffe.Extension):
    """``:func:`name``` becomes code, and ``::`` before an indented block a colon."""

    def on_instance(self, *, obj: griffe.Object, **_) -> None:
        """Change the docstring of one object in place."""
        if obj.docstring:
            text = re.sub(r":[a-z]+:`~?([^`]+)`", r"`\1`", obj.docstring.value)
            obj.docstring.value = re.sub(r"::\n\n", ":\n\n", text)
