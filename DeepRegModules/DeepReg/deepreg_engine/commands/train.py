"""``train``: learn features from data."""

from __future__ import annotations

import argparse
import datetime
import sys
from pathlib import Path

from deepreg_engine.commands.parsing import examples, parameter_table, paragraph
from deepreg_engine.commands.progress import Progress
from deepreg_engine.jobs.outputs import check_outputs, check_suffix
from deepreg_engine.methods.parameters import parse_settings

_ABOUT = """
Learn what points look like from corresponding keypoints of pairs of scans: folders or zip files with .csv or .dat files of six columns,
a point's place in one scan and in the other, in voxels. The loss is the error of belief propagation with the features. The model is
written with a card; the log has a line of JSON every 50 steps.
"""
_EXAMPLES = (
    "train points l2r_lung_keypoints.zip empire10_keypoints.zip --spacing 1.75,1,1.25 --output my-points.safetensors",
    "train points keypoints --spacing 1,1,1 --leave-out case_007,l2r_exp007 --set steps=500 --output trial.safetensors --log trial.jsonl",
)
# Fewer scans teach a network these people, not their organs.
_LEAST_SCANS = 4
_DESCENT_ABOUT = """
Learn features that look alike in images of different contrast, by supervised descent: the steps that the features make are to be those
that label maps make. Every training sees random shapes and phantoms in made-up contrasts; labelled scans of your own, from four on,
teach it your modalities. No dense truth is needed. A training that was stopped goes on from its checkpoint as if it had not been.
"""
_DESCENT_EXAMPLES = (
    "train descent --output any.safetensors --log any.jsonl --checkpoint any.ckpt",
    "train descent prostate/train --modality other --moving-modality mr --spacing 0.8 --start any-contrast --set steps=1500 "
    "--set rate=1e-3 --output prostate.safetensors",
)


def add(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    from deepreg_engine.learning.options import PointTraining

    epilog = f"{examples(_EXAMPLES[0])}\n\nEach method has its page: deepreg-engine train METHOD --help"
    parser = commands.add_parser("train", help="learn features from data", description="Learn features from data.", epilog=epilog)
    parser.set_defaults(parser=parser)
    methods = parser.add_subparsers(title="methods", metavar="<method>", dest="method", required=True)
    epilog = examples(*_EXAMPLES) + "\n\nparameters for --set:\n" + parameter_table(PointTraining)
    points = methods.add_parser("points", help="features of the Points method", description=paragraph(_ABOUT), epilog=epilog)
    points.add_argument("data", nargs="+", metavar="DATA", help="folders or zip files with keypoints")
    points.add_argument("--spacing", type=_spacing, default=(1.0, 1.0, 1.0), metavar="X,Y,Z", help="mm of a voxel (default: 1,1,1)")
    points.add_argument("--leave-out", metavar="NAMES", help="pairs not to learn from, by the names of their files")
    points.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change one parameter, see below")
    points.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"), metavar="WHERE", help="auto, cpu or cuda")
    points.add_argument("--name", metavar="NAME", help="of the model (default: the file's)")
    points.add_argument("--licence", metavar="TEXT", help="of the model, for its card")
    points.add_argument("--about", metavar="TEXT", help="what the data are, for the card")
    points.add_argument("--log", metavar="OUT.jsonl", help="training log")
    points.add_argument("--output", required=True, metavar="OUT", help="model file, .safetensors (required)")
    points.set_defaults(run=run_points_training, parser=points)
    _add_descent(methods)


def _add_descent(methods: argparse._SubParsersAction) -> None:
    from deepreg_engine.learning.options import DescentTraining

    epilog = examples(*_DESCENT_EXAMPLES) + "\n\nparameters for --set:\n" + parameter_table(DescentTraining)
    descent = methods.add_parser("descent", help="features of the Descent method", description=paragraph(_DESCENT_ABOUT), epilog=epilog)
    descent.add_argument("data", nargs="*", metavar="DATA", help="folders with labelled scans; none learns from made-up contrasts alone")
    kinds = ("ct", "mr", "other")
    descent.add_argument("--modality", choices=kinds, default="other", help="of scans whose folder does not say it, and of fixed images")
    descent.add_argument("--moving-modality", choices=kinds, default="other", help="of moving images, where scans come in pairs")
    descent.add_argument("--spacing", type=float, default=2.0, metavar="MM", help="voxel size at which scans are looked at (default: 2)")
    descent.add_argument("--leave-out", metavar="NAMES", help="scans or pairs not to learn from, by the names of their files")
    descent.add_argument("--skip-bad", action="store_true", help="go on without scans that cannot be read, and name them")
    descent.add_argument("--start", metavar="MODEL", help="begin with this model instead of a new one")
    descent.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change one parameter, see below")
    descent.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"), metavar="WHERE", help="auto, cpu or cuda")
    descent.add_argument("--workers", type=int, default=1, metavar="N", help="processes that make examples (default: 1)")
    descent.add_argument("--name", metavar="NAME", help="of the model (default: the file's)")
    descent.add_argument("--licence", metavar="TEXT", help="of the model, for its card")
    descent.add_argument("--about", metavar="TEXT", help="what the data are, for the card")
    descent.add_argument("--log", metavar="OUT.jsonl", help="training log")
    descent.add_argument("--checkpoint", metavar="FILE", help="written now and then; a training goes on from it")
    descent.add_argument("--output", required=True, metavar="OUT", help="model file, .safetensors (required)")
    descent.set_defaults(run=run_descent_training, parser=descent)


def _spacing(text: str) -> tuple[float, float, float]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) != 3 or not all(0 < value < 100 for value in values):
        raise argparse.ArgumentTypeError(f"{text!r} is not three voxel sizes in mm, such as 1.75,1,1.25")
    return values


