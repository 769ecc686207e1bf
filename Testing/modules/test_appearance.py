"""Panels in the appearance of the application: its font, a dark palette, screens of high resolution."""

from __future__ import annotations

import gc
import sys
import weakref

import numpy as np
import pytest
from panels import opened

MODULES = ("DeepReg", "DeepRegRegister", "DeepRegDense", "DeepRegDescent", "DeepRegPoints", "DeepRegInspector", "DeepRegTrainer")


@pytest.fixture
def look(slicer_app):
    """Changes font and palette of the application: ``look(height, dark)``."""
    import qt

    font, palette = qt.QApplication.font(), qt.QApplication.palette()

    def change(height: int = 0, dark: bool = False) -> None:
        if height:
            changed = qt.QFont(font)
            for size in range(6, 40):
                changed.setPixelSize(size)
                if qt.QFontMetrics(changed).height() >= height:
                    break
            qt.QApplication.setFont(changed)
        if dark:
            changed = qt.QPalette(qt.QColor("#2b2b2b"))
            for role in (qt.QPalette.WindowText, qt.QPalette.Text, qt.QPalette.ButtonText):
                changed.setColor(role, qt.QColor("#e8e8e8"))
            qt.QApplication.setPalette(changed)

    yield change
    qt.QApplication.setFont(font)
    qt.QApplication.setPalette(palette)


@pytest.fixture
def rested(warm_app):
    """The application; at the end of the test its worker has answered all requests."""
    from deepreg_slicer.worker_client import workerClient

    yield warm_app
    warm_app.wait_for(lambda: not workerClient().busy, 20, "the worker")


def contrast(first, second) -> float:
    """Return the contrast ratio of two colours by WCAG 2.1."""
    lights = []
    for color in (first, second):
        channels = np.array([color.redF(), color.greenF(), color.blueF()])
        linear = np.where(channels <= 0.03928, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        lights.append(float(linear @ (0.2126, 0.7152, 0.0722)))
    return (max(lights) + 0.05) / (min(lights) + 0.05)


@pytest.mark.parametrize("name", MODULES)
def test_a_panel_with_all_its_parts_fits_400_pixels_in_the_application_s_font(rested, look, name):
    import slicer

    look(height=17)  # of the application on Linux
    panel = opened(rested, name).parent
    for button in slicer.util.findChildren(panel, className="ctkCollapsibleButton"):
        button.collapsed = False
    rested.process_events()
    assert panel.minimumSizeHint.width() <= 400


@pytest.mark.parametrize("dark", [False, True])
def test_messages_can_be_read_on_the_palette(warm_app, look, dark):
    import qt

    from deepreg_slicer.appearance import BAD, CAUTION, GOOD, toneColor

    look(dark=dark)
    widget = opened(warm_app)
    label = widget.ui.resultLabel
    for tone in (BAD, CAUTION, GOOD):
        assert contrast(qt.QColor(toneColor(label, tone)), label.palette.color(qt.QPalette.Window)) > 4.5
    widget.panel.runSection.showMessage("wrong", bad=True)
    assert toneColor(label, BAD) in label.styleSheet


def test_columns_have_the_width_of_their_texts_in_a_large_font(warm_app, look):
    """The heading and the figures are not cut."""
    look(height=26)
    table = opened(warm_app, "DeepRegInspector").ui.pairsTable
    header = table.horizontalHeader()
    for column in (column for column in range(table.columnCount) if not table.isColumnHidden(column)):
        lines = table.horizontalHeaderItem(column).text().split("\n")
        assert table.columnWidth(column) >= max(header.fontMetrics().horizontalAdvance(line) for line in lines)
    assert table.columnWidth(2) >= table.fontMetrics().horizontalAdvance("-88.888")
    assert table.verticalHeader().defaultSectionSize >= table.fontMetrics().height()


@pytest.mark.host_only("the resolution of a label cannot be changed there")
def test_the_picture_of_probabilities_has_the_colours_and_the_resolution_of_its_label(warm_app, look):
    import qt

    look(dark=True)
    warm_app.load_module("DeepRegInspector")
    from DeepRegInspectorLib.explain_picture import draw

    class Label(qt.QLabel):
        def devicePixelRatioF(self) -> float:  # noqa: N802
            return 2.0

    label = Label()
    plain = draw(np.ones((3, 3, 3)) / 27.0, np.eye(3), 1.0, qt.QLabel())
    sharp = draw(np.ones((3, 3, 3)) / 27.0, np.eye(3), 1.0, label)
    assert (sharp.width(), sharp.height()) == (2 * plain.width(), 2 * plain.height())
    assert sharp.devicePixelRatio() == 2.0
    corner = qt.QColor(sharp.toImage().pixel(0, 0))
    assert corner.name() == label.palette.color(qt.QPalette.Window).name()


@pytest.fixture
def made(monkeypatch):
    """Return weak references to the Qt objects that the modules make from now on, each with the line of code that makes it."""
    import qt
    import slicer

    found = []

    def record(cls) -> None:
        original = cls.__init__

        def init(self, *arguments, **named) -> None:
            original(self, *arguments, **named)
            caller = sys._getframe(1)
            module = caller.f_globals.get("__name__", "")
            if module.startswith(("deepreg_slicer", "DeepReg", __name__)):
                found.append((weakref.ref(self), f"{cls.__name__} of {module}, line {caller.f_lineno}"))

        monkeypatch.setattr(cls, "__init__", init)

    names = (
        "Object Timer Action Menu Label ComboBox CheckBox SpinBox DoubleSpinBox LineEdit PushButton VBoxLayout HBoxLayout TableWidgetItem"
    )
    for cls in (slicer.qMRMLNodeComboBox, *(getattr(qt, f"Q{name}") for name in names.split())):
        record(cls)
    return found


def died(made) -> list[str]:
    """Return the lines of code whose objects have been deleted."""
    import shiboken6

    gc.collect()
    return [place for reference, place in made if reference() is None or not shiboken6.isValid(reference())]


@pytest.mark.host_only("classes of the application cannot record their objects")
@pytest.mark.parametrize("name", MODULES)
def test_all_that_a_panel_makes_lives_after_a_collection(rested, pair, made, name):
    """Objects of Qt without a parent are deleted with the last Python variable that refers to them."""
    opened(rested, name)
    assert len(made) > 3
    assert died(made) == []


@pytest.mark.host_only("classes of the application cannot record their objects")
def test_an_object_that_only_a_local_variable_holds_is_noticed(slicer_app, made):
    import qt

    qt.QTimer()
    assert [place.split()[0] for place in died(made)] == ["QTimer"]
