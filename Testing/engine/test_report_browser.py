"""The page of a report in a browser, on the screen and in print."""

from __future__ import annotations

import re

import pytest
from browser import Browser, chromium
from reports import blank_views, many, report_fixture, scene_fixture, small_pictures_fixture  # noqa: F401 - fixtures

from deepreg_engine.reporting.page import page


def test_in_a_browser(report, tmp_path):
    """No error on the console, nothing asked for, the slider fades, and two sheets of A4 whatever is in it."""
    chromium()
    content, _, _, folder = report
    with Browser() as browser:
        browser.open(folder / "r.html")
        opacity = "getComputedStyle(document.querySelector('#pair .after')).opacity"
        input_ = "part.dispatchEvent(new Event('input'))"
        moved = "(() => {{ const part = document.getElementById('{}'); part.value = '{}'; " + input_ + "; return {}; }})()"
        assert float(browser.ask(opacity)) == 1.0
        assert browser.ask("document.getElementById('time-shown').textContent") == "shown: after"
        seen = {}
        for value, expected in ((0, 0.0), (40, 0.4), (100, 1.0)):
            assert float(browser.ask(moved.format("time", value, opacity))) == pytest.approx(expected)
            seen[value] = browser.screenshot()
        assert len(set(seen.values())) == 3  # it is seen, too
        browser.ask(moved.format("mode", "grey", "0"))
        assert browser.ask("document.getElementById('mix-label').hidden") is False
        assert browser.ask(moved.format("mix-share", 100, "document.getElementById('weights').getAttribute('values')")).startswith(
            "0 1 0 0 0"
        )
        assert browser.screenshot() != seen[100]
        above = "(() => {{ const a = document.querySelector('#pair .{}').getBoundingClientRect(); return a.top; }})()"
        assert browser.ask(above.format("before")) == browser.ask(above.format("after"))  # one over the other
        pdf = browser.pdf()
        assert pages(pdf) == 2
        assert re.search(rb"/MediaBox\s*\[0 0 59[45][.\d]* 84[12][.\d]*\]", pdf)
        crowded, bare = many(content), many(content)
        for part in ("landmarks", "overlap"):  # larger pictures in their place
            del bare["figures"][part]
        del bare["figures"]["histograms"]["landmark_error"]
        bare["ratings"] = bare["ratings"][3:]
        sizes = ((60, 50, 40), (20, 20, 60), (60, 60, 6))
        cases = [(content, sizes[0]), *((crowd, size) for crowd in (crowded, bare) for size in sizes)]
        for number, (crowd, size) in enumerate(cases):
            path = tmp_path / f"{number}.html"
            path.write_text(page(crowd, blank_views(size)), encoding="utf-8")
            browser.open(path)
            assert pages(browser.pdf()) == 2, size
        assert browser.console == []
        assert set(browser.requests) == {path.as_uri() for path in (folder / "r.html", *tmp_path.glob("*.html"))}


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf))
