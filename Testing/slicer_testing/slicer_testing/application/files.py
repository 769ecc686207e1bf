"""Reading and writing nodes and scenes: what ``slicer.app.coreIOManager()`` does."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import Any

import slicer
import vtk
from PySide6.QtCore import QObject, Signal

from slicer_testing.pythonqt import dialogs

# By file type: the extensions that mean it, longest first where they overlap.
READABLE = {
    "SceneFile": (".mrml", ".mrb"),
    "MarkupsFile": (".mrk.json", ".fcsv"),
    "SegmentationFile": (".seg.nrrd", ".seg.nhdr", ".seg.vtm"),
    "SequenceFile": (".seq.nrrd", ".seq.nhdr", ".seq.mrb"),
    "ModelFile": (".vtk", ".vtp", ".stl", ".ply", ".obj", ".vtu", ".g", ".byu"),
    "TransformFile": (".h5", ".tfm", ".mat", ".hdf5", ".he5"),
    "TableFile": (".csv", ".tsv", ".schema.csv", ".db"),
    "ColorTableFile": (".ctbl", ".cjson"),
    "VolumeFile": (".nrrd", ".nhdr", ".nii.gz", ".nii", ".mha", ".mhd", ".hdr", ".img", ".dcm", ".tif", ".tiff", ".png", ".jpg", ".bmp"),
    "TextFile": (".txt", ".xml", ".json"),
}


class qSlicerIOManager(QObject):
    """Files in and out of the scene."""

    newFileLoaded = Signal(object)  # noqa: N815
    fileSaved = Signal(object)  # noqa: N815

    def __init__(self, app: Any) -> None:
        super().__init__()
        self._app = app

    # --------------------------------------------------------------- questions

    def fileType(self, path: Any) -> str:  # noqa: N802
        """The file type that would read a file, "NoFile" if none."""
        kinds = self.fileTypes(path)
        return kinds[0] if kinds else "NoFile"

    def fileTypes(self, path: Any) -> list[str]:  # noqa: N802
        """All file types that would, the likeliest first."""
        name = str(path).lower()
        kinds = [kind for kind, extensions in READABLE.items() if name.endswith(extensions)]
        if "VolumeFile" in kinds and name.endswith((".nrrd", ".nhdr")) and "SegmentationFile" not in kinds and _holds_segments(path):
            kinds.insert(0, "SegmentationFile")
        return kinds

    def registeredFileReaderCount(self, kind: str) -> int:  # noqa: N802
        return int(kind in READABLE)

    def fileWriterFileType(self, node: Any) -> str:  # noqa: N802
        if node is None or node.IsA("vtkMRMLScene"):
            return "SceneFile"
        if not node.IsA("vtkMRMLStorableNode"):
            return "NoFile"
        for parent, kind in (
            ("vtkMRMLSegmentationNode", "SegmentationFile"), ("vtkMRMLVolumeNode", "VolumeFile"), ("vtkMRMLModelNode", "ModelFile"),
            ("vtkMRMLMarkupsNode", "MarkupsFile"), ("vtkMRMLTransformNode", "TransformFile"), ("vtkMRMLTableNode", "TableFile"),
            ("vtkMRMLTextNode", "TextFile"), ("vtkMRMLColorNode", "ColorTableFile"), ("vtkMRMLSequenceNode", "SequenceFile"),
        ):
            if node.IsA(parent):
                return kind
        return "NoFile"

    def fileWriterExtensions(self, node: Any) -> list[str]:  # noqa: N802
        """As "Description (.ext)" each."""
        storage = self._storage(node)
        if storage is None:
            return []
        types = storage.GetSupportedWriteFileTypes()
        return [types.GetValue(i) for i in range(types.GetNumberOfValues())]

    def extractKnownExtension(self, name: str, node: Any = None) -> str:  # noqa: N802
        """The extension with its dot, in full (.nii.gz, .mrk.json)."""
        base = os.path.basename(name).lower()
        known = {extension for extensions in READABLE.values() for extension in extensions}
        if node is not None:
            helper = vtk_format_extension
            known |= {helper(text).lower() for text in self.fileWriterExtensions(node)}
        found = max((extension for extension in known if extension and base.endswith(extension)), key=len, default="")
        return found or os.path.splitext(base)[1]

    def stripKnownExtension(self, name: str, node: Any = None) -> str:  # noqa: N802
        extension = self.extractKnownExtension(name, node)
        return name[: len(name) - len(extension)] if extension else name

    # ----------------------------------------------------------------- reading

    def loadNodes(self, kind: str, properties: dict, loaded: Any = None, messages: Any = None) -> bool:  # noqa: N802
        """Read one file into the scene.

        Args:
            kind: file type.
            properties: "fileName" and what the type knows.
            loaded: vtkCollection for the new nodes.
            messages: vtkMRMLMessageCollection for what went wrong.
        """
        names = properties.get("fileName") or properties.get("fileNames")
        if isinstance(names, (list, tuple)):
            return all([self.loadNodes(kind, {**properties, "fileName": name}, loaded, messages) for name in names])
        path = str(names)
        reader = _READERS.get(kind)
        if reader is None:
            raise NotImplementedError(f"reading a {kind} is not implemented by slicer_testing")
        if not os.path.exists(path):
            _complain(messages, f"The file {path} does not exist.")
            return False
        scene = self._app.mrmlScene()
        before = {scene.GetNthNode(i).GetID() for i in range(scene.GetNumberOfNodes())}
        if kind == "SceneFile" and properties.get("clear", False):
            before = set()
        node = reader(self._app, path, properties, messages)
        if node is None or node is False:
            return False
        if not isinstance(node, bool) and properties.get("name"):
            node.SetName(scene.GetUniqueNameByString(properties["name"]) if node.GetName() != properties["name"] else node.GetName())
        if loaded is not None:
            if isinstance(node, bool):
                for index in range(scene.GetNumberOfNodes()):
                    if scene.GetNthNode(index).GetID() not in before:
                        loaded.AddItem(scene.GetNthNode(index))
            else:
                loaded.AddItem(node)
        self.newFileLoaded.emit(dict(properties))
        return True

    # ----------------------------------------------------------------- writing

    def saveNodes(self, kind: str, properties: dict, messages: Any = None) -> bool:  # noqa: N802
        """Write one node, or the scene."""
        path = str(properties["fileName"])
        scene = self._app.mrmlScene()
        if kind == "SceneFile":
            done = _write_scene(self._app, scene, path)
        else:
            node = scene.GetNodeByID(properties["nodeID"])
            storage = self._storage(node, keep=True)
            done = storage is not None and _write(node, storage, path, properties, messages)
        if done:
            self.fileSaved.emit(dict(properties))
        return bool(done)

    def exportNodes(  # noqa: N802
        self, ids: Any, paths: Any, properties: Any = None, harden: bool = False, messages: Any = None
    ) -> bool:
        """Write copies of nodes, leaving the nodes' own storage as it is."""
        done = True
        settings = properties if isinstance(properties, dict) else {}
        single = [ids] if isinstance(ids, str) else list(ids)
        for identifier, path in zip(single, [paths] if isinstance(paths, str) else list(paths)):
            node = self._app.mrmlScene().GetNodeByID(identifier)
            done = node is not None and self._export(node, str(path), settings, harden, messages) and done
        return done

    def _export(self, node: Any, path: str, properties: dict, harden: bool, messages: Any) -> bool:
        aside = slicer.vtkMRMLScene()
        aside.SetDataIOManager(self._app.mrmlScene().GetDataIOManager())
        aside.SetCacheManager(self._app.mrmlScene().GetCacheManager())
        aside.RegisterNodeClass(node.CreateNodeInstance())
        copy = aside.AddNewNodeByClass(node.GetClassName(), node.GetName())
        copy.CopyContent(node)
        if harden and node.IsA("vtkMRMLTransformableNode") and node.GetParentTransformNode() is not None:
            world = vtk.vtkGeneralTransform()
            node.GetParentTransformNode().GetTransformToWorld(world)
            copy.ApplyTransform(world)
        storage = node.CreateDefaultStorageNode()
        aside.AddNode(storage)
        return _write(copy, storage, path, properties, messages)

    def _storage(self, node: Any, keep: bool = False) -> Any:
        if node is None or not node.IsA("vtkMRMLStorableNode"):
            return None
        if keep:
            if node.GetStorageNode() is None:
                node.AddDefaultStorageNode()
            return node.GetStorageNode()
        return node.GetStorageNode() or node.CreateDefaultStorageNode()

    # ----------------------------------------------------------------- dialogs

    def openDialog(self, kind: str, action: int = 0, properties: Any = None, loaded: Any = None) -> bool:  # noqa: N802
        """Ask for files of a type and read them."""
        wanted = " ".join(f"*{extension}" for extension in READABLE.get(kind, ()))
        paths = dialogs.ask_file("open files", f"Add {kind}", "", f"{kind} ({wanted})")
        return bool(paths) and all([self.loadNodes(kind, {**(properties or {}), "fileName": path}, loaded) for path in paths])

    def openAddDataDialog(self) -> bool:  # noqa: N802
        paths = dialogs.ask_file("open files", "Add data into the scene")
        return bool(paths) and all([self.loadNodes(self.fileType(path), {"fileName": path}) for path in paths])

    def openAddVolumeDialog(self) -> bool:  # noqa: N802
        return self.openDialog("VolumeFile")

    def openAddModelDialog(self) -> bool:  # noqa: N802
        return self.openDialog("ModelFile")

    def openAddTransformDialog(self) -> bool:  # noqa: N802
        return self.openDialog("TransformFile")

    def openAddMarkupsDialog(self) -> bool:  # noqa: N802
        return self.openDialog("MarkupsFile")

    def openSaveDataDialog(self) -> bool:  # noqa: N802
        path = dialogs.ask_file("save", "Save scene", "", "Scene (*.mrb *.mrml)")
        return bool(path) and self.saveNodes("SceneFile", {"fileName": path})


