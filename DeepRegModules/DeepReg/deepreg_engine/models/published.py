"""Import of the published PDD-Net checkpoints (multimodallearning/pdd_net, Apache-2.0).

A ``.pth`` file is read with ``weights_only=True``, so that no code in it is executed. Names and shapes are not changed.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from deepreg_engine.errors import InputError
from deepreg_engine.models.card import ModelCard, write_model

_SOURCE = "multimodallearning/pdd_net (Heinrich, MICCAI 2019)"
# The published scripts give the network HU / 500 at about 2 mm, on arrays in nibabel's order (x, y, z). The running
# statistics of the batch normalisation agree with abdominal CT under these settings, and less well under others.
_SETTINGS = {"spacing_mm": 2.0, "intensity_scale": 500.0, "reversed_axes": True}


def read_checkpoint(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Return names and arrays of a ``.pth`` file that holds only tensors.

    Raises:
        InputError: if it is missing, no checkpoint, or holds anything else.
    """
    import torch

    from deepreg_engine.arrays import array_of

    path = Path(path)
    if not path.is_file():
        raise InputError(f"the checkpoint {path} does not exist", "check the path")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds; all mean the same to the user
        raise InputError(f"{path} is not a checkpoint of plain weights", "only files of tensors can be read") from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise InputError(f"{path} holds more than weights", "save the network's state_dict alone")
    return {name: array_of(value) for name, value in state.items()}


def import_checkpoint(
    path: str | os.PathLike, output: str | os.PathLike, name: str | None = None, regulariser: str | os.PathLike | None = None
) -> ModelCard:
    """Turn a published checkpoint of Obelisk features into a model file.

    Args:
        path: the features' ``.pth``.
        output: the ``.safetensors`` to write.
        name: of the model; the file's by default.
        regulariser: a ``.pth`` with the weights a0, a1, ... of the cost and its regularisation, to go with it as ``alpha``.

    Raises:
        InputError: if the files are not of these kinds.
        OutputError: if the model cannot be written.
    """
    from deepreg_engine.arrays import tensor_of
    from deepreg_engine.features.obelisk import Obelisk

    weights = read_checkpoint(path)
    if "alpha" in weights and "offsets" not in weights:
        raise InputError(
            f"{path} holds weights of the regularisation, not features",
            "import the features, with this file as their regulariser",
            "regulariser",
        )
    network = Obelisk.from_state({key: tensor_of(value) for key, value in weights.items()})
    if regulariser is not None:
        extra = read_checkpoint(regulariser)
        if set(extra) != {"alpha"} or extra["alpha"].ndim != 1:
            raise InputError(f"{regulariser} does not hold the weights of the regularisation", "it has one vector, alpha")
        weights = {**weights, **extra}
    card = ModelCard(
        name=name or Path(output).stem,
        method="dense",
        architecture="obelisk",
        origin=_SOURCE,
        licence="Apache-2.0",
        training_data="abdominal CT (VISCERAL Anatomy3 / Learn2Reg), as its authors say",
        intended_use="abdominal CT",
        figures={"channels": network.channels},
        settings=_SETTINGS,
    )
    return write_model(output, card, weights)
