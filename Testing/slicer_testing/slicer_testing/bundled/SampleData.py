"""Sample data sets: what modules register, how they are downloaded and loaded, and the module that offers them."""

import logging
import os
import urllib.request

import ctk
import qt
import slicer
import vtk
from slicer import _sampleDataCatalogue as _catalogue
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleTest, ScriptedLoadableModuleWidget
from slicer.util import DATA_STORE_URL, TESTING_DATA_URL, computeChecksum, extractAlgoAndDigest


def downloadFromURL(
    uris=None,
    fileNames=None,
    nodeNames=None,
    checksums=None,
    loadFiles=None,
    customDownloader=None,
    loadFileTypes=None,
    loadFileProperties={},
):
    """Download files and load them; see :class:`SampleDataSource` for the parameters."""
    return SampleDataLogic().downloadFromURL(
        uris, fileNames, nodeNames, checksums, loadFiles, customDownloader, loadFileTypes, loadFileProperties
    )


def downloadSample(sampleName):
    """Load a registered sample data set and return its first node."""
    return SampleDataLogic().downloadSamples(sampleName)[0]


def downloadSamples(sampleName):
    """Load a registered sample data set and return the list of its nodes."""
    return SampleDataLogic().downloadSamples(sampleName)


def _registered():
    """Registered sources by category; any module may put its own there."""
    if not hasattr(slicer.modules, "sampleDataSources"):
        slicer.modules.sampleDataSources = {}
    return slicer.modules.sampleDataSources


class SampleData(ScriptedLoadableModule):
    """Module that offers the sample data sets."""

    def __init__(self, parent):
        super().__init__(parent)
        parent.title = _("Sample Data")
        parent.categories = ["Informatics"]
        parent.helpText = _("This module provides data sets that can be used for testing 3D Slicer.")
        parent.helpText += self.getDefaultModuleDocumentationLink()
        if not slicer.app.commandOptions().noMainWindow:
            slicer.app.connect("startupCompleted()", self.addMenu)
        _registered()

    def addMenu(self):
        """Add the module to the File menu, before saving."""
        try:
            menu = slicer.util.lookupTopLevelWidget("FileMenu")
        except RuntimeError:
            return
        for before in menu.actions():
            if before.objectName == "FileSaveSceneAction":
                action = qt.QAction(_("Download Sample Data"), slicer.util.mainWindow())
                action.setToolTip(_("Go to the SampleData module to download data from the network"))
                action.connect("triggered()", self.select)
                menu.insertAction(before, action)
                menu.insertSeparator(before)
                break

    def select(self):
        """Show this module."""
        slicer.util.selectModule("SampleData")


class SampleDataSource:
    """A sample data set: one file or several, where they come from and what becomes of them."""

    def __init__(
        self,
        sampleName=None,
        sampleDescription=None,
        uris=None,
        fileNames=None,
        nodeNames=None,
        checksums=None,
        loadFiles=None,
        customDownloader=None,
        thumbnailFileName=None,
        loadFileType=None,
        loadFileProperties=None,
    ):
        """
        Parameters of files are lists of the same length, or single values for a single file.

        :param sampleName: name of the data set.
        :param sampleDescription: text on its button, if not the name.
        :param uris: where the files are.
        :param fileNames: their names in the download folder.
        :param nodeNames: names of the nodes; None for a file that is not loaded.
        :param checksums: ``<algorithm>:<digest>``, for example ``SHA256:...``.
        :param loadFiles: True or False, None to decide by the type.
        :param customDownloader: function that is called with this object when the button is clicked, instead of a download.
        :param thumbnailFileName: picture of the button.
        :param loadFileType: type of reader: ``VolumeFile`` (default if there is a node name), ``SegmentationFile``, ``SceneFile`` ...
        :param loadFileProperties: further properties for the reader.
        """
        if isinstance(uris, str):
            uris, fileNames, nodeNames, loadFiles, loadFileType, checksums = (
                [value] for value in (uris, fileNames, nodeNames, loadFiles, loadFileType, checksums)
            )
        elif isinstance(uris, (list, tuple)):
            if loadFileType is None or isinstance(loadFileType, str):
                loadFileType = [loadFileType] * len(uris)
            nodeNames, loadFiles, checksums = (
                [None] * len(uris) if values is None else values for values in (nodeNames, loadFiles, checksums)
            )

        self.sampleName = sampleName
        self.sampleDescription = sampleName if sampleDescription is None else sampleDescription
        self.uris = uris
        self.fileNames = fileNames
        self.nodeNames = nodeNames
        self.loadFiles = loadFiles
        self.customDownloader = customDownloader
        self.thumbnailFileName = thumbnailFileName
        self.loadFileType = [self._guessType(*values) for values in zip(fileNames, nodeNames, loadFileType)]
        self.loadFileProperties = {} if loadFileProperties is None else loadFileProperties
        self.checksums = checksums

        lengths = {name: len(getattr(self, name)) for name in ("uris", "fileNames", "nodeNames", "loadFiles", "loadFileType", "checksums")}
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
        """The source of each single file."""
        for uri, fileName, nodeName, checksum, loadFile, fileType in zip(
            self.uris, self.fileNames, self.nodeNames, self.checksums, self.loadFiles, self.loadFileType
        ):
            yield uri, fileName, nodeName, checksum, loadFile, fileType

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


