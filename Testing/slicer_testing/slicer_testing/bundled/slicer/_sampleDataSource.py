"""Sample data sets and their registration."""

import dataclasses
import os
from collections.abc import Callable
from typing import Any

import slicer
from slicer import _sampleDataCatalogue as _catalogue
from slicer.util import DATA_STORE_URL, TESTING_DATA_URL


@dataclasses.dataclass(eq=False, repr=False)
class SampleDataSource:
    """A sample data set: one file or several, their addresses and how they are loaded.

    Parameters of files are lists of the same length, or single values for a single file.

    :param sampleName: name of the data set.
    :param sampleDescription: text on its button, by default the name.
    :param uris: addresses of the files.
    :param fileNames: their names in the download folder.
    :param nodeNames: names of the nodes; None for a file that is not loaded.
    :param checksums: ``<algorithm>:<digest>``, for example ``SHA256:...``.
    :param loadFiles: True or False, None to decide by the type.
    :param customDownloader: function that is called with this object when the button is clicked, instead of a download.
    :param thumbnailFileName: picture of the button.
    :param loadFileType: type of reader: ``VolumeFile`` (default if there is a node name), ``SegmentationFile``, ``SceneFile`` ...
    :param loadFileProperties: further properties for the reader.
    """

    sampleName: str | None = None
    sampleDescription: str | None = None
    uris: Any = None
    fileNames: Any = None
    nodeNames: Any = None
    checksums: Any = None
    loadFiles: Any = None
    customDownloader: Callable | None = None
    thumbnailFileName: str | None = None
    loadFileType: Any = None
    loadFileProperties: dict | None = None

    def __post_init__(self):
        perFile = ("uris", "fileNames", "nodeNames", "loadFiles", "loadFileType", "checksums")
        if isinstance(self.uris, str):
            for name in perFile:
                setattr(self, name, [getattr(self, name)])
        elif isinstance(self.uris, (list, tuple)):
            count = len(self.uris)
            if self.loadFileType is None or isinstance(self.loadFileType, str):
                self.loadFileType = [self.loadFileType] * count
            for name in ("nodeNames", "loadFiles", "checksums"):
                if getattr(self, name) is None:
                    setattr(self, name, [None] * count)
        if self.sampleDescription is None:
            self.sampleDescription = self.sampleName
        if self.loadFileProperties is None:
            self.loadFileProperties = {}
        # Not strict, since unequal lengths get a message of their own below.
        perFileTypes = zip(self.fileNames, self.nodeNames, self.loadFileType, strict=False)
        self.loadFileType = [self._guessType(*values) for values in perFileTypes]

        lengths = {name: len(getattr(self, name)) for name in perFile}
        if len(set(lengths.values())) != 1:
            raise ValueError(
                "All fields of sample data source must have the same length\n"
                + "\n".join(f"  len({name}): {length}" for name, length in lengths.items())
            )

    @staticmethod
    def _guessType(fileName, nodeName, fileType):
        if fileType is not None:
            return fileType
        if nodeName is not None:
            return "VolumeFile"
        extension = os.path.splitext(fileName.lower())[1]
        return {".mrml": "SceneFile", ".mrb": "SceneFile", ".zip": "ZipFile"}.get(extension)

    def _parts(self):
        """Yield (address, file name, node name, checksum, whether to load, type of reader) of each file."""
        yield from zip(self.uris, self.fileNames, self.nodeNames, self.checksums, self.loadFiles, self.loadFileType, strict=True)

    def __eq__(self, other):
        return str(self) == str(other)

    def __str__(self):
        lines = [
            f"{name:<18}: {getattr(self, name)}"
            for name in ("sampleName", "sampleDescription", "thumbnailFileName", "loadFileProperties", "customDownloader")
        ]
        for uri, fileName, nodeName, checksum, loadFile, fileType in self._parts():
            lines += [
                "",
                f" fileName    : {fileName}",
                f" uri         : {uri}",
                f" checksum    : {checksum}",
                f" nodeName    : {nodeName}",
                f" loadFile    : {loadFile}",
                f" loadFileType: {fileType}",
            ]
        return "\n".join([*lines, ""])


def _registered():
    """Return the registered sources by category; any module may add its own."""
    if not hasattr(slicer.modules, "sampleDataSources"):
        slicer.modules.sampleDataSources = {}
    return slicer.modules.sampleDataSources


def _source(name, description, files, store=TESTING_DATA_URL, fileType=None):
    """Return the source of an entry of the catalogue."""
    digests, fileNames, nodeNames = zip(*files, strict=True)
    return SampleDataSource(
        name,
        description,
        [f"{store}SHA256/{digest}" for digest in digests],
        fileNames,
        nodeNames,
        [f"SHA256:{digest}" for digest in digests],
        loadFileType=fileType,
    )


def _builtInSources():
    return [_source(*entry) for entry in _catalogue.GENERAL] + [
        _source(*entry, store=DATA_STORE_URL, fileType="SequenceFile") for entry in _catalogue.GENERAL_SEQUENCES
    ]


def _developmentSource():
    return _source(*_catalogue.DEVELOPMENT, fileType=["VolumeFile", "SegmentationFile"])
