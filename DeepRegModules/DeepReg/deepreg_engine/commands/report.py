"""``report``: the report of a registration on two pages."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from typing import Any

from deepreg_engine.commands.parsing import examples, paragraph
from deepreg_engine.commands.tables import number, table
from deepreg_engine.errors import ParameterError
from deepreg_engine.reporting.limits import LIMITS, WORDS
from deepreg_engine.verdict.line import level_of, verdict_line

_ABOUT = """
Write the report of a registration, of this or any other program: one self-contained HTML file that needs no network and prints on
two A4 pages. It has inputs, method and model; figures with traffic lights; slices before and after with a slider between them;
checkerboard, deformation grid and Jacobian; histograms; landmarks and structures. The same figures are available as JSON and CSV.
"""

_NOTES = """
The page names files without their folders, and no patient unless --patient-name is given. The limits of the traffic lights are a
starting point; set those of your task with --limit. "95 %" is the 95th percentile.
"""

_EXAMPLES = (
    "report --fixed a.nii.gz --moving b.nii.gz --transform t.nrrd --output report.html",
    "report --fixed a.nii.gz --moving b.nii.gz --transform t.nrrd --inverse i.nrrd --run-report t.json --fixed-landmarks a.csv "
    "--moving-landmarks b.csv --fixed-labels a_organs.nii.gz --moving-labels b_organs.nii.gz --output report.html --json report.json "
    "--csv report.csv",
    "report --fixed a.nii.gz --moving b.nii.gz --transform t.nrrd --limit tre_median=1,2 --limit dice=0.9,0.8 --output report.html",
)


def add(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    epilog = "\n".join((paragraph(_NOTES), "", "limits (green, amber):", *_limit_lines(), "", examples(*_EXAMPLES)))
    parser = commands.add_parser("report", help="write the report of a registration", description=paragraph(_ABOUT), epilog=epilog)
    parser.add_argument("--fixed", required=True, metavar="F", help="fixed image (required)")
    parser.add_argument("--moving", required=True, metavar="M", help="moving image (required)")
    parser.add_argument("--transform", required=True, metavar="T", help="displacement field or ITK transform (required)")
    parser.add_argument("--output", required=True, metavar="OUT.html", help="the page (required)")
    parser.add_argument("--json", metavar="OUT.json", help="its figures, those of each landmark and label too")
    parser.add_argument("--csv", metavar="OUT.csv", help="the same as a table with one figure in each row")
    measured = parser.add_argument_group("measurements")
    measured.add_argument("--fixed-landmarks", metavar="P", help="points: .csv, .mrk.json or .fcsv")
    measured.add_argument("--moving-landmarks", metavar="Q", help="the corresponding landmarks, in the same order")
    measured.add_argument("--fixed-labels", metavar="A", help="label map of the fixed image")
    measured.add_argument("--moving-labels", metavar="B", help="label map of the moving image, with the same numbers")
    measured.add_argument("--label-names", metavar="JSON", help='names of the labels: {"1": "liver", ...}, or a phantom.json')
    measured.add_argument("--inverse", metavar="T", help="transform from moving to fixed: inverse consistency")
    measured.add_argument("--mask", metavar="A", help="measure the deformation only where this is not 0, on the fixed image")
    measured.add_argument(
        "--limit", action="append", default=[], metavar="KEY=GREEN,AMBER", help="limits of a traffic light, see below; may be repeated"
    )
    shown = parser.add_argument_group("contents of the page")
    shown.add_argument("--run-report", metavar="JSON", help="what register wrote with --report: method, parameters, model")
    shown.add_argument("--title", default="Registration report", metavar="TEXT", help="title of the page")
    shown.add_argument("--patient-name", dest="patient", metavar="TEXT", help="show this name (default: none)")
    shown.add_argument("--note", dest="remarks", action="append", default=[], metavar="TEXT", help="a further note; may be repeated")
    shown.add_argument(
        "--hide", dest="private", action="append", default=[], metavar="TEXT", help="a name to hide everywhere; may be repeated"
    )
    for side in ("fixed", "moving"):
        shown.add_argument(f"--{side}-name", metavar="TEXT", help=f"name of the {side} image (default: its file's)")
        shown.add_argument(f"--{side}-modality", metavar="TEXT", help="such as CT or MR")
        shown.add_argument(
            f"--{side}-window",
            type=float,
            nargs=2,
            metavar=("BLACK", "WHITE"),
            help="values of black and white (default: chosen from the image)",
        )
    where = "position of the slices, LPS mm (default: the centre of the mask, or the tissue with the largest deformation)"
    shown.add_argument("--at", dest="point", type=float, nargs=3, metavar=("X", "Y", "Z"), help=where)
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> None:
    """Write the report."""
    from deepreg_engine.jobs.report import ReportRequest, run_report

    given = {field.name: getattr(options, field.name, None) for field in fields(ReportRequest)}
    given["limits"] = _limits(options.limit)
    request = ReportRequest(**{name: value for name, value in given.items() if value is not None})
    content = run_report(request)
    rows = [["", "before", "after", "rating"]]
    for entry in content["ratings"]:
        unit = f" {entry['unit']}" if entry["unit"] else ""
        before = number(entry["before"], 3, unit) if entry["before"] is not None else ""
        rows.append([entry["title"], before, number(entry["value"], 3, unit), f"{entry['rating']}: {WORDS[entry['rating']]}"])
    written = [path for path in (options.output, options.json, options.csv) if path]
    lines = [*_verdict(content), *table(rows), *(f"note: {note}" for note in content["notes"]), "written: " + "  ".join(written)]
    sys.stdout.write("\n".join(lines) + "\n")
    if level_of(content) not in ("", "good"):
        sys.stdout.flush()
        print(f"{options.parser.prog}: {verdict_line(content)}", file=sys.stderr)


def _verdict(content: dict[str, Any]) -> list[str]:
    line = verdict_line(content)
    return [f"verdict: {line}"] if line else []


def _limit_lines() -> list[str]:
    return [
        f"  {limit.key:<13} {limit.green:g},{limit.amber:g}  {limit.title.lower()}{f', {limit.unit}' if limit.unit else ''}"
        for limit in LIMITS
    ]


def _limits(settings: list[str]) -> dict[str, list[str]]:
    found = {}
    for setting in settings:
        key, equals, pair = setting.partition("=")
        if not equals:
            raise ParameterError(f"{setting!r} is not a limit", "write KEY=GREEN,AMBER, such as tre_median=2,3", "limit")
        found[key.strip()] = pair.split(",")
    return found
