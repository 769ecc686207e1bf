"""Downloading and loading of sample data sets."""

import logging
import os
import urllib.request

import slicer
import vtk
from slicer._sampleDataSource import SampleDataSource, _builtInSources, _developmentSource, _registered
from slicer.i18n import tr as _
from slicer.util import computeChecksum, extractAlgoAndDigest


class SampleDataLogic:
    """Downloads registered data sets and loads them into the scene."""

    def __init__(self, logMessage=None):
        if logMessage:
            self.logMessage = logMessage
        self.builtInCategoryName = _("General")
        self.developmentCategoryName = _("Development")
        self.downloadPercent = 0
        for source in _builtInSources():
            self._register(self.builtInCategoryName, source)
        self._register(self.developmentCategoryName, _developmentSource())

    # Registering

    @staticmethod
    def registerCustomSampleDataSource(
        category="Custom",
        sampleName=None,
        uris=None,
        fileNames=None,
        nodeNames=None,
        customDownloader=None,
        thumbnailFileName=None,
        loadFileType="VolumeFile",
        **source,
    ):
        """Add a data set to a category, unless an equal one is there; see :class:`SampleDataSource` for the parameters."""
        SampleDataLogic._register(
            category,
            SampleDataSource(
                sampleName=sampleName,
                uris=uris,
                fileNames=fileNames,
                nodeNames=nodeNames,
                customDownloader=customDownloader,
                thumbnailFileName=thumbnailFileName,
                loadFileType=loadFileType,
                **source,
            ),
        )

    @staticmethod
    def _register(category, source):
        sources = _registered().setdefault(category, [])
        if source not in sources:
            sources.append(source)

    @staticmethod
    def sampleDataSourcesByCategory(category=None):
        """Return the list of sources of a category, or the dictionary of all categories."""
        return _registered() if category is None else _registered().get(category, [])

    @staticmethod
    def isSampleDataSourceRegistered(category, sampleDataSource):
        """Return True if the source is in the category."""
        if not isinstance(sampleDataSource, SampleDataSource):
            raise TypeError(f"unsupported sampleDataSource type '{type(sampleDataSource)}': '{SampleDataSource}' is expected")
        return sampleDataSource in _registered().get(category, [])

    def sourceForSampleName(self, sampleName):
        """Return the first source of that name, or None."""
        return next((source for sources in _registered().values() for source in sources if source.sampleName == sampleName), None)

    def categoryForSource(self, a_source):
        """Return the name of the category that a source is in, or None."""
        return next((category for category, sources in _registered().items() if a_source in sources), None)

    # Downloading

    def downloadSample(self, sampleName):
        """Load a data set and return its first node."""
        return self.downloadSamples(sampleName)[0]

    def downloadSamples(self, sampleName):
        """Load a data set and return the list of its nodes; empty if there is none of that name."""
        source = self.sourceForSampleName(sampleName)
        return self.downloadFromSource(source) if source else []

    def downloadFromURL(
        self,
        uris=None,
        fileNames=None,
        nodeNames=None,
        checksums=None,
        loadFiles=None,
        customDownloader=None,
        loadFileTypes=None,
        loadFileProperties=None,
    ):
        """Download files and load them; see :class:`SampleDataSource` for the parameters."""
        return self.downloadFromSource(
            SampleDataSource(
                uris=uris,
                fileNames=fileNames,
                nodeNames=nodeNames,
                loadFiles=loadFiles,
                loadFileType=loadFileTypes,
                loadFileProperties=loadFileProperties,
                checksums=checksums,
            )
        )

    def downloadFromSource(self, source, maximumAttemptsCount=3):
        """Download the files of a source, and load those with a node name, scenes (if ``loadFiles`` is set) and archives.

        :return: list of nodes, of file paths where ``loadFiles`` is False and for scenes, and of folders for archives. If
          nothing was to be loaded, the list of all file paths.
        """
        results, filePaths = [], []
        for uri, fileName, nodeName, checksum, loadFile, fileType in source._parts():
            for attempt in range(1, maximumAttemptsCount + 1):
                try:
                    filePath = self.downloadFileIntoCache(uri, fileName, checksum)
                except ValueError:
                    self._logAttempt(_("Download failed (attempt {current} of {total})..."), attempt, maximumAttemptsCount)
                    continue
                filePaths.append(filePath)
                found, result = self._load(filePath, nodeName, loadFile, fileType, source.loadFileProperties)
                if found:
                    results += [] if result is None else [result]
                    break
                # The download may be incomplete: the next attempt must not reuse it.
                if os.path.exists(filePath):
                    os.remove(filePath)
                self._logAttempt(_("Load failed (attempt {current} of {total})..."), attempt, maximumAttemptsCount)
        return results or filePaths

    def _logAttempt(self, text, attempt, count):
        self.logMessage(text.format(current=attempt, total=count), logging.ERROR)

    def _load(self, filePath, nodeName, loadFile, fileType, properties):
        """Load a downloaded file and return (True if that succeeded, the result or None if the file need not be loaded)."""
        if fileType == "SceneFile":
            loaded = not loadFile or self.loadScene(filePath, dict(properties))
            return loaded, filePath
        if fileType != "ZipFile" and not nodeName:
            return True, None
        if loadFile is False:
            return True, filePath
        if fileType == "ZipFile":
            folder = os.path.splitext(filePath)[0]
            os.makedirs(folder, exist_ok=True)
            return slicer.util.extractArchive(filePath, folder), folder
        node = self.loadNode(filePath, nodeName, fileType, dict(properties))
        return node is not None, node

    def downloadFileIntoCache(self, uri, name, checksum=None):
        """Download a file into the scene's cache folder and return its path."""
        folder = slicer.mrmlScene.GetCacheManager().GetRemoteCacheDirectory()
        os.makedirs(folder, exist_ok=True)
        if not os.access(folder, os.W_OK):
            self.logMessage(_("Cache folder {path} is not writable").format(path=folder), logging.ERROR)
        return self.downloadFile(uri, folder, name, checksum)

    def downloadSourceIntoCache(self, source):
        """Download the files of a source without loading them and return their paths."""
        return [self.downloadFileIntoCache(*values) for values in zip(source.uris, source.fileNames, source.checksums, strict=True)]

    def downloadFile(self, uri, destFolderPath, name, checksum=None):
        """Download a file, unless it is in the folder already with the right checksum, and return its path.

        :param uri: address that urllib understands: ``https://...`` or ``file://...``, not a plain path.
        :raises ValueError: if the download fails.
        """
        self.downloadPercent = 0
        filePath = destFolderPath + "/" + name
        algorithm, digest = extractAlgoAndDigest(checksum)
        if os.path.exists(filePath) and os.path.getsize(filePath) > 0:
            if algorithm is None or computeChecksum(algorithm, filePath) == digest:
                self.downloadPercent = 100
                self.logMessage(_("File already exists in cache - reusing it."))
                return filePath
            self.logMessage(_("File already exists in cache but checksum is different - re-downloading it."))
            os.remove(filePath)

        self.logMessage(_("Requesting download {name} from {uri} ...").format(name=name, uri=uri))
        try:
            urllib.request.urlretrieve(uri, filePath, self.reportHook)
        except OSError as error:
            self.logMessage(_("Download failed: {errorMessage}").format(errorMessage=error), logging.ERROR)
            raise ValueError(_("Failed to download {uri} to {filePath}").format(uri=uri, filePath=filePath)) from error
        self.logMessage(_("Download finished"))
        if algorithm is not None:
            actual = computeChecksum(algorithm, filePath)
            if actual != digest:
                self.logMessage(
                    _(
                        "Checksum verification failed. Computed checksum {currentChecksum} different from expected checksum "
                        "{expectedChecksum}"
                    ).format(currentChecksum=actual, expectedChecksum=digest)
                )
                os.remove(filePath)
        self.downloadPercent = 100
        return filePath

    def reportHook(self, blocksSoFar, blockSize, totalSize):
        """Log the progress of a download at each 10 percent."""
        done = min(blocksSoFar * blockSize, totalSize)
        percent = 100 * done // totalSize if totalSize > 0 else 100
        if percent == 100 or percent - self.downloadPercent >= 10:
            self.downloadPercent = percent
            self.logMessage(
                "<i>"
                + _("Downloaded {sizeCompleted} ({percentCompleted}% of {sizeTotal})...").format(
                    sizeCompleted=self.humanFormatSize(done), percentCompleted=percent, sizeTotal=self.humanFormatSize(totalSize)
                )
                + "</i>"
            )

    def humanFormatSize(self, size):
        """Return a size in bytes as a text with a unit."""
        for unit in ("bytes", "KB", "MB", "GB"):
            if abs(size) < 1024.0:
                return f"{size:3.1f} {unit}"
            size /= 1024.0
        return f"{size:3.1f} TB"

    # Loading

    def loadScene(self, uri, fileProperties=None):
        """Load a scene file; return True if that succeeded."""
        return self._loadNodes("SceneFile", {**(fileProperties or {}), "fileName": uri}, None)

    def loadNode(self, uri, name, fileType="VolumeFile", fileProperties=None):
        """Load a file and return its first node, or None. Its storage node is removed, since the file is in a cache."""
        nodes = vtk.vtkCollection()
        if not self._loadNodes(fileType, {**(fileProperties or {}), "fileName": uri, "name": name}, nodes):
            return None
        for node in [nodes.GetItemAsObject(index) for index in range(nodes.GetNumberOfItems())]:
            storageNode = node.GetStorageNode() if node.IsA("vtkMRMLStorableNode") else None
            if storageNode:
                slicer.mrmlScene.RemoveNode(storageNode)
                node.SetAndObserveStorageNodeID(None)
        return nodes.GetItemAsObject(0)

    def _loadNodes(self, fileType, properties, nodes):
        self.logMessage("<b>" + _("Requesting load {uri}").format(uri=properties["fileName"]) + "</b>")
        manager = slicer.app.coreIOManager()
        if nodes is None:
            loaded = manager.loadNodes(fileType, properties)
        else:
            loaded = manager.loadNodes(fileType, properties, nodes) and nodes.GetNumberOfItems() > 0
        if loaded:
            self.logMessage("<b>" + _("Load finished") + "</b><p></p>")
        else:
            self.logMessage(_("Load failed!"), logging.ERROR)
        return loaded

    def logMessage(self, message, logLevel=logging.DEBUG):
        """Log a message; the panel replaces this function by its own."""
        logging.log(logLevel, message)