def _holds_segments(path: Any) -> bool:
    """Whether the header of an NRRD file speaks of segments."""
    try:
        with open(path, "rb") as file:
            start = file.read(800)
    except OSError:
        return False
    return b"Segment0_ID:=" in start or b"Segmentation_" in start


def vtk_format_extension(text: str) -> str:
    """".nrrd" of "NRRD (.nrrd)"."""
    return text.rpartition("(")[2].rstrip(")").strip().lstrip("*")


def _complain(messages: Any, text: str) -> None:
    if messages is not None:
        messages.AddMessage(vtk.vtkCommand.ErrorEvent, text)


def _write(node: Any, storage: Any, path: str, properties: dict, messages: Any) -> bool:
    storage.SetFileName(path)
    if "useCompression" in properties:
        storage.SetUseCompression(bool(properties["useCompression"]))
    if properties.get("fileFormat"):
        extension = vtk_format_extension(properties["fileFormat"])
        if extension and not path.lower().endswith(extension):
            storage.SetFileName(path + extension)
    if storage.WriteData(node):
        return True
    _complain(messages, f"{node.GetName()} could not be written to {path}.")
    return False


def _write_scene(app: Any, scene: Any, path: str) -> bool:
    lower = path.lower()
    if lower.endswith(".mrb"):
        return bool(scene.WriteToMRB(path))
    if lower.endswith(".mrml"):
        scene.SetURL(path)
        for node in _nodes(scene, "vtkMRMLStorableNode"):
            storage = node.GetStorageNode()
            if node.GetModifiedSinceRead() and node.GetSaveWithScene() and not node.GetHideFromEditors():
                if storage is None and node.AddDefaultStorageNode():
                    storage = node.GetStorageNode()
                if storage is None:
                    continue
                if not storage.GetFileName():
                    extension = storage.GetDefaultWriteFileExtension()
                    storage.SetFileName(os.path.join(os.path.dirname(path), f"{node.GetName()}.{extension}"))
                storage.WriteData(node)
        return bool(scene.Commit(path))
    os.makedirs(path, exist_ok=True)
    return bool(app.applicationLogic().SaveSceneToSlicerDataBundleDirectory(path, None))


