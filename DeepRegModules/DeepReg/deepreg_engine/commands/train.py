"""``train``: learn features from data."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from deepreg_engine.commands.parsing import examples, parameter_table, paragraph
from deepreg_engine.commands.progress import Progress
from deepreg_engine.jobs.outputs import check_outputs, check_suffix
from deepreg_engine.jobs.training import MODALITIES, TrainingRequest, train_to_file
from deepreg_engine.learning.presets import TRAININGS, training_presets
from deepreg_engine.methods.parameters import parse_settings

_ABOUT = {
    "dense": """
Learn features for the Dense method from a few labelled scans, from two on: the probability of each labelled structure at every voxel, which a
network learns to tell; or, with --preset search, features that let the method's search move labels onto labels. Scans are posed, bent and seen
anew each time. Hold some out with --validation: the best of the validations is what is written.
""",
    "points": """
Learn what points look like from corresponding keypoints of pairs of scans: folders or zip files with .csv or .dat files of six columns,
a point's place in one scan and in the other, in voxels. The loss is the error of belief propagation with the features.
""",
    "descent": """
Learn features that look alike in images of different contrast, by supervised descent: the steps that the features make are to be those
that label maps make. Every training sees random shapes and phantoms in made-up contrasts; labelled scans of your own, from four on,
teach it your modalities. No dense truth is needed.
""",
}
_ALL = """
The model is written with a card; the log gets a line of JSON now and then. A training that was stopped goes on from its checkpoint as if it
had not been.
"""
_EXAMPLES = {
    "dense": (
        "phantom abdomen --scans 10 --output scans",
        "train dense scans --modality ct --validation abdomen_0008,abdomen_0009 --output my-ct.safetensors --checkpoint my-ct.ckpt",
        "train dense scans --preset any-contrast --set steps=400 --output any.safetensors --log any.jsonl",
    ),
    "points": (
        "train points l2r_lung_keypoints.zip empire10_keypoints.zip --spacing 1.75,1,1.25 --output my-points.safetensors",
        "train points keypoints --spacing 1,1,1 --leave-out case_007,l2r_exp007 --set steps=500 --output trial.safetensors --log trial.jsonl",
    ),
    "descent": (
        "train descent --output any.safetensors --log any.jsonl --checkpoint any.ckpt",
        "train descent prostate/train --modality other --moving-modality mr --spacing 0.8 --start any-contrast --set steps=1500 "
        "--set rate=1e-3 --output prostate.safetensors",
    ),
}
_HELP = {"dense": "features of the Dense method", "points": "features of the Points method", "descent": "features of the Descent method"}


def add(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    epilog = f"{examples(_EXAMPLES['dense'][1])}\n\nEach method has its page: deepreg-engine train METHOD --help"
    parser = commands.add_parser("train", help="learn features from data", description="Learn features from data.", epilog=epilog)
    parser.set_defaults(parser=parser)
    methods = parser.add_subparsers(title="methods", metavar="<method>", dest="method", required=True)
    for method in _ABOUT:
        _add_method(methods, method)


def _add_method(methods: argparse._SubParsersAction, method: str) -> None:
    recipes = "\n".join(paragraph(f"{name}: {about}", "    ") for name, _, about, _ in training_presets(method))
    epilog = f"{examples(*_EXAMPLES[method])}\n\nrecipes for --preset:\n{recipes}\n\nparameters for --set:\n{parameter_table(TRAININGS[method])}"
    page = methods.add_parser(method, help=_HELP[method], description=paragraph(_ABOUT[method] + _ALL), epilog=epilog)
    if method == "points":
        page.add_argument("data", nargs="+", metavar="DATA", help="folders or zip files with keypoints")
        page.add_argument("--spacing", type=_edges, default=(1.0, 1.0, 1.0), metavar="X,Y,Z", help="mm of a voxel (default: 1,1,1)")
    else:
        none = "; none learns from made-up contrasts alone" if method == "descent" else ""
        page.add_argument("data", nargs="*" if none else "+", metavar="DATA", help=f"folders with labelled scans, or dataset.json{none}")
        page.add_argument("--modality", choices=MODALITIES, default="other", help="of scans whose folder does not say it, and of fixed images")
        page.add_argument("--moving-modality", choices=MODALITIES, default="other", help="of moving images, where scans come in pairs")
        page.add_argument("--skip-bad", action="store_true", help="go on without scans that cannot be read, and name them")
        page.add_argument("--start", metavar="MODEL", help="begin with this model instead of a new one")
        page.add_argument("--workers", type=int, default=1, metavar="N", help="processes that make examples (default: 1)")
    if method == "descent":
        page.add_argument("--spacing", type=float, default=2.0, metavar="MM", help="voxel size at which scans are looked at (default: 2)")
    page.add_argument("--preset", metavar="NAME", default="standard", help="recipe, see below (default: standard)")
    page.add_argument("--validation", metavar="NAMES", help="scans or pairs to validate on, not to learn from, by the names of their files")
    page.add_argument("--leave-out", metavar="NAMES", help="scans or pairs not to use at all")
    page.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change one parameter, see below")
    page.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"), metavar="WHERE", help="auto, cpu or cuda")
    page.add_argument("--name", metavar="NAME", help="of the model (default: the file's)")
    page.add_argument("--licence", metavar="TEXT", help="of the model, for its card")
    page.add_argument("--about", metavar="TEXT", help="what the data are, for the card")
    page.add_argument("--log", metavar="OUT.jsonl", help="training log")
    page.add_argument("--checkpoint", metavar="FILE", help="written now and then; a training goes on from it")
    page.add_argument("--output", required=True, metavar="OUT", help="model file, .safetensors (required)")
    page.set_defaults(run=run, parser=page)


def _edges(text: str) -> tuple[float, float, float]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) != 3 or not all(0 < value < 100 for value in values):
        raise argparse.ArgumentTypeError(f"{text!r} is not three voxel sizes in mm, such as 1.75,1,1.25")
    return values


def run(options: argparse.Namespace) -> None:
    """Train, and write the model."""
    check_suffix("--output", options.output, (".safetensors",))
    check_outputs({"--output": options.output, "--log": options.log, "--checkpoint": options.checkpoint}, options.data)
    parameters = _recipe(options.method, options.preset) | parse_settings(options.set)
    images = options.method != "points"
    request = TrainingRequest(
        method=options.method,
        data=options.data,
        folder=str(Path(options.output).with_suffix("")),
        parameters=parameters,
        name=options.name or Path(options.output).stem,
        about=options.about or "",
        licence=options.licence or "",
        spacing=getattr(options, "spacing", None),
        validation=_names(options.validation),
        leave_out=_names(options.leave_out),
        device=options.device,
        **({"modality": options.modality, "moving_modality": options.moving_modality, "skip_bad": options.skip_bad} if images else {}),
        **({"start": options.start or "", "workers": max(0, options.workers)} if images else {}),
    )
    with Progress() as progress:
        done = train_to_file(request, options.output, options.log, options.checkpoint, progress)
    for note in done["notes"]:
        sys.stdout.write(f"note: {note}\n")
    kind = "pairs" if options.method == "points" else "scans or pairs"
    learned = f"{len(done['learned'])} {kind}" if done["learned"] else ""
    what = " and ".join(part for part in (learned, "made-up contrasts" if options.method == "descent" else "") if part)
    best = f", best {done['best']['figure']} {done['best']['value']:.4g} after {done['best']['step']} steps" if done["best"] else ""
    sys.stdout.write(f"trained on {what} ({done['device']}){best}; written: {options.output}\n")


def _recipe(method: str, name: str) -> dict:
    from deepreg_engine.errors import ParameterError

    recipes = {known: changes for known, _, _, changes in training_presets(method)}
    if name not in recipes:
        raise ParameterError(f"there is no recipe {name!r}", f"there are {', '.join(recipes)}")
    return recipes[name]


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]
