"""A spin box with the unit of its quantity."""

from __future__ import annotations

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_double_spin_box import ctkDoubleSpinBox
from slicer_testing.widgets.mrml_unit_aware import UnitAware


@slicer_widget
class qMRMLSpinBox(UnitAware, ctkDoubleSpinBox):
    """A spin box with prefix, suffix, decimals and range of the unit of its quantity."""

    _default_flags = UnitAware.Prefix | UnitAware.Suffix | UnitAware.Precision | UnitAware.Range
