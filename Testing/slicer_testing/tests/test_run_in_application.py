"""How tests get into an application: its start, its environment, its packages, and each way in which it can end."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1]
_spec = importlib.util.spec_from_file_location("run_in_application", FOLDER / "run_in_application.py")
run_in_application = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(run_in_application)
posix = pytest.mark.skipif(os.name != "posix", reason="stand-ins are shell scripts")


def program(path: Path, text: str) -> Path:
    """Write an executable shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("executable", "python"),
    [
        ("Slicer", "bin/PythonSlicer"),
        ("Slicer.exe", "bin/PythonSlicer.exe"),
        ("Contents/MacOS/Slicer", "Contents/bin/PythonSlicer"),
        ("Slicer.app/Contents/MacOS/Slicer", "Slicer.app/Contents/bin/PythonSlicer"),
    ],
)
def test_an_application_is_found_by_its_folder_or_its_executable(tmp_path, executable, python):
    for name in (executable, python):
        program(tmp_path / name, "")
    expected = (tmp_path / executable, tmp_path / python)
    assert run_in_application.find_application(str(tmp_path)) == expected
    assert run_in_application.find_application(str(tmp_path / executable)) == expected


def test_no_application_is_one_line(tmp_path, capsys):
    for given, words in ((tmp_path, "no application in the folder"), (tmp_path / "none", "there is no application")):
        assert run_in_application.main([str(given)]) == 2
        assert words in capsys.readouterr().err
    program(tmp_path / "Slicer", "")
    assert run_in_application.main([str(tmp_path)]) == 2
    assert "no PythonSlicer beside" in capsys.readouterr().err
    program(tmp_path / "bin" / "PythonSlicer", "echo broken >&2; exit 9")
    assert run_in_application.main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.strip().endswith("does not run (exit status 9): broken")


def test_the_environment_leads_to_no_other_python(tmp_path):
    before = {"PATH": "/bin", "PYTHONPATH": "/mine", "PYTHONHOME": "/mine", "VIRTUAL_ENV": "/mine", "PYTEST_ADDOPTS": "-x"}
    found = run_in_application.environment(tmp_path / "r.json", before)
    assert found == {"PATH": "/bin", "SLICER_TESTING_RUN": str(tmp_path / "r.json"), "PYTHONDONTWRITEBYTECODE": "1"}


# An application that keeps its arguments and writes what run_tests.py would.
WRITES = """
printf '%s\\n' "$@" > "$(dirname "$0")/arguments"
value() { sed 's/.*"'$1'": "\\([^"]*\\)".*/\\1/' "$SLICER_TESTING_RUN"; }
printf 'dots' > "$(value output)"
printf 'a.py::test_b' > "$(value running)"
"""


def result(status: int, code: int) -> str:
    """Return the commands that write a result and end with an exit status of their own."""
    found = {"status": status, "counts": {"passed": 2, "skipped": 1}, "skipped": {"no model": 1}}
    return f"""printf '{json.dumps(found)}' > "$(value result)"; exit {code}"""


@pytest.fixture
def standin(tmp_path):
    """Make an application that does something after its tests have begun, and return its folder."""

    def make(then: str) -> Path:
        program(tmp_path / "Slicer", WRITES + then)
        program(tmp_path / "bin" / "PythonSlicer", f'exec "{sys.executable}" "$@"')
        return tmp_path

    return make


def started(folder: Path, *arguments: str) -> int:
    return run_in_application.main([str(folder), "--packages", str(folder / "packages"), "--silence", "1", *arguments])


@posix
@pytest.mark.parametrize(("status", "code"), [(0, 0), (1, 1), (5, 0)])
def test_the_exit_status_is_that_of_pytest(standin, capsys, status, code):
    folder = standin(result(status, code))
    assert started(folder, "-q", "--no-main-window") == status
    out, err = capsys.readouterr()
    assert out == "dots"
    assert "skipped 1: no model" in err
    assert "in the application: 2 passed, 1 skipped" in err
    given = (folder / "arguments").read_text().splitlines()
    assert given[:5] == ["--no-splash", "--disable-settings", "--ignore-slicerrc", "--no-main-window", "--additional-module-paths"]
    assert given[-2:] == ["--python-script", str(run_in_application.SCRIPT)]
    assert {Path(path).name for path in given[5:-2]} >= {"DeepReg", "DeepRegDense", "DeepRegTrainer"}


@posix
def test_another_end_after_the_result_is_noted(standin, capsys):
    assert started(standin(result(0, 3))) == 0
    assert "after the tests, the application ended with exit status 3" in capsys.readouterr().err


