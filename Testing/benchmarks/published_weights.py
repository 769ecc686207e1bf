"""The search of Dense with its own weights, and with the published a0 to a5 of PDD-Net, on scans under known deformations.

    python Testing/benchmarks/published_weights.py --data FOLDER [--scans example_ct ...] [--seeds 0 1] [--json FILE]

FOLDER holds the scans that ``known_pairs.RECIPES`` names, and weights/dense_reg_feat_v01.pth: published Obelisk features, for CT of the
abdomen. Two pairs are made for each scan and seed: one with the fixed image on the scan's grid, one with an oblique, anisotropic fixed
image of another size. Only the search runs, without refinement. Prints the mean error over the body, mm, as a table in Markdown. --json
adds the figures of each pair to a file; those that it already holds are not measured again, so that a long comparison can be made in parts.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "DeepRegModules" / "DeepReg")]

import numpy as np  # noqa: E402
from known_pairs import RECIPES, KnownPair, make_pair  # noqa: E402

from deepreg_engine.methods.common.image_pair import ImagePair  # noqa: E402
from deepreg_engine.methods.dense.presets import dense_preset  # noqa: E402
from deepreg_engine.methods.dense.register import register_dense  # noqa: E402
from deepreg_engine.models.published import import_checkpoint  # noqa: E402

SCANS = ("example_ct", "chaos_ct", "ct-64")
PUBLISHED = {"search_weights": "published", "mean_field_passes": 2}
VARIANTS = {
    "own (default)": {},
    "published, soft arg-min": {**PUBLISHED, "instance_optimisation": "none"},
    "published, instance optimisation": {**PUBLISHED, "instance_optimisation": "adam"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, type=Path, help="folder with abdomen/, thorax/ and weights/")
    parser.add_argument("--scans", nargs="+", choices=RECIPES, default=SCANS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1], help="of the deformations")
    parser.add_argument("--json", type=Path, help="file of the figures of each pair")
    options = parser.parse_args()
    rows = json.loads(options.json.read_text()) if options.json and options.json.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        obelisk = str(Path(folder) / "obelisk.safetensors")
        import_checkpoint(options.data / "weights" / "dense_reg_feat_v01.pth", obelisk)
        for scan in options.scans:
            for seed in options.seeds:
                for oblique in (False, True):
                    name = f"{scan} {seed}{', oblique' if oblique else ''}"
                    if name not in rows:
                        rows[name] = _errors(make_pair(scan, options.data, seed, oblique), {"mind": "mind", "obelisk": obelisk})
                        print(name, rows[name], file=sys.stderr, flush=True)
                    if options.json:
                        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    print(_markdown(rows))


def _errors(pair: KnownPair, features: dict[str, str]) -> dict[str, float]:
    """Return the mean error of each combination of features and weights, mm."""
    images = ImagePair(pair.fixed, pair.moving)
    errors = {"before": pair.before()}
    for title, file in features.items():
        for weights, changes in VARIANTS.items():
            parameters = dense_preset(pair.recipe.preset).parameters.replaced({"refinement_iterations": 0, "features": file, **changes})
            errors[f"{title} | {weights}"] = pair.error(register_dense(images, parameters, "cpu").field)
    return errors


def _markdown(rows: dict[str, dict[str, float]]) -> str:
    """Return a row for each combination, with its mean error of each scan and the number of pairs in which it beats our weights."""
    scans = list(dict.fromkeys(name.split()[0] for name in rows))
    counts = {scan: sum(name.split()[0] == scan for name in rows) for scan in scans}
    heads = ["features", "weights", *(f"{scan} ({counts[scan]} pairs)" for scan in scans), f"all {len(rows)}", "better than own"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for key in next(iter(rows.values())):
        means = [np.mean([row[key] for name, row in rows.items() if name.split()[0] == scan]) for scan in scans]
        own = f"{key.split(' | ')[0]} | own (default)"
        better = "" if key in ("before", own) else f"{sum(row[key] < row[own] for row in rows.values())} of {len(rows)}"
        cells = [
            key if " | " in key else f"{key} | ",
            *(f"{m:.2f}" for m in (*means, np.mean([row[key] for row in rows.values()]))),
            better,
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
