"""Where models lie: those that come with the engine, and a user's own.

Models of one's own are in the folder that the environment variable ``DEEPREG_MODELS`` names, else where the system keeps an
application's data.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def shipped_folder() -> Path:
    """Where the models lie that come with the engine."""
    return Path(__file__).resolve().parent.parent / "weights"


def own_folder() -> Path:
    """Where a user's own models lie; it may not exist yet."""
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
