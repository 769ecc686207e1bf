"""``features``: write the features of an image."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

import SimpleITK as sitk

from deepreg_engine.commands.parsing import Parser, examples, paragraph
from deepreg_engine.errors import ParameterError
from deepreg_engine.geometry.files import FileGroup
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import IMAGE_SUFFIXES, add_image, check_intensities, read_volume
from deepreg_engine.jobs.outputs import check_outputs, check_suffix
from deepreg_engine.methods.common.parameters import DEVICES
from deepreg_engine.methods.descent.parameters import MODALITIES, SHIPPED_NETWORK, DescentParameters

if TYPE_CHECKING:
    import torch

_ABOUT = """
Write the features of an image as a volume with one channel each, on the grid of the image. With --colours their first three principal
components become red, green and blue. A second image is coloured with the same components, so that similar features have the same colour.
"""
_EXAMPLES = (
    "features --image mr.nii.gz --output mr_features.nrrd",
    "features --image mr.nii.gz --colours mr_colours.nrrd --second ct.nii.gz --second-colours ct_colours.nrrd",
    "features --image a.nrrd --features mind --spacing 1.5 --output a_mind.nii.gz",
)


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    parser: Parser = commands.add_parser(
        "features", help="write the features of an image", description=paragraph(_ABOUT), epilog=examples(*_EXAMPLES)
    )
    parser.add_argument("--image", required=True, metavar="I", help="image (required)")
    parser.add_argument(
        "--modality",
        choices=MODALITIES,
        default="auto",
        metavar="WHAT",
        help=f"modality of the image: {', '.join(MODALITIES)} (default: auto)",
    )
    parser.add_argument("--second", metavar="J", help="another image, for the same colours")
    parser.add_argument(
        "--second-modality", choices=MODALITIES, default="auto", metavar="WHAT", help="modality of the other image (default: auto)"
    )
    default = SHIPPED_NETWORK
    parser.add_argument(
        "--features", default=default, metavar="NAME", help=f"mind, intensity, or a model's name or file (default: {default})"
    )
    parser.add_argument(
        "--spacing", type=_spacing, metavar="MM", help="voxel size at which they are computed (default: the image's finest)"
    )
    about = f"where to compute: {', '.join(DEVICES)} (default: auto)"
    parser.add_argument("--device", default="auto", metavar="WHERE", choices=DEVICES, help=about)
    parser.add_argument("--output", metavar="OUT", help=f"all features, one channel each: {', '.join(IMAGE_SUFFIXES)}")
    parser.add_argument("--colours", metavar="OUT", help="features as colours (RGB)")
    parser.add_argument("--second-colours", metavar="OUT", help="features of the second image, in the same colours")
    parser.set_defaults(run=run, parser=parser)


def _spacing(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.05 <= value <= 50.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a voxel size in mm, 0.05 to 50")
    return value


def _check(options: argparse.Namespace, outputs: dict[str, str | None]) -> None:
    """Check the options before an image is read.

    Raises:
        ParameterError: if options do not fit together.
        OutputError: if an output cannot be written.
    """
    if not any(outputs.values()):
        raise ParameterError("nothing is to be written", "name a file for the features or for their colours", "output")
    if bool(options.second) != bool(options.second_colours):
        missing = "second_colours" if options.second else "second"
        raise ParameterError("a second image and its colours go together", "give both, or none", missing)
    for name, path in outputs.items():
        check_suffix(name, path, IMAGE_SUFFIXES)
    check_outputs(outputs, [options.image, options.second])


def run(options: argparse.Namespace) -> None:
    """Compute the features of one or two images, and write them.

    Raises:
        ParameterError: if no output is given, or a second image is given without a file for its colours.
    """
    outputs = {name: getattr(options, name) for name in ("output", "colours", "second_colours")}
    _check(options, outputs)
    notes: list[str] = []
    images = [check_intensities(read_volume(options.image, notes=notes), "image", options.image)]
    if options.second:
        images.append(check_intensities(read_volume(options.second, "second image", notes), "second image", options.second))
    from deepreg_engine.features.volumes import feature_volume
    from deepreg_engine.methods.common.device import choose_device
    from deepreg_engine.models.store import load_extractors

    device, _ = choose_device(options.device)
    parameters = DescentParameters(features=options.features, fixed_modality=options.modality, moving_modality=options.second_modality)
    extractors = load_extractors(parameters)
    found = [
        feature_volume(image, extractor, options.spacing or min(image.GetSpacing()), device)
        for image, extractor in zip(images, extractors, strict=False)
    ]
    _write(options, images, found)
    sys.stderr.write("".join(f"note: {note}\n" for note in notes))
    shape = "x".join(str(n) for n in images[0].GetSize())
    sys.stdout.write(f"{found[0][0].shape[0]} features of {shape} voxels ({extractors[0].name})\n")
    sys.stdout.write("written: " + "  ".join(path for path in outputs.values() if path) + "\n")


def _write(options: argparse.Namespace, images: list[sitk.Image], found: list[tuple[torch.Tensor, ImageGrid]]) -> None:
    """Write the features of the first image, and the colours of both, on the grids of the images."""
    from deepreg_engine.features.colours import make_palette
    from deepreg_engine.features.volumes import on_grid

    with FileGroup() as files:
        if options.output:
            volume, grid = found[0]
            add_image(files, options.output, on_grid(volume.float(), grid, ImageGrid.of(images[0])))
        if options.colours or options.second_colours:
            palette = make_palette(*(volume for volume, _ in found))
            for (volume, grid), image, path in zip(found, images, (options.colours, options.second_colours), strict=False):
                if path:
                    add_image(files, path, on_grid(palette(volume), grid, ImageGrid.of(image)))