def run_points_training(options: argparse.Namespace) -> None:
    """Train, and write the model."""
    from deepreg_engine.learning.options import PointTraining

    check_suffix("--output", options.output, (".safetensors",))
    check_outputs({"--output": options.output, "--log": options.log}, options.data)
    parameters = PointTraining().replaced(parse_settings(options.set))
    from deepreg_engine.errors import InputError
    from deepreg_engine.learning.point_pairs import read_point_pairs

    pairs = read_point_pairs(options.data, options.spacing)
    left_out = [name.strip() for name in (options.leave_out or "").split(",") if name.strip()]
    unknown = [name for name in left_out if name not in {pair.name for pair in pairs}]
    if unknown:
        raise InputError(f"there is no pair {unknown[0]!r} to leave out", f"there are {', '.join(pair.name for pair in pairs)}")
    pairs = [pair for pair in pairs if pair.name not in left_out]
    if not pairs:
        raise InputError("no pair is left to learn from", "leave out fewer")
    from deepreg_engine.learning.point_training import train_points
    from deepreg_engine.methods.device import choose_device
    from deepreg_engine.models.card import ModelCard, write_model

    device, described = choose_device(options.device)
    if options.log:
        Path(options.log).write_text("", encoding="utf-8")
    with Progress() as progress:
        matcher = train_points(pairs, parameters, device, options.log, progress)
    card = ModelCard(
        options.name or Path(options.output).stem,
        "points",
        "edge-conv",
        origin="deepreg-engine train points",
        licence=options.licence or "",
        training_data=options.about or f"{len(pairs)} pairs: {', '.join(pair.name for pair in pairs)}",
        date=datetime.date.today().isoformat(),
        intended_use="points like those it was trained on",
        settings=parameters.to_dict(),
    )
    write_model(options.output, card, {name: value.numpy() for name, value in matcher.state_dict().items()})
    sys.stdout.write(f"trained on {len(pairs)} pairs ({described}); written: {options.output}\n")


