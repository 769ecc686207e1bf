"""Files that name the same thing agree: versions of tools, modules in the workflows, commands of `run`."""

from __future__ import annotations

import importlib.util
import re

from sources import HOST, MODULES, ROOT

PINNED = dict(re.findall(r"^([\w-]+)(?:\[\w+\])?==(.+)$", (ROOT / "Testing" / "requirements-tools.txt").read_text(), re.MULTILINE))


def test_pre_commit_uses_the_pinned_versions():
    text = (ROOT / ".pre-commit-config.yaml").read_text()
    used = dict(re.findall(r"repo: \S+/(ruff|codespell)\S*\n    rev: v(\S+)", text))
    assert used == {name: PINNED[name] for name in ("ruff", "codespell")}
    assert "language: system" in text  # pyright, from .venv


def test_the_nightly_run_tests_every_module_on_three_systems():
    text = (ROOT / ".github" / "workflows" / "slicer.yml").read_text()
    assert set(re.findall(r"download: (\w+)", text)) == {"linux", "macosx", "win"}
    assert re.search(r'run_in_application.py "\$SLICER" -q .*Testing/modules\n', text)
    spec = importlib.util.spec_from_file_location("run_in_application", HOST.parent / "run_in_application.py")
    starter = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(starter)
    modules = sorted(path.parent.name for path in MODULES.glob("*/CMakeLists.txt"))
    assert [path.name for path in starter.module_folders(MODULES)] == modules


def test_the_help_of_run_names_every_command():
    text = (ROOT / "run").read_text()
    commands = re.findall(r"^    (\w+)\)", text[text.index('case "$command"') :], re.MULTILINE)
    described = set(re.findall(r"^#   \./run (\w+)", text, re.MULTILINE))
    assert set(commands) == described
    assert all(f" {name}" in text[text.index("there is no command") :] for name in commands)
