"""``cohort``: many registrations, on this machine or on a Dask cluster."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from deepreg_engine.cohort.folder import CohortFolder
from deepreg_engine.cohort.requests import check_requests
from deepreg_engine.cohort.rows import COLUMNS, DEFAULT_OUTPUTS, OUTPUT_FILES, Row, absolute, read_csv, titles
from deepreg_engine.cohort.run import CohortRun, run_cohort
from deepreg_engine.cohort.sources import Scan, all_pairs, from_bids, from_dataset, from_folders, scans_of, to_one
from deepreg_engine.cohort.status import Status, status
from deepreg_engine.cohort.tables import write_tables
from deepreg_engine.commands.parsing import Parser, count, examples, paragraph
from deepreg_engine.commands.progress import ProgressBar, clock
from deepreg_engine.errors import InputError, ParameterError
from deepreg_engine.methods.common.parameters import DEVICES, parse_settings
from deepreg_engine.methods.registry import METHODS
from deepreg_engine.methods.slots import AUTOMATIC
from deepreg_engine.verdict.line import WORDS

_ABOUT = """
Register many pairs. First make a plan, a table with a row for each pair. Then run it, as often as necessary: each run computes what is
missing or has changed, so that nothing is lost if a process ends. If a row fails, the others are computed all the same.
"""
_EXAMPLES = (
    "cohort plan study --images scans --labels organs --to scans/atlas.nii.gz",
    "cohort run study",
    "cohort status study",
    "cohort run study --cluster tcp://10.0.0.1:8786 --retry-failed",
)
_PLAN = """
Write the plan of a cohort, plan.csv in its folder. The pairs come from a table of your own, from two folders with files of the same names,
from one folder of scans (all to one image, or each to each), from a dataset.json of Learn2Reg, or from a BIDS data set.
"""
_RUN = """
Compute the rows that are missing or whose inputs, parameters or outputs have changed. Results are in FOLDER/rows; the folder of a row
appears when the row is complete. table.csv, structures.csv and index.html show all rows. The run may be stopped at any time and repeated.
"""
_PAIRS = (
    "--table CSV",
    "--images FOLDER --to IMAGE",
    "--images FOLDER --all-pairs",
    "--fixed FOLDER --moving FOLDER",
    "--dataset JSON",
    "--bids FOLDER",
)
# Failed rows that a summary names.
_NAMED = 10


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    about = "register many pairs, on this machine or on a cluster"
    parser = commands.add_parser("cohort", help=about, description=paragraph(_ABOUT), epilog=examples(*_EXAMPLES))
    parser.set_defaults(parser=parser)
    parts = parser.add_subparsers(title="commands", metavar="<command>", dest="part", required=True)
    _add_plan(parts)
    _add_run(parts)
    for name, run, about in (
        ("status", _status, "show how many rows are done, have failed, or are open"),
        ("report", _report, "write tables and page again; possible while a run is active"),
    ):
        page = parts.add_parser(
            name, help=about, description=paragraph(about[:1].upper() + about[1:] + "."), epilog=examples(f"cohort {name} study")
        )
        page.add_argument("folder", metavar="FOLDER", help="folder of the cohort")
        if name == "status":
            page.add_argument("--json", action="store_true", help="print JSON")
        page.set_defaults(run=run, parser=page)


def _add_plan(parts: argparse._SubParsersAction) -> None:
    columns = "\n".join(paragraph(f"{name}: {about}", "  ") for name, about in titles().items())
    epilog = f"columns of a table, besides {', '.join(name for name in COLUMNS if name not in titles())}:"
    epilog = f"{paragraph(epilog)}\n{columns}"
    usage = "\n       ".join(f"deepreg-engine cohort plan FOLDER {pairs}" for pairs in _PAIRS)
    epilog = f"{examples(_EXAMPLES[0])}\n\n{epilog}"
    page: Parser = parts.add_parser("plan", help="write the table of pairs", usage=usage, description=paragraph(_PLAN), epilog=epilog)
    page.add_argument("folder", metavar="FOLDER", help="folder of the cohort; made if missing")
    source = page.add_argument_group("pairs").add_mutually_exclusive_group(required=True)
    source.add_argument("--table", metavar="CSV", help="a table of pairs; paths in it are relative to it")
    source.add_argument("--images", metavar="FOLDER", help="scans, for --to or --all-pairs")
    source.add_argument("--fixed", metavar="FOLDER", help="fixed images; --moving has images of the same names")
    source.add_argument("--dataset", metavar="JSON", help="dataset.json of Learn2Reg: its pairs, or all pairs of its scans for training")
    source.add_argument("--bids", metavar="FOLDER", help="BIDS data set: two images of each subject; needs pybids")
    more = page.add_argument_group("further options for pairs")
    more.add_argument("--to", metavar="IMAGE", help="register all scans of --images to this one")
    more.add_argument("--all-pairs", action="store_true", help="register all scans with each other, both ways")
    more.add_argument("--moving", metavar="FOLDER", help="moving images")
    for name, about in (("labels", "label maps"), ("masks", "masks"), ("landmarks", "landmarks that measure the result")):
        more.add_argument(f"--{name}", metavar="FOLDER", help=f"{about} of --images or --fixed, with the names of their images")
        more.add_argument(f"--moving-{name}", metavar="FOLDER", help=f"{about} of --moving")
    for side in ("fixed", "moving"):
        help = f"the {side} image of a subject of --bids: session=01,suffix=T1w"
        more.add_argument(f"--{side}-entities", metavar="NAME=VALUE,...", help=help)
    how = page.add_argument_group("registration, where a table of pairs does not state it")
    how.add_argument(
        "--method",
        choices=(AUTOMATIC, *METHODS),
        default=Row("", {}).method,
        help="registration method (default: %(default)s, by what the images show)",
    )
    how.add_argument("--preset", metavar="NAME", help="preset of the method, if one is named (default: auto, by what the images show)")
    how.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change one parameter; may be repeated")
    how.add_argument("--initial", metavar="HOW", help="alignment before the deformation, or a transform file")
    how.add_argument("--label-names", metavar="JSON", help='names of the labels: {"1": "liver", ...}')
    kept = ", ".join(OUTPUT_FILES)
    how.add_argument(
        "--outputs", metavar="NAMES", default=",".join(DEFAULT_OUTPUTS), help=f"outputs to keep: {kept} (default: %(default)s)"
    )
    page.add_argument("--replace", action="store_true", help="replace another plan; results of rows that stay the same are kept")
    page.set_defaults(run=_plan, parser=page)


def _add_run(parts: argparse._SubParsersAction) -> None:
    page = parts.add_parser(
        "run", help="compute what is missing or has changed", description=paragraph(_RUN), epilog=examples(*_EXAMPLES[1::2])
    )
    page.add_argument("folder", metavar="FOLDER", help="folder of the cohort")
    page.add_argument("--cluster", metavar="ADDRESS", help="address of a Dask scheduler, tcp://...; without it, this machine computes")
    page.add_argument(
        "--workers",
        type=count("workers", 1024),
        default=0,
        metavar="N",
        help="number of processes on this machine (default: by its memory)",
    )
    page.add_argument(
        "--threads", type=count("threads", 1024), default=0, metavar="N", help="threads for each row (default: cores divided by workers)"
    )
    page.add_argument("--device", default="auto", metavar="WHERE", choices=DEVICES, help=f"where to compute: {', '.join(DEVICES)}")
    page.add_argument("--retry-failed", action="store_true", help="also compute the rows that failed in an earlier run")
    page.add_argument("--quiet", action="store_true", help="show no progress")
    page.set_defaults(run=_run, parser=page)


# ---------------------------------------------------------------------------------------------------------------------- plan


def _plan(options: argparse.Namespace) -> None:
    rows = _rows(options)
    check_requests(rows)
    CohortFolder(options.folder).write_plan(rows, options.replace)
    sys.stdout.write(f"{len(rows)} rows in {CohortFolder(options.folder).plan}\n")


def _rows(options: argparse.Namespace) -> list[Row]:
    if options.table:
        return [_filled(row, options) for row in read_csv(options.table)]
    pattern = _pattern(options)
    if options.bids:
        return from_bids(options.bids, pattern, _entities(options.fixed_entities or ""), _entities(options.moving_entities or ""))
    if options.dataset:
        return from_dataset(options.dataset, pattern, options.all_pairs)
    if options.fixed:
        if not options.moving:
            raise InputError("there is no folder of moving images", "give it", "moving")
        return from_folders(_scans(options, "fixed", ""), _scans(options, "moving", "moving_"), pattern)
    scans = _scans(options, "images", "")
    if options.all_pairs == bool(options.to):
        raise ParameterError("it is not clear which scans are registered with which", "give either --to or --all-pairs")
    if len(scans) < 2:
        raise InputError(f"{options.images} has a single scan", "two are needed")
    return all_pairs(scans, pattern) if options.all_pairs else to_one(_reference(options.to, scans), scans, pattern)


def _scans(options: argparse.Namespace, images: str, prefix: str) -> list[Scan]:
    more = {name: getattr(options, f"{prefix}{name}") or "" for name in ("labels", "masks", "landmarks")}
    return scans_of(getattr(options, images), **more)


def _reference(path: str, scans: list[Scan]) -> Scan:
    """Return the scan of the image to which all are registered; one of the folder has labels and landmarks too."""
    if not Path(path).exists():
        raise InputError(f"the image {path} does not exist", "check the path", "to")
    own = Path(path).resolve()
    return next((scan for scan in scans if Path(scan.image).resolve() == own), Scan(own.name.partition(".")[0], str(own)))


def _pattern(options: argparse.Namespace) -> Row:
    """Return a row with what all rows have in common; raises ParameterError on an unknown preset, parameter or value."""
    here, settings = Path.cwd(), parse_settings(options.set)
    initial = options.initial or ""
    initial = absolute(initial, here) if Path(initial).suffix else initial
    names = absolute(options.label_names, here) if options.label_names else ""
    outputs = tuple(part.strip() for part in options.outputs.split(",") if part.strip())
    unknown = next((name for name in outputs if name not in OUTPUT_FILES), None)
    if unknown is not None:
        raise ParameterError(f"there is no output {unknown!r}", f"there are {', '.join(OUTPUT_FILES)}", "outputs")
    return Row("", {}, options.method, options.preset or "", settings, initial, names, outputs)


def _filled(row: Row, options: argparse.Namespace) -> Row:
    """Return a row of a table with the options for what its table leaves open."""
    pattern, plain = _pattern(options), Row("", {})
    names = [each.name for each in dataclasses.fields(Row) if each.name not in ("name", "files")]
    open_ = {name: getattr(pattern, name) for name in names if getattr(row, name) == getattr(plain, name)}
    return dataclasses.replace(row, **open_)


def _entities(text: str) -> dict[str, str]:
    return parse_settings([part for part in text.split(",") if part.strip()])


# ----------------------------------------------------------------------------------------------------------------------- run


def _run(options: argparse.Namespace) -> None:
    names = [each.name for each in dataclasses.fields(CohortRun) if each.name != "compute"]
    request = CohortRun(**{name: getattr(options, name) for name in names if getattr(options, name) is not None})
    with ProgressBar(quiet=options.quiet) as progress:
        counts = run_cohort(request, progress, progress.note)
    folder = CohortFolder(options.folder)
    lines = [
        f"{counts['computed']} rows computed, {counts['kept']} kept",
        *_lines(status(folder)),
        f"written: {folder.table}  {folder.page}",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def _status(options: argparse.Namespace) -> None:
    found = status(CohortFolder(options.folder))
    if options.json:
        sys.stdout.write(json.dumps(dataclasses.asdict(found), indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("\n".join(_lines(found)) + "\n")


def _report(options: argparse.Namespace) -> None:
    folder = CohortFolder(options.folder)
    write_tables(folder, folder.rows())
    sys.stdout.write("\n".join([*_lines(status(folder)), f"written: {folder.table}  {folder.page}"]) + "\n")


def _lines(found: Status) -> list[str]:
    """Return a summary of how far a cohort is."""
    lines = [f"{found.done} of {found.rows} rows done, {found.failed} failed, {found.open} open"]
    if found.verdicts:
        lines.append("verdicts: " + ", ".join(f"{WORDS[level]} {number}" for level, number in found.verdicts.items()))
    if found.median_seconds is not None:
        lines.append(f"median time of a row: {clock(found.median_seconds)}")
    messages = list(found.messages.items())
    lines += [f"failed: {name}: {message}" for name, message in messages[:_NAMED]]
    if len(messages) > _NAMED:
        lines.append(f"{len(messages) - _NAMED} more rows failed, see table.csv")
    return lines
