"""How often the verdict is right: on pairs that are registered well, and on pairs that are spoiled in many ways.

    python Testing/benchmarks/verdict.py --data FOLDER --runs FOLDER [--half report|tune] [--fit]

The data folder holds what ``known_pairs``, ``people_sets`` and ``verdict_subjects`` name. Pairs are made from phantoms and real scans at
coarse resolution, as they come or spoiled (``verdict_spoiled``), and registered; the second folder keeps the runs, so that another verdict
needs no new ones. Whether a result is right is measured by known displacements or by Dice coefficients: a spoiled pair that was
registered well all the same counts as neither, as does a result between good and wrong.

Sources and seeds belong to one of two halves: limits are tuned on one ("tune", --fit prints weights of the agreement), figures reported
of the other ("report").
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from verdict_runs import run_half
from verdict_subjects import HALVES

from deepreg_engine.geometry.images import read_image
from deepreg_engine.geometry.transform_files import read_field
from deepreg_engine.reporting.limits import LIMITS, rate
from deepreg_engine.verdict.conclusion import conclude
from deepreg_engine.verdict.evidence import Evidence
from deepreg_engine.verdict.image_checks import AGREEMENT
from deepreg_engine.verdict.line import LEVELS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, type=Path, help="folder with abdomen/, brain/, hippocampus/, lung_points/ and thorax/")
    parser.add_argument("--runs", required=True, type=Path, help="folder that keeps the runs")
    parser.add_argument("--half", choices=HALVES, default="report", help="half of the pairs")
    parser.add_argument("--fit", action="store_true", help="print the weights of the agreement that tell wrong results best")
    options = parser.parse_args()
    rows = [row_of(folder) for folder in run_half(options.half, options.data, options.runs)]
    for row in rows:
        if (row["state"], row["level"]) in (("wrong", "good"), ("good", "bad"), ("good", "check")):
            print(f"{row['name']} {row['spoil']}: {row['state']}, {row['level']}: {row['reason']}", file=sys.stderr)
    print(markdown(rows))
    if options.fit:
        print(fitted(rows))


def row_of(folder: Path) -> dict[str, Any]:
    """What is true of a run, its verdict, and the measures of it."""
    truth = json.loads((folder / "truth.json").read_text())
    if truth["state"] == "refused":
        return {**truth, "level": "refused", "reason": truth["error"], "measures": {}}
    begun = time.perf_counter()
    verdict = conclude(_evidence(folder))
    return {
        **truth,
        "level": verdict["level"],
        "reason": verdict["reason"],
        "measures": verdict["measures"],
        "mirrored": any(check["name"] == "note mirrored" for check in verdict["checks"]),
        "seconds": time.perf_counter() - begun,
    }


def _evidence(folder: Path) -> Evidence:
    """What the verdict on a kept run is made of."""
    report = json.loads((folder / "report.json").read_text())
    images = None
    if (folder / "fixed.nrrd").exists():
        images = read_image(folder / "fixed.nrrd"), read_image(folder / "moving.nrrd")
    matrix = np.array(report["alignment"]["matrix"] or np.eye(4))
    alignment = sitk.AffineTransform(matrix[:3, :3].ravel().tolist(), matrix[:3, 3].tolist())
    uncertain = folder / "uncertainty.nrrd"
    return Evidence(
        report,
        images,
        read_field(folder / "transform.nrrd"),
        alignment,
        ratings=rate(report, LIMITS),
        uncertainty=sitk.ReadImage(str(uncertain)) if uncertain.exists() else None,
    )


def markdown(rows: list[dict[str, Any]]) -> str:
    """The table of the levels of good and of wrong results, and of the wrong ones by the way of spoiling."""
    lines = ["| pairs | number | good | check | bad | refused |", "|---|---|---|---|---|---|"]
    good = [row for row in rows if row["state"] == "good" and row["spoil"] in ("", "same")]
    spoiled = [row for row in rows if row["spoil"] not in ("", "same")]
    wrong = [row for row in spoiled if row["state"] in ("wrong", "refused")]
    lines += [_line("registered well", good), _line("spoiled, result wrong", wrong)]
    lines += [
        _line(f"  {spoil}", [row for row in wrong if row["spoil"] == spoil]) for spoil in dict.fromkeys(row["spoil"] for row in wrong)
    ]
    right, between = (sum(row["state"] == state for row in spoiled) for state in ("good", "between"))
    odd = len([row for row in rows if row["spoil"] in ("", "same")]) - len(good)
    lines += [
        "",
        f"Not counted: {right} spoiled pairs that were registered well all the same, {between} between good and wrong; {odd} others.",
    ]
    return "\n".join(lines)


def _line(title: str, rows: list[dict[str, Any]]) -> str:
    counts = Counter(row["level"] for row in rows)
    cells = [f"{counts[level]} ({100 * counts[level] / max(len(rows), 1):.0f} %)" for level in (*LEVELS, "refused")]
    return f"| {title} | {len(rows)} | " + " | ".join(cells) + " |"


def fitted(rows: list[dict[str, Any]], ridge: float = 1.0) -> str:
    """The weights of a logistic regression of good results against wrong ones by the measures of the agreement."""
    names = [name for name in AGREEMENT if name]
    results = [f"{name}_result" for name in names]
    known = [row for row in rows if set(results) <= set(row["measures"]) and row["state"] in ("good", "wrong") and not row["mirrored"]]
    values = np.array([[row["measures"][name] for name in results] for row in known])
    right = np.array([row["state"] == "good" for row in known], dtype=np.float64)
    centre, scale = values.mean(0), values.std(0)
    terms = np.column_stack([(values - centre) / scale, np.ones(len(values))])
    balance = np.where(right == 1.0, 0.5 / right.mean(), 0.5 / (1.0 - right.mean()))
    weights, penalty = np.zeros(terms.shape[1]), np.diag([ridge] * len(names) + [1e-3])
    for _ in range(60):
        share = 1.0 / (1.0 + np.exp(-terms @ weights))
        slope = terms.T @ (balance * (share - right)) + penalty @ weights
        weights -= np.linalg.solve((terms * (balance * share * (1.0 - share))[:, None]).T @ terms + penalty, slope)
    found = dict(zip(names, np.round(weights[:-1] / scale, 1).tolist(), strict=True))
    return f"weights of {len(known)} results: {found}, constant {weights[-1] - float((weights[:-1] * centre / scale).sum()):.1f}"


if __name__ == "__main__":
    main()
