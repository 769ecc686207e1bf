"""Files of a pair of scanners with different origins, for the tests of what is brought along."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk
from scenes import Waves, image_on, itk_map, itk_transform, make_grid, random_points, rotation, smooth_image, voxel_points

from deepreg_engine.geometry.beyond import affine_transform
from deepreg_engine.geometry.points import PointSet, write_points

FIXED = make_grid((26, 22, 17), (2.6, 3.1, 4.0), (21, -14, 33), centre=(31.0, -52.0, 17.0))
MOVING = make_grid((30, 24, 20), (2.4, 2.9, 3.4), (-17, 24, -9), centre=(-160.0, 300.0, 40.0))
ALIGNMENT = np.eye(4)
ALIGNMENT[:3, :3] = rotation(4, -7, 12)
ALIGNMENT[:3, 3] = MOVING.centre - ALIGNMENT[:3, :3] @ FIXED.centre
WAVES = Waves.draw(4, amplitude=2.0, wavelength=70.0)


@pytest.fixture(scope="module", name="folder")
def folder_fixture(tmp_path_factory):
    """Files of a pair of scanners with different origins."""
    folder = tmp_path_factory.mktemp("apply")
    points = voxel_points(FIXED).reshape(-1, 3)
    vectors = itk_map(affine_transform(ALIGNMENT), points + WAVES.at(points)) - points
    transform = itk_transform(np.moveaxis(vectors.reshape(*FIXED.size[::-1], 3), -1, 0), FIXED)
    sitk.WriteImage(sitk.Cast(transform.GetDisplacementField(), sitk.sitkVectorFloat32), str(folder / "t.nrrd"))
    ct = sitk.Cast(smooth_image(MOVING, 1) * 40.0 + 40.0, sitk.sitkInt16)
    fat = voxel_points(MOVING)[..., 2] > MOVING.centre[2] + 20.0
    sitk.WriteImage(image_on(MOVING, np.where(fat, -90, sitk.GetArrayFromImage(ct)).astype(np.int16)), str(folder / "ct.nrrd"))
    sitk.WriteImage(sitk.Cast(sitk.Abs(smooth_image(MOVING, 2)) * 30.0, sitk.sitkFloat32), str(folder / "dose.nrrd"))
    labels = np.zeros(MOVING.size[::-1], np.uint8)
    for label, offset in ((1, 9.0), (5, -9.0)):
        labels[np.linalg.norm(voxel_points(MOVING) - MOVING.centre - (offset, 0.0, 0.0), axis=-1) < 8.0] = label
    segments = image_on(MOVING, labels)
    for number, (value, name, colour) in enumerate(((1, "Liver", "0.8 0.4 0.3"), (5, "Left kidney", "0.7 0.6 0.1"))):
        for key, text in (("ID", f"s{value}"), ("Name", name), ("LabelValue", str(value)), ("Color", colour), ("Layer", "0")):
            segments.SetMetaData(f"Segment{number}_{key}", text)
    sitk.WriteImage(segments, str(folder / "organs.seg.nrrd"))
    sitk.WriteImage(sitk.Resample(segments, image_on(FIXED, np.zeros(FIXED.size[::-1], np.uint8)), transform, sitk.sitkNearestNeighbor) * 1,
                    str(folder / "fixed_organs.nrrd"))  # fmt: skip
    fixed = FIXED.centre + (random_points(FIXED, 3, 12) - FIXED.centre) * 0.5
    write_points(folder / "fixed.csv", PointSet(fixed, tuple(f"fork {n}" for n in range(12))))
    write_points(folder / "moving.csv", PointSet(itk_map(transform, fixed), tuple(f"fork {n}" for n in range(12))))
    curve = {
        "type": "ClosedCurve",
        "coordinateSystem": "RAS",
        "controlPoints": [
            {"label": f"c{n}", "position": (point * (-1, -1, 1)).tolist(), "positionStatus": "defined", "selected": n != 1}
            for n, point in enumerate(itk_map(transform, fixed))
        ],
        "display": {"color": [0.1, 0.9, 0.2]},
        "measurements": [{"name": "length", "value": 3.0}],
    }
    (folder / "curve.mrk.json").write_text(json.dumps({"markups": [curve, {"type": "Fiducial", "controlPoints": []}]}))
    return folder


def transform_of(folder) -> sitk.Transform:
    return sitk.DisplacementFieldTransform(sitk.ReadImage(str(folder / "t.nrrd"), sitk.sitkVectorFloat64))


def blank() -> sitk.Image:
    return image_on(FIXED, np.zeros(FIXED.size[::-1], np.uint8))


def read(path) -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
