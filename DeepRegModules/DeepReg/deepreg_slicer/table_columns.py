"""Columns of table nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from vtk.util.numpy_support import numpy_to_vtk


def setColumns(table: Any, columns: Mapping[str, np.ndarray]) -> None:
    """Replace the columns of a table node; it reports one change.

    Args:
        table: the node.
        columns: name to values, all of one length.
    """
    state = table.StartModify()
    try:
        table.RemoveAllColumns()
        for name, values in columns.items():
            array = numpy_to_vtk(values, deep=True)
            array.SetName(name)
            table.AddColumn(array)
    finally:
        table.EndModify(state)
