"""Accuracy and time of the Dense method, and of peers, on real scans under known deformations.

    python Testing/benchmarks/pairs.py --data FOLDER [--scans example_ct T1] [--seeds 0 1] [--oblique] [--peers] [--overlap]

FOLDER holds the scans that ``known_pairs.RECIPES`` names. Each method runs in a separate process, from files to files; times
are those of the whole process on as many threads as the machine has. For the Dense method "warm" is the same from files to files in a
process that has already loaded its libraries, as in a program that stays open. With --peers, the following programs run as well, if they
can be imported: antspyx (SyN with its affine), itk-elastix (rigid, affine and B-spline defaults) and convexAdam (MIND, its defaults).
convexAdam works on arrays, so it gets the moving image drawn into the fixed grid.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# As the command line sets it, before torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

HERE = Path(__file__).resolve().parent
ENGINE = HERE.parent.parent / "DeepRegModules" / "DeepReg"
sys.path[:0] = [str(HERE), str(ENGINE)]

import numpy as np  # noqa: E402
import SimpleITK as sitk  # noqa: E402
from known_pairs import RECIPES, KnownPair, make_pair  # noqa: E402

from deepreg_engine.commands.register import chosen_parameters  # noqa: E402
from deepreg_engine.geometry.displacement_field import DisplacementField  # noqa: E402
from deepreg_engine.geometry.image_grid import ImageGrid  # noqa: E402
from deepreg_engine.geometry.transform_files import read_field  # noqa: E402
from deepreg_engine.jobs.registration import run_registration  # noqa: E402
from deepreg_engine.jobs.request import make_request  # noqa: E402
from deepreg_engine.methods.registry import find_method  # noqa: E402

PEERS = {"ants": "ants", "elastix": "itk", "convexadam": "convexAdam"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, type=Path, help="folder with abdomen/, brain/ and thorax/")
    parser.add_argument("--scans", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--oblique", action="store_true", help="also with the fixed image oblique, anisotropic and of another size")
    parser.add_argument("--peers", action="store_true", help="also run the peers that can be imported by --peer-python")
    parser.add_argument("--peer-python", default=sys.executable, help="Python in which the peers are installed")
    parser.add_argument("--set", action="append", default=[], help="parameter of the Dense method, as for register dense")
    parser.add_argument("--preset", default="", help="preset for all pairs, instead of the one that suits each")
    parser.add_argument("--overlap", action="store_true", help="also two people: liver Dice of example_ct and chaos_ct3_3mm")
    parser.add_argument("--json", type=Path, help="write all figures there")
    options = parser.parse_args()
    options.peer_python = os.path.abspath(shutil.which(options.peer_python) or parser.error(f"{options.peer_python} is no program"))
    methods = ["dense", *(_installed(options.peer_python) if options.peers else [])]
    rows = []
    for scan in options.scans:
        for oblique in (False, True) if options.oblique else (False,):
            for seed in options.seeds:
                pair = make_pair(scan, options.data, seed, oblique)
                rows += _run_pair(pair, seed, oblique, methods, options)
    print(_markdown(rows, methods))
    result = {"pairs": rows}
    if options.overlap:
        result["overlap"] = _overlap(options)
        print(_overlap_markdown(result["overlap"]))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


def _installed(python: str) -> list[str]:
    """The peers that a Python can import."""
    probe = "import importlib.util as u, sys; print(*[n for n in sys.argv[1:] if u.find_spec(n)])"
    found = subprocess.run([python, "-c", probe, *PEERS.values()], capture_output=True, text=True, check=True).stdout.split()
    return [name for name, module in PEERS.items() if module in found]


def _run_pair(pair: KnownPair, seed: int, oblique: bool, methods: list[str], options: argparse.Namespace) -> list[dict]:
    rows = []
    smallest = float(pair.truth.jacobian_determinant()[pair.body].min())
    with tempfile.TemporaryDirectory() as folder:
        fixed, moving = str(Path(folder) / "fixed.nii.gz"), str(Path(folder) / "moving.nii.gz")
        sitk.WriteImage(pair.fixed, fixed)
        sitk.WriteImage(pair.moving, moving)
        for method in methods:
            out = str(Path(folder) / f"{method}.nrrd")
            begun = time.perf_counter()
            field = _run(method, pair, fixed, moving, out, options)
            seconds = time.perf_counter() - begun
            row = {
                "scan": pair.name,
                "seed": seed,
                "oblique": oblique,
                "method": method,
                "before_mm": pair.before(),
                "smallest_jacobian": smallest,
                "seconds": seconds,
            }
            if method == "dense":
                row["warm_seconds"] = _warm_seconds(pair, fixed, moving, out, options)
            if field is not None:
                row["error_mm"] = pair.error(field)
                row["folding_percent"] = 100.0 * float((field.jacobian_determinant() <= 0).mean())
            rows.append(row)
            print(json.dumps(row), file=sys.stderr, flush=True)
    return rows


def _run(method: str, pair: KnownPair, fixed: str, moving: str, out: str, options: argparse.Namespace) -> DisplacementField | None:
    environment = dict(os.environ, PYTHONPATH=str(ENGINE))
    if method == "dense":
        settings = [part for setting in options.set for part in ("--set", setting)]
        command = [
            sys.executable,
            "-m",
            "deepreg_engine",
            "register",
            "dense",
            "--fixed",
            fixed,
            "--moving",
            moving,
            "--quiet",
            "--preset",
            options.preset or pair.recipe.preset,
            "--transform",
            out,
            *settings,
        ]
    else:
        command = [options.peer_python, str(HERE / "peers.py"), method, fixed, moving, out]
    # In the folder of the pair: elastix writes a file where it runs.
    done = subprocess.run(command, env=environment, cwd=Path(out).parent, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{method}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    return read_field(out)


def _warm_seconds(pair: KnownPair, fixed: str, moving: str, out: str, options: argparse.Namespace) -> float:
    """Seconds of a registration from files to files in this process."""
    import torch  # noqa: F401 - loaded before the clock starts

    preset = options.preset or pair.recipe.preset
    request = make_request(
        "dense",
        fixed=fixed,
        moving=moving,
        transform=out,
        preset=preset,
        parameters=chosen_parameters(find_method("dense"), preset, options.set),
    )
    begun = time.perf_counter()
    run_registration(request)
    return time.perf_counter() - begun


def _markdown(rows: list[dict], methods: list[str]) -> str:
    """Mean error (mm), seconds of the whole process and folding of each method on each pair."""
    heads = [f"{m}: mm | s | {'warm s | ' if m == 'dense' else ''}folding %" for m in methods]
    lines = [
        "| pair | before | min. Jacobian | " + " | ".join(heads) + " |",
        "|---|---|---|" + "---|" * sum(h.count("|") + 1 for h in heads),
    ]
    keys = sorted({(row["scan"], row["oblique"], row["seed"]) for row in rows}, key=lambda k: (list(RECIPES).index(k[0]), k[1], k[2]))
    for key in keys:
        found = {row["method"]: row for row in rows if (row["scan"], row["oblique"], row["seed"]) == key}
        any_row = next(iter(found.values()))
        cells = []
        for method in methods:
            row = found[method]
            error = f"{row['error_mm']:.2f}" if "error_mm" in row else "failed"
            warm = [f"{row['warm_seconds']:.1f}"] if method == "dense" else []
            cells += [error, f"{row['seconds']:.1f}", *warm, f"{row.get('folding_percent', float('nan')):.2f}"]
        name = f"{key[0]} {key[2]}{', oblique' if key[1] else ''}"
        lines.append(f"| {name} | {any_row['before_mm']:.1f} | {any_row['smallest_jacobian']:.2f} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _overlap(options: argparse.Namespace) -> list[dict]:
    """Two people, partial overlap: Dice of the liver after the affine alignment, and after the Dense method."""
    folder = options.data / "abdomen"
    labels = {"example_ct": ("example_seg_fast_force_split.nii.gz", 5), "chaos_ct3_3mm": ("chaos_ct3_liver_3mm.nii.gz", None)}
    rows = []
    chosen = [part for setting in options.set for part in ("--set", setting)]
    with tempfile.TemporaryDirectory() as temporary:
        for fixed, moving in (("example_ct", "chaos_ct3_3mm"), ("chaos_ct3_3mm", "example_ct")):
            livers = []
            for name in (fixed, moving):
                image = sitk.ReadImage(str(folder / labels[name][0]))
                livers.append(image == labels[name][1] if labels[name][1] else image > 0)
            row = {"fixed": fixed, "moving": moving}
            # Without search and refinement, the result is the alignment.
            for stage, settings in (("affine", ["--set", "search_stages=0", "--set", "refinement_iterations=0"]), ("dense", chosen)):
                out = str(Path(temporary) / "t.nrrd")
                command = [
                    sys.executable,
                    "-m",
                    "deepreg_engine",
                    "register",
                    "dense",
                    "--fixed",
                    str(folder / f"{fixed}.nii.gz"),
                    "--moving",
                    str(folder / f"{moving}.nii.gz"),
                    "--transform",
                    out,
                    "--quiet",
                    *settings,
                ]
                begun = time.perf_counter()
                subprocess.run(command, env=dict(os.environ, PYTHONPATH=str(ENGINE)), check=True, capture_output=True)
                row[f"{stage}_seconds"] = time.perf_counter() - begun
                field = read_field(out)
                warped = field.warp_image(livers[1], "nearest")
                row[f"{stage}_dice"] = _dice(livers[0], warped)
                row[f"{stage}_folding_percent"] = 100.0 * float((field.jacobian_determinant() <= 0).mean())
            rests = DisplacementField.zeros(ImageGrid.of(livers[0])).warp_image(livers[1], "nearest")
            row["before_dice"] = _dice(livers[0], rests)
            rows.append(row)
    return rows


def _dice(first: sitk.Image, second: sitk.Image) -> float:
    a, b = (sitk.GetArrayViewFromImage(image) > 0 for image in (first, second))
    return 2.0 * np.count_nonzero(a & b) / max(np.count_nonzero(a) + np.count_nonzero(b), 1)


def _overlap_markdown(rows: list[dict]) -> str:
    lines = ["", "| fixed | moving | liver Dice before | affine | dense | s | folding % |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        lines.append(
            f"| {row['fixed']} | {row['moving']} | {row['before_dice']:.3f} | {row['affine_dice']:.3f} | {row['dense_dice']:.3f} | "
            f"{row['dense_seconds']:.1f} | {row['dense_folding_percent']:.2f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
