"""Presets: parameters of a training under a name. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

QUICK = "a few minutes on two cores, to see whether features can be learned from the scans"


@dataclass(frozen=True)
class TrainingPreset:
    """Named parameters of a training.

    Args:
        name: as typed.
        title: as shown.
        help: its purpose.
        changes: parameters that differ from the defaults, name to value.
    """

    name: str
    title: str
    help: str
    changes: Mapping[str, Any]
