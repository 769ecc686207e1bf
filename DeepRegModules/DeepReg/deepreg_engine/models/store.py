"""The models a user has: those that are shipped, and those of their own; and features by name."""

from __future__ import annotations

import dataclasses
import difflib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from deepreg_engine.errors import EngineError, InputError, OutputError, ParameterError
from deepreg_engine.models.card import ModelCard, read_card, read_weights, write_model
from deepreg_engine.models.folders import own_folder, shipped_folder

if TYPE_CHECKING:  # torch is imported only where features are made
    from deepreg_engine.features.extractors import Extractor

HANDCRAFTED = ("mind", "intensity")
#: Networks and formulas that give features of images, which the Dense and the Descent method both compare.
OF_IMAGES = ("obelisk", "contrast-net", "context-net", "label-net", "similarity-net", "tissue-net")


class FeatureParameters(Protocol):
    """What parameters say about features; ``fixed_modality`` and ``moving_modality`` too, where a method has them."""

    features: str
    mind_radius: int
    mind_dilation: int

    def replaced(self, changes: dict) -> FeatureParameters: ...  # noqa: D102


@dataclass(frozen=True)
class StoredModel:
    """One model file.

    Args:
        path: of the file.
        card: None if the file cannot be read.
        problem: why not, else "".
    """

    path: Path
    card: ModelCard | None
    problem: str = ""


def list_models() -> list[StoredModel]:
    """All model files in both folders, the shipped ones first."""
    found = []
    for folder in (shipped_folder(), own_folder()):
        for path in sorted(folder.glob("*.safetensors")):
            try:
                found.append(StoredModel(path, read_card(path)))
            except EngineError as error:
                found.append(StoredModel(path, None, error.line()))
    return found


def verify(model: StoredModel) -> str:
    """ "" if the weights are whole, else what is wrong with them."""
    if model.card is None:
        return model.problem
    try:
        read_weights(model.path)
    except EngineError as error:
        return error.line()
    return ""


def find_model(name: str) -> StoredModel:
    """The model of that name, or in that file.

    Raises:
        ParameterError: if there is none, naming the nearest.
        InputError: if the file cannot be read.
    """
    if name.endswith((".safetensors", ".pth", ".pt")) or os.sep in name:
        return StoredModel(Path(name), read_card(name))
    models = [model for model in list_models() if model.card is not None]
    for model in models:
        if model.card.name == name:
            return model
    names = [*HANDCRAFTED, *(model.card.name for model in models)]
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}; or give a .safetensors file"
    raise ParameterError(f"there are no features {name!r}", hint)


def adopt(path: str, name: str | None = None) -> StoredModel:
    """Put a model file, or a published checkpoint (``.pth``), into the folder of a user's own models.

    Raises:
        InputError: if it is neither, or damaged.
        ParameterError: if its name belongs to another model.
        OutputError: if the folder cannot be written to.
    """
    from deepreg_engine.models.published import import_checkpoint

    source = Path(path)
    published = source.suffix in (".pth", ".pt")
    card = None if published else read_card(source)
    weights = None if published else read_weights(source)
    name = name or (source.stem if published else card.name)
    taken = [*HANDCRAFTED, *(model.card.name for model in list_models() if model.card is not None)]
    if name in taken:
        raise ParameterError(f"there is a model {name!r} already", "give it another name, or remove the other")
    folder = own_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder} ({error.strerror or error})", "name another in DEEPREG_MODELS") from error
    target = folder / f"{_file_name(name)}.safetensors"
    card = import_checkpoint(source, target, name) if published else write_model(target, dataclasses.replace(card, name=name), weights)
    return StoredModel(target, card)


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name) or "model"


def check_features(features: str) -> None:
    """Make sure that the features a registration asks for exist, without torch.

    Args:
        features: a formula's or model's name, or a model's file.

    Raises:
        ParameterError, InputError: as :func:`load_extractors`.
    """
    if len(names := feature_names(features)) > 1:
        for name in names:
            check_features(name)
        return
    if features in HANDCRAFTED:
        return
    model = find_model(features)
    if model.card.architecture not in OF_IMAGES:
        raise InputError(f"the model {model.card.name} ({model.card.architecture}) gives no features of images", "choose another")


def feature_names(features: str) -> list[str]:
    """Names of features that are joined by "+"; a file's own name may have one."""
    return [features] if Path(features).is_file() else [name.strip() for name in features.split("+")]


def load_extractor(parameters: FeatureParameters) -> Extractor:
    """The features of a registration's fixed image, see :func:`load_extractors`."""
    return load_extractors(parameters)[0]


def load_extractors(parameters: FeatureParameters) -> tuple[Extractor, Extractor]:
    """The features that a registration asks for, of its fixed and of its moving image.

    Raises:
        ParameterError: if they do not exist.
        InputError: if the model is damaged, or of a kind that gives no dense features.
    """
    from deepreg_engine.features.extractors import (
        ContextFeatures,
        ContrastFeatures,
        Intensity,
        Joined,
        LabelFeatures,
        Mind,
        ObeliskFeatures,
    )

    if len(names := feature_names(parameters.features)) > 1:
        sides = zip(*(load_extractors(parameters.replaced({"features": name})) for name in names))
        fixed, moving = (Joined(*parts) for parts in sides)
        return fixed, moving
    if parameters.features == "mind":
        return (Mind(parameters.mind_radius, parameters.mind_dilation),) * 2
    if parameters.features == "intensity":
        return (Intensity(),) * 2
    check_features(parameters.features)
    model = find_model(parameters.features)
    import torch

    weights = {name: torch.from_numpy(array.copy()) for name, array in read_weights(model.path).items() if name != "alpha"}
    if model.card.architecture == "contrast-net":
        from deepreg_engine.features.contrast_net import ContrastNet

        network = ContrastNet.from_state(weights)
        sides = (getattr(parameters, f"{side}_modality", "auto") for side in ("fixed", "moving"))
        return tuple(ContrastFeatures(network, model.card.name, modality) for modality in sides)
    if model.card.architecture == "similarity-net":
        from deepreg_engine.features.extractors import SimilarityFeatures
        from deepreg_engine.features.similarity_net import SimilarityNet

        return (SimilarityFeatures(SimilarityNet.from_state(weights), model.card.name),) * 2
    if model.card.architecture == "tissue-net":
        from deepreg_engine.features.extractors import TissueFeatures
        from deepreg_engine.features.tissue_net import TissueNet

        return (TissueFeatures(TissueNet.from_state(weights), model.card.name),) * 2
    settings = model.card.settings
    if model.card.architecture == "context-net":
        from deepreg_engine.features.context_net import ContextNet

        network = ContextNet.from_state(weights)
        modality = str(settings.get("modality", "auto"))
        return (ContextFeatures(network, model.card.name, float(settings.get("spacing_mm", 2.0)), modality),) * 2
    if model.card.architecture == "label-net":
        from deepreg_engine.features.label_net import LabelNet

        network = LabelNet.from_state(weights)
        spacing, window = float(settings.get("spacing_mm", 3.0)), int(settings.get("size", 64))
        return (LabelFeatures(network, model.card.name, spacing, window, str(settings.get("modality", "auto"))),) * 2
    from deepreg_engine.features.obelisk import Obelisk

    extractor = ObeliskFeatures(
        Obelisk.from_state(weights),
        model.card.name,
        float(settings.get("spacing_mm", 2.0)),
        float(settings.get("intensity_scale", 500.0)),
        bool(settings.get("reversed_axes", False)),
    )
    return extractor, extractor
