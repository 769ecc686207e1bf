"""The display options of a transform: glyphs, grid or contours."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QRegularExpression, QSize
from PySide6.QtGui import QRegularExpressionValidator
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from slicer_testing.registry import slicer_widget, widget
from slicer_testing.widgets.ctk_slider_widget import ctkSliderWidget
from slicer_testing.widgets.mrml_color_map import ColorMapWidget
from slicer_testing.widgets.mrml_icons import icon
from slicer_testing.widgets.mrml_node_combo_box import qMRMLNodeComboBox
from slicer_testing.widgets.mrml_range_widget import qMRMLRangeWidget
from slicer_testing.widgets.mrml_slider_widget import qMRMLSliderWidget
from slicer_testing.widgets.mrml_transform_display_values import TransformDisplayValues
from slicer_testing.widgets.mrml_widget import qMRMLWidget

_MODES = ("Glyph", "Grid", "Contour")
# name: (mode, label, minimum, maximum, step, decimals, suffix, quantity)
_NUMBERS = {
    "GlyphSpacingMm": ("Glyph", "Spacing:", 1, 100, 1, 0, "", "length"),
    "GlyphScalePercent": ("Glyph", "Scale factor:", 0, 1000, 1, 0, "%", ""),
    "GlyphDiameterMm": ("Glyph", "Diameter:", 0, 15, 1, 0, "", "length"),
    "GlyphShaftDiameterPercent": ("Glyph", "Shaft diameter:", 0, 100, 1, 0, "%", ""),
    "GlyphTipLengthPercent": ("Glyph", "Tip length:", 0, 100, 1, 0, "%", ""),
    "GlyphResolution": ("Glyph", "Resolution:", 4, 50, 1, 0, "", ""),
    "GridSpacingMm": ("Grid", "Spacing:", 1, 100, 0.5, 1, "", "length"),
    "GridScalePercent": ("Grid", "Scale factor:", 0, 1000, 1, 1, "%", ""),
    "GridLineDiameterMm": ("Grid", "3D gridline diameter:", 0, 10, 0.5, 1, "", "length"),
    "GridResolutionMm": ("Grid", "Resolution:", 1, 20, 0.5, 1, "", "length"),
    "ContourResolutionMm": ("Contour", "Resolution:", 0.1, 20, 0.5, 1, "", "length"),
    "ContourOpacityPercent": ("Contour", "3D opacity:", 0, 100, 1, 0, "%", ""),
}


@slicer_widget
class qMRMLTransformDisplayNodeWidget(TransformDisplayValues, qMRMLWidget):
    """Edits the display node of a transform; disabled without one. The node is made by ``CreateDefaultDisplayNodes``."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._display = None
        self._numbers: dict[str, ctkSliderWidget] = {}
        self._options: dict[str, QWidget] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self._make_interaction())
        layout.addWidget(self._make_visualization())
        layout.addStretch()
        self._connect()
        self._show_options("Glyph")
        self._update()

    # -- parts

    def _make_interaction(self) -> QWidget:
        group = _group("Interaction", self)
        form = QFormLayout(group)
        self._editor = _check("InteractionVisibleCheckBox", group)
        self._translate, self._rotate, self._scale = (
            _check(f"Interactive{name}CheckBox", group) for name in ("Translation", "Rotation", "Scaling")
        )
        for label, box in (
            ("Visibility in 3D view:", self._editor),
            ("Enable translation:", self._translate),
            ("Enable rotation:", self._rotate),
            ("Enable scaling:", self._scale),
        ):
            form.addRow(label, box)
        self._bounds = QPushButton("Update bounds", group)
        self._bounds.setObjectName("UpdateBoundsPushButton")
        form.addRow(self._bounds)
        return group

    def _make_visualization(self) -> QWidget:
        group = _group("Visualization", self)
        layout = QVBoxLayout(group)
        form = QFormLayout()
        self._visible, self._visible_2d, self._visible_3d = (
            _check(f"{name}CheckBox", group) for name in ("Visible", "Visible2d", "Visible3d")
        )
        self._region = _selector(
            "RegionNodeComboBox",
            ["vtkMRMLSliceNode", "vtkMRMLModelNode", "vtkMRMLVolumeNode", "vtkMRMLMarkupsROINode", "vtkMRMLMarkupsPlaneNode"],
            "Select a node",
            group,
        )
        form.addRow("Visibility:", self._visible)
        form.addRow("Visibility in slice view:", self._visible_2d)
        form.addRow("Visibility in 3D view:", self._visible_3d)
        form.addRow("Region:", self._region)
        layout.addLayout(form)
        layout.addLayout(self._make_modes(group))
        colors = _group("Colors", group)
        self._colors = ColorMapWidget(colors)
        QVBoxLayout(colors).addWidget(self._colors)
        layout.addWidget(colors)
        advanced = _group("Advanced", group)
        self._make_options(advanced)
        advanced.setCollapsed(True)
        layout.addWidget(advanced)
        return group

    def _make_modes(self, parent: QWidget) -> QHBoxLayout:
        row = QHBoxLayout()
        self._modes = {}
        self._mode_group = QButtonGroup(self)
        for mode in _MODES:
            button = QPushButton(icon(mode.lower()), mode, parent)
            button.setObjectName(f"{mode}Toggle")
            button.setCheckable(True)
            button.setIconSize(QSize(32, 32))
            button.setMinimumHeight(44)
            self._mode_group.addButton(button)
            self._modes[mode] = button
            row.addWidget(button)
        self._modes["Glyph"].setChecked(True)
        return row

    def _make_options(self, parent: QWidget) -> None:
        outer = QVBoxLayout(parent)
        for mode in _MODES:
            options = QWidget(parent)
            options.setObjectName(f"{mode}Options")
            self._options[mode] = options
            outer.addWidget(options)
            QFormLayout(options).setContentsMargins(0, 0, 0, 0)
        glyph, grid, contour = (self._options[mode].layout() for mode in _MODES)
        self._points = _selector("GlyphPointsNodeComboBox", ["vtkMRMLMarkupsNode"], "Entire region", self._options["Glyph"])
        glyph.addRow("Source points:", self._points)
        self._levels = QLineEdit(self._options["Contour"])
        self._levels.setObjectName("ContourLevelsMm")
        number = r"[0-9]+(\.[0-9]+)?"
        self._levels.setValidator(QRegularExpressionValidator(QRegularExpression(rf"^({number} ?)*$"), self._levels))
        contour.addRow("Levels (mm):", self._levels)
        for name, (mode, label, *_) in _NUMBERS.items():
            self._options[mode].layout().addRow(label, self._make_number(name))
        self._range = qMRMLRangeWidget(self._options["Glyph"])
        self._range.setObjectName("GlyphDisplayRangeMm")
        self._range.setRange(0, 100)
        self._range.setSingleStep(0.1)
        self._range.setValues(0, 100)
        glyph.insertRow(3, "Visible range:", self._range)
        self._type = QComboBox(self._options["Glyph"])
        self._type.setObjectName("GlyphTypeComboBox")
        self._type.addItems(["Arrow", "Cone", "Sphere"])
        glyph.insertRow(4, "Glyph type:", self._type)
        self._original = _check("GridShowNonWarped", self._options["Grid"])
        grid.insertRow(2, "Show original grid:", self._original)

    def _make_number(self, name: str) -> ctkSliderWidget:
        mode, _, minimum, maximum, step, decimals, suffix, quantity = _NUMBERS[name]
        slider = qMRMLSliderWidget(self._options[mode]) if quantity else ctkSliderWidget(self._options[mode])
        slider.setObjectName(name)
        slider.setSynchronizeSiblings(ctkSliderWidget.SynchronizeWidth)
        slider.setDecimals(decimals)
        slider.setMinimum(minimum)
        slider.setMaximum(maximum)
        slider.setSingleStep(step)
        slider.setSuffix(suffix)
        if quantity:
            slider.setQuantity(quantity)
        self._numbers[name] = slider
        return slider

    def _connect(self) -> None:
        self._editor.toggled.connect(self.setEditorVisibility)
        self._translate.toggled.connect(self.setEditorTranslationEnabled)
        self._rotate.toggled.connect(self.setEditorRotationEnabled)
        self._scale.toggled.connect(self.setEditorScalingEnabled)
        self._bounds.clicked.connect(lambda: self.updateEditorBounds())
        self._visible.toggled.connect(self.setVisibility)
        self._visible_2d.toggled.connect(self.setVisibility2d)
        self._visible_3d.toggled.connect(self.setVisibility3d)
        self._region.currentNodeChanged.connect(self.regionNodeChanged)
        self._points.currentNodeChanged.connect(self.glyphPointsNodeChanged)
        for mode, button in self._modes.items():
            button.toggled.connect(getattr(self, f"set{mode}VisualizationMode"))
            button.toggled.connect(lambda on, mode=mode: self._show_options(mode) if on else None)
        for name, slider in self._numbers.items():
            slider.valueChanged.connect(getattr(self, f"set{name}"))
        self._range.valuesChanged.connect(self.setGlyphDisplayRangeMm)
        self._type.currentIndexChanged.connect(self.setGlyphType)
        self._original.toggled.connect(self.setGridShowNonWarped)
        self._levels.textChanged.connect(self.setContourLevelsMm)
        self._colors.changed.connect(self.onColorModifiedEvent)

    def _show_options(self, mode: str) -> None:
        for each, options in self._options.items():
            options.setVisible(each == mode)

    # -- scene and node

    def setMRMLScene(self, scene: Any) -> None:
        """Set the scene of the selectors and units."""
        super().setMRMLScene(scene)
        for each in (self._region, self._points, self._range):
            each.setMRMLScene(scene)
        for slider in self._numbers.values():
            if isinstance(slider, qMRMLSliderWidget):
                slider.setMRMLScene(scene)
        self._update()

    def setMRMLTransformNode(self, node: Any) -> None:
        """Edit the display of another transform."""
        is_transform = node is not None and node.IsA("vtkMRMLTransformNode")
        self._observations.drop_all()
        self._display = node.GetDisplayNode() if is_transform else None
        self._observations.add(self._display, "ModifiedEvent", self._update)
        self._update()

    def _update(self) -> None:
        """Update the widgets from the display node."""
        display = self._display
        self.setEnabled(display is not None)
        if display is None:
            return
        for box, on in (
            (self._editor, display.GetEditorVisibility()),
            (self._translate, display.GetEditorTranslationEnabled()),
            (self._rotate, display.GetEditorRotationEnabled()),
            (self._scale, display.GetEditorScalingEnabled()),
            (self._visible, display.GetVisibility()),
            (self._visible_2d, display.GetVisibility2D()),
            (self._visible_3d, display.GetVisibility3D()),
            (self._original, display.GetGridShowNonWarped()),
        ):
            box.setChecked(bool(on))
        self._modes[self._mode_of(display)].setChecked(True)
        self._region.setCurrentNode(display.GetRegionNode())
        self._points.setCurrentNode(display.GetGlyphPointsNode())
        for name, slider in self._numbers.items():
            if name == "ContourOpacityPercent":
                slider.setValue(display.GetContourOpacity() * 100)
            else:
                slider.setValue(getattr(display, f"Get{name}")())
        self._numbers["GlyphSpacingMm"].setEnabled(display.GetGlyphPointsNode() is None)
        self._range.setValues(display.GetGlyphDisplayRangeMinMm(), display.GetGlyphDisplayRangeMaxMm())
        self._type.setCurrentIndex(display.GetGlyphType())
        # Only if the text has another meaning, so that typing is not disturbed.
        if _levels(self._levels.text()) != _levels(display.GetContourLevelsMmAsString()):
            self._levels.setText(display.GetContourLevelsMmAsString())
        self._colors.set_map(display.GetColorMap())

    @staticmethod
    def _mode_of(display: Any) -> str:
        modes = {display.VIS_MODE_GLYPH: "Glyph", display.VIS_MODE_GRID: "Grid", display.VIS_MODE_CONTOUR: "Contour"}
        return modes[display.GetVisualizationMode()]

    def onColorModifiedEvent(self) -> None:
        """Write the edited colours to the node."""
        self._set("ColorMap", self._colors.map())


def _group(title: str, parent: QWidget) -> QGroupBox:
    group = widget("ctkCollapsibleGroupBox")(parent)
    group.setTitle(title)
    group.setObjectName(f"{title}CollapsibleGroupBox")
    return group


def _check(name: str, parent: QWidget) -> QCheckBox:
    box = QCheckBox(parent)
    box.setObjectName(name)
    return box


def _selector(name: str, types: list[str], none: str, parent: QWidget) -> qMRMLNodeComboBox:
    selector = qMRMLNodeComboBox(parent)
    selector.setObjectName(name)
    selector.setNodeTypes(types)
    selector.setNoneEnabled(True)
    selector.setNoneDisplay(none)
    selector.setAddEnabled(False)
    selector.setRenameEnabled(True)
    return selector


def _levels(text: str) -> list[float]:
    return [float(level) for level in text.split()]
