"""The documentation agrees with the code: parameters, links, pictures, and scripts that run."""

from __future__ import annotations

import ast
import html
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import SimpleITK as sitk
from bench import ROOT

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
# These set in bold what is no button.
_DEVELOPERS_PAGES = ("CHANGELOG.md", "CONTRIBUTING.md", "developer_guide.md")
USERS_PAGES = [page for page in PAGES if page.name not in _DEVELOPERS_PAGES]
GUIDE = ROOT / "docs" / "user_guide.md"


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, which a link may name."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_and_pictures_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith("http"):
            continue
        file, _, anchor = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), target


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/developer_guide.md"])
def test_the_files_that_developers_are_sent_to_exist(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    named = {name for name in re.findall(r"`([\w./]+\.(?:py|ui|md|txt|yml))`", text) if not re.search(r"NAME|METHOD|_\.py", name)}
    files = {path.relative_to(ROOT).as_posix() for folder in ("DeepRegModules", "Testing", "docs") for path in (ROOT / folder).rglob("*.*")}
    files |= {path.name for path in ROOT.iterdir()}
    assert len(named) > 10
    assert [name for name in sorted(named) if not any(f"/{file}".endswith(f"/{name}") for file in files)] == []


def test_pictures_are_small_and_all_are_shown():
    pictures = list((ROOT / "docs" / "images").iterdir())
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert all(picture.stat().st_size < 250_000 for picture in pictures)
    assert sum(picture.stat().st_size for picture in pictures) < 2_000_000
    assert [picture.name for picture in pictures if f"images/{picture.name}" not in text] == []


def test_the_web_pages_are_built_without_a_warning(tmp_path):
    """With the API: a link without a target, a page outside of the navigation or a module that cannot be read fails."""
    pytest.importorskip("mkdocs", reason="./run setup installs the tools")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"})
    assert done.returncode == 0, done.stderr
    assert "Displacements in LPS millimetres" in (tmp_path / "site" / "api" / "geometry" / "index.html").read_text(encoding="utf-8")


def test_the_guide_has_every_parameter_as_the_engine_has_it(slicer_app):
    from deepreg_engine.methods.dense.parameters import DenseParameters
    from deepreg_slicer.parameter_form import title

    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in GUIDE.read_text(encoding="utf-8").splitlines()
        if re.match(r"\| .* \| `\w+` \|", line)
    ]
    wanted = []
    for description in DenseParameters.describe():
        default = f"{description.default:g}" if isinstance(description.default, float) else str(description.default)
        allowed = description.range_text().replace(" | ", ", ").replace("^2", "\u00b2")
        about = f"{description.help[:1].upper()}{description.help[1:]}."
        wanted.append([title(description.name), f"`{description.name}`", default, allowed, about])
    assert [row[:5] for row in rows] == wanted
    assert all(row[5] for row in rows)


def test_the_guide_has_every_preset():
    from deepreg_engine.methods.dense.presets import DENSE_PRESETS

    text = GUIDE.read_text(encoding="utf-8")
    for preset in DENSE_PRESETS:
        assert f"| {preset.title} |" in text
        assert f"`{preset.name}`" in text


def test_the_readmes_script_runs(phantom_folder, tmp_path, monkeypatch):
    (script,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    for side in ("fixed", "moving"):
        (tmp_path / f"{side}.nii.gz").write_bytes((phantom_folder / f"{side}.nii.gz").read_bytes())
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(script, names)
    before, after = (abs(sitk.GetArrayFromImage(image - names["fixed"])).mean() for image in (aligned(names), names["warped"]))
    assert after < 0.8 * before


def aligned(names: dict) -> sitk.Image:
    """The moving image of the script, aligned only."""
    transform = names["result"].alignment.transform
    return sitk.Resample(names["moving"], names["fixed"], transform, sitk.sitkLinear, -1024.0)


def test_the_guides_scripts_run(warm_app, tmp_path, monkeypatch, capsys):
    """In the order in which a reader needs them: register and save, ask for the report, then without Slicer."""
    for name in ("DeepReg", "DeepRegDense"):
        warm_app.load_module(name)
    monkeypatch.chdir(tmp_path)
    scripts = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), flags=re.DOTALL)
    (register,) = [script for script in scripts if "makePhantom" in script]
    (report,) = [script for script in scripts if "readReport" in script]
    (alone,) = [script for script in scripts if "import SimpleITK" in script]
    assert len(scripts) == 3
    names: dict = {}
    exec(register, names)
    assert "Dice" in capsys.readouterr().out
    assert set(names["result"].nodes) == {"transform", "volume", "labels"}
    exec(report, {})
    assert "quick" in capsys.readouterr().out
    by_itself: dict = {}
    exec(alone, by_itself)
    from panels import world_image

    shown = world_image(names["result"].nodes["volume"])
    difference = sitk.GetArrayFromImage(sitk.Cast(shown, sitk.sitkFloat32)) - sitk.GetArrayFromImage(
        sitk.Cast(by_itself["warped"], sitk.sitkFloat32)
    )
    assert abs(difference).mean() < 1.0


# Names of the application itself, of scenes, and of modules that are not ours.
ELSEWHERE = {
    "File > Add Data",
    "File > Save",
    "Save scene and data",
    "View > Extensions Manager",
    "Edit > Application Settings > Modules",
    "Edit > Application Settings > Modules > Additional module paths",
    "Additional module paths",
    "Install",
    "Harden",
    "Reset field of view",
    "Sample Data",
    "Sequences",
    "DeepReg",
    "DeepRegModules",
    "Abdomen fixed",
    "Reinstall PyTorch",
}
INSTRUCTION = re.compile(
    r"\b(?:press|presses|pressing|tick|untick|click|under|open|move|choose|select|with)\s+\*\*([^*]+)\*\*", re.IGNORECASE
)


def bare(text: str) -> str:
    """A name without what belongs to the widget: mnemonic, colon, dots; with a capital letter."""
    text = re.sub(r"\s+", " ", html.unescape(text).replace("&", "")).strip().rstrip(".:")
    return text[:1].upper() + text[1:]


def shown_names() -> set[str]:
    """All texts of the panels: of .ui files, of Python, and of the engine."""
    modules = ROOT / "DeepRegModules"
    found = {
        text
        for path in modules.rglob("*.ui")
        for text in re.findall(r"<string(?![^>]*notr)[^>]*>([^<]*)</string>", path.read_text("utf-8"))
    }
    for path in modules.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("_", "translate"):
                found |= {part.value for part in node.args if isinstance(part, ast.Constant) and isinstance(part.value, str)}
    return {bare(text) for text in found}


@pytest.mark.parametrize("page", USERS_PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_a_reader_is_asked_to_press_is_in_a_panel(page):
    known = shown_names()
    assert len(known) > 500
    named = [bare(name) for name in INSTRUCTION.findall(page.read_text(encoding="utf-8"))]
    phantoms = {name for name in named if name.endswith("phantom")}
    assert [name for name in named if name not in known | ELSEWHERE | phantoms] == []
