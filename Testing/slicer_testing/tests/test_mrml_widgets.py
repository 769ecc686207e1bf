"""Node selectors follow the scene, filter, create, rename and delete nodes as in the application, and leave no observers."""

from __future__ import annotations

import gc

import pytest
import slicer
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QComboBox
from widget_tools import record

from slicer_testing import registry
from slicer_testing.pythonqt import dialogs
from slicer_testing.widgets.mrml_node_filter import ACTION_ROLE

pytestmark = pytest.mark.usefixtures("clean_dialogs")


@pytest.fixture
def selector(make):
    """A selector of scalar volumes with None."""
    return make("qMRMLNodeComboBox", nodeTypes=["vtkMRMLScalarVolumeNode"], noneEnabled=True)


def add(scene, name, node_class="vtkMRMLScalarVolumeNode"):
    return scene.AddNewNodeByClass(node_class, name)


def texts(selector):
    combo = selector.findChild(QComboBox)
    return [combo.itemText(row) for row in range(combo.count())]


def nodes(selector):
    return [selector.nodeFromIndex(index).GetName() for index in range(selector.nodeCount())]


def choose(selector, text):
    """Click an entry of the list."""
    combo = selector.findChild(QComboBox)
    model = combo.model()
    row = texts(selector).index(text)
    index = model.index(row, 0)
    if index.data(ACTION_ROLE) is None:
        combo.setCurrentIndex(row)
        combo.activated.emit(row)
    combo.view().clicked.emit(index)


# -- node selector


def test_selector_is_disabled_without_a_scene(make):
    selector = make("qMRMLNodeComboBox", with_scene=False, nodeTypes=["vtkMRMLModelNode"])
    assert not selector.isEnabled()
    assert selector.nodeCount() == 0
    assert selector.currentNode() is None


def test_selector_follows_the_scene(scene, selector):
    first, second = add(scene, "A"), add(scene, "B")
    add(scene, "M", "vtkMRMLModelNode")
    assert nodes(selector) == ["A", "B"]
    assert selector.currentNode() is None
    assert selector.currentNodeID() == ""
    first.SetName("C")
    assert nodes(selector) == ["C", "B"]
    scene.RemoveNode(first)
    assert nodes(selector) == ["B"]
    second.SetHideFromEditors(True)
    assert nodes(selector) == []
    selector.setShowHidden(True)
    assert nodes(selector) == ["B"]


def test_first_node_is_chosen_only_without_none(scene, make):
    first = add(scene, "A")
    add(scene, "B")
    assert make("qMRMLNodeComboBox", nodeTypes=["vtkMRMLScalarVolumeNode"]).currentNode() is first
    assert make("qMRMLNodeComboBox", nodeTypes=["vtkMRMLScalarVolumeNode"], noneEnabled=True).currentNode() is None


def test_first_node_that_comes_is_chosen_if_the_list_was_empty(scene, make):
    selector = make("qMRMLNodeComboBox", nodeTypes=["vtkMRMLScalarVolumeNode"], addEnabled=False, removeEnabled=False)
    assert selector.currentNode() is None
    first = add(scene, "A")
    assert selector.currentNode() is first


def test_subclasses_can_be_hidden(scene, make):
    add(scene, "V")
    add(scene, "L", "vtkMRMLLabelMapVolumeNode")
    selector = make("qMRMLNodeComboBox", nodeTypes=["vtkMRMLScalarVolumeNode"])
    assert nodes(selector) == ["V", "L"]
    selector.setHideChildNodeTypes(["vtkMRMLLabelMapVolumeNode"])
    assert nodes(selector) == ["V"]
    selector.setHideChildNodeTypes([])
    selector.setShowChildNodeTypes(False)
    assert nodes(selector) == ["V"]
    selector.setShowChildNodeTypes(True)
    selector.setNodeTypes(["vtkMRMLLabelMapVolumeNode"])
    assert nodes(selector) == ["L"]


def test_attribute_filter_and_creation_with_it(scene, selector):
    plain = add(scene, "plain")
    selector.addAttribute("vtkMRMLScalarVolumeNode", "Role", "fixed")
    assert nodes(selector) == []
    created = selector.addNode()
    assert created.GetAttribute("Role") == "fixed"
    assert nodes(selector) == [created.GetName()]
    plain.SetAttribute("Role", "fixed")
    assert nodes(selector) == ["plain", created.GetName()]
    plain.SetAttribute("Role", "moving")
    assert nodes(selector) == [created.GetName()]
    selector.removeAttribute("vtkMRMLScalarVolumeNode", "Role")
    assert nodes(selector) == ["plain", created.GetName()]


