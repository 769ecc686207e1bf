"""Helpers of the tests of the module Register."""

from __future__ import annotations


def registered(app, hands, widget, seconds: float = 60.0) -> str:
    """Press Apply, wait for the end; the lines of the result."""
    app.wait_for(lambda: not widget.panel.contents.busy, 10, "the contents")
    app.wait_for(lambda: widget.ui.applyButton.enabled, 5, "Apply")
    hands.click(widget.ui.applyButton)
    app.wait_for(lambda: widget.panel.run is None, seconds, "the end of the run")
    app.wait_for(lambda: not widget.panel.showing, 10, "the views")
    app.process_events(0.1)
    return widget.ui.resultLabel.text


def titles(widget) -> list[str]:
    """The names of the listed results, the latest first."""
    box = widget.ui.resultsList
    return [box.item(number).text() for number in range(box.count)]
