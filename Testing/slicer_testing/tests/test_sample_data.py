"""SampleData: registering, downloading from file:// addresses, loading, and the panel."""

import logging
from pathlib import Path

import pytest


@pytest.fixture
def slicer(slicer_app):
    import slicer

    return slicer


@pytest.fixture
def sample_data(slicer):
    import SampleData

    yield SampleData
    if hasattr(slicer.modules, "sampleDataSources"):
        del slicer.modules.sampleDataSources


@pytest.fixture
def volume_file(slicer, tmp_path):
    import numpy as np

    node = slicer.util.addVolumeFromArray(np.arange(24.0).reshape(2, 3, 4), name="saved")
    path = tmp_path / "sample.nrrd"
    assert slicer.util.saveNode(node, str(path))
    slicer.mrmlScene.Clear(0)
    return path


@pytest.fixture(autouse=True)
def empty_cache(slicer, tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir()
    manager = slicer.mrmlScene.GetCacheManager()
    before = manager.GetRemoteCacheDirectory()
    manager.SetRemoteCacheDirectory(str(folder))
    yield folder
    manager.SetRemoteCacheDirectory(before)


def test_registered_volume_is_downloaded_and_loaded(slicer, sample_data, volume_file):
    checksum = "SHA256:" + slicer.util.computeChecksum("SHA256", str(volume_file))
    arguments = {
        "category": "Mine",
        "sampleName": "Sample",
        "uris": volume_file.as_uri(),
        "fileNames": "s.nrrd",
        "nodeNames": "First",
        "checksums": checksum,
    }
    sample_data.SampleDataLogic.registerCustomSampleDataSource(**arguments)
    sample_data.SampleDataLogic.registerCustomSampleDataSource(**arguments)
    assert len(sample_data.SampleDataLogic.sampleDataSourcesByCategory("Mine")) == 1, "the same is registered once"
    node = sample_data.downloadSample("Sample")
    assert node.GetName() == "First"
    assert node is slicer.mrmlScene.GetFirstNodeByName("First")
    assert slicer.util.arrayFromVolume(node)[1, 2, 3] == 23
    assert node.GetStorageNode() is None


def test_several_files(sample_data, volume_file):
    nodes = sample_data.SampleDataLogic().downloadFromSource(
        sample_data.SampleDataSource(
            uris=[volume_file.as_uri()] * 3,
            fileNames=["a.nrrd", "b.nrrd", "c.nrrd"],
            nodeNames=["A", None, "C"],
            loadFiles=[True, None, False],
        )
    )
    assert nodes[0].GetName() == "A"
    assert nodes[1].endswith("/c.nrrd")
    assert len(nodes) == 2


def test_files_without_nodes_are_only_downloaded(slicer, sample_data, volume_file):
    count = slicer.mrmlScene.GetNumberOfNodes()
    paths = sample_data.downloadFromURL(uris=volume_file.as_uri(), fileNames="plain.nrrd")
    assert Path(paths[0]).read_bytes() == volume_file.read_bytes()
    assert slicer.mrmlScene.GetNumberOfNodes() == count


def test_archive_is_extracted(sample_data, tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        archive.writestr("inside.txt", "hello")
    (folder,) = sample_data.downloadFromURL(uris=(tmp_path / "some.zip").as_uri(), fileNames="some.zip")
    assert Path(folder, "inside.txt").read_text() == "hello"


def test_scene_is_loaded_only_if_asked(slicer, sample_data, tmp_path):
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", "Note")
    assert slicer.util.saveScene(str(tmp_path / "scene.mrml"))
    slicer.mrmlScene.Clear(0)
    uri = (tmp_path / "scene.mrml").as_uri()
    assert len(sample_data.downloadFromURL(uris=uri, fileNames="scene.mrml")) == 1
    assert slicer.mrmlScene.GetFirstNodeByName("Note") is None
    sample_data.downloadFromURL(uris=uri, fileNames="scene.mrml", loadFiles=True)
    assert slicer.mrmlScene.GetFirstNodeByName("Note") is not None


def test_changed_file_in_the_cache_is_replaced(slicer, sample_data, volume_file, empty_cache):
    (empty_cache / "s.nrrd").write_text("something else")
    checksum = "SHA256:" + slicer.util.computeChecksum("SHA256", str(volume_file))
    (path,) = sample_data.downloadFromURL(uris=volume_file.as_uri(), fileNames="s.nrrd", checksums=checksum)
    assert Path(path).read_bytes() == volume_file.read_bytes()


def test_file_in_the_cache_is_reused(sample_data, empty_cache):
    (empty_cache / "s.txt").write_text("kept")
    (path,) = sample_data.downloadFromURL(uris="file:///nowhere", fileNames="s.txt")
    assert Path(path).read_text() == "kept"


def test_what_cannot_be_downloaded_gives_nothing(sample_data, tmp_path, caplog):
    source = sample_data.SampleDataSource(uris=(tmp_path / "absent").as_uri(), fileNames="x.nrrd", nodeNames="X")
    assert sample_data.SampleDataLogic().downloadFromSource(source) == []
    assert caplog.text.count("Download failed (attempt") == 3


def test_unequal_lists_are_refused(sample_data):
    with pytest.raises(ValueError, match="same length"):
        sample_data.SampleDataSource(uris=["a", "b"], fileNames=["a"])


def test_built_in_categories(sample_data):
    logic = sample_data.SampleDataLogic()
    source = logic.sourceForSampleName("MRHead")
    assert logic.categoryForSource(source) == "General"
    assert logic.isSampleDataSourceRegistered("General", source)
    assert not logic.isSampleDataSourceRegistered("Other", source)
    assert logic.sourceForSampleName("no such") is None
    assert logic.downloadSamples("no such") == []
    with pytest.raises(TypeError):
        logic.isSampleDataSourceRegistered("General", "MRHead")


def test_panel_has_a_button_for_each_source(slicer, slicer_app, sample_data, load_module):
    asked = []
    sample_data.SampleDataLogic.registerCustomSampleDataSource(
        category="Mine", sampleName="Own", uris="file:///nowhere", fileNames="x", customDownloader=asked.append
    )
    panel = load_module(sample_data.__file__)
    slicer.util.findChild(panel, "OwnPushButton").click()
    assert [source.sampleName for source in asked] == ["Own"]
    widget = panel.self()
    assert widget.isCategoryVisible("Mine")
    assert not widget.isCategoryVisible("Development")
    widget.setCategoryVisible("Mine", False)
    assert not widget.isCategoryVisible("Mine")


def test_message_is_shown_and_logged(sample_data, load_module, caplog):
    widget = load_module(sample_data.__file__).self()
    with caplog.at_level(logging.DEBUG):
        widget.logMessage("<b>Note</b>", logging.ERROR)
    assert "Note" in widget.log.toPlainText()
    assert "Note" in caplog.text
