"""The two-way connection between the parameters of a wrapper and widgets."""

import slicer
import vtk

from ._guiConnectorBase import GuiConnector, createGuiConnector
from ._packConnector import packNameToWidgetMap
from .util import splitPossiblyDottedName

SlicerParameterNamePropertyName = "SlicerParameterName"


def findChildWidgetForParameter(widget, parameter: str):
    """Return the widget within ``widget`` for a parameter, whose name may be dotted; None if there is none."""
    import qt

    for child in widget.findChildren(qt.QWidget):
        if child.property(SlicerParameterNamePropertyName) == parameter:
            return child
    # The parameter may be a member of a pack whose widget has a child for it.
    top, rest = splitPossiblyDottedName(parameter)
    packWidget = None if rest is None else findChildWidgetForParameter(widget, top)
    return None if packWidget is None else packNameToWidgetMap(packWidget).get(rest)


def widgetsByParameter(gui) -> dict:
    """Return the widgets with the property "SlicerParameterName", by its value.

    ``gui`` is a widget, whose children are searched, or an object with widgets as attributes, as
    slicer.util.childWidgetVariables() returns.
    """
    import qt

    isWidget = getattr(gui, "isWidgetType", lambda: False)()
    candidates = gui.findChildren(qt.QWidget) if isWidget else list(vars(gui).values())
    named = [(candidate.property(SlicerParameterNamePropertyName), candidate) for candidate in candidates]
    return {name: candidate for name, candidate in named if name}


class GuiBinding:
    """All connections of one wrapper."""

    def __init__(self, wrapper):
        self._wrapper = wrapper
        self._connections = {}
        self._nextTag = 0
        self._observerTag = None
        self._updatingWidgets = False

    def connect(self, mapping) -> int:
        """Connect parameters, by name, to widgets or connectors, show their values, and return a tag for disconnect()."""
        connectors = {}
        for name, widget in mapping.items():
            # This also checks the names before anything is connected.
            datatype = self._wrapper.dataType(name)
            connectors[name] = widget if isinstance(widget, GuiConnector) else createGuiConnector(widget, datatype)

        for name, connector in connectors.items():
            connector.write(self._wrapper.getValue(name))
            connector.onChanged(self._makeCallback(name, connector))
        tag = self._nextTag
        self._nextTag += 1
        self._connections[tag] = connectors
        if self._observerTag is None:
            self._observerTag = self._wrapper.AddObserver(vtk.vtkCommand.ModifiedEvent, self._onNodeModified)
        return tag

    def disconnect(self, tag) -> None:
        """Remove the connections that connect() made; an unknown tag is ignored."""
        for connector in self._connections.pop(tag, {}).values():
            connector.onChanged(None)
        if not self._connections and self._observerTag is not None:
            self._wrapper.RemoveObserver(self._observerTag)
            self._observerTag = None

    def _makeCallback(self, name: str, connector):
        def onWidgetChanged():
            # A widget reports a change while it is set, with a value that may be rounded or clipped.
            if self._updatingWidgets:
                return
            with slicer.util.NodeModify(self._wrapper):
                self._wrapper.setValue(name, connector.read())

        return onWidgetChanged

    def _onNodeModified(self, caller, event) -> None:
        if self._updatingWidgets:
            return
        self._updatingWidgets = True
        try:
            # Changes that the widgets' own slots make in the node are reported once, after all widgets are up to date.
            with slicer.util.NodeModify(self._wrapper):
                for connectors in list(self._connections.values()):
                    for name, connector in connectors.items():
                        connector.write(self._wrapper.getValue(name))
        finally:
            self._updatingWidgets = False
