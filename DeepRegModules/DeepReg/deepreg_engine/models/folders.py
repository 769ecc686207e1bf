"""Folders of models: of those that come with the engine, and of the user's own.

The user's models are in the folder of the environment variable ``DEEPREG_MODELS``, else in the system's folder for data of applications.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def shipped_folder() -> Path:
    """Return the folder of the models that come with the engine."""
    return Path(__file__).resolve().parent.parent / "weights"


def own_folder() -> Path:
    """Return the folder of the user's own models; it may not exist yet."""
    chosen = os.environ.get("DEEPREG_MODELS")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share"))
    return base / "DeepReg" / "models"
