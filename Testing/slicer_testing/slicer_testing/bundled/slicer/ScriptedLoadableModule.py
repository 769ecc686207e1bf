"""Base classes of scripted modules: the module, its widget, its logic and its test.

A module file derives one class from each of them; the application finds the classes by their names
(``<Name>``, ``<Name>Widget``, ``<Name>Logic``, ``<Name>Test``).
"""

import importlib
import logging
import os
import subprocess
import unittest

import ctk
import qt
import slicer
import vtk

__all__ = ["ScriptedLoadableModule", "ScriptedLoadableModuleWidget", "ScriptedLoadableModuleLogic", "ScriptedLoadableModuleTest"]

# Milliseconds that a self test shows a message, unless the settings have another value.
_DEFAULT_MESSAGE_DELAY = 100


def _withoutSuffix(className, suffix):
    """Return the module name of a class that is named ``<module name><suffix>``."""
    return className[: -len(suffix)] if className.endswith(suffix) else className


class ScriptedLoadableModule:
    """Metadata of a module, which the application uses before its panel is opened."""

    def __init__(self, parent):
        super().__init__()
        self.parent = parent
        self.moduleName = type(self).__name__

        parent.title = ""
        parent.categories = []
        parent.dependencies = []
        parent.contributors = []
        parent.helpText = ""
        parent.acknowledgementText = ""

        for extension in (".svg", ".png"):
            iconPath = self.resourcePath(os.path.join("Icons", self.moduleName + extension))
            if os.path.isfile(iconPath):
                parent.icon = qt.QIcon(iconPath)
                break

        # Self tests of all modules are collected here, whichever module is created first.
        if not hasattr(slicer, "selfTests"):
            slicer.selfTests = {}
        slicer.selfTests[self.moduleName] = self.runTest

    def resourcePath(self, filename):
        """Return the absolute path of a file in the ``Resources`` folder beside the module file."""
        return os.path.join(os.path.dirname(self.parent.path), "Resources", filename)

    def getDefaultModuleDocumentationLink(self, docPage=None):
        """Return the paragraph for the help text that links to the documentation of this module, or to ``docPage`` of it."""
        url = slicer.app.documentationBaseUrl + docPage if docPage else slicer.app.moduleDocumentationUrl(self.moduleName)
        return f'<p>For more information see the <a href="{url}">online documentation</a>.</p>'

    def runTest(self, msec=100, **kwargs):
        """Run ``<module name>Test`` of the module file.

        :param msec: time in milliseconds that the test shows each message.
        """
        className = self.moduleName + "Test"
        testClass = getattr(importlib.import_module(self.__module__), className, None)
        if testClass is None:
            raise AssertionError(f"Test case class not found: {self.__module__}.{className} ")
        testCase = testClass()
        testCase.messageDelay = msec
        testCase.runTest(**kwargs)


