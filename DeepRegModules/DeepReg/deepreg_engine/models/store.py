"""The models of a user: the shipped ones and their own; and features by name."""

from __future__ import annotations

import dataclasses
import difflib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from deepreg_engine.errors import EngineError, InputError, OutputError, ParameterError
from deepreg_engine.features.registry import Feature, find, handcrafted, handcrafted_names
from deepreg_engine.models.card import ModelCard, read_card, read_weights, write_model
from deepreg_engine.models.folders import own_folder, shipped_folder

if TYPE_CHECKING:  # torch is imported only where features are made
    from torch import Tensor

    from deepreg_engine.features.extractor import Extractor
    from deepreg_engine.features.point_matcher import Matcher


class FeatureParameters(Protocol):
    """The parameters of features; some methods also have ``fixed_modality`` and ``moving_modality``."""

    @property
    def features(self) -> str: ...  # noqa: D102

    @property
    def mind_radius(self) -> int: ...  # noqa: D102

    @property
    def mind_dilation(self) -> int: ...  # noqa: D102

    def replaced(self, changes: dict) -> FeatureParameters: ...  # noqa: D102

    def to_dict(self) -> dict: ...  # noqa: D102


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

    def read(self) -> ModelCard:
        """Return the card.

        Raises:
            InputError: if the file cannot be read.
        """
        if self.card is None:
            raise InputError(self.problem)
        return self.card


def list_models() -> list[StoredModel]:
    """Return all model files in both folders, the shipped ones first."""
    found = []
    for folder in (shipped_folder(), own_folder()):
        for path in sorted(folder.glob("*.safetensors")):
            try:
                found.append(StoredModel(path, read_card(path)))
            except EngineError as error:
                found.append(StoredModel(path, None, error.line()))
    return found


def verify(model: StoredModel) -> str:
    """Return the description of a damage of the weights; "" if there is none."""
    if model.card is None:
        return model.problem
    try:
        read_weights(model.path)
    except EngineError as error:
        return error.line()
    return ""


def find_model(name: str) -> StoredModel:
    """Return the model of that name, or in that file.

    Raises:
        ParameterError: if there is none, naming the nearest.
        InputError: if the file cannot be read.
    """
    if name.endswith((".safetensors", ".pth", ".pt")) or os.sep in name:
        return StoredModel(Path(name), read_card(name))
    # Of several models with one name, the first in the list.
    models = {model.card.name: model for model in reversed(list_models()) if model.card is not None}
    if name in models:
        return models[name]
    names = [*handcrafted_names("images"), *reversed(models)]
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
    name = name or (source.stem if published else read_card(source).name)
    taken = [*handcrafted_names(), *(model.card.name for model in list_models() if model.card is not None)]
    if name in taken:
        raise ParameterError(f"there is a model {name!r} already", "give it another name, or remove the other")
    folder = own_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder} ({error.strerror or error})", "name another in DEEPREG_MODELS") from error
    target = folder / f"{_file_name(name)}.safetensors"
    if published:
        return StoredModel(target, import_checkpoint(source, target, name))
    return StoredModel(target, write_model(target, dataclasses.replace(read_card(source), name=name), read_weights(source)))


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name) or "model"


def check_features(features: str, subject: str = "images") -> None:
    """Check, without torch, that the features that a registration asks for exist and that the weights of models are whole.

    Args:
        features: names of handcrafted features or models, or a model's file; joined by "+".
        subject: "images" or "points": what the features are computed from.

    Raises:
        ParameterError, InputError: as :func:`load_extractors`.
    """
    for name in feature_names(features):
        _, model = _find_feature(name, subject)
        if model is not None and (problem := verify(model)):
            raise InputError(problem)


def _find_feature(name: str, subject: str) -> tuple[Feature, StoredModel | None]:
    """Return a feature of "images" or of "points", with its model unless it is handcrafted.

    Raises:
        ParameterError: if there is none of that name.
        InputError: if the feature has the other subject, or the model cannot be read.
    """
    feature, model = handcrafted(name), None
    if feature is None:
        model = find_model(name)
        card = model.read()
        feature, name = find(card.architecture), f"{card.name} ({card.architecture})"
    if feature is None or feature.subject != subject:
        kind = "formula" if model is None else "model"
        raise InputError(f"the {kind} {name} gives no features of {subject}", "choose another")
    return feature, model


def needs_of(features: str) -> tuple[bool, bool]:
    """Return whether features need CT in HU, and whether they need images of one contrast; both False if there are none of that name."""
    try:
        kinds = [_find_feature(name, "images")[0] for name in feature_names(features)]
    except EngineError:
        return False, False
    return any(kind.hounsfield for kind in kinds), any(kind.same_contrast for kind in kinds)


def feature_names(features: str) -> list[str]:
    """Return the names of features that are joined by "+"; a file's own name may contain one."""
    return [features] if Path(features).is_file() else [name.strip() for name in features.split("+")]


def load_extractor(parameters: FeatureParameters) -> Extractor:
    """Return the features of a registration's fixed image, see :func:`load_extractors`."""
    return load_extractors(parameters)[0]


def load_extractors(parameters: FeatureParameters) -> tuple[Extractor, Extractor]:
    """Return the features that a registration asks for, of its fixed and of its moving image.

    Raises:
        ParameterError: if they do not exist.
        InputError: if the model is damaged, or gives no features of images.
    """
    from deepreg_engine.features.extractor import Joined

    fixed, moving = [], []
    for name in feature_names(parameters.features):
        feature, model = _find_feature(name, "images")
        if model is None:
            extractor: Extractor = feature.load(name, {}, parameters.to_dict())
        else:
            extractor = feature.load(model.read().name, _weights(model), model.read().settings)
        for side, found in (("fixed", fixed), ("moving", moving)):
            found.append(extractor.of_modality(getattr(parameters, f"{side}_modality", "auto")))
    return (fixed[0], moving[0]) if len(fixed) == 1 else (Joined(*fixed), Joined(*moving))


def load_matcher(name: str) -> tuple[Matcher | None, str]:
    """Return the matcher of points, by a model's name or file, and the model's name; None if only positions are compared.

    Raises:
        ParameterError: if there is no such model.
        InputError: if it gives no features of points, or is damaged.
    """
    feature, model = _find_feature(name, "points")
    if model is None:
        return None, name
    card = model.read()
    return feature.load(card.name, _weights(model), card.settings), card.name


def _weights(model: StoredModel) -> dict[str, Tensor]:
    from deepreg_engine.arrays import tensor_of

    return {name: tensor_of(array.copy()) for name, array in read_weights(model.path).items()}
