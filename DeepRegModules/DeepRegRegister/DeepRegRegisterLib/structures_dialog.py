"""The window with the table of the structures that came along, from which it is saved as CSV."""

from __future__ import annotations

from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from deepreg_slicer.structure_table import writeCsv


class StructuresDialog:
    """Shows a table node.

    Args:
        table: the node.
    """

    def __init__(self, table: Any) -> None:
        self.table = table
        self.widget = qt.QDialog(slicer.util.mainWindow())
        self.widget.setWindowTitle(table.GetName())
        layout = qt.QVBoxLayout(self.widget)
        self.view = slicer.qMRMLTableView()
        self.view.setMRMLScene(slicer.mrmlScene)
        self.view.setMRMLTableNode(table)
        self.view.setEditTriggers(qt.QAbstractItemView.NoEditTriggers)
        layout.addWidget(self.view)
        row = qt.QHBoxLayout()
        self.saveButton, self.closeButton = qt.QPushButton(_("Save as CSV...")), qt.QPushButton(_("Close"))
        row.addStretch(1)
        for button in (self.saveButton, self.closeButton):
            row.addWidget(button)
        layout.addLayout(row)
        self.saveButton.connect("clicked(bool)", lambda *_args: self.save())
        self.closeButton.connect("clicked(bool)", lambda *_args: self.widget.close())

    def show(self) -> None:
        """Open the window; the panel stays usable."""
        self.view.resizeColumnsToContents()
        width = self.view.horizontalHeader().length() + self.view.verticalHeader().width + 60
        self.widget.resize(min(max(width, 480), 1100), 320)
        self.widget.show()

    def save(self) -> None:
        """Ask for a file, and write the table."""
        path = qt.QFileDialog.getSaveFileName(self.widget, _("Save structures"), "structures.csv", _("Tables (*.csv)"))
        if not path:
            return
        try:
            writeCsv(self.table, path if path.lower().endswith(".csv") else f"{path}.csv")
        except OSError as error:
            slicer.util.errorDisplay(
                _("The table cannot be written ({reason}).").format(reason=error.strerror or error), windowTitle=_("Save structures")
            )

    def close(self) -> None:
        """Close the window for good."""
        self.view.setMRMLTableNode(None)
        self.widget.close()
        self.widget.deleteLater()
