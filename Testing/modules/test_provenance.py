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


def test_shift_and_rotation_stand_beside_the_deformation(app):
    from deepreg_slicer.provenance import summaryOf

    report = {
        "displacement": {"mean": 1267.6},
        "linear_part": {"source": "alignment", "shift_mm": 12.345, "rotation_degrees": 4.06, "mirrored": False},
        "deformation": {"mean": 3.21, "median": 2.0, "percentile95": 8.04, "maximum": 11.0},
        "regularity": {"folding_percent": 0.0},
    }
    expected = "1.0 s \u00b7 shift 12.3 mm, rotation 4.1\u00b0; deformation beyond: mean 3.2 mm, 95 % 8.0 mm \u00b7 folding 0.00 %"
    assert summaryOf(report, 1.0) == expected
