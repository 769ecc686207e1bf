"""Files of the results so far of a running registration, for another program that shows them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from deepreg_engine.errors import OutputError, ParameterError

if TYPE_CHECKING:
    from deepreg_engine.geometry.displacement_field import DisplacementField


class PreviewFiles:
    """Writes each displacement field into a file of its own in a folder, which the reader may remove.

    Args:
        folder: that exists.
        written: called with the path of each file, and the name of the stage.

    Raises:
        ParameterError: if there is no such folder.
    """

    def __init__(self, folder: str, written: Callable[[str, str], None]) -> None:
        if not Path(folder).is_dir():
            raise ParameterError(f"the folder of previews {folder} does not exist", "make it first", "preview")
        self._folder, self._written = Path(folder), written
        self._count = 0

    def __call__(self, field: DisplacementField, stage: str) -> None:
        """Write one field. Without room on the disk there is no preview: the registration goes on."""
        from deepreg_engine.geometry.transform_files import write_field

        self._count += 1
        path = str(self._folder / f"preview_{self._count}.nrrd")
        try:
            write_field(path, field)
        except (OSError, OutputError):
            return
        self._written(path, stage)
