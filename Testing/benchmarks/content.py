"""How often the content of an image is right: phantoms of many patients and real scans, each stored in other ways. See docs/benchmarks.md.

python Testing/benchmarks/content.py /path/to/shared/data --patients 8
"""

from __future__ import annotations

import argparse
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from deepreg_engine.content.detection import image_content
from deepreg_engine.geometry.images import read_volume
from deepreg_engine.phantoms import ANATOMIES, make_patient

PARTS = {"abdomen": "abdomen", "thorax": "chest", "brain": "head", "hippocampus": "organ", "prostate": "organ"}
CONTRASTS = {"T1": "t1", "ch2": "t1", "T2": "t2", "FLAIR": "flair"}
MODALITIES = {"example_mr_sm": "mr", "ct-64": "ct", "TestInput": "ct", "3DCT_lung": "ct", "3DCT_lung_baseline_small": "ct"}

Random = np.random.Generator
Truth = tuple[str, str, str]


def stored(image: sitk.Image, array: np.ndarray) -> sitk.Image:
    """Return an array with the geometry of an image."""
    result = sitk.GetImageFromArray(array)
    result.CopyInformation(image)
    return result


def values(image: sitk.Image) -> np.ndarray:
    """Return the voxels (z, y, x) as float64."""
    return sitk.GetArrayFromImage(image).astype(np.float64)


def turned(image: sitk.Image, rng: Random) -> sitk.Image:
    """Return the image, turned by up to 20 degrees about each axis, in its own field of view."""
    middle = image.TransformContinuousIndexToPhysicalPoint([n / 2 for n in image.GetSize()])
    angles = rng.uniform(-0.35, 0.35, 3).tolist()
    lowest = float(values(image).min())
    return sitk.Resample(image, image, sitk.Euler3DTransform(middle, *angles), sitk.sitkLinear, lowest, image.GetPixelID())


def oblique(image: sitk.Image, rng: Random) -> sitk.Image:
    """Return the image with another direction in its header."""
    turn = sitk.Euler3DTransform((0.0, 0.0, 0.0), *rng.uniform(-0.5, 0.5, 3).tolist())
    result = sitk.Image(image)
    axes = np.array(turn.GetMatrix()).reshape(3, 3) @ np.array(image.GetDirection()).reshape(3, 3)
    result.SetDirection(axes.ravel().tolist())
    return result


def reoriented(image: sitk.Image, rng: Random) -> sitk.Image:
    """Return the image with its axes in another order."""
    return sitk.DICOMOrient(image, str(rng.choice(["RAS", "SPL", "AIR", "ILP", "PSR"])))


def flipped(image: sitk.Image, rng: Random) -> sitk.Image:
    """Return the image, mirrored along one axis, under the same header: wrongly stored."""
    return stored(image, np.ascontiguousarray(np.flip(sitk.GetArrayFromImage(image), int(rng.integers(3)))))


def noisy(image: sitk.Image, rng: Random) -> sitk.Image:
    """Return the image with noise of 2 to 4 % of its range."""
    array = values(image)
    width = float(np.subtract(*np.quantile(array, (0.98, 0.02)))) * rng.uniform(0.02, 0.04)
    return stored(image, np.rint(array + rng.normal(0.0, width, array.shape)).astype(np.float32))


def cropped(image: sitk.Image, rng: Random) -> sitk.Image:
    """Return the image without up to 12 % of its voxels at each face."""
    low, high = ([int(share * n) for share, n in zip(rng.uniform(0.0, 0.12, 3), image.GetSize(), strict=True)] for _ in range(2))
    return sitk.RegionOfInterest(image, [n - a - b for n, a, b in zip(image.GetSize(), low, high, strict=True)], low)


def scaled(image: sitk.Image, rng: Random) -> sitk.Image:
    """Return the image of a body that is 12 % smaller to 12 % larger."""
    result = sitk.Image(image)
    result.SetSpacing([float(step * rng.uniform(0.88, 1.12)) for step in image.GetSpacing()])
    return result


def resampled(image: sitk.Image, rng: Random) -> sitk.Image:
    """Return the image with voxels of other lengths, as float32."""
    spacing = [float(np.clip(step * rng.uniform(0.6, 1.8), 0.2, 7.0)) for step in image.GetSpacing()]
    size = [max(8, round(n * old / new)) for n, old, new in zip(image.GetSize(), image.GetSpacing(), spacing, strict=True)]
    lowest, none = float(values(image).min()), sitk.Transform()
    return sitk.Resample(image, size, none, sitk.sitkLinear, image.GetOrigin(), spacing, image.GetDirection(), lowest, sitk.sitkFloat32)


def padded(image: sitk.Image, rng: Random) -> sitk.Image:
    """Return the image with a scanner's padding outside a circle; that of MR is 0."""
    array = values(image)
    y, x = (np.linspace(-1.0, 1.0, n) for n in array.shape[1:])
    outside = x[None] ** 2 + y[:, None] ** 2 > rng.uniform(1.1, 1.5)
    array[:, outside] = float(rng.choice([-2048.0, -3024.0])) if array.min() < -500 else array.min()
    return stored(image, array.astype(np.float32))


def smoothed(image: sitk.Image, rng: Random) -> sitk.Image:
    """Return the image, smoothed by a Gaussian of a voxel."""
    return sitk.DiscreteGaussian(sitk.Cast(image, sitk.sitkFloat32), float(rng.uniform(0.4, 1.2)), 16, 0.01, False)


