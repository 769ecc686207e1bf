"""Populations of phantoms: variation of organs and examinations."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from phantom_pairs import array
from scipy import ndimage


def test_patients_of_a_population_differ_in_anatomy_and_posture(tmp_path):
    from command_line import succeed

    from deepreg_engine.phantoms.population import make_volunteer
    from deepreg_engine.training.labelled_scans import find_labelled, read_scan

    text = succeed("phantom", "abdomen", "--scans", 2, "--seed", 6, "--detail", 0.25, "--output", tmp_path / "scans")
    assert "2 scans" in text
    found = find_labelled(tmp_path / "scans")
    assert [scan.name for scan in found.scans] == ["abdomen_0006", "abdomen_0007"]
    assert found.scans[0].modality == "ct"
    (one, labels), (other, _) = (read_scan(scan) for scan in found.scans)
    same = make_volunteer("abdomen", 6, detail=0.25)
    assert np.array_equal(sitk.GetArrayFromImage(one), sitk.GetArrayFromImage(same.image).astype(np.float32))
    # One as it lies in the scanner, one oblique; organs and landmarks of each lie where its image shows them.
    assert one.GetDirection() == tuple(np.eye(3).ravel()) != other.GetDirection()
    lookup = {name: number for number, name in same.label_names.items()}
    distances = sitk.SignedMaurerDistanceMap(labels == lookup["liver"], squaredDistance=False, useImageSpacing=True)
    named = dict(zip(same.landmarks.labels, same.landmarks.positions, strict=True))
    inside = [name for name in named if name.startswith("liver")]
    assert all(distances[distances.TransformPhysicalPointToIndex(named[name])] < 25.0 for name in inside)
    assert len(named) > 5


def test_patients_of_a_population_differ_more_than_those_of_pairs():
    """Volumes of liver and spleen and heights of the kidneys vary about as much as in adults; those of patients in pairs by less."""
    from deepreg_engine.phantoms.abdomen import abdomen
    from deepreg_engine.phantoms.individual import Individual

    seeds = range(24)
    patients = [Individual.draw(seed) for seed in seeds]
    assert Individual.draw(3).liver == patients[3].liver != patients[4].liver

    def spread(values):
        return float(np.std(values) / np.mean(values))

    assert 0.12 < spread([one.liver**3 for one in patients]) < 0.4
    assert 0.25 < spread([one.spleen**3 for one in patients]) < 0.6
    assert 6.0 < np.std([one.kidney_shift[:, 2].mean() for one in patients]) < 20.0
    # The fields of an individual are those of the anatomy: the left kidney's poles are where they were, and higher by the shift.
    usual = abdomen(0)
    shift = np.zeros((2, 3))
    shift[1] = 0.0, 0.0, 17.0
    higher = abdomen(0, Individual(kidney_shift=shift))
    for name, place in usual.landmarks.items():
        moved = np.array(higher.landmarks[name]) - np.array(place)
        assert moved == pytest.approx((0.0, 0.0, 17.0) if name.startswith("left kidney") else (0.0, 0.0, 0.0), abs=1e-9)


def test_settings_of_an_examination():
    """Without contrast medium vessels are as dark as unenhanced blood; noise and the fat in a liver are what was asked for."""
    from deepreg_engine.phantoms.appearance import Setting
    from deepreg_engine.phantoms.scan import build, examine, moving_grid

    model = build("abdomen", 4)
    grid = moving_grid(model, 0.4)
    ids = {name: number for number, name in enumerate(model.labels, start=1)}

    def seen(setting):
        rendering, image = examine(model, grid, "ct", "one", setting=setting)
        liver = ndimage.binary_erosion(rendering.labels == ids["liver"], iterations=2)
        values = array(image).astype(np.float64)
        # The median of the vessel: its wall, and voxels at its edge, are few.
        return np.median(rendering.values[rendering.labels == ids["aorta"]]), values[liver].mean(), (values - rendering.values)[liver].std()

    vessel, liver, noise = seen(Setting(phase=1.0))
    native, _, _ = seen(Setting(phase=0.0))
    assert 120 < vessel < 200
    assert 30 < native < 80
    assert liver - seen(Setting(phase=1.0, fatty=30.0))[1] == pytest.approx(30.0, abs=1.5)
    assert seen(Setting(phase=1.0, noise=3.0))[2] > 1.8 * noise  # the rest of the difference is the blur
