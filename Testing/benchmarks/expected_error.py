"""Calibration of the expected error, and its coverage on pairs that the calibration did not see.

    python Testing/benchmarks/expected_error.py make --data FOLDER --cache CACHE [--split coverage] [--seconds 600]
    python Testing/benchmarks/expected_error.py fit --cache CACHE [--output expected_error.json]
    python Testing/benchmarks/expected_error.py coverage --cache CACHE [--pairs]

"make" registers pairs with known truth (``error_sets``, ``error_points``), and writes the predictors and true errors at some points of each
into the cache; pairs that are there are not computed again. "fit" computes the models from the pairs of the calibration, "coverage"
prints for all others how many of the true errors are below the bound. Both take seconds and register nothing.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import time
import zlib
from pathlib import Path

os.environ.setdefault("GOMP_SPINCOUNT", "1000")
HERE = Path(__file__).resolve().parent
ENGINE = HERE.parent.parent / "DeepRegModules" / "DeepReg"
sys.path[:0] = [str(HERE), str(ENGINE)]

import numpy as np  # noqa: E402
from error_fit import Sample, fit_model  # noqa: E402
from error_points import PointCase, point_cases  # noqa: E402
from error_sets import COVER, FIT, Case, cases  # noqa: E402
from scipy.stats import spearmanr  # noqa: E402

from deepreg_engine.geometry.displacement_field import sample_linear  # noqa: E402
from deepreg_engine.methods.common.error_model import CALIBRATION, ErrorModel, Predictors  # noqa: E402
from deepreg_engine.methods.common.expected_error import ExpectedError  # noqa: E402
from deepreg_engine.models.folders import shipped_folder  # noqa: E402

# Points of a pair.
_POINTS = 1500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    stages = parser.add_subparsers(dest="stage", required=True)
    make = stages.add_parser("make", help="register the pairs, and keep their samples")
    make.add_argument("--data", required=True, type=Path, help="folder with abdomen/, brain/, hippocampus/, lung_points/ and thorax/")
    make.add_argument("--split", choices=(FIT, COVER), help="only these pairs")
    make.add_argument("--methods", nargs="+", choices=("dense", "points"), default=["dense", "points"])
    make.add_argument("--seconds", type=float, default=float("inf"), help="begin no registration after this time")
    fit = stages.add_parser("fit", help="fit the models to the samples of the calibration")
    fit.add_argument("--output", type=Path, default=shipped_folder() / CALIBRATION, help="file of the models")
    coverage = stages.add_parser("coverage", help="share of the true errors below the bounds, on the other pairs")
    coverage.add_argument("--models", type=Path, default=shipped_folder() / CALIBRATION, help="file of the models")
    coverage.add_argument("--split", choices=(FIT, COVER), default=COVER)
    coverage.add_argument("--pairs", action="store_true", help="a row for each pair")
    for each in (make, fit, coverage):
        each.add_argument("--cache", required=True, type=Path, help="folder of the samples")
    options = parser.parse_args()
    {"make": _make, "fit": _fit, "coverage": _coverage}[options.stage](options)


def _make(options: argparse.Namespace) -> None:
    options.cache.mkdir(parents=True, exist_ok=True)
    chosen = []
    for split in (options.split,) if options.split else (FIT, COVER):
        found = {"dense": cases, "points": point_cases}
        registered = {"dense": _dense, "points": _points}
        chosen += [[(case, registered[method]) for case in found[method](options.data, split)] for method in options.methods]
    begun = time.monotonic()
    for row in itertools.zip_longest(*chosen):  # all kinds in turn, so that an early end leaves some of each
        for case, made in filter(None, row):
            path = options.cache / f"{case.name.replace(' ', '_')}.npz"
            if not path.exists() and time.monotonic() - begun < options.seconds:
                np.savez_compressed(path, **made(case))


def _dense(case: Case) -> dict:
    """Samples of a registration by the Dense method."""
    from deepreg_engine.methods.common.image_pair import ImagePair
    from deepreg_engine.methods.dense.presets import dense_preset
    from deepreg_engine.methods.dense.register import register_dense

    truth = case.make()
    result = register_dense(ImagePair(truth.fixed, truth.moving), dense_preset(case.preset).parameters, "cpu")
    errors = np.linalg.norm(result.displacements.vectors - truth.field.vectors, axis=0)[truth.body]
    rng = np.random.default_rng(zlib.crc32(case.name.encode()))
    chosen = rng.choice(len(errors), min(_POINTS, len(errors)), replace=False)
    points = truth.field.grid.points()[truth.body][chosen]
    print(f"{case.split}: {case.kind}: {case.name}: mean error {errors.mean():.3f} mm", file=sys.stderr, flush=True)
    assert result.expected_error is not None
    features = sorted({result.features, result.refinement_features})
    return {**samples(result.expected_error, points, errors[chosen]), "meta": json.dumps(_meta("dense", case, features))}


def _points(case: PointCase) -> dict:
    """Samples of a registration by the Points method."""
    from deepreg_engine.methods.common.lengths import with_factor
    from deepreg_engine.methods.points.error_predictors import predictors
    from deepreg_engine.methods.points.presets import POINTS_PRESETS, points_preset
    from deepreg_engine.methods.points.register import register_points

    truth = case.make()
    parameters = with_factor(points_preset(case.preset).parameters, POINTS_PRESETS, truth.fixed)
    found = register_points(truth.fixed, truth.moving, parameters, "cpu")
    chosen = np.random.default_rng(zlib.crc32(case.name.encode())).permutation(len(truth.points))[:_POINTS]
    points = truth.points[chosen]
    errors = np.linalg.norm(found.map_points(points) - truth.partners[chosen], axis=1)
    print(f"{case.split}: {case.kind}: {case.name}: mean error {errors.mean():.3f} mm", file=sys.stderr, flush=True)
    at = predictors(points, (truth.fixed, truth.moving), found, parameters.length_scale)
    model = "points, drift" if parameters.solver == "drift" else "points, belief"
    values = {f"at {name}": value.astype(np.float32) for name, value in at.values.items()}
    values |= {f"median {name}": np.float32(np.median(value)) for name, value in at.values.items()}
    values |= {"unit": np.float64(at.unit), "error": errors.astype(np.float32)}
    return {**values, "meta": json.dumps(_meta(model, case, [found.features]))}


def _meta(method: str, case: Case | PointCase, features: list[str]) -> dict:
    return {"method": method, "name": case.name, "kind": case.kind, "split": case.split, "preset": case.preset, "features": features}


def samples(expected: ExpectedError, points: np.ndarray, errors: np.ndarray) -> dict[str, np.ndarray]:
    """Predictors and true errors (N,), mm, at points (N, 3), and the medians of the predictors over the body."""
    index = expected.grid.physical_to_index(points)
    found = {}
    for name, values in expected.predictors.values.items():
        found[f"at {name}"] = np.exp(sample_linear(np.log(np.maximum(values, 1e-6))[None], index)[:, 0]).astype(np.float32)
        found[f"median {name}"] = np.float32(np.median(values[expected.inside]))
    return {**found, "unit": np.float64(expected.predictors.unit), "error": errors.astype(np.float32)}


def _read(cache: Path, split: str) -> dict[str, list[tuple[dict, Sample]]]:
    """The samples of a split by the name of their model."""
    found: dict[str, list[tuple[dict, Sample]]] = {}
    for path in sorted(cache.glob("*.npz")):
        with np.load(path) as content:
            meta = json.loads(str(content["meta"]))
            if meta["split"] != split:
                continue
            values = {name[3:]: content[name] for name in content.files if name.startswith("at ")}
            medians = {name[7:]: float(content[name]) for name in content.files if name.startswith("median ")}
            predictors = Predictors(values, float(content["unit"]))
            sample = Sample(predictors, content["error"].astype(np.float64), medians, meta["kind"], tuple(meta["features"]))
            found.setdefault(meta["method"], []).append((meta, sample))
    return found


def _fit(options: argparse.Namespace) -> None:
    models = {method: fit_model([sample for _, sample in pairs]).to_plain() for method, pairs in _read(options.cache, FIT).items()}
    options.output.write_text(json.dumps(models) + "\n")


def _coverage(options: argparse.Namespace) -> None:
    plain = json.loads(options.models.read_text())
    heads = (
        "method",
        "kind of pair",
        "pairs",
        "mean error mm",
        "median bound mm",
        "below the bound %",
        "by pair",
        "below the typical error %",
    )
    for row in (*heads, "rank correlation", "not calibrated"), ("---",) * (len(heads) + 2):
        print(f"| {' | '.join(row)} |")
    for method, pairs in _read(options.cache, options.split).items():
        model = ErrorModel.of(plain[method])
        groups: dict[str, list[tuple[dict, Sample]]] = {}
        for meta, sample in pairs:
            groups.setdefault(f"{meta['kind']}: {meta['name']}" if options.pairs else meta["kind"], []).append((meta, sample))
        for kind, group in groups.items():
            print(f"| {method} | {kind} | {len(group)} | {_row(model, [sample for _, sample in group])} |")


def _row(model: ErrorModel, samples: list[Sample]) -> str:
    errors = [model.errors(sample.predictors) for sample in samples]
    below = [100.0 * float((s.errors < bound).mean()) for s, (bound, _) in zip(samples, errors, strict=True)]
    typical = [100.0 * float((s.errors < middle).mean()) for s, (_, middle) in zip(samples, errors, strict=True)]
    rank = [float(spearmanr(s.errors, bound).statistic) for s, (bound, _) in zip(samples, errors, strict=True)]
    mean = np.mean([s.errors.mean() for s in samples])
    bound = np.median(np.concatenate([bound for bound, _ in errors]))
    unlike = sum(bool(_unlike(model, sample)) for sample in samples)
    return (
        f"{mean:.2f} | {bound:.2f} | {np.mean(below):.1f} | {min(below):.0f} to {max(below):.0f} | {np.mean(typical):.0f} "
        f"| {np.mean(rank):.2f} | {unlike}"
    )


def _unlike(model: ErrorModel, sample: Sample) -> list[str]:
    values = {name: np.array([value]) for name, value in sample.medians.items()}
    return model.unlike(Predictors(values, sample.predictors.unit), np.array([True]))


if __name__ == "__main__":
    main()
