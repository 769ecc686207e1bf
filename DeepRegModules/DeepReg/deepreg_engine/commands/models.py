"""``models``: list, verify and import trained features."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from deepreg_engine.commands.parsing import examples, paragraph
from deepreg_engine.commands.tables import table
from deepreg_engine.errors import InputError, ParameterError
from deepreg_engine.features import registry
from deepreg_engine.jobs.outputs import check_outputs, check_suffix
from deepreg_engine.models.published import import_checkpoint
from deepreg_engine.models.store import find_model, list_models, own_folder, shipped_folder, verify

# Shown for unknown entries of a card.
_UNKNOWN = "?"
_ABOUT = """
The features that register's --features can name: formulas (mind, intensity), and trained networks in .safetensors files, each with
a card that states their origin. Your own models lie in the folder that the environment variable DEEPREG_MODELS names, by default in your
application data folder; --features also accepts a file.
"""

_EXAMPLES = (
    "models list",
    "models verify",
    "models import dense_reg_feat_v01.pth --output obelisk.safetensors",
    "register dense --features obelisk.safetensors --fixed a.nii.gz --moving b.nii.gz --transform t.nrrd",
)
_IMPORT_ABOUT = """
Convert a published checkpoint of PDD-Net's features to a model file. Nothing in it is unpickled or executed: a file that holds anything but
tensors is refused.
"""


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "models", help="list, verify and import features", description=paragraph(_ABOUT), epilog=examples(*_EXAMPLES)
    )
    parser.set_defaults(parser=parser)
    actions = parser.add_subparsers(title="actions", metavar="<action>", dest="action", required=True)
    listing = actions.add_parser("list", help="list all features", description="List all features that --features can name.")
    listing.set_defaults(run=run_list, parser=listing)
    about = "Compare the weights of models with their checksums."
    verifying = actions.add_parser("verify", help="compare the weights with their checksums", description=about)
    verifying.add_argument("model", nargs="?", metavar="MODEL", help="name or file (default: all)")
    verifying.set_defaults(run=run_verify, parser=verifying)
    importing = actions.add_parser(
        "import", help="convert a published .pth to a model file", description=paragraph(_IMPORT_ABOUT), epilog=examples(_EXAMPLES[2])
    )
    importing.add_argument("checkpoint", metavar="FILE.pth", help="weights of Obelisk features")
    importing.add_argument("--regulariser", metavar="FILE.pth", help="weights of the regularisation that go with them")
    importing.add_argument("--name", help="name for --features (default: the output file's)")
    importing.add_argument("--output", required=True, metavar="OUT.safetensors", help="model file to write (required)")
    importing.set_defaults(run=run_import, parser=importing)


def run_list(options: argparse.Namespace) -> None:
    """Print all models."""
    rows = [["name", "features of", "licence", "origin"]]
    for feature in registry.features():
        if not feature.learned:
            rows.append([feature.name, feature.subject, "-", f"{feature.origin}; {feature.intended_use}"])
    for model in list_models():
        card = model.card
        if card is None:
            rows.append([model.path.name, _UNKNOWN, _UNKNOWN, model.problem])
            continue
        feature = registry.find(card.architecture)
        rows.append([card.name, feature.subject if feature else _UNKNOWN, card.licence, card.origin])
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = ["  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]) for row in rows]
    lines.append(f"models of your own: {own_folder()}")
    sys.stdout.write("\n".join(lines) + "\n")


def run_verify(options: argparse.Namespace) -> None:
    """Verify one model, or all.

    Raises:
        InputError: naming the models that cannot be used.
    """
    if options.model and registry.handcrafted(options.model):
        sys.stdout.write(f"{options.model} is a formula: it has no weights\n")
        return
    models = [find_model(options.model)] if options.model else list_models()
    if not models:
        sys.stdout.write(f"no model files in {shipped_folder()} and {own_folder()}\n")
        return
    problems = [verify(model) for model in models]
    rows = [
        [model.card.name if model.card else model.path.name, problem or "whole"] for model, problem in zip(models, problems, strict=True)
    ]
    sys.stdout.write("\n".join(table(rows, head=False)) + "\n")
    bad = [row[0] for row, problem in zip(rows, problems, strict=True) if problem]
    if bad:
        raise InputError(f"{len(bad)} of {len(models)} models cannot be used ({', '.join(bad)})", "get them again, or remove them")


def run_import(options: argparse.Namespace) -> None:
    """Convert a checkpoint to a model file.

    Raises:
        ParameterError: if the name belongs to a formula.
        InputError: if the checkpoint cannot be used.
        OutputError: if the model cannot be written.
    """
    check_suffix("output", options.output, (".safetensors",))
    check_outputs({"output": options.output}, [options.checkpoint, options.regulariser])
    name = options.name or Path(options.output).stem
    if registry.handcrafted(name):
        raise ParameterError(f"the name {name} belongs to a formula", "give the model another name", "name")
    card = import_checkpoint(options.checkpoint, options.output, name, options.regulariser)
    sys.stdout.write(f"written: {options.output} ({card.name}, {card.figures['channels']} channels, sha256 {card.sha256[:12]})\n")
