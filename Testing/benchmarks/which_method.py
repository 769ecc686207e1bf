"""Figures of docs/which_method.md: methods and presets on each kind of pair, and the automatic choice.

    python Testing/benchmarks/which_method.py --data FOLDER [--kinds ct-trunk-one ...] [--methods "dense follow-up-ct" auto ...] [--seeds 0]

FOLDER holds what ``known_pairs`` and ``people_sets`` name. Pairs of one person are known deformations of a scan, measured by the mean
error over the body, mm; pairs of two people are measured by the mean Dice of their labels. Each registration runs from files to files
in this process.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("GOMP_SPINCOUNT", "1000")
HERE = Path(__file__).resolve().parent
ENGINE = HERE.parent.parent / "DeepRegModules" / "DeepReg"
sys.path[:0] = [str(HERE), str(ENGINE)]

import numpy as np  # noqa: E402
import SimpleITK as sitk  # noqa: E402
from contrasts import _prostate as prostate_files  # noqa: E402
from contrasts import _separate as separate_labels  # noqa: E402
from known_pairs import KnownPair, make_pair  # noqa: E402
from people import figures  # noqa: E402
from people_sets import SETS, PersonPair  # noqa: E402

from deepreg_engine.geometry.transform_files import read_field  # noqa: E402
from deepreg_engine.jobs.registration import run_registration  # noqa: E402
from deepreg_engine.jobs.request import make_request  # noqa: E402


@dataclass(frozen=True)
class Kind:
    """Pairs of one kind.

    Args:
        scans: names of known deformations, or of one set of people.
        oblique: whether the fixed image of a known deformation is oblique, anisotropic and of another size.
        methods: that are compared.
    """

    scans: tuple[str, ...]
    oblique: bool
    methods: tuple[str, ...]


PROSTATE = "prostate"
_CT = ("dense follow-up-ct", "dense abdomen-ct", "dense thorax-ct", "dense quick", "points lung refine", "linear affine")
_MR = ("dense brain-mr", "dense people-mr", "descent brain-mr", "dense quick", "linear rigid")
KINDS = {
    "ct-trunk-one": Kind(("example_ct", "chaos_ct"), True, _CT),
    "ct-chest-one": Kind(("ct-64",), True, _CT),
    "mr-head-one": Kind(("T1",), True, _MR),
    "mr-contrasts-one": Kind(("T2 to T1", "FLAIR to T2"), True, _MR),
    "ct-trunk-two": Kind(("abdomen",), False, _CT),
    "mr-ct-two": Kind(("ct-mr",), False, ("dense mr-ct", "descent mr-ct", "descent brain-mr", "descent quick", "linear affine")),
    "mr-two": Kind(("hippocampus",), False, ("dense people-mr", "dense brain-mr", "dense quick", "linear affine")),
}
_LINEAR = ("linear rigid", "linear rigid initial=geometry", "linear rigid initial=none", "linear similarity")
KINDS["us-mr"] = Kind((PROSTATE,), False, (*_LINEAR, "dense mr-ct initial=geometry", "descent mr-ct initial=geometry"))
Pair = KnownPair | PersonPair


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--methods", nargs="+", default=[], help="instead of those of the kind: 'METHOD PRESET [NAME=VALUE ...]', or auto")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--pairs", type=int, default=10, help="pairs of hippocampi and of prostates")
    parser.add_argument("--json", type=Path, help="write all figures there")
    options = parser.parse_args()
    options.data, options.half, options.seed = options.data.resolve(), "report", 1
    rows = []
    for name in options.kinds:
        kind = KINDS[name]
        methods = options.methods or [*kind.methods, "auto"]
        own = [_row(name, pair, method) for pair in _pairs(kind, options) for method in methods]
        print(_table(name, own, methods), flush=True)
        rows += own
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


def _pairs(kind: Kind, options: argparse.Namespace) -> Iterator[Pair]:
    if kind.scans[0] == PROSTATE:
        yield from _prostates(options)
        return
    if kind.scans[0] in SETS:
        yield from SETS[kind.scans[0]](options)
        return
    for scan in kind.scans:
        for seed in options.seeds:
            yield make_pair(scan, options.data, seed, kind.oblique)


def _prostates(options: argparse.Namespace) -> Iterator[PersonPair]:
    """MR and ultrasound of prostates: the gland, the first label of each pair."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = prostate_files(options.data, Path(temporary), tested=True)
        for path in sorted((folder / "fixed_images").iterdir())[: options.pairs]:
            sides = {}
            for side in ("fixed", "moving"):
                sides[side] = folder / f"{side}_{path.name}"
                sitk.WriteImage(separate_labels(folder / f"{side}_labels" / path.name)[0], str(sides[side]))
            images = [folder / f"{side}_images" / path.name for side in ("fixed", "moving")]
            yield PersonPair(path.name, *images, sides["fixed"], sides["moving"], (1,))


def _row(kind: str, pair: Pair, method: str) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        files = _files(pair, Path(folder))
        out = Path(folder) / "transform.nrrd"
        begun = time.perf_counter()
        report = run_registration(make_request(**_arguments(method), **files, transform=out))
        seconds = time.perf_counter() - begun
        field = read_field(out)
    row = {"kind": kind, "pair": pair.name, "method": method, "seconds": seconds, "used": f"{report['method']} {report['preset']}"}
    row["value"] = pair.error(field) if isinstance(pair, KnownPair) else figures(pair, field)["dice"]
    print(json.dumps(row), file=sys.stderr, flush=True)
    return row


def _files(pair: Pair, folder: Path) -> dict[str, Path]:
    if isinstance(pair, PersonPair):
        return {"fixed": pair.fixed, "moving": pair.moving}
    files = {"fixed": folder / "fixed.nii.gz", "moving": folder / "moving.nii.gz"}
    for side, path in files.items():
        sitk.WriteImage(getattr(pair, side), str(path))
    return files


def _arguments(method: str) -> dict:
    """The arguments of a request: "points lung refine", "dense people-mr smoothness=1", "auto"."""
    name, *rest = method.split()
    settings = dict(word.split("=", 1) for word in rest if "=" in word)
    if name == "auto":
        return {"method": "auto", **{key: value if key == "task" else float(value) for key, value in settings.items()}}
    words = [word for word in rest if "=" not in word]
    found = {"method": name, "preset": words[0], "parameters": settings}
    return {**found, "refine": True} if "refine" in words else found


def _table(kind: str, rows: list[dict], methods: list[str]) -> str:
    pairs = list(dict.fromkeys(row["pair"] for row in rows))
    lines = [f"\n{kind}\n", "| method | " + " | ".join([*pairs, "mean"] if len(pairs) < 5 else ["mean"]) + " | s |"]
    lines.append("|---" * (lines[-1].count("|") - 1) + "|")
    for method in methods:
        own = [row for row in rows if row["method"] == method]
        values = [row["value"] for row in own]
        cells = [f"{value:.3f}" for value in ([*values, np.mean(values)] if len(pairs) < 5 else [np.mean(values)])]
        label = f"{method} ({own[0]['used']})" if method.startswith("auto") else method
        lines.append(f"| {label} | " + " | ".join(cells) + f" | {np.mean([row['seconds'] for row in own]):.1f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
