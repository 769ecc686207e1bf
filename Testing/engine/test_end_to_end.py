"""Real scans, where they are: known deformations of one scan, two dates of one patient, two people."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from deepreg_engine.geometry.images import read_image, read_labels
from deepreg_engine.methods.common.affine import align
from deepreg_engine.methods.common.image_pair import ImagePair
from deepreg_engine.methods.dense.presets import dense_preset
from deepreg_engine.methods.dense.register import register_dense

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import known_pairs

make_pair = functools.cache(known_pairs.make_pair)


def register(fixed, moving, preset, **changes):
    return register_dense(ImagePair(fixed, moving), dense_preset(preset).parameters.replaced(changes), "cpu")


def aligned(pair):
    """Its images with their affine alignment, for several registrations."""
    return ImagePair(pair.fixed, pair.moving, alignment=align(pair.fixed, pair.moving, "affine"))


def need(*paths):
    """Skip, saying why, unless all of these files are there."""
    missing = [path.name for path in paths if not path.exists()]
    if missing:
        pytest.skip(f"real data without {', '.join(missing)}")
    return paths


def drawn(image, reference, transform, interpolator=sitk.sitkLinear):
    return sitk.GetArrayFromImage(sitk.Resample(image, reference, transform, interpolator))


def mutual_information(first, second):
    """Of a joint histogram with 32 x 32 bins between the percentiles 0.5 and 99.5, nats."""
    held = [np.clip(image.ravel(), *np.percentile(image, [0.5, 99.5])) for image in (first, second)]
    joint = np.histogram2d(*held, bins=32)[0]
    joint /= joint.sum()
    apart = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    return float((joint[joint > 0] * np.log(joint[joint > 0] / apart[joint > 0])).sum())


def dice(first, second):
    return 2.0 * np.count_nonzero(first & second) / (np.count_nonzero(first) + np.count_nonzero(second))


@pytest.mark.parametrize(("scan", "oblique", "limit"), [("example_ct", False, 2.0), ("ct-64", True, 3.0)])
def test_a_known_deformation_of_a_real_scan_is_recovered(shared_data, scan, oblique, limit):
    """Abdomen on its own grid; chest on an oblique, anisotropic grid of another size. About 21 mm before."""
    try:
        pair = make_pair(scan, shared_data, 0, oblique)
    except FileNotFoundError as missing:
        pytest.skip(str(missing))
    assert pair.before() > 15.0
    result = register(pair.fixed, pair.moving, pair.recipe.preset, working_spacing=4.0)  # the preset's 3 mm take twice the time
    assert pair.error(result.field) < limit
    assert (result.field.jacobian_determinant() > 0).all()
    assert result.notes == []


def test_learned_self_similarity_is_finer_than_mind(shared_data):
    """Two contrasts of a head by descent; and a body at the coarse voxels of the quick preview. Both under known deformations."""
    from deepreg_engine.methods.descent.presets import descent_preset
    from deepreg_engine.methods.descent.register import register_descent

    try:
        head, body = make_pair("T2 to T1", shared_data, 0), make_pair("example_ct", shared_data, 0)
    except FileNotFoundError as missing:
        pytest.skip(str(missing))
    preset = descent_preset("brain-mr").parameters
    assert preset.features == "self-similarity"
    coarse = preset.replaced({"working_spacing": 2.2})
    images = aligned(head)
    learned, mind = (
        head.error(register_descent(images, coarse.replaced({"features": name}), "cpu").field) for name in (preset.features, "mind")
    )
    assert learned < 0.97 * mind < 1.5
    quick, images = dense_preset("quick").parameters, aligned(body)
    learned, mind = (
        body.error(register_dense(images, quick.replaced({"refinement_features": name}), "cpu").field) for name in (preset.features, "mind")
    )
    assert learned < 0.9 * mind < 2.5


def test_two_dates_of_one_patient_come_together(shared_data):
    """A brain tumour at two dates, voxels of 5 mm, other contrast."""
    fixed, moving = (read_image(path) for path in need(*(shared_data / "brain" / f"MRBrainTumor{n}.nii.gz" for n in (1, 2))))
    result = register(fixed, moving, "brain-mr")
    reference = sitk.GetArrayFromImage(fixed)
    transforms = sitk.Transform(3, sitk.sitkIdentity), result.alignment.transform, result.field.to_transform()
    before, affine, after = (mutual_information(reference, drawn(moving, fixed, transform)) for transform in transforms)
    assert affine > 1.25 * before
    assert after > 1.25 * before
    correlations = [np.corrcoef(reference.ravel(), drawn(moving, fixed, transform).ravel())[0, 1] for transform in transforms]
    assert correlations[2] > correlations[0] + 0.2
    assert (result.field.jacobian_determinant() > 0).all()


def test_the_livers_of_two_people_come_together(shared_data):
    """Scans that overlap in part, in frames that have nothing in common; measured by labels that the method does not get."""
    folder = shared_data / "abdomen"
    names = ("chaos_ct3_3mm", "example_ct", "chaos_ct3_liver_3mm", "example_seg_fast_force_split")
    paths = need(*(folder / f"{name}.nii.gz" for name in names))
    fixed, moving = (read_image(path) for path in paths[:2])
    livers = read_labels(paths[2]) > 0, read_labels(paths[3]) == 5
    reference = sitk.GetArrayFromImage(livers[0]) > 0
    result = register(fixed, moving, "abdomen-ct")
    affine, after = (
        dice(reference, drawn(livers[1], fixed, transform, sitk.sitkNearestNeighbor) > 0)
        for transform in (result.alignment.transform, result.field.to_transform())
    )
    assert after > 0.70
    assert after > affine + 0.05
    assert (result.field.jacobian_determinant() > 0).all()
