"""Folders of models: of those that come with the engine, and of the user's own.

The user's models are in the folder of the environment variable ``DEEPREG_MODELS``, else in the system's folder for data of applications.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def shipped_folder() -> Path:
    """Return the folder of the models that come with the engine."""
    return Path(__file__).resolve().parent.parent / "weights"


def own_folder() -> Path:
    """Return the folder of the user's own models; it may not exist yet."""
    return models_folder(sys.platform, os.environ, Path.home())


def models_folder(system: str, environment: Mapping[str, str], home: Path) -> Path:
    """Return the folder of the user's own models.

    Args:
        system: as in ``sys.platform``.
        environment: variables of the process; an empty one counts as none.
        home: folder of the user.
    """
    if chosen := environment.get("DEEPREG_MODELS"):
        return Path(chosen)
    if system == "win32":
        base = Path(environment.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif system == "darwin":
        base = home / "Library" / "Application Support"
    else:
        base = Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share")
    return base / "DeepReg" / "models"
