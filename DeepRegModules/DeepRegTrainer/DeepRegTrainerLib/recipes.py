"""What can be trained, and how: the engine's options and presets of each method."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from slicer.i18n import tr as _

from deepreg_engine.training.registry import TRAININGS, training_presets

DEFAULT_METHOD, DEFAULT_RECIPE = "descent", "standard"


@dataclass(frozen=True)
class Recipe:
    """A named set of options.

    Args:
        name: as kept in the scene.
        title: as shown.
        help: what it is for.
        values: name to value of all options.
    """

    name: str
    title: str
    help: str
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Method:
    """A method whose features can be learned.

    Args:
        name: as kept in the scene.
        title: as shown.
        help: what is learned from what.
        options: the engine's class of options.
        architecture: of the network that is trained, unless an option says which.
        ofPoints: whether it learns from keypoints instead of labelled scans.
    """

    name: str
    title: str
    help: str
    options: type
    architecture: str
    ofPoints: bool = False

    def architectureOf(self, values: dict) -> str:
        """Of the network that these options train: a training can begin with models of that kind."""
        return f"{values['network']}-net" if "network" in values else self.architecture

    @property
    def hasSpacing(self) -> bool:
        """Whether the voxel size is one of its options, and stands under these."""
        return any(description.name == "spacing" for description in self.options.describe())

    def recipes(self) -> list[Recipe]:
        """The presets, the default of the options for what they do not say."""
        default = self.options()
        return [
            Recipe(preset.name, preset.title, preset.help, default.replaced(preset.changes).to_dict())
            for preset in training_presets(self.name)
        ]

    def recipe(self, name: str) -> Recipe | None:
        """The preset of that name."""
        return next((recipe for recipe in self.recipes() if recipe.name == name), None)


METHODS = {
    method.name: method
    for method in (
        Method(
            "dense",
            _("Dense"),
            _("Features for Dense Registration, from scans of one contrast in which the same structures are labelled."),
            TRAININGS["dense"],
            "label-net",
        ),
        Method(
            "descent",
            _("Descent"),
            _("Features for Descent Registration that look alike in scans of different contrast, from labelled scans."),
            TRAININGS["descent"],
            "contrast-net",
        ),
        Method(
            "points",
            _("Points"),
            _("Features for Point Registration, from corresponding keypoints of pairs of scans."),
            TRAININGS["points"],
            "edge-conv",
            ofPoints=True,
        ),
    )
}
