"""The connector of a widget whose children represent the parameters of a pack."""

from ._guiConnectorBase import GuiConnector, createGuiConnector, parameterNodeGuiConnector
from ._packMembers import isParameterPack
from .parameterPack import nestedParameterNames
from .util import unannotatedType

SlicerPackParameterNamePropertyName = "SlicerPackParameterName"


def _packPath(child, root) -> tuple:
    """Return the names of the pack parameters that the child and its parents represent, from just below ``root`` down."""
    names = []
    while child is not None and child is not root:
        name = child.property(SlicerPackParameterNamePropertyName)
        if name is not None:
            names.insert(0, name)
        child = child.parent()
    return tuple(names)


def packNameToWidgetMap(widget) -> dict:
    """Return the widgets within ``widget`` that represent single parameters of a pack, by their dotted names."""
    import qt

    paths = {
        _packPath(child, widget): child
        for child in widget.findChildren(qt.QWidget)
        if child.property(SlicerPackParameterNamePropertyName) is not None
    }
    # A widget for an inner pack only groups the widgets below it.
    groups = {path[:length] for path in paths for length in range(1, len(path))}
    return {".".join(path): child for path, child in paths.items() if path not in groups}


@parameterNodeGuiConnector
class WidgetChildrenToParameterPackConnector(GuiConnector):
    """Connects a pack to a widget with a child for each of its parameters.

    Each child has the name of its parameter as property "SlicerPackParameterName". For packs within packs the names are
    composed of those of parents and children, so that a widget does not depend on where its pack is used.
    """

    @staticmethod
    def canRepresent(widget, datatype) -> bool:
        packClass = unannotatedType(datatype)
        if not isParameterPack(packClass):
            return False
        # Other children are allowed: they may belong to another pack.
        return set(nestedParameterNames(packClass)) <= set(packNameToWidgetMap(widget))

    @staticmethod
    def create(widget, datatype):
        if not WidgetChildrenToParameterPackConnector.canRepresent(widget, datatype):
            return None
        return WidgetChildrenToParameterPackConnector(widget, unannotatedType(datatype))

    def __init__(self, widget, packClass):
        super().__init__()
        self._widget = widget
        self._packClass = packClass
        widgets = packNameToWidgetMap(widget)
        self._connectors = {name: createGuiConnector(widgets[name], packClass.dataType(name)) for name in nestedParameterNames(packClass)}

    def _connect(self):
        for connector in self._connectors.values():
            connector.onChanged(self.changed)

    def _disconnect(self):
        for connector in self._connectors.values():
            connector.onChanged(None)

    def widget(self):
        return self._widget

    def read(self):
        pack = self._packClass()
        for name, connector in self._connectors.items():
            pack.setValue(name, connector.read())
        return pack

    def write(self, value) -> None:
        for name, connector in self._connectors.items():
            connector.write(value.getValue(name))
