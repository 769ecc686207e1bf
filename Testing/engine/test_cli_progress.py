"""The command line as a process: its progress, its streams, and its end when it is asked to stop."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
from command_line import ENVIRONMENT, check_refusal, cut, finish, listing, process

from deepreg_engine.cli import main
from deepreg_engine.commands.progress import ProgressBar

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and pseudo-terminals are POSIX")


@pytest.fixture
def folder(phantom_folder, tmp_path):
    """A pair to register, and a result of an earlier run."""
    for name in ("fixed.nii.gz", "moving.nii.gz"):
        shutil.copy(phantom_folder / name, tmp_path)
    (tmp_path / "t.nrrd").write_text("of an earlier run")
    return tmp_path


DENSE = ("register", "dense", "--fixed", "fixed.nii.gz", "--moving", "moving.nii.gz", "--preset", "quick")
OUTPUTS = ("--transform", "t.nrrd", "--inverse", "i.h5", "--warped", "w.nii.gz", "--report", "r.json")
# The search of this takes seconds.
SLOW = ("--set", "search_stages=3", "--set", "mean_field_passes=4", "--set", "capture_range=300", "--initial", "geometry")


# ----------------------------------------------------------------------------------------------------- asked to stop


def interrupted(folder: Path, stage: str, number: int, *arguments: str):
    """Run a registration, send it a signal when it reports a stage; returns its outcome."""
    return cut(stage, number, *DENSE, *OUTPUTS, *arguments, cwd=folder)


@posix
@pytest.mark.parametrize(
    ("stage", "number", "arguments"), [("alignment", signal.SIGINT, ()), ("search", signal.SIGINT, SLOW), ("search", signal.SIGTERM, SLOW)]
)
def test_stopped_in_the_middle(folder, stage, number, arguments):
    before = listing(folder)
    outcome = interrupted(folder, stage, number, *arguments)
    check_refusal(outcome, "deepreg-engine register dense: stopped by the user: nothing was written")
    assert outcome.progress
    assert listing(folder) == before


@posix
def test_stopped_while_writing_there_is_all_or_nothing(folder):
    before = listing(folder)
    outcome = interrupted(folder, "writing", signal.SIGINT, "--initial", "geometry")
    if outcome.code == 0:  # the run has ended before
        assert set(listing(folder)) == {*before, "t.nrrd", "i.h5", "w.nii.gz", "r.json"}
    else:
        check_refusal(outcome, "stopped by the user")
        assert listing(folder) == before


@posix
def test_stopped_while_a_phantom_is_made(tmp_path):
    running = process("phantom", "abdomen", "--output", "new", cwd=tmp_path)
    time.sleep(2.0)  # it takes half a minute
    running.send_signal(signal.SIGTERM)
    check_refusal(finish(running), "deepreg-engine phantom: stopped by the user: nothing was written")
    assert list(tmp_path.iterdir()) == []


@posix
def test_two_hasty_strokes_are_one(monkeypatch):
    """A second signal shortly after the first does not interrupt the cleaning up; a later signal takes effect."""
    from deepreg_engine.commands.console import interruptible

    with interruptible():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        monkeypatch.setattr("deepreg_engine.commands.console._REPEATED", 0.0)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@posix
def test_signals_are_as_before_afterwards(capsys):
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    assert main(["models", "verify", "mind"]) == 0
    assert [signal.getsignal(number) for number in numbers] == before


# --------------------------------------------------------------------------------------------------------- on a terminal


def on_a_terminal(*arguments: str, cwd: Path) -> tuple[int, str, str]:
    """Exit code, stdout, and all that a terminal got as stderr."""
    master, slave = os.openpty()
    running = process(*arguments, cwd=cwd, stderr=slave)
    os.close(slave)
    shown = b""
    while True:
        ready, _, _ = select.select([master], [], [], 60)
        assert ready, "nothing was shown for a minute"
        try:
            part = os.read(master, 65536)
        except OSError:  # on Linux: all writers have closed the terminal
            part = b""
        if not part:
            break
        shown += part
    os.close(master)
    outcome = finish(running)
    return outcome.code, outcome.out, shown.decode()


@posix
def test_a_bar_on_a_terminal(folder):
    code, out, shown = on_a_terminal(*DENSE, *OUTPUTS, *SLOW, cwd=folder)
    assert code == 0
    assert out.startswith("registered in ")
    drawn = [part for part in shown.split("\r") if part.strip()]
    bars = [re.fullmatch(r"\[(#*\.*)\] +(\d+) %  (.*?)(?:  ((?:\d+:)?\d+(?: s)?) left)? *", bar) for bar in drawn]
    assert all(bars)
    assert all(len(bar[1]) == 24 for bar in bars)
    shares = [int(bar[2]) for bar in bars]
    assert shares == sorted(shares)
    assert shares[-1] > 30
    assert shares[-1] > shares[0]
    assert any("search" in bar[3] and bar[4] for bar in bars)  # a stage, with the time left
    assert len({bar[4] for bar in bars if bar[4]}) > 1  # which runs
    assert shown.endswith("\r" + " " * 99 + "\r")  # and cleared
    assert "\n" not in shown


@posix
def test_the_bar_goes_before_an_error_comes(folder):
    code, out, shown = on_a_terminal(*DENSE, "--fixed", "t.nrrd", "--transform", "new.nrrd", cwd=folder)
    assert code == 2
    assert out == ""
    line = r"deepreg-engine register dense: the fixed image t.nrrd cannot be read [^\n]*"
    assert re.fullmatch(rf"(\r\[[^\r\n]*)*\r +\r{line}\n", shown.replace("\r\n", "\n"))


class Screen:
    """A stream that claims to be a terminal."""

    def __init__(self, tty=True):
        self.text, self._tty = "", tty

    def isatty(self):
        return self._tty

    def write(self, text):
        self.text += text

    def flush(self):
        pass


def test_time_left(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("deepreg_engine.jobs.time_left.time.monotonic", lambda: clock[0])
    monkeypatch.setenv("COLUMNS", "80")
    progress = ProgressBar(Screen())
    progress(0.0, "reading")
    assert "left" not in progress.line()
    clock[0] = 102.0
    progress(0.02, "alignment")
    assert "left" not in progress.line()  # too early for a prediction
    clock[0] = 110.0
    progress(0.25, "search")
    assert progress.line() == "[######..................]  25 %  search  30 s left".ljust(79)
    clock[0] = 120.0
    assert "  20 s left" in progress.line()  # it goes on between two calls
    clock[0] = 300.0
    assert "  0 s left" in progress.line()  # and never below
    progress(0.5, "refinement")
    assert "  3:20 left" in progress.line()
    progress(0.4, "refinement")
    assert " 50 %" in progress.line()  # never backwards
    progress(1.0, "done")
    assert "left" not in progress.line()
    monkeypatch.setenv("COLUMNS", "40")
    assert len(progress.line()) == 39
    monkeypatch.setenv("COLUMNS", "3")
    assert len(progress.line()) == 19


def test_a_reader_that_goes_away_does_not_stop_the_work():
    class Closed(Screen):
        def write(self, text):
            raise BrokenPipeError

    for tty in (True, False):
        with ProgressBar(Closed(tty)) as progress:
            for share in (0.0, 0.5, 1.0):
                progress(share, f"stage {share}")


def test_quiet():
    for tty in (True, False):
        screen = Screen(tty)
        with ProgressBar(screen, quiet=True) as progress:
            progress(0.5, "search")
        assert screen.text == ""


# ---------------------------------------------------------------------------------------------------------------- piped


def test_plain_lines_when_piped(folder):
    outcome = finish(process(*DENSE, *OUTPUTS, "--initial", "geometry", cwd=folder))
    assert outcome.code == 0
    assert outcome.messages == []
    assert "\r" not in outcome.err
    assert "\x1b" not in outcome.err + outcome.out
    stages = [line.split("s  ", 1)[1] for line in outcome.progress]
    assert stages[0] == "reading the images"
    assert stages[1] == "step 1: alignment"
    assert stages[-1] == "writing the results"
    assert any("search" in stage for stage in stages)
    assert any("refinement" in stage for stage in stages)
    shares = [int(line.split("%")[0]) for line in outcome.progress]
    assert shares == sorted(shares)
    assert outcome.out.startswith("registered in ")
    assert "written: t.nrrd  w.nii.gz  i.h5  r.json" in outcome.out
    assert "%  " not in outcome.out.splitlines()[0]


@posix
@pytest.mark.parametrize("command", [("register", "dense", "--help"), ("models", "list")])
def test_a_reader_that_closes_the_pipe(command):
    running = process(*command)
    running.stdout.close()  # before the first word comes
    assert running.wait(60) == 0
    assert running.stderr.read() == b""


@posix
def test_nobody_reads_at_all():
    reading, writing = os.pipe()
    running = process("evaluate", "--transform", "missing.nrrd", stdout=writing, stderr=writing)
    os.close(reading)
    os.close(writing)
    assert running.wait(60) == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk here that is always full")
def test_results_that_go_to_a_full_disk():
    with open("/dev/full", "w") as full:
        outcome = finish(process("models", "list", stdout=full))
    check_refusal(outcome, "No space left on device", "where the output goes")


# --------------------------------------------------------------------------------------------------- libraries and letters


@pytest.mark.parametrize("kind", ["GDCM", "MetaImage", "HDF5"])
def test_libraries_do_not_chatter(folder, kind):
    """They write to stderr by themselves."""
    (folder / "text").mkdir()
    (folder / "text" / "notes.txt").write_text("no DICOM")
    (folder / "cut.mha").write_text("ObjectType = Image\nNDims = 3\nDimSize = 9 9 9\nElementType = MET_SHORT\nElementDataFile = LOCAL\nx")
    (folder / "text.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    arguments = {
        "GDCM": (*DENSE, "--fixed", "text", "--transform", "new.nrrd", "--quiet"),
        "MetaImage": (*DENSE, "--fixed", "cut.mha", "--transform", "new.nrrd", "--quiet"),
        "HDF5": ("evaluate", "--transform", "text.h5"),
    }[kind]
    check_refusal(finish(process(*arguments, cwd=folder)), "deepreg-engine")
    run = finish(process(*arguments, cwd=folder, env={**ENVIRONMENT, "DEEPREG_DEBUG": "1"}))
    assert run.code == 2
    assert "Traceback" in run.err
    assert "WARNING" in run.err or "MetaImage" in run.err or "HDF5-DIAG" in run.err


def test_letters_that_the_terminal_does_not_have(folder, phantom_folder):
    (folder / "Übersicht").mkdir()
    field = folder / "Übersicht" / "поле.nrrd"
    shutil.copy(phantom_folder / "truth.nrrd", field)
    names = folder / "names.json"
    names.write_text('{"1": "肝臓"}', encoding="utf-8")
    labels = ("--fixed-labels", phantom_folder / "fixed_labels.nii.gz", "--moving-labels", phantom_folder / "moving_labels.nii.gz")
    plain = {**ENVIRONMENT, "PYTHONIOENCODING": "ascii"}
    outcome = finish(process("evaluate", "--transform", field, *labels, "--label-names", names, env=plain))
    assert outcome.code == 0
    assert "\\u809d\\u81d3" in outcome.out
    assert outcome.err == ""
    outcome = finish(process("evaluate", "--transform", field.with_name("нет.nrrd"), env=plain))
    check_refusal(outcome, "\\u043d\\u0435\\u0442.nrrd does not exist")
