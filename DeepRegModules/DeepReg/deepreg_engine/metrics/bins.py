"""Bins of histograms."""

from __future__ import annotations

import numpy as np

# The bins of landmark errors reach up to this multiple of the largest error after a registration for the errors before it.
_LONGEST_BEFORE = 8.0


def nice_step(least: float) -> float:
    """Return the smallest number of the form 1, 2 or 5 times a power of ten that is not below ``least``."""
    decade = 10.0 ** np.floor(np.log10(least))
    return float(next(decade * factor for factor in (1.0, 2.0, 5.0, 10.0) if decade * factor >= least * (1.0 - 1e-9)))


def error_bins(before: np.ndarray, after: np.ndarray, bins: int) -> tuple[np.ndarray, int]:
    """Return the edges, mm, of a histogram of landmark errors, and the number of errors before the registration beyond the last edge.

    The bins cover all errors after the registration, or before it if there are none after. Errors before are hundreds of millimetres if the
    scans do not share a coordinate system.

    Args:
        before, after: errors, mm.
        bins: approximate number of bins.
    """
    first, last = (float(errors.max()) if len(errors) else 0.0 for errors in (before, after))
    longest = max(last, min(first, _LONGEST_BEFORE * last) if last > 0.0 else first, 1e-3)
    step = nice_step(longest / bins)
    edges = step * np.arange(int(np.floor(longest / step)) + 2)
    return edges, int((before > edges[-1]).sum())
