"""Nodes have items in the subject hierarchy, and its tree and combo box show and change them."""

from __future__ import annotations

import pytest
import qt
import slicer
import vtk

NAME, EYE = 0, 2


@pytest.fixture
def tree(slicer_app):
    """A tree view of the scene."""
    view = slicer.qMRMLSubjectHierarchyTreeView()
    view.setMRMLScene(slicer.mrmlScene)
    view.resize(500, 300)
    view.show()
    yield view
    view.deleteLater()


@pytest.fixture
def box(slicer_app):
    """A combo box of the scene."""
    made = slicer.qMRMLSubjectHierarchyComboBox()
    made.setMRMLScene(slicer.mrmlScene)
    made.show()
    yield made
    made.deleteLater()


def hierarchy():
    return slicer.mrmlScene.GetSubjectHierarchyNode()


def add(kind, name):
    node = slicer.mrmlScene.AddNewNodeByClass(f"vtkMRML{kind}Node", name)
    if node.IsA("vtkMRMLDisplayableNode"):
        node.CreateDefaultDisplayNodes()
    return node


def item(node):
    return hierarchy().GetItemByDataNode(node)


def shown(view):
    """Names of the shown items, indented below their parents."""
    model = view.sortFilterProxyModel()

    def below(index):
        rows = [model.index(row, 0, index) for row in range(model.rowCount(index))]
        return [(row.data(), below(row)) if model.rowCount(row) else row.data() for row in rows]

    return below(model.subjectHierarchySceneIndex())


def record(widget, signal):
    calls = []
    widget.connect(signal, calls.append)
    return calls


# -- items of nodes


@pytest.mark.parametrize(
    ("kind", "owner"),
    [
        ("ScalarVolume", "Volumes"),
        ("LabelMapVolume", "LabelMaps"),
        ("VectorVolume", "Volumes"),
        ("Model", "Models"),
        ("MarkupsFiducial", "Markups"),
        ("MarkupsROI", "Markups"),
        ("GridTransform", "Transforms"),
        ("Table", "Tables"),
        ("Text", "Texts"),
        ("PlotChart", "Plots"),
        ("Segmentation", "Segmentations"),
    ],
)
def test_a_node_has_an_item_as_long_as_it_is_in_the_scene(slicer_app, kind, owner):
    node = add(kind, "N")
    assert hierarchy().GetItemOwnerPluginName(item(node)) == owner
    assert hierarchy().GetItemParent(item(node)) == hierarchy().GetSceneItemID()
    slicer.mrmlScene.RemoveNode(node)
    assert hierarchy().GetNumberOfItems() == 0


def test_what_is_hidden_from_users_has_no_item(slicer_app):
    hidden = slicer.vtkMRMLModelNode()
    hidden.SetHideFromEditors(True)
    slicer.mrmlScene.AddNode(hidden)
    add("ScriptedModule", "parameters")
    assert hierarchy().GetNumberOfItems() == 0


def test_what_was_below_a_removed_node_stays(slicer_app):
    patient = hierarchy().CreateFolderItem(hierarchy().GetSceneItemID(), "Patient")
    above, below = add("ScalarVolume", "CT"), add("Model", "Liver")
    hierarchy().SetItemParent(item(above), patient)
    hierarchy().SetItemParent(item(below), item(above))
    slicer.mrmlScene.RemoveNode(above)
    assert below.GetScene() is slicer.mrmlScene
    assert hierarchy().GetItemParent(item(below)) == patient
    assert hierarchy().GetItemOwnerPluginName(patient) == "Folder"


def test_segments_are_items_below_their_segmentation(slicer_app):
    node = add("Segmentation", "Organs")
    segmentation = node.GetSegmentation()
    for name in ("a", "b", "c"):
        segmentation.AddEmptySegment(name, name.upper())
    segmentation.GetSegment("b").SetName("Spleen")
    segmentation.RemoveSegment("a")
    segmentation.SetSegmentIndex("c", 0)
    items = vtk.vtkIdList()
    hierarchy().GetItemChildren(item(node), items)
    assert [hierarchy().GetItemName(items.GetId(row)) for row in range(items.GetNumberOfIds())] == ["C", "Spleen"]
    assert hierarchy().GetItemOwnerPluginName(items.GetId(0)) == "Segments"
    slicer.mrmlScene.RemoveNode(node)
    assert hierarchy().GetNumberOfItems() == 0


def test_a_tree_survives_saving_and_loading(slicer_app, tmp_path, tree):
    folder = hierarchy().CreateFolderItem(hierarchy().GetSceneItemID(), "Patient")
    node = add("Model", "Liver")
    hierarchy().SetItemParent(item(node), folder)
    add("Segmentation", "Organs").GetSegmentation().AddEmptySegment("a", "Spleen")
    before = shown(tree)
    assert ("Patient", ["Liver"]) in before
    assert ("Organs", ["Spleen"]) in before
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear()
    assert shown(tree) == []
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    assert shown(tree) == before
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))  # added to the existing items
    assert len(shown(tree)) == 2 * len(before)


