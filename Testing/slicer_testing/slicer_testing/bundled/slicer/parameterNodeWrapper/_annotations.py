"""Annotations that say how a parameter looks in a panel, and the warning about those that say nothing to anybody."""

import dataclasses
import logging
from typing import Union


class GuiAnnotation:
    """Base of the annotations that matter to widgets and not to the stored value."""


@dataclasses.dataclass
class Decimals(GuiAnnotation):
    """How many decimals the widget shows."""

    value: int


@dataclasses.dataclass
class SingleStep(GuiAnnotation):
    """By how much one step of the widget changes the value."""

    value: float | int


@dataclasses.dataclass
class Label(GuiAnnotation):
    """The text beside the widget, in place of the parameter's name."""

    label: str


def warnOfUnused(annotations, owner, name: str) -> None:
    """Log the annotations that nothing will look at: most likely a mistake in the class ``owner``."""
    unused = [annotation for annotation in annotations if not isinstance(annotation, GuiAnnotation)]
    if unused:
        logging.warning(f"Unused annotations of {owner.__name__}.{name}: {unused}")
