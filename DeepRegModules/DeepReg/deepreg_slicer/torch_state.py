"""Whether PyTorch is installed, without importing it, because the application's process never imports it."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util

#: What the engine needs beside what Slicer bundles.
NEEDED = ("torch", "safetensors", "psutil")
#: The oldest PyTorch that the engine works with.
TORCH_REQUIREMENT = ">=2.2"


def missingPackages() -> list[str]:
    """Packages that have to be installed before anything can be computed."""
    importlib.invalidate_caches()  # one may have been installed since
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def torchVersion() -> str | None:
    """The version of the installed PyTorch, from its metadata; None without one."""
    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return None
