"""The verdict in a panel: its sign, colour, reason and next step, and the checks in the tool tip."""

from __future__ import annotations

import pytest

VERDICT = {
    "level": "bad",
    "line": "Do not use: the images do not agree; look at them",
    "reason": "the images do not agree",
    "next_step": "look at them",
    "checks": [
        {"title": "Agreement of the images", "level": "bad", "reason": "the images do not agree"},
        {"title": "Folding", "level": "good", "reason": "the deformation does not fold"},
    ],
}


def test_the_line_has_a_sign_a_word_a_reason_and_the_next_step(slicer_app):
    from deepreg_slicer.verdict_line import verdictDetails, verdictText

    assert verdictText({"verdict": VERDICT}) == "\u25a0 Do not use: The images do not agree. Look at them."
    assert verdictDetails({"verdict": VERDICT}).splitlines()[:2] == [
        "\u25a0 Agreement of the images: The images do not agree.",
        "\u25cf Folding: The deformation does not fold.",
    ]


@pytest.mark.parametrize(("level", "tone"), [("good", "good"), ("check", "caution"), ("bad", "bad")])
def test_each_level_has_its_colour_and_sign(slicer_app, level, tone):
    import qt

    from deepreg_slicer.appearance import toneColor
    from deepreg_slicer.verdict_line import SIGNS, showVerdict

    label = qt.QLabel()
    showVerdict(label, {"verdict": {**VERDICT, "level": level}})
    assert label.text.startswith(SIGNS[level])
    assert toneColor(label, tone) in label.styleSheet
    assert not label.isHidden()
    assert len(set(SIGNS.values())) == 3


def test_a_report_without_a_verdict_hides_the_line(slicer_app):
    import qt

    from deepreg_slicer.verdict_line import showVerdict

    label = qt.QLabel()
    for report in (None, {}, {"verdict": {"level": "odd"}}):
        showVerdict(label, report)
        assert (label.text, label.isHidden()) == ("", True)