def _nodes(scene: Any, class_name: str) -> list:
    return [scene.GetNthNodeByClass(i, class_name) for i in range(scene.GetNumberOfNodesByClass(class_name))]


# ------------------------------------------------------------------------------------------------------------ readers


def _read_scene(app: Any, path: str, properties: dict, messages: Any) -> bool:
    scene, clear = app.mrmlScene(), bool(properties.get("clear", False))
    if path.lower().endswith(".mrb"):
        return bool(scene.ReadFromMRB(path, clear))
    scene.SetURL(path)
    return bool(scene.Connect() if clear else scene.Import())


def _read_volume(app: Any, path: str, properties: dict, messages: Any) -> Any:
    options = 0
    for bit, name in ((0, "labelmap"), (1, "center"), (2, "singleFile")):
        options |= int(bool(properties.get(name, False))) << bit
    options |= int(bool(properties.get("autoWindowLevel", True))) << 3
    options |= int(bool(properties.get("discardOrientation", False))) << 4
    name = properties.get("name") or app.ioManager().stripKnownExtension(os.path.basename(path))
    node = app.logics["Volumes"].AddArchetypeVolume(path, name, options)
    if node is None:
        _complain(messages, f"No reader could read {path} as a volume.")
        return None
    if properties.get("show", True):
        selection = app.applicationLogic().GetSelectionNode()
        if node.IsA("vtkMRMLLabelMapVolumeNode"):
            selection.SetActiveLabelVolumeID(node.GetID())
        else:
            selection.SetActiveVolumeID(node.GetID())
        app.applicationLogic().PropagateVolumeSelection()
    return node