def shifted(image: sitk.Image, rng: Random) -> sitk.Image:
    """Return the image with another offset and gain, which CT in HU does not survive."""
    gain, offset = float(rng.uniform(0.5, 2.5)), float(rng.choice([-1024.0, -1000.0, -300.0, 100.0, 1024.0]))
    return stored(image, np.rint(gain * values(image) + offset).astype(np.float32))


def windowed(image: sitk.Image, rng: Random) -> sitk.Image:
    """Return the image as 8-bit values of a window for display."""
    array = values(image)
    low, high = (-160.0, 240.0) if array.min() < -500 else np.quantile(array, (0.01, rng.uniform(0.97, 0.995)))
    return stored(image, np.rint(255.0 * np.clip((array - low) / max(high - low, 1e-6), 0.0, 1.0)).astype(np.uint8))


def to_unit(image: sitk.Image, rng: Random) -> sitk.Image:
    """Return the image with its values scaled to 0 to 1."""
    array = values(image)
    return stored(image, ((array - array.min()) / (array.max() - array.min())).astype(np.float32))


#: Geometry and appearance: modality and body part stay what they are. Lost units: the modality may be unknown, but never wrong and certain.
SAME = (turned, oblique, reoriented, flipped, noisy, cropped, scaled, resampled, padded, smoothed)
LOST = (shifted, windowed, to_unit)


def phantoms(first: int, patients: int) -> Iterator[tuple[str, sitk.Image, Truth]]:
    """Yield name, image and truth of the phantoms of some patients."""
    for anatomy in ANATOMIES:
        for modality in ("ct", "mr"):
            contrast = "t1" if (anatomy, modality) == ("brain", "mr") else ""
            for seed in range(first, first + patients):
                image = make_patient(anatomy, seed, modality, 0.5).image
                yield f"phantom {anatomy} {modality} {seed}", image, (modality, PARTS[anatomy], contrast)


def scans(folder: Path, prostates: Path) -> Iterator[tuple[str, sitk.Image, Truth]]:
    """Yield name, image and truth of the real scans."""
    for part in ("abdomen", "thorax", "brain"):
        for path in sorted((folder / part).glob("*.*")):
            name = path.name.partition(".")[0]
            if path.suffix != ".txt" and not any(word in name for word in ("seg", "liver", "mask", "lm-64")):
                modality = "mr" if part == "brain" else MODALITIES.get(name, "ct")
                yield path.name, read_volume(path), (modality, PARTS[part], CONTRASTS.get(name, ""))
    for path in sorted((folder / "hippocampus" / "images").glob("*.nii.gz"))[::10]:
        yield path.name, read_volume(path), ("mr", "organ", "")
    for side, modality in (("fixed_images", "us"), ("moving_images", "mr")):
        for path in sorted(prostates.glob(f"**/{side}/*.nii.gz"))[::3]:
            yield f"{side} {path.name}", read_volume(path), (modality, "organ", "")


def count(found: Counter, name: str, image: sitk.Image, truth: Truth, way: str, shown: bool) -> None:
    """Count whether modality, body part and contrast of one image are right, and whether a wrong one is called certain."""
    content = image_content(image)
    right = content.modality == truth[0], content.body_part == truth[1]
    wrong = (content.modality_certain and not right[0]) or (content.body_part_certain and not right[1])
    found[way, "images"] += 1
    if truth[2]:
        found[way, "heads"] += 1
        found[way, "contrast"] += content.contrast == truth[2]
        found[way, "other contrast"] += content.contrast not in ("", truth[2])
    for key, value in zip(("modality", "body part", "wrong and certain"), (*right, wrong), strict=True):
        found[way, key] += bool(value)
    if shown and (wrong or not all(right)):
        print(f"{way:11s} {name:32s} {content.title()} {'certain' if wrong else ''} {'; '.join(content.reasons)}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of real data")
    parser.add_argument("--patients", type=int, default=4, help="phantoms of each anatomy and modality")
    parser.add_argument("--first", type=int, default=100, help="seed of the first of these")
    parser.add_argument("--seed", type=int, default=0, help="of the random changes")
    parser.add_argument("--show", action="store_true", help="print what is wrong")
    options = parser.parse_args()
    found: Counter = Counter()
    ways: tuple[Callable, ...] = (*SAME, *LOST)
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(options.data / "prostate" / "paired_prostate_mr_trus.tar") as archive:
            archive.extractall(folder, filter="data")
        for number, (name, image, truth) in enumerate([*phantoms(options.first, options.patients), *scans(options.data, Path(folder))]):
            count(found, name, image, truth, "as it is", options.show)
            for place, way in enumerate(ways):
                rng = np.random.default_rng((options.seed, number, place))
                count(found, name, way(image, rng), truth, way.__name__, options.show)
    print("| images | number | modality right | body part right | wrong and certain | heads in MR | contrast right | wrong |")
    print("|---|---|---|---|---|---|---|---|")
    for way in ("as it is", *(each.__name__ for each in ways)):
        number, heads = found[way, "images"], found[way, "heads"]
        shares = [f"{100 * found[way, key] / number:.1f} %" for key in ("modality", "body part", "wrong and certain")]
        shares += [str(heads), *(f"{100 * found[way, key] / heads:.1f} %" for key in ("contrast", "other contrast"))]
        print(f"| {way.replace('_', ' ')} | {number} | {' | '.join(shares)} |")


if __name__ == "__main__":
    main()
