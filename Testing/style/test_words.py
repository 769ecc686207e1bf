"""Words that CONTRIBUTING.md's glossary replaces appear nowhere: not in names, comments, texts or documentation."""

from __future__ import annotations

import re

from sources import MODULES, ROOT, python_files, relative

# Word: what is written instead.
REPLACED = {
    r"looks": "contrasts, appearances, views",
    r"chances?": "probability, random number",
    r"judged?|judging": "measure, evaluate, rate",
    r"anew": "again",
    r"shout\w*": "dominate",
    r"unsay|unsaid": "withdraw",
    r"made[- ]up": "synthetic",
    r"tired": "plateau",
    r"for ever": "permanently",
    r"told": "reported, given",
    r"wish\w*": "request",
}
PAGES = [path for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *MODULES.rglob("*.ui")] if path.name != "CONTRIBUTING.md"]
FORBIDDEN = re.compile("|".join(rf"\b(?:{word})\b" for word in REPLACED), re.IGNORECASE)


def words_of(text: str) -> str:
    """A text with names taken apart: ``judged_by`` and ``judgedBy`` as two words."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).replace("_", " ")


def test_names_are_taken_apart():
    assert FORBIDDEN.search(words_of("def judged_by(x):"))
    assert FORBIDDEN.search(words_of("self.isTold()"))
    assert not FORBIDDEN.search(words_of("overlooks = untold"))


def test_replaced_words_are_gone():
    found = []
    for path in [*python_files(MODULES, ROOT / "Testing"), *PAGES]:
        if path.parent.name == "style":
            continue
        text = words_of(path.read_text(encoding="utf-8"))
        found += [f"{relative(path)}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()}" for match in FORBIDDEN.finditer(text)]
    assert not found, f"{len(found)} words of the glossary's right column:\n" + "\n".join(found)
