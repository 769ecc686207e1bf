"""The parameters of one wrapper instance: the place of each value in the node, and its cache."""

import weakref

import slicer
import vtk


class Slot:
    """One parameter in one parameter node."""

    def __init__(self, info, parameterNode, prefix: str):
        self._node = parameterNode
        self._name = f"{prefix}{info.basename}"
        self._serializer = info.serializer
        self.default = info.default
        self.isCached = info.serializer.supportsCaching()
        # For a cached parameter: the value that was read last, unless the node has changed since.
        self._value = None
        self._isFresh = False
        self._writing = 0
        self._ensureValue()

    def _ensureValue(self) -> None:
        """Write the default if the node has no value, as in a new node or in a scene of an earlier version."""
        if not self._serializer.isIn(self._node, self._name):
            self._serializer.write(self._node, self._name, self.default.value)

    def forget(self) -> None:
        """Clear the cache, since the node has changed."""
        # While this slot writes, its cache holds the new value, and observers of the node read it.
        if not self._writing:
            self._isFresh = False

    def _remember(self):
        self._value = self._serializer.read(self._node, self._name)
        self._isFresh = True
        return self._value

    def read(self):
        """Return the value of the parameter."""
        if self.isCached and self._isFresh:
            return self._value
        self._ensureValue()
        return self._remember() if self.isCached else self._serializer.read(self._node, self._name)

    def write(self, value) -> None:
        """Set the value; the node notifies its observers once."""
        self._writing += 1
        try:
            # Within the batch the value is stored and cached; observers are called when it ends.
            with slicer.util.NodeModify(self._node):
                self._isFresh = False
                self._serializer.write(self._node, self._name, value)
                if self.isCached:
                    self._remember()
        finally:
            self._writing -= 1


class NodeWatch:
    """Notifies the slots of a wrapper when their node is modified.

    The node calls a function that has a weak reference to the watch, so that the watch ends with its wrapper: otherwise the
    node would keep all its wrappers alive.
    """

    def __init__(self, parameterNode, slots):
        self._node = parameterNode
        self._slots = list(slots)
        reference = weakref.ref(self)

        def onModified(caller, event):
            watch = reference()
            if watch is not None:
                watch._forgetAll()

        self._tag = parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, onModified)

    def _forgetAll(self) -> None:
        for slot in self._slots:
            slot.forget()

    def __del__(self):
        self._node.RemoveObserver(self._tag)
