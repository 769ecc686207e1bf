"""``train``: learn features from data."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from deepreg_engine.commands.parsing import examples, paragraph
from deepreg_engine.commands.progress import ProgressBar, clock
from deepreg_engine.commands.training_options import LEARNED, add_data, add_recipe, make_request, recipe_tables
from deepreg_engine.errors import ParameterError
from deepreg_engine.jobs.outputs import check_outputs, check_suffix
from deepreg_engine.jobs.training import TrainingRequest, estimate_training, made_up_of, train_to_file

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
that label maps make. A training sees random shapes and phantoms in made-up contrasts (the recipe tissue: made-up people in CT); labelled scans of your own, from four on,
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


def add(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    epilog = f"{examples(_EXAMPLES['dense'][1])}\n\nEach method has its page: deepreg-engine train METHOD --help"
    parser = commands.add_parser("train", help="learn features from data", description="Learn features from data.", epilog=epilog)
    parser.set_defaults(parser=parser)
    methods = parser.add_subparsers(title="methods", metavar="<method>", dest="method", required=True)
    for method in _ABOUT:
        _add_method(methods, method)


def _add_method(methods: argparse._SubParsersAction, method: str) -> None:
    epilog = f"{examples(*_EXAMPLES[method])}\n\n{recipe_tables(method)}"
    page = methods.add_parser(method, help=LEARNED[method], description=paragraph(_ABOUT[method] + _ALL), epilog=epilog)
    add_data(page, method, optional=method == "descent")
    add_recipe(page)
    page.add_argument("--validation", metavar="NAMES", help="scans or pairs to validate on, not to learn from, by the names of their files")
    page.add_argument("--name", metavar="NAME", help="of the model (default: the file's)")
    page.add_argument("--licence", metavar="TEXT", help="of the model, for its card")
    page.add_argument("--about", metavar="TEXT", help="what the data are, for the card")
    page.add_argument("--log", metavar="OUT.jsonl", help="training log")
    page.add_argument("--checkpoint", metavar="FILE", help="written now and then; a training goes on from it")
    page.add_argument("--output", metavar="OUT", help="model file, .safetensors (required, but for an estimate)")
    page.add_argument("--estimate", action="store_true", help="look at the scans, try a few steps, say what a training will take, and stop")
    page.set_defaults(run=run, parser=page)


def run(options: argparse.Namespace) -> None:
    """Train and write the model, or say what that will take."""
    if options.estimate:
        _estimate(options)
        return
    if not options.output:
        raise ParameterError("a training needs --output", "name the model's file, .safetensors")
    check_suffix("--output", options.output, (".safetensors",))
    check_outputs({"--output": options.output, "--log": options.log, "--checkpoint": options.checkpoint}, options.data)
    output = Path(options.output)
    request = make_request(TrainingRequest, options, folder=str(output.with_suffix("")), name=options.name or output.stem)
    with ProgressBar() as progress:
        done = train_to_file(request, options.output, options.log, options.checkpoint, progress)
    for note in done["notes"]:
        sys.stdout.write(f"note: {note}\n")
    kind = "pairs" if options.method == "points" else "scans or pairs"
    learned = f"{len(done['learned'])} {kind}" if done["learned"] else ""
    what = " and ".join(part for part in (learned, made_up_of(request.options()) if options.method == "descent" else "") if part)
    best = f", best {done['best']['figure']} {done['best']['value']:.4g} after {done['best']['step']} steps" if done["best"] else ""
    taken = f"in {_time(done['seconds'])}{_of_device(done['device_memory'])}"
    sys.stdout.write(f"trained on {what} ({done['device']}) {taken}{best}; written: {options.output}\n")


def _estimate(options: argparse.Namespace) -> None:
    request = make_request(TrainingRequest, options, folder="")
    with ProgressBar() as progress:
        found = estimate_training(request, progress)
    for bad in found["bad"]:
        sys.stdout.write(f"cannot be used: {bad['problem']}\n")
    there = _of_device(found["device_memory"], found["free_device_memory"])
    memory = f"{found['memory'] / 1e9:.1f} GB of memory ({found['free_memory'] / 1e9:.1f} GB free){there}"
    scans = found["entries"] - len(found["bad"])
    what = f"{scans} scans or pairs, " if scans else ""
    each = f"{found['steps']} steps of {found['step_seconds']:.2g} s"
    sys.stdout.write(f"{what}{each}: about {_time(found['seconds'])} on {found['device']}, {memory}\n")


def _time(seconds: float) -> str:
    text = clock(seconds)
    return f"{text} min" if ":" in text else text


def _of_device(taken: int | None, free: int | None = None) -> str:
    """A GPU's memory in words; "" without one."""
    if taken is None:
        return ""
    return f", {taken / 1e9:.1f} GB of the GPU's memory" + (f" ({free / 1e9:.1f} GB free)" if free is not None else "")
