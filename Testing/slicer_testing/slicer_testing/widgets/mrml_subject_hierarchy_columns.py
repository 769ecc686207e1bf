"""The columns of the subject hierarchy's tree."""

from __future__ import annotations

from PySide6.QtWidgets import QHeaderView


class Columns:
    """Mixin of the tree view: shows and hides the columns of ``self._model``."""

    def resetColumnSizesToDefault(self) -> None:
        """Fit all columns to their contents; the name gets the remaining width."""
        header = self.header()
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(22)
        for column in range(self._model.columnCount()):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(self._model.nameColumn(), QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(self._model.descriptionColumn(), QHeaderView.ResizeMode.Interactive)

    def visibilityColumnVisible(self) -> bool:
        """Return whether the eyes are shown."""
        return not self.isColumnHidden(self._model.visibilityColumn())

    def setVisibilityColumnVisible(self, visible: bool) -> None:
        """Show the eyes."""
        self.setColumnHidden(self._model.visibilityColumn(), not visible)

    def colorColumnVisible(self) -> bool:
        """Return whether the colours are shown."""
        return not self.isColumnHidden(self._model.colorColumn())

    def setColorColumnVisible(self, visible: bool) -> None:
        """Show the colours."""
        self.setColumnHidden(self._model.colorColumn(), not visible)

    def transformColumnVisible(self) -> bool:
        """Return whether the transforms are shown."""
        return not self.isColumnHidden(self._model.transformColumn())

    def setTransformColumnVisible(self, visible: bool) -> None:
        """Show the transforms."""
        self.setColumnHidden(self._model.transformColumn(), not visible)

    def descriptionColumnVisible(self) -> bool:
        """Return whether the descriptions are shown."""
        return not self.isColumnHidden(self._model.descriptionColumn())

    def setDescriptionColumnVisible(self, visible: bool) -> None:
        """Show the descriptions."""
        self.setColumnHidden(self._model.descriptionColumn(), not visible)

    def idColumnVisible(self) -> bool:
        """Return whether the IDs of the nodes are shown."""
        return not self.isColumnHidden(self._model.idColumn())

    def setIdColumnVisible(self, visible: bool) -> None:
        """Show the IDs of the nodes."""
        self.setColumnHidden(self._model.idColumn(), not visible)
