"""Base classes of scripted modules, and the modules that ship beside them."""

import sys

import pytest

MODULE = """
import logging
import qt
from slicer.ScriptedLoadableModule import *

EVENTS = []

class Greeter(ScriptedLoadableModule):
    def __init__(self, parent):
        super().__init__(parent)
        self.parent.title = "Greeter"
        self.parent.categories = ["Examples"]

class GreeterWidget(ScriptedLoadableModuleWidget):
    def setup(self):
        super().setup()
        self.label = qt.QLabel("TEXT")
        self.layout.addWidget(self.label)
        self.logic = GreeterLogic()
        EVENTS.append("setup")

    def enter(self):
        EVENTS.append("enter")

    def exit(self):
        EVENTS.append("exit")

    def cleanup(self):
        EVENTS.append("cleanup")

class GreeterLogic(ScriptedLoadableModuleLogic):
    pass

class GreeterTest(ScriptedLoadableModuleTest):
    ran = []

    def runTest(self, **kwargs):
        self.delayDisplay("testing")
        GreeterTest.ran.append((self.messageDelay, kwargs))
"""


@pytest.fixture
def slicer(slicer_app):
    import slicer

    return slicer


@pytest.fixture
def script(tmp_path):
    """A small module with an icon and a .ui file."""
    icons = tmp_path / "Resources" / "Icons"
    icons.mkdir(parents=True)
    (icons / "Greeter.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>')
    path = tmp_path / "Greeter.py"
    path.write_text(MODULE)
    return path


class TestModule:
    def test_name_and_resources(self, slicer, slicer_app, script):
        module = slicer_app.load_module(script)
        instance = module.instance
        assert instance.moduleName == "Greeter"
        assert module.title == "Greeter"
        assert instance.resourcePath("UI/Greeter.ui") == str(script.parent / "Resources" / "UI/Greeter.ui")
        assert not module.icon.isNull()

    def test_documentation_link(self, slicer, slicer_app, script):
        instance = slicer_app.load_module(script).instance
        assert slicer.app.moduleDocumentationUrl("Greeter") in instance.getDefaultModuleDocumentationLink()
        assert slicer.app.documentationBaseUrl + "/page" in instance.getDefaultModuleDocumentationLink("/page")

    def test_self_test_is_registered_and_runs(self, slicer, slicer_app, script):
        slicer_app.load_module(script)
        slicer.selfTests["Greeter"](msec=7, choice="x")
        assert sys.modules["Greeter"].GreeterTest.ran == [(7, {"choice": "x"})]

    def test_missing_test_class_is_named(self, slicer, slicer_app, script):
        script.write_text(MODULE.replace("class GreeterTest", "class Other"))
        slicer_app.load_module(script)
        with pytest.raises(AssertionError, match="GreeterTest"):
            slicer.selfTests["Greeter"]()


class TestWidget:
    def test_setup_enter_exit_cleanup(self, slicer_app, script, load_module):
        panel = load_module(script)
        events = sys.modules["Greeter"].EVENTS
        assert panel.self().moduleName == "Greeter"
        assert events == ["setup", "enter"]
        panel.exit()
        slicer_app.loader.unload("Greeter")
        assert events == ["setup", "enter", "exit", "cleanup"]

    def test_users_see_no_developer_section(self, script, load_module):
        assert not hasattr(load_module(script).self(), "reloadCollapsibleButton")

    def test_developer_section(self, slicer, script, load_module):
        import qt

        qt.QSettings().setValue("Developer/DeveloperMode", True)
        widget = load_module(script).self()
        assert widget.reloadCollapsibleButton.text == "Reload && Test"
        assert widget.editModuleUiButton is None
        assert widget.reloadTestMenuButton.defaultAction().objectName == "ReloadTestAction"
        widget.testAction.trigger()
        assert widget.reloadTestMenuButton.defaultAction().objectName == "TestAction"
        assert len(sys.modules["Greeter"].GreeterTest.ran) == 1

    def test_last_test_action_is_remembered(self, slicer_app, script, load_module):
        import qt

        qt.QSettings().setValue("Developer/DeveloperMode", True)
        load_module(script).self().testAction.trigger()
        slicer_app.loader.unload("Greeter")
        assert load_module(script).self().reloadTestMenuButton.defaultAction().objectName == "TestAction"

    def test_reload_reads_the_file_again(self, slicer, script, load_module, capsys):
        panel = load_module(script)
        old, events = panel.self(), sys.modules["Greeter"].EVENTS
        script.write_text(MODULE.replace("TEXT", "another text"))
        old.onReload()
        assert "Reloading module: Greeter" in capsys.readouterr().out
        assert slicer.modules.GreeterWidget is panel.self() is not old
        assert panel.self().label.text == "another text"
        assert events.count("cleanup") == 1

    def test_reload_returns_the_module_that_the_panel_uses(self, slicer, script, load_module):
        panel = load_module(script)
        reloaded = slicer.util.reloadScriptedModule("Greeter")
        assert reloaded is sys.modules["Greeter"]
        assert type(panel.self()) is reloaded.GreeterWidget

    def test_reload_and_test_runs_the_new_test(self, slicer, script, load_module):
        import qt

        qt.QSettings().setValue("Developer/DeveloperMode", True)
        widget = load_module(script).self()
        widget.onReloadAndTest()
        assert len(sys.modules["Greeter"].GreeterTest.ran) == 1

    def test_edit_with_shift_copies_the_path(self, slicer, script, load_module, monkeypatch):
        import qt

        widget = load_module(script).self()
        monkeypatch.setattr(slicer, "app", _WithShift(slicer.app, qt.Qt.ShiftModifier))
        monkeypatch.setattr(slicer.util, "delayDisplay", lambda text: None)
        widget.onEditSource()
        assert slicer.app.clipboard().text() == str(script)

    def test_widget_without_parent_is_a_window(self, slicer, slicer_app, script):
        slicer_app.load_module(script)
        widget = sys.modules["Greeter"].GreeterWidget()
        try:
            assert widget.parent.visible
            assert widget.parent.mrmlScene() is slicer.mrmlScene
            assert widget.label.text == "TEXT"
        finally:
            widget._onModuleAboutToBeUnloaded("Greeter")
            widget.parent.deleteLater()


class _WithShift:
    """The application with a held key."""

    def __init__(self, app, modifier):
        self._app, self._modifier = app, modifier

    def keyboardModifiers(self):
        return self._modifier

    def __getattr__(self, name):
        return getattr(self._app, name)


class TestLogic:
    @pytest.fixture
    def logic(self, slicer):
        from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

        class ThingLogic(ScriptedLoadableModuleLogic):
            pass

        return ThingLogic()

    def test_singleton_parameter_node(self, logic, slicer):
        assert logic.moduleName == "Thing"
        node = logic.getParameterNode()
        assert node is logic.getParameterNode()
        assert node.GetScene() is slicer.mrmlScene
        assert node.GetSingletonTag() == "Thing"
        assert node.GetAttribute("ModuleName") == "Thing"
        assert node.IsA("vtkMRMLScriptedModuleNode")

    def test_parameter_node_is_found_after_scene_close(self, logic, slicer):
        logic.getParameterNode().SetParameter("a", "1")
        slicer.mrmlScene.Clear(0)
        assert logic.getParameterNode().GetAttribute("ModuleName") == "Thing"
        assert len(logic.getAllParameterNodes()) == 1

    def test_several_parameter_nodes(self, logic, slicer):
        logic.isSingletonParameterNode = False
        first = slicer.mrmlScene.AddNode(logic.createParameterNode())
        second = slicer.mrmlScene.AddNode(logic.createParameterNode())
        assert first is not second
        assert first.GetName() != second.GetName()
        assert logic.getAllParameterNodes() == [first, second]
        assert logic.getParameterNode() is first

    def test_nodes_of_other_modules_do_not_count(self, logic, slicer):
        other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
        other.SetAttribute("ModuleName", "Other")
        logic.isSingletonParameterNode = False
        assert logic.getAllParameterNodes() == []
        assert logic.getParameterNode() is not other

    def test_created_node_belongs_to_python_only(self, logic):
        assert logic.createParameterNode().GetReferenceCount() == 1


class TestTestCase:
    def test_delay_precedence(self, slicer, monkeypatch):
        from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest

        shown = []
        monkeypatch.setattr(slicer.util, "delayDisplay", lambda text, msec: shown.append(msec))
        case = ScriptedLoadableModuleTest()
        case.delayDisplay("a")
        case.delayDisplay("a", 5)
        case.delayDisplay("a", 5, 6)
        case.messageDelay = 0
        case.delayDisplay("a", 5, 6)
        assert shown == [100, 5, 6, 0]

    def test_an_empty_test_is_reported(self, slicer, caplog):
        from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest

        ScriptedLoadableModuleTest().runTest()
        assert "No test is defined" in caplog.text

    def test_mix_ins_are_initialised(self, slicer):
        from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest
        from slicer.util import VTKObservationMixin

        class Case(ScriptedLoadableModuleTest, VTKObservationMixin):
            pass

        assert Case().Observations == []

    def test_screenshot_only_shows_its_description_by_default(self, slicer, monkeypatch):
        from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest

        shown = []
        monkeypatch.setattr(slicer.util, "delayDisplay", lambda text, msec: shown.append(text))
        ScriptedLoadableModuleTest().takeScreenshot("name", "what it shows")
        assert shown == ["what it shows"]


def test_star_import_gives_the_four_classes(slicer):
    names = {}
    exec("from slicer.ScriptedLoadableModule import *", names)
    assert {name for name in names if not name.startswith("_")} == {
        "ScriptedLoadableModule",
        "ScriptedLoadableModuleWidget",
        "ScriptedLoadableModuleLogic",
        "ScriptedLoadableModuleTest",
    }


class TestTranslation:
    def test_context_is_file_or_package_and_file(self, slicer, tmp_path):
        from slicer.i18n import getContext

        (tmp_path / "Module.py").write_text("")
        package = tmp_path / "Package"
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / "Part.py").write_text("")
        assert getContext(str(tmp_path / "Module.py")) == "Module"
        assert getContext(str(package / "Part.py")) == "Package.Part"
        assert getContext("<console>") == "<console>"

    def test_context_of_the_caller_is_used(self, slicer, monkeypatch):
        from slicer import i18n

        monkeypatch.setattr(i18n, "translate", lambda context, text: f"{context}: {text}")
        assert i18n.tr("word") == "test_scripted_module: word"

    def test_lost_placeholder_keeps_the_original(self, slicer, monkeypatch, caplog):
        from slicer import i18n

        monkeypatch.setattr(i18n, "translate", lambda context, text: text.replace("count", "compte"))
        assert i18n.tr("delete {count} files") == "delete {count} files"
        assert "placeholders do not match" in caplog.text
        assert i18n.tr("{{count}}") == "{{compte}}"

    def test_without_translator_the_text_stays(self, slicer):
        from slicer.i18n import translate

        assert translate("Context", "some text") == "some text"


class TestScriptFunctions:
    def test_exits(self, slicer):
        from slicer import testing

        testing.exitSuccess()
        with pytest.raises(Exception, match="broken"):
            testing.exitFailure("broken")

    def test_unit_test_by_name(self, slicer, tmp_path, monkeypatch):
        from slicer import testing

        monkeypatch.setattr(sys, "path", list(sys.path))
        source = "import unittest\nclass T(unittest.TestCase):\n def test(self): self.assertTrue({})\n"
        (tmp_path / "good_case_of_host.py").write_text(source.format(True))
        (tmp_path / "bad_case_of_host.py").write_text(source.format(False))
        testing.runUnitTest(str(tmp_path), "good_case_of_host")
        with pytest.raises(Exception, match="^$"):
            testing.runUnitTest([str(tmp_path)], "bad_case_of_host")


def test_logic_classes_have_a_namespace(slicer):
    from slicer import logic

    assert logic.vtkSlicerApplicationLogic is slicer.vtkSlicerApplicationLogic
