"""The extension as Slicer builds, installs and loads it, and as a developer adds it module by module."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = Path(__file__).resolve().parent / "Slicer"
HOST = ROOT / "Testing" / "slicer_testing"
MODULES = sorted(path.parent.name for path in (ROOT / "DeepRegModules").glob("*/CMakeLists.txt"))
# Sources below DeepRegModules that are not installed.
LEFT_OUT = re.compile(r"(^|/)(__pycache__/|CMakeLists\.txt$|_version\.py$)")
# Written by the build where the checkout has a tag.
VERSION = "deepreg_engine/_version.py"


def cmake() -> str:
    """The program, from the Python environment or the system."""
    beside = Path(sys.executable).parent / "cmake"
    found = str(beside) if beside.is_file() else shutil.which("cmake")
    assert found, "cmake is not installed: run ./run setup"
    return found


def configure(source: Path, build: Path, testing: bool = True) -> subprocess.CompletedProcess:
    """Configure an extension against the stand-in. It has nothing to compile, so CMake is kept from searching for a compiler."""
    forced = [f"-DCMAKE_{language}_COMPILER{what}" for language in ("C", "CXX") for what in (f"={sys.executable}", "_FORCED=ON")]
    command = [
        cmake(),
        "-S",
        str(source),
        "-B",
        str(build),
        "-G",
        "Unix Makefiles",
        f"-DCMAKE_MAKE_PROGRAM={sys.executable}",
        f"-DSlicer_DIR={STAND_IN}",
        f"-DBUILD_TESTING={'ON' if testing else 'OFF'}",
        *forced,
    ]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The build folder of the extension, and the folder in which it is installed."""
    build, prefix = tmp_path_factory.mktemp("build"), tmp_path_factory.mktemp("installed")
    done = configure(ROOT, build)
    assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run([cmake(), "--install", str(build), "--prefix", str(prefix)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return build, prefix / "lib" / "Slicer-5.13" / "qt-scripted-modules"


@pytest.fixture(scope="module")
def record(built):
    """The arguments of all macro calls, one list a call."""
    return [line.split("|") for line in (built[0] / "record.txt").read_text().splitlines()]


# --------------------------------------------------------------------------------------------------------------- metadata


def test_the_extension_describes_itself(record):
    values = {entry[1]: entry[2] for entry in record if entry[0] == "EXTENSION"}
    assert set(values) == {"HOMEPAGE", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS", "DEPENDS"}
    assert values["DEPENDS"] == "PyTorch"
    assert record[-1] == ["CPACK"]
    urls = [values["ICONURL"], *values["SCREENSHOTURLS"].split()]
    for url in urls:
        assert url.startswith("https://raw.githubusercontent.com/")
        path = ROOT / url.split("/main/", 1)[1]
        assert path.read_bytes().startswith(b"\x89PNG"), path
    assert len(urls) > 1


def test_the_index_entry(record):
    entry = json.loads((ROOT / "DeepRegModules.json").read_text())
    assert (
        {"$schema", "category", "scm_url"}
        <= set(entry)
        <= {"$schema", "category", "scm_url", "scm_revision", "build_dependencies", "build_subdirectory", "enabled", "tier"}
    )
    assert "v1.0.2" in entry["$schema"]
    assert entry["category"] == "Registration"
    assert entry["build_dependencies"] == ["PyTorch"]
    repository = entry["scm_url"].rsplit("/", 1)[1]
    assert repository.startswith("Slicer")
    assert entry["scm_url"].startswith("https://")
    assert ["PROJECT", "DeepRegModules"] in record  # equals the entry's file name, and does not start with "Slicer"
    assert (ROOT / "LICENSE").is_file()


def test_the_checkout_is_small():
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True)
    if done.returncode:
        pytest.skip("this is no git checkout")
    files = [ROOT / name for name in done.stdout.decode().split("\0") if name]
    sizes = {path: path.stat().st_size for path in files if path.is_file()}
    assert sum(sizes.values()) < 30e6
    assert sum(size for path, size in sizes.items() if path.suffix == ".safetensors") < 5e6
    assert not [path for path in sizes if path.suffix in (".pth", ".pt", ".pkl", ".nii", ".gz", ".mha", ".dcm")]


# ------------------------------------------------------------------------------------------------------------------ files


def test_every_module_is_built_with_its_tests(record):
    assert sorted(entry[1] for entry in record if entry[0] == "MODULE") == MODULES
    assert all(entry[2] == "TRUE" for entry in record if entry[0] == "MODULE")
    assert sorted(entry[1] for entry in record if entry[0] == "UNITTEST") == [f"{name}.py" for name in MODULES]
    top = (ROOT / "CMakeLists.txt").read_text()
    assert re.findall(r"add_subdirectory\(DeepRegModules/(\w+)\)", top)[0] == "DeepReg"  # the others depend on it


def test_every_source_file_is_installed(record):
    for module in MODULES:
        folder = ROOT / "DeepRegModules" / module
        there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        there = {name for name in there if not LEFT_OUT.search(name)}
        listed = [entry[2] for entry in record if entry[0] in ("SCRIPTS", "RESOURCES") and entry[1] == module]
        assert len(listed) == len(set(listed)), module
        assert there - set(listed) == set(), f"{module}: not installed by its CMakeLists.txt"
        scripts = [entry[2] for entry in record if entry[:2] == ["SCRIPTS", module]]
        assert scripts[0] == f"{module}.py"
        assert all(name.endswith(".py") for name in scripts)


def test_no_two_modules_install_the_same_file(record):
    listed = [entry[2] for entry in record if entry[0] in ("SCRIPTS", "RESOURCES")]
    assert len(listed) == len(set(listed))


def test_installed_files_are_those_of_the_sources(built, record):
    _, installed = built
    files = {path.relative_to(installed).as_posix() for path in installed.rglob("*") if path.is_file()}
    assert files - {VERSION} == {entry[2] for entry in record if entry[0] in ("SCRIPTS", "RESOURCES")}


def version_of(package: Path) -> str:
    """The version that the engine below a folder reports, in a process without torch and without git."""
    command = [sys.executable, "-S", "-c", "import deepreg_engine; print(deepreg_engine.__version__)"]
    done = subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": str(package), "PATH": ""}, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize(("commits", "version"), [(0, "9.8.7"), (2, "9.8.7.post2+g")])
def test_the_package_has_the_version_of_the_tag(tmp_path, commits, version):
    copy, prefix = tmp_path / "copy", tmp_path / "installed"
    shutil.copytree(ROOT / "DeepRegModules", copy / "DeepRegModules", ignore=shutil.ignore_patterns("__pycache__", "_version.py"))
    shutil.copy(ROOT / "CMakeLists.txt", copy)
    git = ["git", "-C", str(copy), "-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "core.hooksPath=/dev/null"]
    commit = [*git, "commit", "-q", "--allow-empty", "-m", "x"]
    steps = [[*git, "init", "-q"], commit, [*git, "tag", "v9.8.7"], *[commit] * commits]
    for step in steps:
        subprocess.run(step, check=True)
    assert configure(copy, tmp_path / "build").returncode == 0
    subprocess.run([cmake(), "--install", str(tmp_path / "build"), "--prefix", str(prefix)], check=True, capture_output=True)
    assert version_of(prefix / "lib" / "Slicer-5.13" / "qt-scripted-modules").startswith(version)


def test_the_last_release_has_one_version(tmp_path):
    """A checkout, a source archive without git, the citation and the change log name the same release."""
    package = tmp_path / "deepreg_engine"
    package.mkdir()
    shutil.copy(ROOT / "DeepRegModules" / "DeepReg" / "deepreg_engine" / "__init__.py", package)
    version = version_of(tmp_path)
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert pyproject["tool"]["setuptools_scm"]["fallback_version"] == version
    assert re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)[1] == version
    released = re.findall(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert released[:1] in ([], [version])


@pytest.mark.parametrize("how", ["a missing file", "an unknown keyword", "no description"])
def test_the_stand_in_refuses_what_slicer_refuses(tmp_path, how):
    copy = tmp_path / "copy"
    shutil.copytree(ROOT / "DeepRegModules", copy / "DeepRegModules", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "CMakeLists.txt", copy)
    dense = copy / "DeepRegModules" / "DeepRegDense" / "CMakeLists.txt"
    if how == "a missing file":
        dense.write_text(dense.read_text().replace("NAME ${MODULE_NAME}", "NAME ${MODULE_NAME} RESOURCES Resources/missing.png"))
    elif how == "an unknown keyword":
        dense.write_text(dense.read_text().replace("NAME ${MODULE_NAME}", "NAME ${MODULE_NAME} SOURCES x"))
    else:
        top = copy / "CMakeLists.txt"
        top.write_text(re.sub(r"set\(EXTENSION_HOMEPAGE .*\n", "", top.read_text()))
    done = configure(copy, tmp_path / "build")
    assert done.returncode != 0
    words = {"a missing file": "nonexistent", "an unknown keyword": "Unknown keywords", "no description": "HOMEPAGE is not set"}
    assert words[how] in done.stderr


# ---------------------------------------------------------------------------------------------------------------- imports


def test_module_files_import_only_what_slicer_has():
    """At file scope: the standard library, packages that Slicer bundles, and the extension's own."""
    bundled = {"slicer", "qt", "ctk", "vtk", "numpy", "SimpleITK", "sitkUtils", "SampleData"}
    own = {path.name for module in MODULES for path in (ROOT / "DeepRegModules" / module).iterdir()} | {f"{name}.py" for name in MODULES}
    own = {name.removesuffix(".py") for name in own}
    for module in MODULES:
        for path in (ROOT / "DeepRegModules" / module).rglob("*.py"):
            if "deepreg_engine" in path.parts:
                continue
            for indent, name in re.findall(r"^( *)(?:from|import) +([\w]+)", path.read_text(), re.MULTILINE):
                known = name in own or name in bundled or name in sys.stdlib_module_names or name == "PyTorchUtils"
                assert known, f"{path.relative_to(ROOT)} imports {name}"
                assert indent or name != "PyTorchUtils", f"{path.relative_to(ROOT)} imports {name} at file scope"


LOAD = """
import sys, json
import slicer_testing
paths, names, register = json.loads(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3] == "register"
host = slicer_testing.start(tuple(paths))
import slicer
for name in names:
    panel = host.load_module(name).widgetRepresentation()
    panel.show()
    panel.enter()
    host.process_events()
    assert panel.self().layout.count() > 0, name
if register:
    import numpy as np
    from DeepRegDense import DeepRegDenseLogic
    volumes = []
    for shift in (0, 2):
        z, y, x = np.meshgrid(*(np.arange(24.0),) * 3, indexing="ij")
        centres = np.random.default_rng(0).uniform(6, 18, (8, 3))
        array = sum(np.exp(-((x - a - shift) ** 2 + (y - b) ** 2 + (z - c) ** 2) / 10) for a, b, c in centres)
        node = slicer.util.addVolumeFromArray((1000 * array).astype(np.int16))
        node.SetSpacing(3.0, 3.0, 3.0)
        volumes.append(node)
    result = DeepRegDenseLogic().register(*volumes, preset="quick", parameters={"initial": "none", "working_spacing": 3.0})
    assert 3.0 < result.report["displacement"]["mean"] < 8.0, result.summary
import deepreg_engine, deepreg_slicer
print("ENGINE", deepreg_engine.__file__)
print("LIBRARY", deepreg_slicer.__file__)
print("TORCH", "torch" in sys.modules)
"""


def load(paths: list[Path], names: list[str], register: bool = False) -> dict[str, str]:
    """Load modules in a process whose host has these folders only; returns where the libraries were loaded from."""
    command = [sys.executable, "-c", LOAD, json.dumps([str(path) for path in paths]), json.dumps(names), "register" if register else ""]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(HOST)}, cwd=paths[0], timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return dict(line.split(" ", 1) for line in done.stdout.splitlines() if line.split(" ", 1)[0] in ("ENGINE", "LIBRARY", "TORCH"))


def test_every_module_works_from_the_installed_tree_alone(built):
    _, installed = built
    found = load([installed], MODULES, register=True)
    assert Path(found["ENGINE"]).is_relative_to(installed)
    assert Path(found["LIBRARY"]).is_relative_to(installed)
    assert found["TORCH"] == "False"


@pytest.mark.parametrize("backwards", [False, True])
def test_every_module_loads_from_a_folder_of_its_own_in_any_order(backwards):
    names = MODULES[::-1] if backwards else MODULES
    found = load([ROOT / "DeepRegModules" / name for name in names], names)
    assert Path(found["LIBRARY"]).is_relative_to(ROOT / "DeepRegModules" / "DeepReg")
