"""The methods whose features can be trained, with the engine's parameters and presets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from slicer.i18n import tr as _

from deepreg_engine.training.presets import TrainingPreset
from deepreg_engine.training.registry import TRAININGS, training_presets

DEFAULT_METHOD, DEFAULT_PRESET = "descent", "standard"


@dataclass(frozen=True)
class Method:
    """A method whose features can be trained.

    Args:
        name: as kept in the scene.
        title: as shown.
        help: the learned features and the data.
        architecture: of the network that is trained, unless a parameter chooses it.
        ofPoints: whether it learns from keypoints instead of labelled scans.
    """

    name: str
    title: str
    help: str
    architecture: str
    ofPoints: bool = False

    @property
    def options(self) -> type:
        """The engine's class of parameters."""
        return TRAININGS[self.name]

    def architectureOf(self, values: dict[str, Any]) -> str:
        """Return the architecture of the network that these parameters train: a training can start from models of that kind."""
        return f"{values['network']}-net" if "network" in values else self.architecture

    @property
    def hasSpacing(self) -> bool:
        """Whether the voxel size is one of its parameters, and shown among them."""
        return any(description.name == "spacing" for description in self.options.describe())

    def presets(self) -> tuple[TrainingPreset, ...]:
        """Return the presets."""
        return training_presets(self.name)

    def preset(self, name: str) -> TrainingPreset | None:
        """Return the preset of that name; None if there is none."""
        return next((preset for preset in self.presets() if preset.name == name), None)

    def values(self, preset: TrainingPreset) -> dict[str, Any]:
        """Return all parameters of a preset, name to value."""
        return self.options().replaced(preset.changes).to_dict()


METHODS = {
    method.name: method
    for method in (
        Method(
            "dense",
            _("Dense"),
            _("Features for Dense Registration, from scans of one contrast in which the same structures are labelled."),
            "label-net",
        ),
        Method(
            "descent",
            _("Descent"),
            _("Features for Descent Registration that are similar in scans of different contrast, from labelled scans."),
            "contrast-net",
        ),
        Method(
            "points",
            _("Points"),
            _("Features for Point Registration, from corresponding keypoints of pairs of scans."),
            "edge-conv",
            ofPoints=True,
        ),
    )
}
