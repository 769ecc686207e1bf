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
