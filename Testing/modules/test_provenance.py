"""The one-line summary of a result."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("landmarks", "expected"),
    [
        ({"before": {"mean": 9.0}, "after": {"mean": 2.0}}, "1.0 s \u00b7 landmarks 9.0 \u2192 2.0 mm"),
        ({"before": {"mean": None}, "after": {"mean": None}}, "1.0 s"),  # all outside the displacement field
        (None, "1.0 s"),
    ],
)
def test_landmarks_in_the_summary(app, landmarks, expected):
    from deepreg_slicer.provenance import summaryOf

    assert summaryOf({"landmarks": landmarks}, 1.0) == expected
