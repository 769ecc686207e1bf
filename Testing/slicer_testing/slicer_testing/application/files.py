"""Reading and writing of nodes and scenes: ``slicer.app.coreIOManager()``."""

from __future__ import annotations

import os
from typing import Any

import slicer
import vtk
from PySide6.QtCore import QObject, Signal

from slicer_testing.application import file_readers
from slicer_testing.application.file_types import EXTENSIONS, file_types, longest_extension
from slicer_testing.pythonqt import dialogs
from slicer_testing.registry import stands_for


@stands_for("qSlicerIOManager")
class qSlicerIOManager(QObject):
    """Reads files into the scene and writes nodes and scenes to files."""

    newFileLoaded = Signal(object)
    fileSaved = Signal(object)

    def __init__(self, app: Any) -> None:
        super().__init__()
        self._app = app

    # --------------------------------------------------------------- questions

    def fileType(self, path: Any) -> str:
        """Return the file type that reads a file, "NoFile" if there is none."""
        kinds = self.fileTypes(path)
        return kinds[0] if kinds else "NoFile"

    def fileTypes(self, path: Any) -> list[str]:
        """Return all file types that read a file, in order of falling confidence."""
        return file_types(str(path))

    def registeredFileReaderCount(self, kind: str) -> int:
        return int(kind in file_readers.readable())

    def fileWriterFileType(self, node: Any) -> str:
        if node is None or node.IsA("vtkMRMLScene"):
            return "SceneFile"
        if not node.IsA("vtkMRMLStorableNode"):
            return "NoFile"
        for parent, kind in (
            ("vtkMRMLSegmentationNode", "SegmentationFile"),
            ("vtkMRMLVolumeNode", "VolumeFile"),
            ("vtkMRMLModelNode", "ModelFile"),
            ("vtkMRMLMarkupsNode", "MarkupsFile"),
            ("vtkMRMLTransformNode", "TransformFile"),
            ("vtkMRMLTableNode", "TableFile"),
            ("vtkMRMLTextNode", "TextFile"),
            ("vtkMRMLColorNode", "ColorTableFile"),
            ("vtkMRMLSequenceNode", "SequenceFile"),
        ):
            if node.IsA(parent):
                return kind
        return "NoFile"

    def fileWriterExtensions(self, node: Any) -> list[str]:
        """Return the formats that a node can be written in, each as "Description (.ext)"."""
        storage = self._storage(node)
        if storage is None:
            return []
        types = storage.GetSupportedWriteFileTypes()
        return [types.GetValue(i) for i in range(types.GetNumberOfValues())]

    def extractKnownExtension(self, name: str, node: Any = None) -> str:
        """Return the extension with its dot, in full (.nii.gz, .mrk.json)."""
        base = os.path.basename(str(name)).lower()
        known = {extension for extensions in EXTENSIONS.values() for extension in extensions}
        if node is not None:
            known |= {_format_extension(text).lower() for text in self.fileWriterExtensions(node)}
        return longest_extension(base, known) or os.path.splitext(base)[1]

    def stripKnownExtension(self, name: str, node: Any = None) -> str:
        text = str(name)
        extension = self.extractKnownExtension(text, node)
        return text[: len(text) - len(extension)] if extension else text

    # ----------------------------------------------------------------- reading

    def loadNodes(self, kind: str, properties: dict, loaded: Any = None, messages: Any = None) -> bool:
        """Read one file into the scene.

        Args:
            kind: file type.
            properties: "fileName" and the options of the type.
            loaded: vtkCollection for the new nodes.
            messages: vtkMRMLMessageCollection that gets the errors.
        """
        names = properties.get("fileName") or properties.get("fileNames")
        if isinstance(names, (list, tuple)):
            results = [self.loadNodes(kind, {**properties, "fileName": name}, loaded, messages) for name in names]
            return all(results)
        path = str(names)
        if not os.path.exists(path):
            file_readers.complain(messages, f"The file {path} does not exist.")
            return False
        scene = self._app.mrmlScene()
        clears = kind == "SceneFile" and properties.get("clear", False)
        before = set() if clears else {scene.GetNthNode(index).GetID() for index in range(scene.GetNumberOfNodes())}
        found = file_readers.read(self._app, kind, path, properties, messages)
        if not found:
            return False
        if found is True:
            found = [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes()) if scene.GetNthNode(index).GetID() not in before]
        elif properties.get("name") and found[0].GetName() != properties["name"]:
            found[0].SetName(scene.GetUniqueNameByString(properties["name"]))
        if loaded is not None:
            for node in found:
                loaded.AddItem(node)
        self.newFileLoaded.emit(dict(properties))
        return True

    # ----------------------------------------------------------------- writing

    def saveNodes(self, kind: str, properties: dict, messages: Any = None) -> bool:
        """Write one node, or the scene, and return whether that succeeded."""
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

    def exportNodes(self, ids: Any, paths: Any, properties: Any = None, harden: bool = False, messages: Any = None) -> bool:
        """Write copies of nodes without changing the nodes' own storage, and return whether that succeeded."""
        done = True
        settings = properties if isinstance(properties, dict) else {}
        single = [ids] if isinstance(ids, str) else list(ids)
        for identifier, path in zip(single, [paths] if isinstance(paths, str) else list(paths), strict=True):
            node = self._app.mrmlScene().GetNodeByID(identifier)
            done = node is not None and self._export(node, str(path), settings, harden, messages) and done
        return done

    def _export(self, node: Any, path: str, properties: dict, harden: bool, messages: Any) -> bool:
        aside = slicer.vtkMRMLScene()
        aside.SetDataIOManager(self._app.mrmlScene().GetDataIOManager())
        aside.SetCacheManager(self._app.mrmlScene().GetCacheManager())
        copy = aside.AddNode(getattr(slicer, node.GetClassName())())
        copy.CopyContent(node)
        if harden and node.IsA("vtkMRMLTransformableNode") and node.GetParentTransformNode() is not None:
            world = vtk.vtkGeneralTransform()
            node.GetParentTransformNode().GetTransformToWorld(world)
            copy.ApplyTransform(world)
        storage = _default_storage(node, aside)
        return _write(copy, storage, path, properties, messages)

    def _storage(self, node: Any, keep: bool = False) -> Any:
        if node is None or not node.IsA("vtkMRMLStorableNode"):
            return None
        if keep:
            if node.GetStorageNode() is None:
                node.AddDefaultStorageNode()
            return node.GetStorageNode()
        return node.GetStorageNode() or _default_storage(node, self._app.mrmlScene())

    # ----------------------------------------------------------------- dialogs

    def openDialog(self, kind: str, action: int = 0, properties: Any = None, loaded: Any = None) -> bool:
        """Ask the user for files of a type, read them and return whether that succeeded."""
        wanted = " ".join(f"*{extension}" for extension in EXTENSIONS.get(kind, ()))
        paths = dialogs.ask_file("open files", f"Add {kind}", "", f"{kind} ({wanted})")
        results = [self.loadNodes(kind, {**(properties or {}), "fileName": path}, loaded) for path in paths]
        return bool(results) and all(results)

    def openAddDataDialog(self) -> bool:
        paths = dialogs.ask_file("open files", "Add data into the scene")
        results = [self.loadNodes(self.fileType(path), {"fileName": path}) for path in paths]
        return bool(results) and all(results)

    def openAddVolumeDialog(self) -> bool:
        return self.openDialog("VolumeFile")

    def openAddModelDialog(self) -> bool:
        return self.openDialog("ModelFile")

    def openAddTransformDialog(self) -> bool:
        return self.openDialog("TransformFile")

    def openAddMarkupsDialog(self) -> bool:
        return self.openDialog("MarkupsFile")

    def openSaveDataDialog(self) -> bool:
        path = dialogs.ask_file("save", "Save scene", "", "Scene (*.mrb *.mrml)")
        return bool(path) and self.saveNodes("SceneFile", {"fileName": path})


