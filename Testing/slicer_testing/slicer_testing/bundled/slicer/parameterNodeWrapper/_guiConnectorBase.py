"""The base class of connectors between a widget and a parameter, and their registration."""

import abc

import slicer


class GuiConnector(abc.ABC):
    """Connects one widget: reads its value, writes it, and reports its changes."""

    @staticmethod
    @abc.abstractmethod
    def canRepresent(widget, datatype) -> bool:
        """Return whether this class can connect the widget to values of the type, which may be annotated."""
        raise NotImplementedError("Must implement canRepresent")

    @staticmethod
    @abc.abstractmethod
    def create(widget, datatype):
        """Return a connector of the widget, set up by the annotations of the type."""
        raise NotImplementedError("Must implement create")

    def __init__(self):
        super().__init__()
        self._callback = None

    def onChanged(self, callback) -> None:
        """Call ``callback()`` whenever the widget's value changes; None stops the calls."""
        self._callback = callback
        if callback is None:
            self._disconnect()
        else:
            self._connect()

    def changed(self) -> None:
        """Call the callback; the widget's signals are connected to this function."""
        if self._callback is not None:
            self._callback()

    @abc.abstractmethod
    def _connect(self):
        """Connect the widget's signal to ``changed``."""
        raise NotImplementedError("Must implement _connect")

    @abc.abstractmethod
    def _disconnect(self):
        """Undo ``_connect``."""
        raise NotImplementedError("Must implement _disconnect")

    @abc.abstractmethod
    def widget(self):
        """The widget."""
        raise NotImplementedError("Must implement widget")

    @abc.abstractmethod
    def read(self):
        """The widget's value, as the parameter's type."""
        raise NotImplementedError("Must implement read")

    @abc.abstractmethod
    def write(self, value) -> None:
        """Show the value in the widget."""
        raise NotImplementedError("Must implement write")


_registeredGuiConnectors = []


def parameterNodeGuiConnector(classtype=None):
    """Class decorator: let wrappers find this connector for the widgets and types that it can connect."""

    def register(cls):
        if not (isinstance(cls, type) and issubclass(cls, GuiConnector)):
            raise TypeError(f"{cls} must derive from GuiConnector")
        _registeredGuiConnectors.append(cls)
        return cls

    # The decorator may be written with or without parentheses.
    return register if classtype is None else register(classtype)


def createGuiConnector(widget, datatype) -> GuiConnector:
    """Return the connector of a widget to values of a type; RuntimeError if there is none."""
    for connectorType in _registeredGuiConnectors:
        if connectorType.canRepresent(widget, datatype):
            return connectorType.create(widget, datatype)
    raise RuntimeError(f"No GUI connector is known between a {type(widget).__name__} and the type {datatype}")


def isWidgetOfClass(widget, *classNames: str) -> bool:
    """Return whether the widget is exactly of one of the classes, and not of one that derives from it.

    The application tests for the exact class too. Classes are found by name when they are needed, so that connectors do
    not depend on which widgets have been loaded.
    """
    name = type(widget).__name__
    if name not in classNames:
        return False
    if name.startswith("ctk"):
        import ctk as module
    elif name.startswith("Q"):
        import qt as module
    else:
        module = slicer
    return type(widget) is getattr(module, name, None)


class SingleSignalConnector(GuiConnector):
    """Base class of the host's own connectors: one widget with one signal and one property."""

    # Names, set by the subclasses.
    signalName = None
    propertyName = None

    def __init__(self, widget):
        super().__init__()
        self._widget = widget

    def _signal(self):
        return getattr(self._widget, self.signalName)

    def _connect(self):
        self._signal().connect(self.changed)

    def _disconnect(self):
        self._signal().disconnect(self.changed)

    def widget(self):
        return self._widget

    def read(self):
        return getattr(self._widget, self.propertyName)

    def write(self, value) -> None:
        setattr(self._widget, self.propertyName, value)