def test_attribute_filter_of_another_class_is_ignored(scene, selector):
    add(scene, "A")
    selector.addAttribute("vtkMRMLModelNode", "Role", "x")
    assert nodes(selector) == ["A"]


def test_entries_and_their_labels(scene, make):
    add(scene, "A")
    selector = make(
        "qMRMLNodeComboBox",
        nodeTypes=["vtkMRMLScalarVolumeNode"],
        noneEnabled=True,
        noneDisplay="(no volume)",
        renameEnabled=True,
        editEnabled=True,
    )
    assert texts(selector) == [
        "(no volume)",
        "A",
        "",
        "Rename current Volume",
        "Edit current Volume",
        "Create new Volume",
        "Create new Volume as...",
        "Delete current Volume",
    ]
    selector.setNodeTypeLabel("Image", "vtkMRMLScalarVolumeNode")
    selector.setEditEnabled(False)
    selector.setRenameEnabled(False)
    assert texts(selector) == ["(no volume)", "A", "", "Create new Image", "Delete current Image"]
    selector.setAddEnabled(False)
    selector.setRemoveEnabled(False)
    assert texts(selector) == ["(no volume)", "A"]


def test_changed_entries_keep_the_selection_without_signals(scene, selector):
    node = add(scene, "A")
    selector.setCurrentNode(node)
    reported = record(selector.currentNodeChanged)
    selector.setNoneEnabled(False)
    selector.setRenameEnabled(True)
    selector.setNoneEnabled(True)
    selector.setNoneDisplay("nothing")
    assert selector.currentNode() is node
    assert reported == []


def test_create_by_the_list(scene, selector):
    selector.setBaseName("Output")
    by_user, added = record(selector.nodeAddedByUserAction), record(selector.nodeAdded)
    choose(selector, "Create new Volume")
    assert selector.currentNode().GetName() == "Output"
    assert by_user == added == [selector.currentNode()]
    choose(selector, "Create new Volume")
    assert selector.currentNode().GetName() == "Output_1"


def test_create_with_a_name(scene, selector):
    selector.setRenameEnabled(True)
    dialogs.recorder.answer("Mine")
    choose(selector, "Create new Volume as...")
    assert selector.currentNode().GetName() == "Mine"
    choose(selector, "Create new Volume as...")
    assert selector.nodeCount() == 1, "a closed dialog creates nothing"


def test_rename_by_the_list(scene, selector):
    node = add(scene, "A")
    selector.setRenameEnabled(True)
    selector.setCurrentNode(node)
    renamed = record(selector.currentNodeRenamed)
    dialogs.recorder.answer("New")
    choose(selector, "Rename current Volume")
    assert node.GetName() == "New"
    assert renamed == ["New"]
    assert selector.findChild(QComboBox).currentText() == "New"
    assert dialogs.recorder.shown[0].title == "Rename Volume"


def test_delete_by_the_list_chooses_the_one_before(scene, selector):
    first, second = add(scene, "A"), add(scene, "B")
    selector.setCurrentNode(second)
    about = record(selector.nodeAboutToBeRemoved)
    choose(selector, "Delete current Volume")
    assert selector.currentNode() is first
    assert about == [second]
    choose(selector, "Delete current Volume")
    assert selector.currentNode() is None
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 0


def test_own_menu_action(scene, selector):
    done = []
    action = QAction("Load sample", selector)
    action.triggered.connect(lambda: done.append(True))
    selector.addMenuAction(action)
    selector.addMenuAction(QAction("Load sample", selector))
    assert texts(selector)[-1] == "Load sample"
    assert texts(selector).count("Load sample") == 1
    choose(selector, "Load sample")
    assert done == [True]


def test_choice_by_node_id_and_index(scene, selector):
    first, second = add(scene, "A"), add(scene, "B")
    selector.setCurrentNode(second)
    assert selector.currentNodeID() == second.GetID()
    selector.setCurrentNodeID(first.GetID())
    assert selector.currentNode() is first
    selector.setCurrentNodeIndex(1)
    assert selector.currentNode() is second
    selector.setCurrentNodeIndex(7)
    assert selector.currentNode() is None
    selector.setCurrentNode(second)
    selector.setCurrentNode(add(scene, "M", "vtkMRMLModelNode"))
    assert selector.currentNode() is None, "a node of a wrong class is no choice"


