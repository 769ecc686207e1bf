"""Annotations for the display of a parameter in a panel, and the warning about annotations that have no effect."""

import dataclasses
import logging
from typing import Union


class GuiAnnotation:
    """Base class of the annotations that affect widgets and not the stored value."""


@dataclasses.dataclass
class Decimals(GuiAnnotation):
    """Number of decimals that the widget shows."""

    value: int


@dataclasses.dataclass
class SingleStep(GuiAnnotation):
    """Change of the value by one step of the widget."""

    value: float | int


@dataclasses.dataclass
class Label(GuiAnnotation):
    """Text beside the widget, instead of the parameter's name."""

    label: str


def warnOfUnused(annotations, owner, name: str) -> None:
    """Log the annotations without effect: most likely a mistake in the class ``owner``."""
    unused = [annotation for annotation in annotations if not isinstance(annotation, GuiAnnotation)]
    if unused:
        logging.warning(f"Unused annotations of {owner.__name__}.{name}: {unused}")