def _default_storage(node: Any, scene: Any) -> Any:
    """Return a storage node of the class that suits a node. It belongs to a scene without being in it, so that it knows its formats.

    Volumes ask the scene for the file types that they can be written to.
    """
    # Short texts and empty sequences need no file in a scene and create no storage node, but can be exported.
    class_name = node.GetDefaultStorageNodeClassName("")
    storage = node.CreateDefaultStorageNode() or (getattr(slicer, class_name)() if class_name else None)
    if storage is not None:
        storage.SetScene(scene)
    return storage


def _format_extension(text: str) -> str:
    """Return the extension of a format: ".nrrd" for "NRRD (.nrrd)"."""
    return text.rpartition("(")[2].rstrip(")").strip().lstrip("*")


def _write(node: Any, storage: Any, path: str, properties: dict, messages: Any) -> bool:
    storage.SetFileName(path)
    if "useCompression" in properties:
        storage.SetUseCompression(bool(properties["useCompression"]))
    if properties.get("fileFormat"):
        extension = _format_extension(properties["fileFormat"])
        if extension and not path.lower().endswith(extension):
            storage.SetFileName(path + extension)
    if storage.WriteData(node):
        return True
    file_readers.complain(messages, f"{node.GetName()} could not be written to {path}.")
    return False


def _write_scene(app: Any, scene: Any, path: str) -> bool:
    lower = path.lower()
    if lower.endswith(".mrb"):
        return bool(scene.WriteToMRB(path))
    if lower.endswith(".mrml"):
        # Only the description is written, as in the application: data must be saved to their own files before.
        scene.SetURL(path)
        scene.SetRootDirectory(os.path.dirname(os.path.abspath(path)))
        return bool(scene.Commit())
    if os.path.isdir(path) and os.listdir(path):
        dialogs.message("warning", "Save scene", f'Selected directory\n"{path}"\nis not empty.\nPlease choose an empty directory.')
        return False
    os.makedirs(path, exist_ok=True)
    return bool(app.applicationLogic().SaveSceneToSlicerDataBundleDirectory(path, None))
