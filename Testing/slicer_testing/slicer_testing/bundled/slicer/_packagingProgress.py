"""Display of a run of pip: a dialog with its output, or a busy cursor."""

from contextlib import contextmanager

import slicer.util
from slicer.i18n import tr as _


def _title(requester, text):
    return f"{requester} - {text}" if requester else text


@contextmanager
def _busy_cursor():
    import qt

    qt.QApplication.setOverrideCursor(qt.Qt.BusyCursor)
    try:
        yield None
    finally:
        qt.QApplication.restoreOverrideCursor()


@contextmanager
def _progress_dialog(requester, parent):
    dialog = _PipProgressDialog(requester=requester, parent=parent)
    dialog.show()
    slicer.app.processEvents()
    try:
        yield dialog
    finally:
        dialog.close()


class _PipProgressDialog:
    """Modal dialog without a way to close it, with a busy bar and pip's output under Details."""

    def __init__(self, requester=None, parent=None):
        import ctk
        import qt

        self._lines = []
        self._dialog = qt.QDialog(parent or slicer.util.mainWindow())
        self._dialog.setModal(True)
        self._dialog.setWindowTitle(_title(requester, _("Installing Python Packages")))
        self._dialog.setWindowFlags(self._dialog.windowFlags() & ~qt.Qt.WindowCloseButtonHint)
        # A shortcut without effect keeps the Escape key from closing the dialog.
        self._escapeShortcut = qt.QShortcut(qt.QKeySequence(qt.Qt.Key_Escape), self._dialog)
        self._escapeShortcut.setContext(qt.Qt.WidgetWithChildrenShortcut)

        layout = qt.QVBoxLayout(self._dialog)
        self.statusLabel = qt.QLabel(_("Installing packages..."))
        layout.addWidget(self.statusLabel)
        self.progressBar = qt.QProgressBar()
        self.progressBar.setRange(0, 0)
        layout.addWidget(self.progressBar)
        self.detailsButton = ctk.ctkCollapsibleButton()
        self.detailsButton.text = _("Details")
        self.detailsButton.collapsed = True
        layout.addWidget(self.detailsButton)

        self.logText = qt.QPlainTextEdit()
        self.logText.setReadOnly(True)
        font = qt.QFont("Monospace")
        font.setStyleHint(qt.QFont.TypeWriter)
        self.logText.setFont(font)
        self.logText.setMinimumHeight(150)
        qt.QVBoxLayout(self.detailsButton).addWidget(self.logText)
        self._dialog.resize(500, 120)

    def show(self):
        self._dialog.show()

    def close(self):
        self._dialog.close()

    def appendLog(self, line):
        """Add a line of output and scroll to it."""
        self._lines.append(line)
        self.logText.appendPlainText(line)
        scrollBar = self.logText.verticalScrollBar()
        scrollBar.setValue(scrollBar.maximum)

    def getFullLog(self):
        """Return all lines of output as one text."""
        return "\n".join(self._lines)
