"""The application's settings."""

from __future__ import annotations

from PySide6.QtCore import QSettings

from slicer_testing.registry import slicer_widget


@slicer_widget
class ctkSettings(QSettings):
    """Qt's settings, as ``slicer.app.userSettings()`` returns them."""