@posix
@pytest.mark.parametrize(
    ("then", "words"),
    [
        ("echo last words; kill -SEGV $$", "the application ended (signal SIGSEGV) in a.py::test_b"),
        ("exit 7", "the application ended (exit status 7) in a.py::test_b"),
        ("sleep 30", "the application was silent for 1 s and was ended in a.py::test_b"),
        ("sleep 30 & echo $! > $(dirname $0)/child; wait", "the application was silent for 1 s and was ended in a.py::test_b"),
    ],
)
def test_a_crash_or_a_hang_names_the_test(standin, capsys, then, words):
    folder = standin(then)
    begun = time.monotonic()
    assert started(folder) == 3
    assert time.monotonic() - begun < 15
    err = capsys.readouterr().err
    assert words in err
    assert ("last words" in err) == ("last words" in then)
    if (folder / "child").exists():
        state = Path(f"/proc/{(folder / 'child').read_text().strip()}/stat")
        end = time.monotonic() + 5
        while _runs(state) and time.monotonic() < end:
            time.sleep(0.02)
        assert not _runs(state)


def _runs(state: Path) -> bool:
    try:
        return state.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_exit_statuses_in_words():
    assert run_in_application._how(-11) == "signal SIGSEGV"
    assert run_in_application._how(0xC0000005) == "exception 0xc0000005"  # of Windows
    assert run_in_application._how(1) == "exit status 1"


@posix
def test_missing_packages_are_installed_into_the_folder_and_only_there(standin, tmp_path, monkeypatch, capsys):
    wanted = tmp_path / "wanted.txt"
    wanted.write_text("# for the tests\npytest>=8\nnot-there-yet>=2\n")
    monkeypatch.setattr(run_in_application, "REQUIREMENTS", wanted)
    standin("exit 0")
    pip = program(
        tmp_path / "bin" / "PythonSlicer",
        f"""if [ "$1" = -c ]; then exec "{sys.executable}" "$@"; fi
printf '%s\\n' "$@" > "{tmp_path}/pip"
[ -e "{tmp_path}/refuse" ] && exit 1
exec "{sys.executable}" - "{tmp_path}/packages" <<'END'
import pathlib, sys, sysconfig
base = dict.fromkeys(("base", "platbase", "installed_base", "installed_platbase"), sys.argv[1])
place = pathlib.Path(sysconfig.get_path("purelib", sysconfig.get_preferred_scheme("prefix"), base), "not_there_yet-2.0.dist-info")
place.mkdir(parents=True)
(place / "METADATA").write_text("Metadata-Version: 2.1\\nName: not-there-yet\\nVersion: 2.0\\n")
END""",
    )
    (tmp_path / "refuse").touch()
    with pytest.raises(run_in_application.Problem, match="could not be installed"):
        run_in_application.install_packages(pip, tmp_path / "packages")
    (tmp_path / "refuse").unlink()
    place = run_in_application.install_packages(pip, tmp_path / "packages")
    assert Path(place, "not_there_yet-2.0.dist-info").is_dir()
    asked = (tmp_path / "pip").read_text().splitlines()
    assert asked[:3] == ["-m", "pip", "install"]
    assert asked[asked.index("--prefix") + 1] == str(tmp_path / "packages")
    assert asked[-1] == "not-there-yet>=2"
    assert "pytest>=8" not in asked
    (tmp_path / "pip").unlink()
    assert run_in_application.install_packages(pip, tmp_path / "packages") == place
    assert not (tmp_path / "pip").exists()


@posix
def test_the_host_is_an_application_in_which_the_tests_run(tmp_path):
    """The code of the second backend runs tests of the fixtures and of the modules, in the host that was started as an application."""
    program(tmp_path / "Slicer", f'PYTHONPATH="{FOLDER}" exec "{sys.executable}" -m slicer_testing.as_application "$@"')
    program(tmp_path / "bin" / "PythonSlicer", f'exec "{sys.executable}" "$@"')
    wrong = tmp_path / "test_wrong.py"
    wrong.write_text("def test_is_wrong(slicer_app):\n    assert slicer_app.patience == 1.0\n")
    modules = run_in_application.ROOT / "Testing" / "modules"
    chosen = ("test_fixtures", "interpolation", "deleted_after_asking", "imports_no_torch", "is_wrong")
    names = ("test_transforms.py", "test_worker_process.py", "trainer/test_trainer_trainings.py")
    tests = (FOLDER / "tests" / "test_fixtures.py", *(modules / name for name in names), wrong)
    options = ("--packages", tmp_path / "packages", "-q", "-k", " or ".join(chosen))
    command = [sys.executable, *map(str, (FOLDER / "run_in_application.py", tmp_path, *options, *tests))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path)
    report = done.stdout + done.stderr
    assert done.returncode == 1, report
    assert "assert 4.0 == 1.0" in done.stdout, report
    assert "1 failed" in done.stdout, report
    assert "skipped 1: not in an application: it starts the host in a process of its own" in done.stderr, report
    counts = dict(reversed(part.split(" ")) for part in done.stderr.rsplit("in the application: ", 1)[1].strip().split(", "))
    assert int(counts["passed"]) >= 18, report
    assert counts["failed"] == "1"
