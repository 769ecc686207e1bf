"""A model file: weights as ``.safetensors``, and a card in its header that describes them.

The header's entry ``deepreg`` is a JSON object with the fields of :class:`ModelCard`, and the SHA-256 of the weights. Nothing is
unpickled. Reading a card needs neither torch nor the package safetensors, which is imported when weights are read or written: panels read
cards before it is installed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.files import FileGroup

_ENTRY = "deepreg"


@dataclass(frozen=True)
class ModelCard:
    """Description of a model for users.

    Args:
        name: unique, as typed.
        method: "dense", "points" or "descent".
        architecture: name of the network of the weights.
        origin: author and source.
        licence: of the weights.
        training_data: data of the training.
        date: of the training, ISO.
        intended_use: regions and modalities.
        figures: measured results, name to value.
        settings: what the network needs to run, such as its spacing and intensity scale.
        sha256: of the weights, see :func:`weights_digest`.
    """

    name: str
    method: str
    architecture: str
    origin: str = ""
    licence: str = ""
    training_data: str = ""
    date: str = ""
    intended_use: str = ""
    figures: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    sha256: str = ""


def weights_digest(weights: Mapping[str, np.ndarray]) -> str:
    """Return SHA-256 over names, shapes, types and bytes of all weights, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        array = weights[name]
        digest.update(f"{name}|{array.shape}|{array.dtype.str}|".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def write_model(path: str | os.PathLike, card: ModelCard, weights: Mapping[str, np.ndarray]) -> ModelCard:
    """Write a model file, completely or not at all; returns the card with its checksum.

    Raises:
        InputError: if the ending is not ``.safetensors``.
        OutputError: if it cannot be written.
    """
    from safetensors.numpy import save_file

    if Path(path).suffix != ".safetensors":
        raise InputError(f"{path} has no ending of a model file", "use .safetensors")
    weights = {name: np.asarray(array, order="C") for name, array in weights.items()}  # a single number keeps its shape ()
    card = dataclasses.replace(card, sha256=weights_digest(weights))
    header = {_ENTRY: json.dumps(dataclasses.asdict(card), sort_keys=True)}
    with FileGroup() as files:
        files.add(path, lambda name: save_file(weights, name, metadata=header))
    return card


def read_card(path: str | os.PathLike) -> ModelCard:
    """Return the card of a model file.

    Raises:
        InputError: if the file is missing, not safetensors, or has no card.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"the model {path} does not exist", "check the path, or see: models list")
    try:
        metadata = _read_header(path).get("__metadata__") or {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        advice = "import published .pth files with: models import" if path.suffix in (".pth", ".pt") else "it may be damaged"
        raise InputError(f"the model {path} is not a safetensors file", advice) from error
    try:
        values = json.loads(metadata[_ENTRY])
        known = {f.name for f in dataclasses.fields(ModelCard)}
        return ModelCard(**{key: value for key, value in values.items() if key in known})
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"the model {path} has no card in its header", "it was not made for this engine") from error


def _read_header(path: Path) -> dict[str, Any]:
    """Return the header of a safetensors file: 8 bytes with the header's length, the header as JSON, and the weights.

    Raises:
        OSError, ValueError, KeyError, TypeError, AttributeError, struct.error: if it is not such a file, or not as long as its header says.
    """
    size = path.stat().st_size
    with open(path, "rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        if length > size - 8:
            raise ValueError("the header is longer than the file")
        header = json.loads(stream.read(length))
    end = max((entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"), default=0)
    if 8 + length + end != size:
        raise ValueError("the file has another length than its header says")
    return header


def read_weights(path: str | os.PathLike, check: bool = True) -> dict[str, np.ndarray]:
    """Return the weights of a model file.

    Raises:
        InputError: if it cannot be read, or, with ``check``, does not match its checksum.
    """
    from safetensors import SafetensorError, safe_open

    card = read_card(path)
    try:
        with safe_open(str(path), framework="np") as stream:
            weights = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118 - not a dictionary
    except (SafetensorError, KeyError, TypeError, ValueError) as error:  # a type that NumPy lacks
        raise InputError(f"the weights of {path} cannot be read", "the file is damaged: get it again") from error
    if check and weights_digest(weights) != card.sha256:
        raise InputError(f"the weights of {path} do not match their checksum", "the file is damaged: get it again")
    return weights
