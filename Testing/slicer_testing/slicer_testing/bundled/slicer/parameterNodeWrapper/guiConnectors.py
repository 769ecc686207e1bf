"""All connectors between widgets and parameters, and the annotations that set up the widgets."""

from ._annotations import Decimals, SingleStep
from ._guiConnectorBase import GuiConnector, createGuiConnector, parameterNodeGuiConnector
from ._nodeConnectors import qMRMLNodeComboBoxToNodeConnector, qMRMLSubjectHierarchyTreeViewToNodeConnector
from ._packConnector import SlicerPackParameterNamePropertyName, WidgetChildrenToParameterPackConnector
from ._valueConnectors import (
    QCheckablePushButtonToBoolConnector,
    QCheckBoxToBoolConnector,
    QComboBoxToEnumConnector,
    QComboBoxToStringableConnector,
    QDoubleSpinBoxCtkSliderWidgetToFloatConnector,
    QLabelToStrConnector,
    QLineEditToStrConnector,
    QSliderOrSpinBoxToIntConnector,
    QTextEditPlainTextToStrConnector,
    ctkColorPickerButtonToQColorConnector,
    ctkDirectoryButtonToPathConnector,
    ctkPathLineEditToPathConnector,
    ctkRangeWidgetToRangeConnector,
)

__all__ = [
    "createGuiConnector",
    "parameterNodeGuiConnector",
    "GuiConnector",
    "SlicerPackParameterNamePropertyName",
    "Decimals",
    "SingleStep",
]
