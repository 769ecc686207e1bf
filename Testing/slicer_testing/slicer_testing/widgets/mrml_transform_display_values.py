"""Setters for a transform's display node, with the names of the application's slots."""

from __future__ import annotations

from typing import Any


class TransformDisplayValues:
    """Mixin of ``qMRMLTransformDisplayNodeWidget``: sets values of ``self._display``, if there is one."""

    _display: Any

    def _set(self, name: str, *values: Any) -> None:
        if self._display is not None:
            getattr(self._display, f"Set{name}")(*values)

    def setVisibility(self, visible: bool) -> None:
        """Show the transform."""
        self._set("Visibility", int(visible))

    def setVisibility2d(self, visible: bool) -> None:
        """Show the transform in slice views."""
        self._set("Visibility2D", int(visible))

    def setVisibility3d(self, visible: bool) -> None:
        """Show the transform in 3D views."""
        self._set("Visibility3D", int(visible))

    def setEditorVisibility(self, visible: bool) -> None:
        """Show handles to move the transform."""
        self._set("EditorVisibility", bool(visible))

    def setEditorTranslationEnabled(self, enabled: bool) -> None:
        """Enable or disable the handles for translation."""
        self._set("EditorTranslationEnabled", bool(enabled))

    def setEditorRotationEnabled(self, enabled: bool) -> None:
        """Enable or disable the handles for rotation."""
        self._set("EditorRotationEnabled", bool(enabled))

    def setEditorScalingEnabled(self, enabled: bool) -> None:
        """Enable or disable the handles for scaling."""
        self._set("EditorScalingEnabled", bool(enabled))

    def updateEditorBounds(self) -> None:
        """Fit the handles to the transformed nodes."""
        if self._display is not None:
            self._display.UpdateEditorBounds()

    def regionNodeChanged(self, node: Any) -> None:
        """Show the transform in the region of a node."""
        self._set("AndObserveRegionNode", node)

    def glyphPointsNodeChanged(self, node: Any) -> None:
        """Show glyphs at the control points of a node."""
        self._set("AndObserveGlyphPointsNode", node)

    def setGlyphVisualizationMode(self, on: bool) -> None:
        """Show arrows."""
        if on and self._display is not None:
            self._display.SetVisualizationMode(self._display.VIS_MODE_GLYPH)

    def setGridVisualizationMode(self, on: bool) -> None:
        """Show a warped grid."""
        if on and self._display is not None:
            self._display.SetVisualizationMode(self._display.VIS_MODE_GRID)

    def setContourVisualizationMode(self, on: bool) -> None:
        """Show contours of the displacement."""
        if on and self._display is not None:
            self._display.SetVisualizationMode(self._display.VIS_MODE_CONTOUR)

    def setGlyphSpacingMm(self, spacing: float) -> None:
        """Set the distance between glyphs in mm."""
        self._set("GlyphSpacingMm", spacing)

    def setGlyphScalePercent(self, percent: float) -> None:
        """Set the length of glyphs in percent of the displacement."""
        self._set("GlyphScalePercent", percent)

    def setGlyphDisplayRangeMm(self, minimum: float, maximum: float) -> None:
        """Show glyphs only for displacements in a range, in mm."""
        if self._display is not None:
            was_modifying = self._display.StartModify()
            self._display.SetGlyphDisplayRangeMinMm(minimum)
            self._display.SetGlyphDisplayRangeMaxMm(maximum)
            self._display.EndModify(was_modifying)

    def setGlyphType(self, glyph: int) -> None:
        """Show arrows, cones or spheres."""
        self._set("GlyphType", glyph)

    def setGlyphDiameterMm(self, diameter: float) -> None:
        """Set the diameter of 3D glyphs in mm."""
        self._set("GlyphDiameterMm", diameter)

    def setGlyphShaftDiameterPercent(self, percent: float) -> None:
        """Set the diameter of arrow shafts in percent of the diameter of the glyph."""
        self._set("GlyphShaftDiameterPercent", percent)

    def setGlyphTipLengthPercent(self, percent: float) -> None:
        """Set the length of arrow tips in percent of the displacement."""
        self._set("GlyphTipLengthPercent", percent)

    def setGlyphResolution(self, sides: float) -> None:
        """Set the number of sides of 3D glyphs."""
        self._set("GlyphResolution", int(sides))

    def setGridSpacingMm(self, spacing: float) -> None:
        """Set the distance between grid lines in mm."""
        self._set("GridSpacingMm", spacing)

    def setGridScalePercent(self, percent: float) -> None:
        """Set the percentage of the displacement that warps the grid."""
        self._set("GridScalePercent", percent)

    def setGridLineDiameterMm(self, diameter: float) -> None:
        """Set the diameter of 3D grid lines in mm."""
        self._set("GridLineDiameterMm", diameter)

    def setGridResolutionMm(self, resolution: float) -> None:
        """Set the distance between samples along grid lines in mm."""
        self._set("GridResolutionMm", resolution)

    def setGridShowNonWarped(self, show: bool) -> None:
        """Also show the grid without the displacement."""
        self._set("GridShowNonWarped", bool(show))

    def setContourLevelsMm(self, levels: str) -> None:
        """Set the displacements of contours in mm, separated by spaces."""
        self._set("ContourLevelsMmFromString", levels)

    def setContourResolutionMm(self, resolution: float) -> None:
        """Set the distance between samples for contours in mm."""
        self._set("ContourResolutionMm", resolution)

    def setContourOpacityPercent(self, percent: float) -> None:
        """Set the opacity of 3D contours."""
        self._set("ContourOpacity", percent * 0.01)

    def setColorTableNode(self, node: Any) -> None:
        """Set the colour table."""
        self._set("AndObserveColorNodeID", node.GetID() if node is not None else None)
