"""The registration that a row asks for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deepreg_engine.cohort.rows import Row
from deepreg_engine.errors import EngineError, ParameterError
from deepreg_engine.jobs.automatic import possible_parameters
from deepreg_engine.jobs.request import Request, make_request


def request_of(row: Row, **more: Any) -> Request:
    """Return the request of a row.

    Args:
        row: of the plan.
        more: further arguments of :func:`make_request`, such as the files to write.

    Raises:
        ParameterError: if the row's method, preset or parameters do not exist, or its method lacks one of its inputs.
    """
    given = {"preset": row.preset or None, "initial": row.initial or None, "label_names": row.label_names or None}
    return make_request(row.method, parameters=dict(row.parameters) or None, **given, **row.files, **more)


def check_requests(rows: Iterable[Row]) -> None:
    """Check methods, presets and parameters of rows; files are not opened, and rows that differ in files only are checked once.

    Raises:
        ParameterError: naming the first row that cannot be computed.
    """
    known = set()
    for row in rows:
        key = row.method, row.preset, str(row.parameters), row.initial, tuple(row.files)
        if key not in known:
            known.add(key)
            try:
                possible_parameters(request_of(row))
            except EngineError as error:
                raise ParameterError(f"row {row.name}: {error.message}", error.advice, error.option) from error