class ScriptedLoadableModuleWidget:
    """Panel of a module. ``setup`` fills ``self.layout``; ``enter`` and ``exit`` are called as the panel is shown and left."""

    def __init__(self, parent=None):
        """:param parent: widget with a layout to fill. Without it a top-level widget is made, set up and shown."""
        super().__init__()
        self.moduleName = _withoutSuffix(type(self).__name__, "Widget")
        self.developerMode = slicer.util.settingsValue("Developer/DeveloperMode", False, converter=slicer.util.toBool)
        if parent:
            self.parent = parent
        else:
            self.parent = slicer.qMRMLWidget()
            self.parent.setLayout(qt.QVBoxLayout())
            self.parent.setMRMLScene(slicer.mrmlScene)
        self.layout = self.parent.layout()
        if not parent:
            self.setup()
            self.parent.show()
        slicer.app.moduleManager().connect("moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded)

    def resourcePath(self, filename):
        """Return the absolute path of a file in the ``Resources`` folder beside the module file."""
        return os.path.join(os.path.dirname(slicer.util.modulePath(self.moduleName)), "Resources", filename)

    def setup(self):
        """Fill the panel. A derived class calls this first: it adds the developers' section."""
        self.setupDeveloperSection()

    def cleanup(self):
        """Clean up just before the module is unloaded or reloaded; derived classes override it."""

    def _onModuleAboutToBeUnloaded(self, moduleName):
        if moduleName != self.moduleName:
            return
        self.cleanup()
        if self.developerMode:
            # The section exists only if the derived class called this class's setup().
            button = getattr(self, "reloadTestMenuButton", None)
            if button is not None:
                qt.QSettings().setValue(self._preferredActionKey(), button.defaultAction().objectName)
        slicer.app.moduleManager().disconnect("moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded)

    # Developers' section

    def _preferredActionKey(self):
        return f"{self.moduleName}/PreferredReloadAndTestAction"

    def _addTestAction(self, text, statusTip, name, slot):
        action = qt.QAction(text, self.reloadTestMenu)
        action.setStatusTip(statusTip)
        action.setObjectName(name)
        action.triggered.connect(slot)
        self.reloadTestMenu.addAction(action)
        return action

    def _toolButton(self, text, toolTip, name, slot):
        button = qt.QPushButton(text)
        button.toolTip = toolTip
        if name:
            button.name = name
        button.connect("clicked()", slot)
        return button

    def setupDeveloperSection(self):
        """Add the section with reload, test, edit and restart, if the developer mode is on."""
        if not self.developerMode:
            return

        self.reloadCollapsibleButton = ctk.ctkCollapsibleButton()
        self.reloadCollapsibleButton.text = "Reload && Test"
        self.layout.addWidget(self.reloadCollapsibleButton)
        form = qt.QFormLayout(self.reloadCollapsibleButton)

        self.reloadButton = self._toolButton("Reload", "Reload this module.", "ScriptedLoadableModuleTemplate Reload", self.onReload)

        self.reloadTestMenu = qt.QMenu(self.reloadCollapsibleButton)
        self.testAction = self._addTestAction("Test", "Test the current module", "TestAction", self.onTest)
        self.reloadTestAction = self._addTestAction(
            "Reload and Test", "Reload and test the current module", "ReloadTestAction", self.onReloadAndTest
        )

        self.reloadTestMenuButton = qt.QToolButton()
        self.reloadTestMenuButton.setSizePolicy(qt.QSizePolicy(qt.QSizePolicy.Preferred, qt.QSizePolicy.Preferred))
        self.reloadTestMenuButton.toolTip = "Test or Reload & Test"
        self.reloadTestMenuButton.name = "ScriptedLoadableModuleTemplate Testing"
        self.reloadTestMenuButton.setMenu(self.reloadTestMenu)
        # The action that was used last stays on top.
        preferred = qt.QSettings().value(self._preferredActionKey(), self.reloadTestAction.objectName)
        isTest = preferred == self.testAction.objectName
        self.reloadTestMenuButton.setDefaultAction(self.testAction if isTest else self.reloadTestAction)

        self.editSourceButton = self._toolButton(
            "Edit", "Edit the module's source code. Shift+Click to copy the source code path to the clipboard.", None, self.onEditSource
        )
        self.editModuleUiButton = None
        uiPath = self.resourcePath(f"UI/{self.moduleName}.ui")
        if os.path.isfile(uiPath):
            self.editModuleUiButton = self._toolButton(
                "Edit UI", "Edit the module's .ui file.", None, lambda: slicer.util.startQtDesigner(uiPath)
            )
        self.restartButton = self._toolButton(
            "Restart Slicer", "Restart Slicer", "ScriptedLoadableModuleTemplate Restart", slicer.app.restart
        )

        rows = [[self.reloadButton, self.reloadTestMenuButton, self.editSourceButton, self.restartButton]]
        if self.editModuleUiButton:
            # Five buttons do not fit into one row.
            rows = [[self.reloadButton, self.reloadTestMenuButton, self.restartButton], [self.editSourceButton, self.editModuleUiButton]]
        for row in rows:
            rowLayout = qt.QHBoxLayout()
            for button in row:
                rowLayout.addWidget(button)
            form.addRow(rowLayout)

    def onReload(self):
        """Read the module file again and replace the panel."""
        # Separates the messages before and after.
        print("\n" * 2 + "-" * 30 + "\nReloading module: " + self.moduleName + "\n" + "-" * 30 + "\n" * 2)
        slicer.util.reloadScriptedModule(self.moduleName)

    def _runSelfTest(self, **kwargs):
        msec = slicer.app.userSettings().value("Developer/SelfTestDisplayMessageDelay", _DEFAULT_MESSAGE_DELAY)
        slicer.selfTests[self.moduleName](msec=int(msec), **kwargs)

    def onTest(self, **kwargs):
        """Run the module's test as it was loaded; ``kwargs`` are passed to its ``runTest``."""
        self.reloadTestMenuButton.setDefaultAction(self.testAction)
        with slicer.util.tryWithErrorDisplay("Test failed."):
            self._runSelfTest(**kwargs)

    def onReloadAndTest(self, **kwargs):
        """Reload the module, then run its test; ``kwargs`` are passed to its ``runTest``."""
        self.reloadTestMenuButton.setDefaultAction(self.reloadTestAction)
        with slicer.util.tryWithErrorDisplay("Reload and Test failed."):
            self.onReload()
            self._runSelfTest(**kwargs)

    def onEditSource(self):
        """Open the module file in the editor, or copy its path if Shift is held."""
        filePath = slicer.util.modulePath(self.moduleName)
        if slicer.app.keyboardModifiers() == qt.Qt.ShiftModifier:
            path = os.path.abspath(filePath)
            slicer.app.clipboard().setText(path)
            slicer.util.delayDisplay(f"Module file path '{path}' is copied to clipboard")
            return
        editor = slicer.app.settings().value("Python/Editor")
        if not editor:
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(filePath))
            return
        try:
            # The editor may be a Python program itself, so it gets the environment from before the start.
            subprocess.Popen([editor, filePath], env=slicer.util.startupEnvironment())
        except OSError:
            slicer.util.errorDisplay(f"Failed to open file:\n\n{filePath}\n\nusing editor: {editor}")


class ScriptedLoadableModuleLogic:
    """Computation of a module, without its panel, and its parameter nodes in the scene."""

    def __init__(self, parent=None):
        super().__init__()
        self.moduleName = _withoutSuffix(type(self).__name__, "Logic")
        # Derived classes set this to False to allow several parameter nodes in one scene.
        self.isSingletonParameterNode = True

    def getParameterNode(self):
        """Return the first parameter node of this module; one is made if there is none."""
        if self.isSingletonParameterNode:
            node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
            if node:
                # Closing the scene keeps the singleton but resets its attributes.
                if node.GetAttribute("ModuleName") != self.moduleName:
                    node.SetAttribute("ModuleName", self.moduleName)
                return node
        else:
            nodes = self.getAllParameterNodes()
            if nodes:
                return nodes[0]
        return slicer.mrmlScene.AddNode(self.createParameterNode())

    def getAllParameterNodes(self):
        """Return the list of all parameter nodes of this module in the scene."""
        scene = slicer.mrmlScene
        className = "vtkMRMLScriptedModuleNode"
        nodes = [scene.GetNthNodeByClass(index, className) for index in range(scene.GetNumberOfNodesByClass(className))]
        return [node for node in nodes if node.GetAttribute("ModuleName") == self.moduleName]

    def createParameterNode(self):
        """Return a new parameter node that is not in the scene yet; override it to set default values.

        Its attribute ``ModuleName`` lets node selectors show the nodes of one module only.
        """
        if slicer.mrmlScene is None:
            return None
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
        node.UnRegister(None)  # CreateNodeByClass returns a reference that Python holds already
        if self.isSingletonParameterNode:
            node.SetSingletonTag(self.moduleName)
        node.SetAttribute("ModuleName", self.moduleName)
        node.SetName(slicer.mrmlScene.GenerateUniqueName(self.moduleName))
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """Base class of a module's test; ``messageDelay``, if set, is the time in milliseconds that each message is shown."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        # unittest.TestCase does not call super().__init__, so the next class of a mixin is called here.
        super(unittest.TestCase, self).__init__()
        self.enableScreenshots = False
        self.screenshotScaleFactor = 1.0

    def delayDisplay(self, message, requestedDelay=None, msec=None):
        """Show a message and let the event loop catch up.

        ``messageDelay`` of the object takes precedence over ``msec``, and that over ``requestedDelay``; the default is 100 ms.
        """
        for delay in (getattr(self, "messageDelay", None), msec, requestedDelay, _DEFAULT_MESSAGE_DELAY):
            if delay is not None:
                break
        slicer.util.delayDisplay(message, delay)

    def takeScreenshot(self, name, description, type=-1):
        """Store a picture as a snapshot node if ``enableScreenshots`` is set; the description is shown in any case.

        :param type: ``FullLayout``, ``ThreeD``, ``Red``, ``Yellow`` or ``Green`` of ``slicer.qMRMLScreenShotDialog``,
          any other value means the main window.
        """
        self.delayDisplay(description)
        if not self.enableScreenshots:
            return
        dialog = slicer.qMRMLScreenShotDialog
        layoutManager = slicer.app.layoutManager()
        if type == dialog.FullLayout:
            widget = layoutManager.viewport()
        elif type == dialog.ThreeD:
            widget = layoutManager.threeDWidget(0).threeDView()
        elif type in (dialog.Red, dialog.Yellow, dialog.Green):
            viewName = {dialog.Red: "Red", dialog.Yellow: "Yellow", dialog.Green: "Green"}[type]
            widget = layoutManager.sliceWidget(viewName)
        else:
            widget = slicer.util.mainWindow()
            type = dialog.FullLayout
        imageData = vtk.vtkImageData()
        slicer.qMRMLUtils().qImageToVtkImageData(ctk.ctkWidgetsUtils.grabWidget(widget), imageData)
        logic = slicer.modules.annotations.logic()
        logic.CreateSnapShot(name, description, type, self.screenshotScaleFactor, imageData)

    def runTest(self):
        """Run the default tests; derived classes override it."""
        logging.warning(f"No test is defined in {self.__class__.__name__}")
