"""Runs tests in a real application: python Testing/slicer_testing/run_in_application.py EXECUTABLE [options] [pytest's arguments].

The application is started with ``--python-script``, and pytest runs in its Python. What its Python lacks is installed into a folder of
this project; nothing is installed into the application. Only the standard library is needed here.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
REQUIREMENTS = HERE / "requirements-application.txt"
SCRIPT = HERE / "slicer_testing" / "inside" / "run_tests.py"
# Variables that would lead the application's Python to packages of another one.
FOREIGN = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV", "PYTEST_ADDOPTS")
# After the result, the application may take this long to end, seconds.
GRACE = 60.0

_PROBE = """
import json, sys, sysconfig
from importlib import metadata
prefix, names = sys.argv[1], sys.argv[2:]
base = {"base": prefix, "platbase": prefix, "installed_base": prefix, "installed_platbase": prefix}
folder = sysconfig.get_path("purelib", sysconfig.get_preferred_scheme("prefix"), base)
sys.path.append(folder)
def there(name):
    try:
        return bool(metadata.version(name))
    except metadata.PackageNotFoundError:
        return False
print(json.dumps({"folder": folder, "missing": [name for name in names if not there(name)]}))
"""


class Problem(Exception):
    """Raised if the tests cannot be run. The message is one line for the user."""


def find_application(given: str) -> tuple[Path, Path]:
    """Return an application's executable and its Python.

    Args:
        given: path of the executable, of the installation's folder, or of a Mac's ``.app``.

    Raises:
        Problem: if there is none.
    """
    at = Path(given).resolve()
    if at.is_dir():
        names = ("Slicer.exe", "Slicer", "Contents/MacOS/Slicer", "Slicer.app/Contents/MacOS/Slicer")
        found = next((at / name for name in names if (at / name).is_file()), None)
        if found is None:
            raise Problem(f"there is no application in the folder {given}")
        at = found
    if not at.is_file():
        raise Problem(f"there is no application {given}")
    # On a Mac the executable lies in Contents/MacOS and the Python in Contents/bin.
    folders = (at.parent / "bin", at.parent.parent / "bin")
    names = ("PythonSlicer.exe", "PythonSlicer")
    python = next((folder / name for folder in folders for name in names if (folder / name).is_file()), None)
    if python is None:
        raise Problem(f"there is no PythonSlicer beside {at}")
    return at, python


def command(executable: Path, modules: list[Path], no_main_window: bool) -> list[str]:
    """Return the command that starts an application with the modules and the tests."""
    options = ["--no-splash", "--disable-settings", "--ignore-slicerrc", *(["--no-main-window"] if no_main_window else [])]
    return [str(executable), *options, "--additional-module-paths", *map(str, modules), "--python-script", str(SCRIPT)]


def environment(request: Path, before: dict[str, str]) -> dict[str, str]:
    """Return the environment of an application: the given one, without another Python's variables, and with the request's file."""
    kept = {name: value for name, value in before.items() if name not in FOREIGN}
    return {**kept, "SLICER_TESTING_RUN": str(request), "PYTHONDONTWRITEBYTECODE": "1"}


def module_folders(folder: Path) -> list[Path]:
    """Return the folders below one that hold a module each."""
    return sorted(child for child in folder.iterdir() if (child / f"{child.name}.py").is_file())


def install_packages(python: Path, folder: Path) -> str:
    """Install what the tests need and an application's Python lacks below a folder, and return where its packages are.

    Raises:
        Problem: if the Python does not run, or pip fails.
    """
    wanted = [line for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    names = [re.split(r"[<>=!~ ]", line)[0] for line in wanted]
    found = _probe(python, folder, names)
    if found["missing"]:
        print(f"run: installing into {folder}: {', '.join(found['missing'])}", file=sys.stderr, flush=True)
        # With --prefix, pip counts the packages of the application as installed, and leaves them alone.
        lines = [line for line, name in zip(wanted, names, strict=True) if name in found["missing"]]
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--prefix", str(folder)]
        index = ["--extra-index-url", "https://download.pytorch.org/whl/cpu"] if sys.platform == "linux" else []
        if subprocess.run([*pip, *index, *lines], env=_clean(), check=False).returncode:
            raise Problem("the packages for the tests could not be installed (see above)")
        still = _probe(python, folder, names)["missing"]
        if still:
            raise Problem(f"packages for the tests are still missing after the installation: {', '.join(still)}")
    return found["folder"]


def _clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in FOREIGN}


def _probe(python: Path, folder: Path, names: list[str]) -> dict[str, Any]:
    done = subprocess.run([str(python), "-c", _PROBE, str(folder), *names], env=_clean(), capture_output=True, text=True, check=False)
    try:
        return json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise Problem(f"{python} does not run (exit status {done.returncode}): {last}") from None


class Run:
    """One run of an application with tests.

    Args:
        folder: temporary folder for its files.
        silence: seconds without a new line or test after which it counts as hanging.
    """

    def __init__(self, folder: Path, silence: float) -> None:
        self.output, self.result, self.running = folder / "output.txt", folder / "result.json", folder / "running.txt"
        self.request, self.log = folder / "request.json", folder / "application.txt"
        self.silence = silence

    def go(self, arguments: list[str], packages: str, start: list[str]) -> int:
        """Start the application with pytest's arguments, show its output, and return pytest's exit status.

        Raises:
            Problem: if the application cannot be started, crashes or hangs.
        """
        wanted = {
            "root": str(ROOT),
            "slicer_testing": str(HERE),
            "packages": packages,
            "arguments": arguments,
            "silence": self.silence,
            **{name: str(getattr(self, name)) for name in ("output", "result", "running")},
        }
        self.request.write_text(json.dumps(wanted), encoding="utf-8")
        with open(self.log, "wb") as log:
            own_group: dict[str, Any] = {"start_new_session": True} if os.name == "posix" else {}
            try:
                process = subprocess.Popen(
                    start, env=environment(self.request, dict(os.environ)), stdin=subprocess.DEVNULL, stdout=log, stderr=log, **own_group
                )
            except OSError as error:
                raise Problem(f"{start[0]} cannot be started: {error}") from None
            try:
                hangs = self._follow(process)
            finally:
                _end(process)
        return self._status(process.returncode, hangs)

    def _follow(self, process: subprocess.Popen) -> bool:
        """Show the output until the application has ended; return whether it hung before there was a result."""
        heard = time.monotonic()
        with self._shown() as show:
            while True:
                ended = process.poll() is not None
                if show():
                    heard = time.monotonic()
                if ended:
                    return False
                if time.monotonic() - heard > (GRACE if self.result.exists() else self.silence):
                    return not self.result.exists()
                time.sleep(0.1)

    @contextlib.contextmanager
    def _shown(self) -> Iterator[Any]:
        stream: TextIO | None = None
        before = ""

        def show() -> bool:
            """Print what is new, and return whether a line or a test is."""
            nonlocal stream, before
            if stream is None and self.output.exists():
                stream = open(self.output, encoding="utf-8", errors="replace")  # noqa: SIM115 - closed below
            text = stream.read() if stream is not None else ""
            print(text, end="", flush=True)
            test = self.test()
            changed, before = test != before, test
            return bool(text) or changed

        try:
            yield show
        finally:
            if stream is not None:
                stream.close()

    def test(self) -> str:
        """Return the name of the running test, "" before the first."""
        try:
            return self.running.read_text(encoding="utf-8")
        except OSError:
            return ""

    def _status(self, code: int, hangs: bool) -> int:
        if not self.result.exists():
            print("".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)[-40:]), file=sys.stderr)
            where = f"in {self.test()}" if self.test() else "before the first test"
            what = f"was silent for {self.silence:g} s and was ended" if hangs else f"ended ({_how(code)})"
            raise Problem(f"the application {what} {where}")
        result = json.loads(self.result.read_text(encoding="utf-8"))
        for reason, count in sorted(result["skipped"].items()):
            print(f"run: skipped {count}: {reason}", file=sys.stderr)
        counts = ", ".join(f"{count} {name}" for name, count in sorted(result["counts"].items())) or "no test ran"
        print(f"run: in the application: {counts}", file=sys.stderr)
        if result.get("error"):
            raise Problem(f"pytest could not run in the application: {result['error']}")
        if code not in (result["status"], 0):
            print(f"run: after the tests, the application ended with {_how(code)}", file=sys.stderr)
        return result["status"]


def _how(code: int) -> str:
    """Return an exit status in words: signals on POSIX are negative, Windows' exceptions are large."""
    if code < 0:
        try:
            return f"signal {signal.Signals(-code).name}"
        except ValueError:
            return f"signal {-code}"
    return f"exit status {code}" if code < 0x80000000 else f"exception {code:#x}"