class SampleDataWidget(ScriptedLoadableModuleWidget):
    """Panel with a button for each data set, in a box for each category."""

    def setup(self):
        super().setup()
        if hasattr(self, "reloadCollapsibleButton"):
            self.reloadCollapsibleButton.collapsed = True
        self.logic = SampleDataLogic(self.logMessage)

        self.categoryLayout = qt.QVBoxLayout()
        self.categoryLayout.setContentsMargins(0, 0, 0, 0)
        self.layout.addLayout(self.categoryLayout)
        self.setCategoriesFromSampleDataSources(self.categoryLayout, _registered(), self.logic)
        if not self.developerMode:
            self.setCategoryVisible(self.logic.developmentCategoryName, False)

        self.log = qt.QTextEdit()
        self.log.readOnly = True
        self.layout.addWidget(self.log)
        self.layout.addStretch(1)

    def cleanup(self):
        self.removeCategories(self.categoryLayout)

    @staticmethod
    def removeCategories(categoryLayout):
        """Remove the boxes of all categories."""
        while categoryLayout.count() > 0:
            box = categoryLayout.itemAt(0).widget()
            box.visible = False
            categoryLayout.removeWidget(box)
            box.setParent(None)
            box.deleteLater()

    @staticmethod
    def setCategoriesFromSampleDataSources(categoryLayout, dataSources, logic):
        """Make a box for each category and in it a button for each source; the built-in category comes first."""
        SampleDataWidget.removeCategories(categoryLayout)
        mainWindow = slicer.util.mainWindow()
        icon = mainWindow.iconSize if mainWindow else qt.QSize(24, 24)
        iconSize = qt.QSize(icon.width() * 6, icon.height() * 4)
        for category in sorted(dataSources, key=lambda name: (name != logic.builtInCategoryName, name)):
            box = ctk.ctkCollapsibleGroupBox(categoryLayout.parentWidget())
            box.title = category
            box.name = f"{category}CollapsibleGroupBox"
            boxLayout = ctk.ctkFlowLayout()
            boxLayout.preferredExpandingDirections = qt.Qt.Vertical
            box.setLayout(boxLayout)
            categoryLayout.addWidget(box)
            for source in dataSources[category]:
                boxLayout.addWidget(SampleDataWidget._button(source, iconSize, logic))

    @staticmethod
    def _button(source, iconSize, logic):
        name = source.sampleDescription or source.nodeNames[0]
        button = qt.QToolButton()
        button.setText(name)
        button.name = f"{name}PushButton"
        if source.thumbnailFileName and os.path.exists(source.thumbnailFileName):
            button.setIcon(qt.QIcon(source.thumbnailFileName))
        button.setIconSize(iconSize)
        button.setToolButtonStyle(qt.Qt.ToolButtonTextUnderIcon)
        sizePolicy = qt.QSizePolicy()
        sizePolicy.setHorizontalPolicy(qt.QSizePolicy.Expanding)
        button.setSizePolicy(sizePolicy)
        load = source.customDownloader or logic.downloadFromSource
        button.connect("clicked()", lambda: load(source))
        return button

    def logMessage(self, message, logLevel=logging.DEBUG):
        """Show a message (HTML) in the panel and in the status bar, and log it."""
        colour = "red" if logLevel >= logging.ERROR else "orange" if logLevel >= logging.WARNING else None
        if colour:
            message = f'<b><font color="{colour}">{message}</font></b>'
        document = qt.QTextDocument()
        document.setHtml(message)
        text = document.toPlainText()
        slicer.util.showStatusMessage(text, 3000)
        logging.log(logLevel, text)
        self.log.insertHtml(message)
        self.log.insertPlainText("\n")
        self.log.ensureCursorVisible()
        self.log.repaint()
        slicer.app.processEvents(qt.QEventLoop.ExcludeUserInputEvents)

    def _box(self, category):
        """Box of a category, or None if the category has no sources."""
        if not SampleDataLogic.sampleDataSourcesByCategory(category):
            return None
        return slicer.util.findChild(self.parent, f"{category}CollapsibleGroupBox")

    def isCategoryVisible(self, category):
        """True if the box of the category can be seen."""
        box = self._box(category)
        return box.isVisible() if box else False

    def setCategoryVisible(self, category, visible):
        """Show or hide a category; nothing happens if there is no such category."""
        box = self._box(category)
        if box:
            box.setVisible(visible)


