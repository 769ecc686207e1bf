"""Reading of label names from a JSON file."""

from __future__ import annotations

import json
import os
from pathlib import Path

from deepreg_engine.errors import InputError


def read_label_names(path: str | os.PathLike) -> dict[int, str]:
    """Read a dictionary of label number to name, from ``{"1": "liver"}`` or from an object with that under "label_names" or "labels".

    Raises:
        InputError: if the file is missing or has another content.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        for key in ("label_names", "labels"):
            content = content[key] if isinstance(content.get(key), dict) else content
        return {int(number): str(name) for number, name in content.items()}
    except FileNotFoundError as error:
        raise InputError(f"the label names {path} do not exist", "check the path", "label_names") from error
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{path} does not hold names of labels", 'write {"1": "liver", "2": "spleen"}', "label_names") from error
