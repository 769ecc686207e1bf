"""The pytest plugin: pictures, and the errors that it reports; its fixtures are tested in test_fixtures."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QColor, QImage

from slicer_testing import pictures


def picture(width, height, changed=0):
    image = QImage(width, height, QImage.Format.Format_RGB888)
    image.fill(QColor(40, 80, 120))
    for index in range(changed):
        image.setPixelColor(index % width, index // width, QColor(240, 80, 120))
    return image


def test_pixels_are_those_of_the_picture():
    image = picture(5, 3, changed=1)  # rows of 5 pixels are padded in memory
    found = pictures.pixels(image)
    assert found.shape == (3, 5, 3)
    assert found[0, 0].tolist() == [240, 80, 120]
    assert np.all(found.reshape(-1, 3)[1:] == [40, 80, 120])


def test_pictures_are_compared_with_tolerance(tmp_path):
    reference = tmp_path / "kept.png"
    picture(20, 10).save(str(reference))
    pictures.compare(picture(20, 10, changed=2), reference, tmp_path, share=0.01)
    with pytest.raises(AssertionError, match="1.5% of the pixels differ"):
        pictures.compare(picture(20, 10, changed=3), reference, tmp_path, share=0.01)
    assert (tmp_path / "kept-now.png").is_file()
    pictures.compare(picture(20, 10, changed=200), reference, tmp_path, tolerance=200, share=0.0)
    with pytest.raises(AssertionError, match="100.0%"):
        pictures.compare(picture(20, 11), reference, tmp_path)
    with pytest.raises(AssertionError, match="there is no picture"):
        pictures.compare(picture(20, 10), tmp_path / "none.png", tmp_path)


@pytest.fixture(autouse=True)
def package_is_found(monkeypatch):
    """Let processes that tests start find the package too."""
    monkeypatch.setenv("PYTHONPATH", str(Path(pictures.__file__).parents[1]))


def run_elsewhere(pytester, text):
    """Run a test file in a process of its own."""
    pytester.makeconftest('pytest_plugins = ["slicer_testing.plugin"]')
    pytester.makepyfile(textwrap.dedent(text))
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", "-q")


def test_what_a_test_leaves_behind_fails_it(pytester):
    result = run_elsewhere(
        pytester,
        """
        import subprocess
        import threading
        kept = []
        stop = threading.Event()

        def test_leaves_a_thread(slicer_app):
            threading.Thread(target=stop.wait, args=(8,), name="forgotten").start()

        def test_ends_it(slicer_app):
            stop.set()

        def test_leaves_a_process(slicer_app):
            kept.append(subprocess.Popen(["sleep", "20"]))

        def test_kills_it(slicer_app):
            kept[0].kill()
            kept[0].wait()

        def test_starts_a_process_for_others(slicer_app):
            kept.append(subprocess.Popen(["sleep", "20"]))
            slicer_app.lasting_processes.add(kept[1].pid)

        def test_ends_that(slicer_app):
            kept[1].kill()
            kept[1].wait()

        def test_answers_too_much(slicer_app):
            slicer_app.dialogs.answer("yes")

        def test_slot_raises(slicer_app):
            import qt
            button = qt.QPushButton()
            button.connect("clicked()", lambda: 1 / 0)
            button.click()

        def test_observer_raises(slicer_app):
            def call(scene, event):
                raise KeyError("of the observer")
            slicer_app.scene.AddObserver("ModifiedEvent", call)
            slicer_app.scene.Modified()

        def test_shows_the_exception_to_the_user(slicer_app):
            import qt
            import slicer

            def compute():
                with slicer.util.tryWithErrorDisplay("Could not compute."):
                    raise ValueError("no input")

            button = qt.QPushButton()
            button.connect("clicked()", compute)
            button.click()

        def test_expects_an_exception(slicer_app):
            import qt
            button = qt.QPushButton()
            button.connect("clicked()", lambda: 1 / 0)
            button.click()
            assert isinstance(slicer_app.errors.pop(), ZeroDivisionError)
        """,
    )
    result.assert_outcomes(passed=11, errors=5)
    result.stdout.fnmatch_lines_random(
        [
            "*threads were left running: forgotten*",
            "*processes were left running*",
            "*1 answers to dialogs were not used*",
            "*ZeroDivisionError*",
            "*of the observer*",
        ]
    )


def test_a_crash_is_named(pytester):
    pytester.makeconftest('pytest_plugins = ["slicer_testing.plugin"]')
    pytester.makepyfile(
        """
        import ctypes

        def test_falls(slicer_app):
            ctypes.string_at(0)
        """
    )
    first = pytester.runpytest_subprocess("-q")
    assert first.ret != 0
    first.stderr.fnmatch_lines(["Fatal Python error*"])
    assert "test_falls" in first.stderr.str()
    pytester.makepyfile("def test_stands(): assert True")
    second = pytester.runpytest_subprocess("-q")
    second.stdout.fnmatch_lines(["*run ended in *test_falls*"])


MODULE = """
from slicer.ScriptedLoadableModule import *

class {name}(ScriptedLoadableModule):
    pass

class {name}Widget(ScriptedLoadableModuleWidget):
    def enter(self):
        self.inside = True

    def exit(self):
        self.inside = False
"""


def test_main_window_changes_modules_and_shows_messages(slicer_app, tmp_path):
    import slicer

    for name in ("First", "Second"):
        (tmp_path / f"{name}.py").write_text(MODULE.format(name=name))
        slicer_app.load_module(tmp_path / f"{name}.py")
    window = slicer.util.mainWindow()
    slicer.util.selectModule("First")
    assert slicer.util.selectedModule() == "First"
    assert slicer.modules.FirstWidget.inside
    slicer.util.selectModule("Second")
    assert slicer.modules.SecondWidget.inside
    assert not slicer.modules.FirstWidget.inside
    slicer.util.selectModule("First")
    assert slicer.modules.FirstWidget.inside
    assert slicer.modules.FirstWidget.parent.parent is not None
    slicer_app.loader.unload("First")
    slicer.util.selectModule("Second")
    assert slicer.modules.SecondWidget.inside
    with slicer_app.messages_shown():
        slicer.util.errorDisplay("There is no volume.")
    assert slicer_app.dialogs.shown[-1].text == "There is no volume."
    slicer_app.fresh()
    assert slicer.util.mainWindow() is not window
    assert slicer.util.selectedModule() == ""