def test_signals_of_a_choice(scene, selector):
    node = add(scene, "A")
    order = []
    selector.currentNodeChanged[object].connect(lambda value: order.append(("node", value)))
    selector.currentNodeChanged[bool].connect(lambda value: order.append(("valid", value)))
    selector.currentNodeIDChanged.connect(lambda value: order.append(("id", value)))
    selector.setCurrentNode(node)
    selector.setCurrentNode(node)
    assert order == [("node", node), ("valid", True), ("id", node.GetID())]
    del order[:]
    selector.setCurrentNode(None)
    assert order == [("node", None), ("valid", False), ("id", "")]


def test_same_names_are_different_choices(scene, selector):
    first, second = add(scene, "A"), add(scene, "A")
    selector.setCurrentNode(first)
    reported = record(selector.currentNodeChanged)
    selector.setCurrentNode(second)
    assert reported == [second]
    assert selector.currentNode() is second


def test_choice_asked_for_before_the_scene(scene, make):
    add(scene, "A")
    second = add(scene, "B")
    selector = make("qMRMLNodeComboBox", with_scene=False, nodeTypes=["vtkMRMLScalarVolumeNode"])
    selector.setCurrentNodeID(second.GetID())
    selector.setMRMLScene(scene)
    assert selector.currentNode() is second


def test_scene_clear_import_and_batch(scene, selector, tmp_path):
    selector.setCurrentNode(add(scene, "A"))
    reported = record(selector.currentNodeChanged)
    path = tmp_path / "saved.mrml"
    scene.SetURL(str(path))
    scene.Commit()
    scene.Clear(False)
    assert nodes(selector) == []
    assert selector.currentNode() is None
    assert reported[-1] is None
    scene.SetURL(str(path))
    scene.Connect()
    assert nodes(selector) == ["A"]
    scene.StartState(scene.BatchProcessState)
    add(scene, "B")
    scene.EndState(scene.BatchProcessState)
    assert nodes(selector) == ["A", "B"]


def test_scene_clear_without_none(scene, make):
    for name in "ABC":
        add(scene, name)
    selector = make("qMRMLNodeComboBox", nodeTypes=["vtkMRMLScalarVolumeNode"])
    selector.setCurrentNodeIndex(2)
    reported = record(selector.currentNodeChanged)
    scene.Clear(False)
    assert selector.nodeCount() == 0
    assert selector.currentNode() is None
    assert set(reported) == {None}


def test_sorting_leaves_the_other_entries_in_place(scene, selector):
    for name in "BCA":
        add(scene, name)
    before, after = texts(selector)[0], texts(selector)[4:]
    selector.sortFilterProxyModel().sort(0)
    assert texts(selector) == [before, "A", "B", "C", *after]
    add(scene, "AA")
    assert texts(selector) == [before, "A", "AA", "B", "C", *after]
    selector.sortFilterProxyModel().setFilterFixedString("A")
    assert texts(selector) == [before, "A", "AA", *after]


def test_selector_with_several_classes_offers_each(scene, make):
    selector = make("qMRMLNodeComboBox", nodeTypes=["vtkMRMLModelNode", "vtkMRMLScalarVolumeNode"])
    assert texts(selector) == ["", "Create new Model", "Create new Volume", "Delete current node"]
    choose(selector, "Create new Volume")
    assert selector.currentNode().IsA("vtkMRMLScalarVolumeNode")
    assert selector.addNode("vtkMRMLTextNode") is None


def test_no_observers_stay(scene):
    node = add(scene, "A")
    events = [
        slicer.vtkMRMLScene.NodeAddedEvent,
        slicer.vtkMRMLScene.NodeAboutToBeRemovedEvent,
        slicer.vtkMRMLScene.EndCloseEvent,
        slicer.vtkMRMLScene.EndImportEvent,
        slicer.vtkMRMLScene.EndBatchProcessEvent,
    ]

    def observed():
        return [bool(scene.HasObserver(event)) for event in events] + [bool(node.HasObserver("ModifiedEvent"))]

    before = observed()
    for way in ("scene", "delete", "forget"):
        selector = registry.widget("qMRMLNodeComboBox")()
        selector.setNodeTypes(["vtkMRMLScalarVolumeNode"])
        selector.setMRMLScene(scene)
        assert observed() == [True] * len(before)
        if way == "scene":
            selector.setMRMLScene(None)
        elif way == "delete":
            selector.deleteLater()
            QApplication.sendPostedEvents(None, 52)  # DeferredDelete
        del selector
        gc.collect()
        assert observed() == before, way
    add(scene, "B")