def _read_model(app: Any, path: str, properties: dict, messages: Any) -> Any:
    return app.logics["Models"].AddModel(path)


def _read_transform(app: Any, path: str, properties: dict, messages: Any) -> Any:
    return app.logics["Transforms"].AddTransform(path, app.mrmlScene())


def _read_markups(app: Any, path: str, properties: dict, messages: Any) -> Any:
    identifiers = app.logics["Markups"].LoadMarkups(path, properties.get("name") or None)
    return app.mrmlScene().GetNodeByID(identifiers.split(",")[0]) if identifiers else None


def _read_segmentation(app: Any, path: str, properties: dict, messages: Any) -> Any:
    logic = app.logics["Segmentations"]
    if path.lower().endswith((".seg.nrrd", ".seg.nhdr", ".seg.vtm", ".vtm", ".nrrd", ".nii", ".nii.gz", ".mha", ".mhd")):
        return logic.LoadSegmentationFromFile(path, True, properties.get("name", ""))
    _complain(messages, f"{path} is no segmentation.")
    return None


def _read_table(app: Any, path: str, properties: dict, messages: Any) -> Any:
    return app.logics["Tables"].AddTable(path, properties.get("name", "") or "")


def _read_text(app: Any, path: str, properties: dict, messages: Any) -> Any:
    node = app.mrmlScene().AddNewNodeByClass("vtkMRMLTextNode", properties.get("name") or os.path.basename(path))
    storage = slicer.vtkMRMLTextStorageNode()
    app.mrmlScene().AddNode(storage)
    storage.SetFileName(path)
    node.SetAndObserveStorageNodeID(storage.GetID())
    if storage.ReadData(node):
        return node
    app.mrmlScene().RemoveNode(node)
    app.mrmlScene().RemoveNode(storage)
    return None


def _read_colors(app: Any, path: str, properties: dict, messages: Any) -> Any:
    return app.logics["Colors"].LoadColorFile(path)


def _read_sequence(app: Any, path: str, properties: dict, messages: Any) -> Any:
    return app.logics["Sequences"].AddSequence(path)


_READERS: dict[str, Callable] = {
    "SceneFile": _read_scene,
    "VolumeFile": _read_volume,
    "ModelFile": _read_model,
    "TransformFile": _read_transform,
    "MarkupsFile": _read_markups,
    "SegmentationFile": _read_segmentation,
    "TableFile": _read_table,
    "TextFile": _read_text,
    "ColorTableFile": _read_colors,
    "SequenceFile": _read_sequence,
}


def temporary_folder() -> str:
    """A fresh folder for one application."""
    return tempfile.mkdtemp(prefix="slicer_testing_")