class SampleDataLogic:
    """Registered data sets, and their way into the scene."""

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
        loadFiles=None,
        loadFileProperties={},
        checksums=None,
    ):
        """Add a data set to a category, unless the same is there; see :class:`SampleDataSource` for the parameters."""
        SampleDataLogic._register(
            category,
            SampleDataSource(
                sampleName=sampleName,
                uris=uris,
                fileNames=fileNames,
                nodeNames=nodeNames,
                thumbnailFileName=thumbnailFileName,
                loadFileType=loadFileType,
                loadFiles=loadFiles,
                loadFileProperties=loadFileProperties,
                checksums=checksums,
                customDownloader=customDownloader,
            ),
        )

    @staticmethod
    def _register(category, source):
        sources = _registered().setdefault(category, [])
        if source not in sources:
            sources.append(source)

    @staticmethod
    def sampleDataSourcesByCategory(category=None):
        """List of sources of a category, or without a category the dictionary of all."""
        return _registered() if category is None else _registered().get(category, [])

    @staticmethod
    def isSampleDataSourceRegistered(category, sampleDataSource):
        """True if the source is in the category."""
        if not isinstance(sampleDataSource, SampleDataSource):
            raise TypeError(f"unsupported sampleDataSource type '{type(sampleDataSource)}': '{SampleDataSource}' is expected")
        return sampleDataSource in _registered().get(category, [])

    def sourceForSampleName(self, sampleName):
        """The first source of that name, or None."""
        return next((source for sources in _registered().values() for source in sources if source.sampleName == sampleName), None)

    def categoryForSource(self, a_source):
        """Name of the category that a source is in, or None."""
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
        loadFileProperties={},
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
        """Download the files of a source, and load those with a node name, scenes (if asked to) and archives.

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
                # The download may have been cut off: the next attempt shall not find it.
                if os.path.exists(filePath):
                    os.remove(filePath)
                self._logAttempt(_("Load failed (attempt {current} of {total})..."), attempt, maximumAttemptsCount)
        return results or filePaths

    def _logAttempt(self, text, attempt, count):
        self.logMessage(text.format(current=attempt, total=count), logging.ERROR)

    def _load(self, filePath, nodeName, loadFile, fileType, properties):
        """Load a downloaded file: (True if that went well, what came of it or None if the file need not be loaded)."""
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
        return [self.downloadFileIntoCache(*values) for values in zip(source.uris, source.fileNames, source.checksums)]

    def downloadFile(self, uri, destFolderPath, name, checksum=None):
        """Download a file, unless it is in the folder already with the right checksum.

        :param uri: address that urllib knows: ``https://...`` or ``file://...``; a plain path is none.
        :raises ValueError: if that fails.
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
        """Log the progress of a download at each tenth."""
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
        """Size in bytes as a text with a unit."""
        for unit in ("bytes", "KB", "MB", "GB"):
            if abs(size) < 1024.0:
                return f"{size:3.1f} {unit}"
            size /= 1024.0
        return f"{size:3.1f} TB"

    # Loading

    def loadScene(self, uri, fileProperties={}):
        """Load a scene file; True if that went well."""
        return self._loadNodes("SceneFile", {**fileProperties, "fileName": uri}, None)

    def loadNode(self, uri, name, fileType="VolumeFile", fileProperties={}):
        """Load a file and return its first node, or None. Its storage node is removed, since the file lies in a cache."""
        nodes = vtk.vtkCollection()
        if not self._loadNodes(fileType, {**fileProperties, "fileName": uri, "name": name}, nodes):
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
        """Log a message; the panel replaces this by its own function."""
        logging.log(logLevel, message)


def _source(name, description, files, store=TESTING_DATA_URL, fileType=None):
    """Source of an entry of the catalogue."""
    digests, fileNames, nodeNames = zip(*files)
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


class SampleDataTest(ScriptedLoadableModuleTest):
    """What needs no network."""

    def runTest(self):
        self.test_categoryForSource()

    def test_categoryForSource(self):
        """The built-in sources are registered under their category."""
        logic = SampleDataLogic()
        source = logic.sourceForSampleName("MRHead")
        self.assertEqual(logic.categoryForSource(source), logic.builtInCategoryName)
