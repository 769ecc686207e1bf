"""``cross-validate``: learn features from some of the scans, and measure them in registrations of the others."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from deepreg_engine.commands.parsing import count, examples, page_width, paragraph
from deepreg_engine.commands.progress import ProgressBar
from deepreg_engine.commands.tables import number, table
from deepreg_engine.commands.training_options import LEARNED, add_data, add_preset, make_request, preset_tables
from deepreg_engine.errors import EngineError, InputError, OutputError
from deepreg_engine.geometry.files import FileGroup, check_writable
from deepreg_engine.jobs.comparison import CrossValidationRequest
from deepreg_engine.jobs.cross_validation import COMPARISONS, TABLE, run_cross_validation
from deepreg_engine.jobs.label_names import read_label_names
from deepreg_engine.jobs.outputs import check_outputs, check_suffix
from deepreg_engine.jobs.point_comparison import INDEPENDENT, PARTNERS
from deepreg_engine.methods.registry import METHODS

_LABELLED = """
Measure how well features that are learned from some labelled scans register the others. The scans are divided into folds; for each fold
features are learned from all others, and the fold's scans are registered with each other. Means of the Dice of each label are printed.
"""
_ABOUT = {
    "dense": _LABELLED,
    "points": """
Measure how well features that are learned from the keypoints of some patients register those of the others. The patients are divided into
folds, all pairs of one together; the first number in a file's name is that of the patient. For each fold features are learned from all
others, and the fold's pairs are registered. Means of the target registration error of each kind of keypoints are printed.
""",
    "descent": _LABELLED,
}
_ALL = """
The folder holds the trainings, their models, and cross_validation.csv with a row for each pair. The same command resumes a cross-validation
that was stopped or killed.
"""
_REGISTERED = {
    "before": "not registered",
    "aligned": "after the alignment that the method begins with",
    "mind": "after the method with MIND",
    "positions": "after the same method without features",
    "learned": "after the method with features that are learned from the other folds",
}
_HEADINGS = {"mind": "MIND", "positions": "positions alone"}
_KINDS = {
    INDEPENDENT: "detected in each scan independently of the other",
    PARTNERS: "detected in one scan, and their positions in the other; three in ten of either are withheld from the registration",
}
_EXAMPLES = {
    "dense": (
        "cross-validate dense patients --modality ct --preset quick --folder patients-checked",
        "cross-validate dense patients --modality ct --folds 5 --label-names patients/dataset.json --folder checked --output patients.csv",
        "cross-validate dense heads --modality mr --registration-preset brain-mr --leave-out head_07 --skip-bad --folder heads-checked",
    ),
    "points": (
        "cross-validate points l2r_lung_keypoints.zip --spacing 1.75,1,1.25 --preset quick --folder lungs-checked --output lungs.csv",
        "cross-validate points vessels --spacing 1,1,1 --folds 4 --registration-preset shape --set steps=500 --folder vessels-checked",
    ),
    "descent": (
        "cross-validate descent prostate/train --modality other --moving-modality mr --spacing 0.8 --start any-contrast "
        "--folder prostate-checked --output prostate.csv",
    ),
}


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    about = "measure whether features learned from your data help"
    described = "Measure whether features learned from your data help: each part is registered with features learned from the rest."
    epilog = f"{examples(_EXAMPLES['dense'][1])}\n\nEach method has its page: deepreg-engine cross-validate METHOD --help"
    parser = commands.add_parser("cross-validate", help=about, description=paragraph(described), epilog=epilog)
    parser.set_defaults(parser=parser)
    methods = parser.add_subparsers(title="methods", metavar="<method>", dest="method", required=True)
    for method in _ABOUT:
        _add_method(methods, method)


def _add_method(methods: argparse._SubParsersAction, method: str) -> None:
    comparison = COMPARISONS[method]
    explained = _explained("columns of the table", ((_heading(name), _REGISTERED[name]) for name in comparison.conditions))
    if method == "points":
        explained += "\n\n" + _explained("kinds of keypoints", _KINDS.items())
    epilog = f"{examples(*_EXAMPLES[method])}\n\n{explained}\n\n{preset_tables(method)}"
    page = methods.add_parser(method, help=LEARNED[method], description=paragraph(_ABOUT[method] + _ALL), epilog=epilog)
    add_data(page, method)
    if method == "points":
        page.add_argument("--skip-bad", action="store_true", help="go on without pairs that cannot be registered, and name them")
    else:
        page.add_argument("--label-names", metavar="JSON", help='names of the labels: {"1": "liver", ...}, or a dataset.json')
    add_preset(page, method)
    page.add_argument("--folds", type=count("folds", 1000), default=3, metavar="N", help="2 or more (default: 3)")
    presets, default = ", ".join(preset.name for preset in METHODS[method].presets), METHODS[method].default_preset
    page.add_argument("--registration-preset", metavar="NAME", help=f"of the registrations: {presets} (default: {default})")
    page.add_argument("--folder", required=True, metavar="FOLDER", help="for trainings and results; made if missing (required)")
    label = "" if method == "points" else " and label"
    page.add_argument("--output", metavar="OUT.csv", help=f"a copy of the table, a row for each pair{label}")
    page.set_defaults(run=run, parser=page)


def _heading(condition: str) -> str:
    return _HEADINGS.get(condition, condition)


def _explained(title: str, entries: Iterable[tuple[str, str]]) -> str:
    lines = [textwrap.fill(f"  {name:<15} {about}", page_width() - 2, subsequent_indent=" " * 18) for name, about in entries]
    return "\n".join((f"{title}:", *lines))


def run(options: argparse.Namespace) -> None:
    """Cross-validate, and print the means."""
    check_suffix("output", options.output, (".csv",))
    check_outputs({"output": options.output}, options.data)
    _check_outputs(options)
    request = make_request(CrossValidationRequest, options, preset=options.registration_preset or "")
    names = read_label_names(options.label_names) if getattr(options, "label_names", None) else {}
    try:
        with ProgressBar() as progress:
            done = run_cross_validation(request, progress)
    except KeyboardInterrupt as error:
        raise EngineError("stopped by the user", f"the same command resumes what is in {options.folder}") from error
    if done["state"] == "finished" and not done["rows"]:
        raise InputError("no pair could be registered", next(iter(done["notes"]), "give other data"))
    written = _written(options, done)
    lines = [*mean_lines(done, names), *(f"note: {note}" for note in done["notes"])]
    if done["state"] != "finished":
        consequence = "the same command resumes it" if done["state"] == "paused" else "the remaining folds have no results"
        lines.append(f"note: {done['state']} by the folder's file control: {consequence}")
    lines += ["written: " + "  ".join(written)] if written else []
    sys.stdout.write("\n".join(lines) + "\n")


def _check_outputs(options: argparse.Namespace) -> None:
    """Raise OutputError if the folder or the table cannot be written, before anything is learned."""
    folder = Path(options.folder)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file", "give the name of a folder", "folder")
    check_writable(folder / TABLE if folder.exists() else folder)
    if options.method != "points":
        return
    for data in options.data:
        for option in ("folder", "output"):
            path = getattr(options, option)
            # Every .csv file in a folder of keypoints is read as keypoints.
            if path and Path(data).is_dir() and Path(path).resolve().is_relative_to(Path(data).resolve()):
                raise OutputError(f"{path} lies in {data}, whose .csv files are keypoints", "choose another folder", option)


def _written(options: argparse.Namespace, done: dict[str, Any]) -> list[str]:
    """Copy the table to the output, unless the cross-validation was paused; return the tables that exist."""
    if not done["csv"]:
        return []
    if not options.output or done["state"] == "paused":
        return [done["csv"]]
    content = Path(done["csv"]).read_bytes()
    with FileGroup() as files:
        files.add(options.output, lambda path: Path(path).write_bytes(content))
    return [done["csv"], options.output]


def mean_lines(done: dict[str, Any], names: dict[int, str]) -> list[str]:
    """Return the means of a cross-validation as lines of text; none if no pair was registered.

    Args:
        done: result of :func:`run_cross_validation`.
        names: of labels, for those that have one.
    """
    rows, summary = done["rows"], done["summary"]
    if not rows:
        return []
    comparison = next(comparison for comparison in COMPARISONS.values() if comparison.figure == done["figure"])
    group, conditions, points = comparison.group, comparison.conditions, comparison.figure == "tre"
    cells: list[list[str]] = [[group, "pairs", *map(_heading, conditions)]]
    for each, means in summary[comparison.groups].items():
        pairs = {row["pair"] for row in rows if str(row[group]) == each}
        name = str(names.get(int(each), each) if each.isdigit() and not points else each)
        cells.append([name, str(len(pairs)), *(_cell(means, condition, points) for condition in conditions)])
    if len(cells) > 2 and not points:  # errors at independent keypoints and at partners are not comparable, so there is no mean of both
        cells.append(["all", str(summary["pairs"]), *(_cell(summary, condition, points) for condition in conditions)])
    return [_headline(done["folds"], points), *table(cells)]


def _headline(folds: list[list[str]], points: bool) -> str:
    """Return the heading of the table: the number of scans or pairs left out of training, and the measure whose means it shows."""
    held = sum(len(fold) for fold in folds)
    if points:
        figure = "mean target registration error, mm (in brackets the mean of the pairs' 95th percentiles); less is better"
        return f"{held} pairs in {len(folds)} folds: {figure}"
    return f"{held} scans or pairs in {len(folds)} folds: mean Dice (0 to 1, more is better)"


def _cell(means: dict[str, float | None], condition: str, points: bool) -> str:
    if not points:
        return number(means[condition], 3)
    return f"{number(means[condition])} ({number(means[f'{condition}_95'])})"
