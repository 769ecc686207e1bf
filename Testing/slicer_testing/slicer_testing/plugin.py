"""Fixtures for pytest: a fresh application for each test, and a user's actions on its panels.

Load with ``pytest_plugins = ["slicer_testing.plugin"]`` or ``-p slicer_testing.plugin``. Folders with modules are set in the
ini option ``slicer_module_paths`` or added by ``slicer_app.add_module_path``.
"""

from __future__ import annotations

import faulthandler
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slicer_testing import backend, callback_errors, random_order, starting


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("slicer_module_paths", "search paths for scripted modules", type="paths", default=[])


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "host_only(reason): cannot run in a real application, for that reason")
    # A crash in C++ ends the process; stderr then has the traceback and the name of the test.
    if not faulthandler.is_enabled():
        faulthandler.enable()


def pytest_report_header(config: pytest.Config) -> str:
    """Report where the tests run, and how the arbitrary order of the host's views is repeated."""
    if backend.inside_application():
        return "slicer_testing: in an application"
    return f"slicer_testing: in the host; SLICER_TESTING_SEED={random_order.seed()} repeats the order of its views"


def pytest_runtest_setup(item: pytest.Item) -> None:
    marker = item.get_closest_marker("host_only")
    if marker is not None and backend.inside_application():
        pytest.skip(f"not in an application: {marker.args[0]}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    folder = _crash_logs(item.config)
    log = None if folder is None else folder / str(os.getpid())
    if log is not None:
        log.write_text(item.nodeid, encoding="utf-8")
    yield
    if log is not None:
        log.unlink(missing_ok=True)


def _crash_logs(config: pytest.Config) -> Path | None:
    """Return a folder with the name of the running test of each process, so that a later run can report a crash."""
    cache = getattr(config, "cache", None)
    return None if cache is None else Path(cache.mkdir("slicer_testing"))


def pytest_sessionstart(session: pytest.Session) -> None:
    folder = _crash_logs(session.config)
    for log in sorted(folder.iterdir()) if folder is not None else []:
        if not log.name.isdigit() or _runs(int(log.name)):
            continue  # belongs to a run that has not ended
        crashed = log.read_text(encoding="utf-8")
        log.unlink(missing_ok=True)
        session.config.issue_config_time_warning(pytest.PytestWarning(f"the previous run ended in {crashed}"), 2)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


@pytest.fixture(scope="session")
def slicer_host(request: pytest.FixtureRequest) -> Any:
    """The application of this process, in the state that earlier tests left."""
    return starting.start(tuple(request.config.getini("slicer_module_paths")))


@pytest.fixture
def slicer_app(slicer_host: Any) -> Iterator[Any]:
    """The application in its state after the start: empty scene, no panel, default settings.

    The test fails if it leaves a thread or a process running, or if a slot or an observer raised an exception, unless the test has
    removed it from ``errors``.
    """
    slicer_host.fresh()
    threads = set(threading.enumerate())
    children = _children()
    yield slicer_host
    unused = slicer_host.dialogs.unused
    slicer_host.process_events()
    errors = callback_errors.text()
    slicer_host.fresh()
    slicer_host.process_events()
    left = [thread.name for thread in threading.enumerate() if thread not in threads and thread.is_alive() and not thread.daemon]
    processes = _children() - children - slicer_host.lasting_processes
    assert not errors, f"exceptions were raised in slots or observers:\n{errors}"
    assert not left, f"threads were left running: {', '.join(left)}"
    assert not processes, f"processes were left running: {sorted(processes)}"
    assert not unused, f"{unused} answers to dialogs were not used"


def _children() -> set[int]:
    """Return the running child processes of this process, without zombies."""
    folder = Path("/proc")
    if not folder.is_dir():
        return set()
    found = set()
    for entry in folder.iterdir():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if int(parent) == os.getpid() and state != "Z":
                found.add(int(entry.name))
    return found


@pytest.fixture
def load_module(slicer_app: Any) -> Any:
    """Load a module and set up its panel: ``panel = load_module("Name")``; the panel's Python widget is ``panel.self()``."""

    def load(name_or_path: str | Path, enter: bool = True) -> Any:
        panel = slicer_app.load_module(name_or_path).widgetRepresentation()
        panel.show()
        if enter:
            panel.enter()
        slicer_app.process_events()
        return panel

    return load


@pytest.fixture
def loadModule(load_module: Any) -> Any:
    """:func:`load_module` in Slicer's spelling."""
    return load_module


@pytest.fixture
def hands(slicer_app: Any) -> backend.Hands:
    """A user's actions: click, type, choose."""
    return slicer_app.hands()


@pytest.fixture
def no_main_window(slicer_app: Any) -> Any:
    """The application without a main window and layout manager; a real one is started with ``--no-main-window`` for it."""
    slicer_app.leave_main_window()
    return slicer_app


@pytest.fixture
def large_and_dark(slicer_app: Any) -> Iterator[Any]:
    """The application with a font of 14 points and a dark palette; QT_SCALE_FACTOR=2 in the environment doubles its pixels as well."""
    with slicer_app.appearance(14.0, dark=True):
        yield slicer_app


@pytest.fixture
def compare_picture(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Compare a widget or a picture with a picture in a file; see :func:`slicer_testing.pictures.compare`."""
    from slicer_testing.pictures import compare

    def check(shown: Any, reference: str | Path, tolerance: float = 8.0, share: float = 0.01) -> None:
        compare(shown, Path(request.path).parent / reference, tmp_path, tolerance, share)

    return check
