"""ctkFittedTextBrowser: a text in its full height, with details that can be hidden."""

from __future__ import annotations

from PySide6.QtCore import QSize, QUrl
from PySide6.QtGui import QFontMetrics, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QTextBrowser, QWidget

from slicer_testing.registry import slicer_widget

_MORE, _LESS = "show_details", "hide_details"
_BREAK = "<br>"


@slicer_widget
class ctkFittedTextBrowser(QTextBrowser):
    """A text browser without scrolling. Of a collapsible text only the first line is shown, with a link to the rest."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._collapsed = True
        self._text = ""
        self._is_html = False
        self._show_text, self._hide_text = "Show details...", "Hide details."
        self._no_mouse_scroll = False
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.textChanged.connect(self.updateGeometry)
        self.anchorClicked.connect(self._on_anchor)

    # Collapsible text

    def collapsibleText(self) -> str:
        return self._text

    def setCollapsibleText(self, text: str) -> None:
        """Set a text, plain or HTML, of which all but the first line are details."""
        self._set_text(text, "<html>" in text)

    def setCollapsiblePlainText(self, text: str) -> None:
        self._set_text(text, "<html>" in text)

    def setCollapsibleHtml(self, text: str) -> None:
        self._set_text(text, True)

    def collapsed(self) -> bool:
        return self._collapsed

    def setCollapsed(self, collapsed: bool) -> None:
        if bool(collapsed) != self._collapsed:
            self._collapsed = bool(collapsed)
            self._refresh()

    def showDetailsText(self) -> str:
        return self._show_text

    def setShowDetailsText(self, text: str) -> None:
        self._show_text = text
        self._refresh()

    def hideDetailsText(self) -> str:
        return self._hide_text

    def setHideDetailsText(self, text: str) -> None:
        self._hide_text = text
        self._refresh()

    def _set_text(self, text: str, is_html: bool) -> None:
        self._text, self._is_html = text, is_html
        self._refresh()

    def _refresh(self) -> None:
        self.setHtml(self._html() if self._is_html else self._plain())

    def _link(self) -> str:
        if self._collapsed:
            return f'&hellip; <a href="#{_MORE}">{self._show_text}</a>'
        return f' <a href="#{_LESS}">{self._hide_text}</a>'

    def _plain(self) -> str:
        first, newline, rest = self._text.partition("\n")
        if not newline:
            return self._text
        shown = first if self._collapsed else (first + rest).replace("\n", _BREAK)
        return f"<html>{shown}{self._link()}</html>"

    def _html(self) -> str:
        first, found, rest = self._text.partition(_BREAK)
        if not found:
            return self._text
        if self._collapsed:
            shown = first + self._link()
            return shown + "</html>" if "<html" in shown and "</html" not in shown else shown
        shown = first + rest
        for end in ("</body>", "</html>"):
            if end in shown:
                return shown.replace(end, self._link() + end)
        return shown + self._link()

    def _on_anchor(self, url: QUrl) -> None:
        if not url.path() and url.fragment() in (_MORE, _LESS):
            self.setCollapsed(url.fragment() == _LESS)

    # Geometry

    def disableMouseScroll(self) -> bool:
        return self._no_mouse_scroll

    def setDisableMouseScroll(self, disable: bool) -> None:
        """Leave the mouse wheel to the parent widget."""
        self._no_mouse_scroll = bool(disable)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self._no_mouse_scroll:
            event.ignore()
        else:
            super().wheelEvent(event)

    def heightForWidth(self, width: int) -> int:
        document = self.document()
        saved = document.textWidth()
        frame = 2 * self.frameWidth()
        bar = self.horizontalScrollBar()
        bar_height = bar.height() + frame if bar.isVisible() else 0
        document.setTextWidth(width - frame)
        height = int(document.documentLayout().documentSize().height()) + frame
        one_line = QFontMetrics(document.defaultFont()).lineSpacing() + frame
        document.setTextWidth(saved)
        return max(height, one_line) + bar_height

    def minimumSizeHint(self) -> QSize:
        width = self.width()
        return QSize(width, self.heightForWidth(width)) if width else super().minimumSizeHint()

    def sizeHint(self) -> QSize:
        return self.minimumSizeHint()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().height() != self.heightForWidth(event.size().width()):
            self.updateGeometry()