def test_closing_the_scene_again_and_again_leaves_one_tree(slicer_app, tree):
    for _ in range(3):
        add("Model", "Liver")
        assert shown(tree) == ["Liver"]
        slicer.mrmlScene.Clear()
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSubjectHierarchyNode") == 1
    node = hierarchy()
    calls = []
    node.AddObserver(node.SubjectHierarchyItemAddedEvent, lambda *_: calls.append(1))
    add("Model", "Liver")
    assert len(calls) == 1


# -- tree


def test_tree_follows_the_scene(tree):
    model, points = add("Model", "Liver"), add("MarkupsFiducial", "F")
    folder = hierarchy().CreateFolderItem(hierarchy().GetSceneItemID(), "Patient")
    assert shown(tree) == ["Liver", "F", "Patient"]
    hierarchy().SetItemParent(item(points), folder)
    model.SetName("Left liver")
    assert shown(tree) == ["Left liver", ("Patient", ["F"])]
    slicer.mrmlScene.StartState(slicer.mrmlScene.BatchProcessState)
    for number in range(3):
        add("Model", f"M{number}")
    slicer.mrmlScene.RemoveNode(model)
    slicer.mrmlScene.EndState(slicer.mrmlScene.BatchProcessState)
    assert shown(tree) == [("Patient", ["F"]), "M0", "M1", "M2"]
    assert tree.displayedItemCount() == 5


def test_choice_in_the_tree(tree):
    first, second = add("Model", "A"), add("Model", "B")
    items, nodes = record(tree, "currentItemChanged(vtkIdType)"), record(tree, "currentNodeChanged(vtkMRMLNode*)")
    tree.setCurrentNode(second)
    assert tree.currentItem() == item(second)
    assert tree.currentNode() is second
    assert items == [item(second)]
    assert nodes == [second]
    # A module keeps its selection while other items are added and removed.
    add("Model", "C")
    slicer.mrmlScene.RemoveNode(first)
    assert tree.currentNode() is second
    assert set(items) == {item(second)}
    slicer.mrmlScene.RemoveNode(second)
    assert tree.currentNode() is None
    # A function of Qt, called by a module, also calls the view's own slots.
    third = add("Model", "D")
    tree.setCurrentNode(third)
    tree.clearSelection()
    assert tree.currentNode() is None
    assert nodes[-2:] == [third, None]


