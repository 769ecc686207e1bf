"""The module that offers sample data sets, and functions that download them."""

import logging
import os

import ctk
import qt
import slicer
from slicer._sampleDataLogic import SampleDataLogic
from slicer._sampleDataSource import SampleDataSource, _registered
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleTest, ScriptedLoadableModuleWidget


def downloadFromURL(
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
    return SampleDataLogic().downloadFromURL(
        uris, fileNames, nodeNames, checksums, loadFiles, customDownloader, loadFileTypes, loadFileProperties
    )


def downloadSample(sampleName):
    """Load a registered sample data set and return its first node."""
    return SampleDataLogic().downloadSamples(sampleName)[0]


def downloadSamples(sampleName):
    """Load a registered sample data set and return the list of its nodes."""
    return SampleDataLogic().downloadSamples(sampleName)


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
        """Add the module to the File menu, before the entry for saving."""
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
        """Make a box with a button for each source, for each category; the built-in category comes first."""
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
        """Return the box of a category, or None if the category has no sources."""
        if not SampleDataLogic.sampleDataSourcesByCategory(category):
            return None
        return slicer.util.findChild(self.parent, f"{category}CollapsibleGroupBox")

    def isCategoryVisible(self, category):
        """Return True if the box of the category is visible."""
        box = self._box(category)
        return box.isVisible() if box else False

    def setCategoryVisible(self, category, visible):
        """Show or hide a category; nothing happens if there is no such category."""
        box = self._box(category)
        if box:
            box.setVisible(visible)


class SampleDataTest(ScriptedLoadableModuleTest):
    """Tests that need no network."""

    def runTest(self):
        self.test_categoryForSource()

    def test_categoryForSource(self):
        """The built-in sources are registered under their category."""
        logic = SampleDataLogic()
        source = logic.sourceForSampleName("MRHead")
        assert logic.categoryForSource(source) == logic.builtInCategoryName
