"""The application of this process: the host, or a real one in which this code runs."""

from __future__ import annotations

from pathlib import Path

from slicer_testing.backend import Backend, inside_application


def start(module_paths: tuple[str | Path, ...] = ()) -> Backend:
    """Return the application of this process: a real one in which this code runs, otherwise the host, which is started.

    Args:
        module_paths: search paths for modules.
    """
    if inside_application():
        from slicer_testing.inside.application import current

        backend = current()
        for path in module_paths:
            backend.add_module_path(path)
        return backend
    from slicer_testing import host

    return host.start(module_paths)
