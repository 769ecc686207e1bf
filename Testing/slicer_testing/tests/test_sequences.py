"""Sequences are browsed and played, with the application's widgets."""

from __future__ import annotations

import numpy as np
import pytest
import qt
import slicer

COUNT = 5


@pytest.fixture
def browser(slicer_app):
    """A browser of a sequence of volumes; all voxels of an item's volume have the number of the item."""
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "beats")
    sequence.SetIndexName("time")
    sequence.SetIndexUnit("s")
    volume = slicer.vtkMRMLScalarVolumeNode()
    for item in range(COUNT):
        slicer.util.updateVolumeFromArray(volume, np.full((2, 3, 4), item, np.int16))
        sequence.SetDataNodeAtValue(volume, str(item / 2))
    made = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "beats browser")
    made.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    return made


def shown(browser):
    return slicer.util.arrayFromVolume(browser.GetProxyNode(browser.GetMasterSequenceNode())).mean()


def test_playing_goes_on_with_time_and_ends(browser, slicer_app):
    seen = []
    browser.AddObserver("ModifiedEvent", lambda *_: seen.append(browser.GetSelectedItemNumber()))
    browser.SetPlaybackItemSkippingEnabled(False)
    browser.SetPlaybackRateFps(60)
    browser.SetPlaybackLooped(False)
    browser.SetPlaybackActive(True)
    slicer_app.wait_for(lambda: not browser.GetPlaybackActive(), what="the last item")
    assert [item for item, before in zip(seen, [None, *seen], strict=False) if item != before][:COUNT] == list(range(COUNT))
    browser.SetPlaybackLooped(True)
    browser.SetPlaybackActive(True)
    slicer_app.wait_for(lambda: len(seen) > 4 * COUNT, what="another round")
    slicer_app.fresh()  # while it plays
    slicer_app.process_events(0.05)


def test_seek_widget(browser, hands):
    widget = slicer.qMRMLSequenceBrowserSeekWidget()
    assert not widget.enabled
    widget.setMRMLSequenceBrowserNode(browser)
    widget.show()
    assert widget.enabled
    assert widget.slider().maximum == COUNT - 1
    widget.slider().value = 3
    assert browser.GetSelectedItemNumber() == 3
    assert shown(browser) == 3
    assert (widget.label_IndexName.text, float(widget.label_IndexValue.text), widget.label_IndexUnit.text) == ("time", 1.5, "s")
    browser.SetIndexDisplayMode(browser.IndexDisplayAsIndex)
    browser.SetSelectedItemNumber(1)
    assert widget.slider().value == 1
    assert widget.label_IndexValue.text == "2/5"
    hands.key(widget.slider(), "Right")
    assert shown(browser) == 2
    widget.setMRMLSequenceBrowserNode(None)
    assert not widget.enabled
    assert widget.label_IndexValue.text == ""


def test_play_widget(browser, hands, slicer_app):
    widget = slicer.qMRMLSequenceBrowserPlayWidget()
    widget.setMRMLSequenceBrowserNode(browser)
    widget.show()
    for button, item in (("VcrLast", 4), ("VcrPrevious", 3), ("VcrFirst", 0), ("VcrNext", 1)):
        hands.click(widget.findChild(qt.QPushButton, f"pushButton_{button}"))
        assert browser.GetSelectedItemNumber() == item
        assert shown(browser) == item
    rate = widget.findChild(qt.QDoubleSpinBox)
    rate.value = 50
    assert browser.GetPlaybackRateFps() == 50
    play = widget.pushButton_VcrPlayPause
    hands.click(play)
    assert browser.GetPlaybackActive()
    slicer_app.wait_for(lambda: browser.GetSelectedItemNumber() != 1, what="the next item")
    browser.SetPlaybackActive(False)
    assert not play.checked
    hands.click(widget.pushButton_VcrLoop)
    assert not browser.GetPlaybackLooped()
    assert not widget.pushButton_VcrRecord.visible
    browser.SetRecording(browser.GetMasterSequenceNode(), True)
    assert widget.pushButton_VcrRecord.visible
    widget.RecordingControlsVisible = False
    assert not widget.pushButton_VcrRecord.visible
    assert widget.PlayPauseShortcut == "Ctrl+Shift+Down"