def test_several_are_chosen_and_deleted(tree):
    nodes = [add("Model", name) for name in "ABC"]
    tree.setMultiSelection(True)
    tree.setCurrentItems([item(nodes[0]), item(nodes[2])])
    wanted = vtk.vtkIdList()
    tree.currentItems(wanted)
    assert [wanted.GetId(row) for row in range(wanted.GetNumberOfIds())] == [item(nodes[0]), item(nodes[2])]
    tree.deleteSelectedItems()
    assert [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLModelNode") if not node.GetHideFromEditors()] == ["B"]


def test_deleting_several_asks_about_what_is_below(tree, slicer_app):
    above, below, other = add("Model", "A"), add("Model", "B"), add("Model", "C")
    hierarchy().SetItemParent(item(below), item(above))
    tree.setMultiSelection(True)
    tree.setCurrentItems([item(above), item(other)])
    slicer_app.dialogs.answer(qt.QMessageBox.No)
    tree.deleteSelectedItems()
    assert shown(tree) == ["B"]
    assert "has children" in slicer_app.dialogs.shown[0].text


def test_renaming(tree, slicer_app):
    node = add("Model", "A")
    tree.setCurrentNode(node)
    slicer_app.dialogs.answer("Kidney")
    tree.renameCurrentItem()
    assert node.GetName() == "Kidney"
    assert shown(tree) == ["Kidney"]
    index = tree.sortFilterProxyModel().indexFromSubjectHierarchyItem(item(node))
    assert tree.sortFilterProxyModel().setData(index, "Left kidney")
    assert node.GetName() == "Left kidney"


def eye_of(tree, node):
    index = tree.sortFilterProxyModel().indexFromSubjectHierarchyItem(item(node), EYE)
    return tree.visualRect(index).center(), index.data(qt.Qt.DecorationRole).cacheKey()


def test_a_click_on_the_eye_hides(tree, hands):
    node = add("Model", "A")
    place, open_eye = eye_of(tree, node)
    hands.click(tree.viewport(), at=(place.x(), place.y()))
    assert not node.GetDisplayVisibility()
    assert eye_of(tree, node)[1] != open_eye
    hands.click(tree.viewport(), at=(place.x(), place.y()))
    assert node.GetDisplayVisibility()
    assert eye_of(tree, node)[1] == open_eye


def test_showing_and_hiding_a_folder_and_a_volume(tree):
    folder = hierarchy().CreateFolderItem(hierarchy().GetSceneItemID(), "Patient")
    models = [add("Model", name) for name in "AB"]
    for node in models:
        hierarchy().SetItemParent(item(node), folder)
    tree.setCurrentItem(folder)
    tree.hideSelectedItems()
    assert [node.GetDisplayVisibility() for node in models] == [0, 0]
    tree.toggleVisibilityOfSelectedItems()
    assert [node.GetDisplayVisibility() for node in models] == [1, 1]
    slicer.app.layoutManager()
    volume = add("ScalarVolume", "CT")
    tree.setCurrentNode(volume)
    tree.showSelectedItems()
    red = slicer.app.layoutManager().sliceWidget("Red").sliceLogic().GetSliceCompositeNode()
    assert red.GetBackgroundVolumeID() == volume.GetID()
    tree.hideSelectedItems()
    assert red.GetBackgroundVolumeID() is None


def test_filters(tree):
    folder = hierarchy().CreateFolderItem(hierarchy().GetSceneItemID(), "Patient")
    model, volume = add("Model", "Liver"), add("ScalarVolume", "CT")
    hierarchy().SetItemParent(item(model), folder)
    tree.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    assert shown(tree) == ["Patient", "CT"]
    tree.nodeTypes = ["vtkMRMLModelNode"]
    assert shown(tree) == [("Patient", ["Liver"])]
    tree.nodeTypes = []
    tree.hideChildNodeTypes = ["vtkMRMLModelNode"]
    assert shown(tree) == ["Patient", "CT"]
    tree.hideChildNodeTypes = []
    tree.nameFilter = "liv"
    assert shown(tree) == [("Patient", ["Liver"])]
    tree.nameFilter = ""
    tree.addNodeAttributeFilter("Modality", "CT")
    assert shown(tree) == []
    volume.SetAttribute("Modality", "CT")
    tree.sortFilterProxyModel().invalidate()
    assert shown(tree) == ["CT"]
    tree.removeNodeAttributeFilter("Modality", True)
    tree.levelFilter = ["Folder"]
    assert shown(tree) == ["Patient"]


def test_root(tree):
    folder = hierarchy().CreateFolderItem(hierarchy().GetSceneItemID(), "Patient")
    model = add("Model", "Liver")
    add("Model", "Other")
    hierarchy().SetItemParent(item(model), folder)
    tree.setRootItem(folder)
    assert tree.rootItem() == folder
    assert tree.displayedItemCount() == 1
    assert tree.rootIndex() == tree.sortFilterProxyModel().indexFromSubjectHierarchyItem(folder)
    tree.setShowRootItem(True)
    assert tree.displayedItemCount() == 2


def test_context_menu_makes_a_folder(tree):
    place = qt.QPoint(200, 250)
    event = qt.QContextMenuEvent(qt.QContextMenuEvent.Mouse, place, tree.viewport().mapToGlobal(place))
    qt.QApplication.sendEvent(tree.viewport(), event)
    menu = [child for child in tree.findChildren(qt.QMenu) if child.visible][-1]
    next(action for action in menu.actions() if action.text == "Create new folder").trigger()
    menu.close()
    assert shown(tree) == ["NewFolder"]


# -- combo box


def test_combo_box_names_the_item_with_what_it_is_under(box):
    folder = hierarchy().CreateFolderItem(hierarchy().GetSceneItemID(), "Patient")
    node = add("Model", "Liver")
    hierarchy().SetItemParent(item(node), folder)
    assert box.defaultText == "Select subject hierarchy item"
    chosen = record(box, "currentItemChanged(vtkIdType)")
    box.setCurrentItem(item(node))
    assert box.defaultText == "Patient / Liver"
    assert chosen == [item(node)]
    node.SetName("Left liver")
    assert box.defaultText == "Patient / Left liver"
    box.showCurrentItemParents = False
    assert box.defaultText == "Left liver"
    slicer.mrmlScene.Clear()
    assert box.defaultText == "Select subject hierarchy item"
    assert box.currentItem() == 0


def test_combo_box_is_chosen_from_with_the_mouse(box, hands):
    nodes = [add("Model", name) for name in "AB"]
    hands.click(box)
    view = box.findChild(slicer.qMRMLSubjectHierarchyTreeView)
    place = view.visualRect(view.sortFilterProxyModel().indexFromSubjectHierarchyItem(item(nodes[1]))).center()
    hands.click(view.viewport(), at=(place.x(), place.y()))
    assert box.currentItem() == item(nodes[1])
    assert not view.isVisible()


def test_combo_box_with_none(box):
    node = add("Model", "Liver")
    box.noneEnabled = True
    assert box.defaultText == "None"
    box.setCurrentItem(item(node))
    box.clearSelection()
    assert box.currentItem() == 0
    assert box.defaultText == "None"


def test_many_nodes_are_shown(tree, slicer_app):
    for number in range(300):
        add("Model", f"M{number}")
    assert len(shown(tree)) == 300