def _end(process: subprocess.Popen) -> None:
    """End a process with its children: the executable is a launcher that has the application as its child."""
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    elif process.poll() is None:
        subprocess.run(["taskkill", "/T", "/F", "/PID", str(process.pid)], capture_output=True, check=False)
    process.wait()


def main(given: list[str]) -> int:
    """Run the tests and return pytest's exit status; 2 where the application does not run, 3 where it crashes or hangs."""
    parser = argparse.ArgumentParser(prog="./run test --slicer", description=__doc__, allow_abbrev=False)
    parser.add_argument("executable", help="the application, its folder, or its .app")
    parser.add_argument("--no-main-window", action="store_true", help="start it without a main window")
    parser.add_argument("--silence", type=float, default=300.0, help="seconds without a new test after which it is ended (%(default)g)")
    parser.add_argument("--packages", type=Path, default=ROOT / "build" / "application-packages", help="folder for what the tests need")
    options, arguments = parser.parse_known_args(given)
    if not any(not each.startswith("-") and Path(ROOT, each.partition("::")[0]).exists() for each in arguments):
        arguments.append("Testing/modules")
    try:
        executable, python = find_application(options.executable)
        packages = install_packages(python, options.packages.resolve())
        start = command(executable, module_folders(ROOT / "DeepRegModules"), options.no_main_window)
    except Problem as problem:
        print(f"run: {problem}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="deepreg-tests-", ignore_cleanup_errors=True) as folder:
        try:
            return Run(Path(folder), options.silence).go(arguments, packages, start)
        except Problem as problem:
            print(f"run: {problem}", file=sys.stderr)
            return 3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