def run_descent_training(options: argparse.Namespace) -> None:
    """Train, and write the model."""
    from deepreg_engine.errors import InputError
    from deepreg_engine.learning.labelled_scans import find_labelled
    from deepreg_engine.learning.options import DescentTraining

    check_suffix("--output", options.output, (".safetensors",))
    check_outputs({"--output": options.output, "--log": options.log}, options.data)
    if not 0.2 <= options.spacing <= 10.0:
        raise InputError(f"--spacing {options.spacing:g} is not a voxel size in mm", "give 0.2 to 10")
    parameters = DescentTraining().replaced(parse_settings(options.set))
    data = [find_labelled(folder, options.modality, options.moving_modality) for folder in options.data]
    names = [name for part in data for name in part.names()]
    left_out = {name.strip() for name in (options.leave_out or "").split(",") if name.strip()}
    unknown = sorted(left_out - set(names))
    if unknown:
        raise InputError(f"there is no scan {unknown[0]!r} to leave out", f"there are {', '.join(names)}")
    if not options.data and parameters.phantoms == 0 and parameters.shapes == 0:
        raise InputError("there is nothing to learn from", "give folders with labelled scans, or phantoms or shapes")
    data = [part.without(left_out) for part in data]
    learned = [name for part in data for name in part.names()]
    if options.data and not learned:
        raise InputError("no scan is left to learn from", "leave out fewer")
    if options.data and sum(len(part.scans) + 2 * len(part.pairs) for part in data) < _LEAST_SCANS:
        raise InputError(f"{len(learned)} scans are too few to learn from", f"give at least {_LEAST_SCANS}")
    material, notes = _material(data, options.spacing, options.skip_bad)
    from deepreg_engine.features.contrast_net import ARCHITECTURE, ContrastNet
    from deepreg_engine.learning.descent_training import train_descent
    from deepreg_engine.methods.device import choose_device
    from deepreg_engine.models.card import ModelCard, read_weights, write_model
    from deepreg_engine.models.store import find_model

    start = None
    if options.start:
        import torch

        model = find_model(options.start)
        start = ContrastNet.from_state({name: torch.from_numpy(array.copy()) for name, array in read_weights(model.path).items()})
    device, described = choose_device(options.device)
    if options.log and not (options.checkpoint and Path(options.checkpoint).exists()):
        Path(options.log).write_text("", encoding="utf-8")
    with Progress() as progress:
        network = train_descent(
            material,
            parameters,
            device=device,
            log=options.log,
            checkpoint=options.checkpoint,
            tell=progress,
            start=start,
            workers=max(0, options.workers),
        )
    sources = f"{len(learned)} labelled scans or pairs: {', '.join(learned)}; " if learned else ""
    card = ModelCard(
        options.name or Path(options.output).stem,
        "descent",
        ARCHITECTURE,
        origin="deepreg-engine train descent",
        licence=options.licence or "",
        training_data=options.about or f"{sources}{parameters.phantoms} phantoms and random shapes in made-up contrasts",
        date=datetime.date.today().isoformat(),
        intended_use="images like those it was trained on",
        settings={**parameters.to_dict(), "spacing_mm": options.spacing},
    )
    write_model(options.output, card, {name: value.numpy() for name, value in network.state_dict().items()})
    for note in notes:
        sys.stdout.write(f"note: {note}\n")
    what = f"{len(learned)} scans or pairs and made-up contrasts" if learned else "made-up contrasts"
    sys.stdout.write(f"trained on {what} ({described}); written: {options.output}\n")


def _material(data: list, spacing: float, skip_bad: bool) -> tuple:
    """What the scans in files show, and notes on those that could not be read."""
    from deepreg_engine.errors import InputError
    from deepreg_engine.learning.descent_training import Material
    from deepreg_engine.learning.labelled_scans import load_scene

    scenes, pairs, notes = [], [], []
    for entry in [entry for part in data for entry in (*part.scans, *part.pairs)]:
        try:
            if isinstance(entry, tuple):
                pairs.append(tuple(load_scene(scan, spacing) for scan in entry))
            else:
                scenes.append(load_scene(entry, spacing))
        except InputError as error:
            if not skip_bad:
                raise
            notes.append(f"not used: {error.line()}")
    if data and not scenes and not pairs:
        raise InputError("no scan could be read", "see above, or leave --skip-bad out to be told of the first")
    return Material(scenes, pairs), notes
