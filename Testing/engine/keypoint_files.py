"""Files of corresponding keypoints of synthetic patients with a known deformation, for trainings of a few small steps."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

SPACING = (1.75, 0.8, 1.25)
TINY = {"steps": 3, "batch": 1, "neighbours": 8, "candidates": 24, "solver_share": 0.5}
SIZE, CENTRE = np.array([60.0, 75.0, 110.0]), 150.0
TURN = Rotation.from_euler("xyz", [25.0, -15.0, 10.0], degrees=True).as_matrix()


def moved(points):
    """Where points (mm) are after breathing: turned about an oblique axis, stretched, and bent by some millimetres."""
    small = Rotation.from_euler("zyx", [4.0, -3.0, 5.0], degrees=True).as_matrix()
    stretched = CENTRE + (points - CENTRE) @ (np.diag([1.05, 0.95, 1.1]) @ small).T + (6.0, -4.0, 9.0)
    return stretched + 5.0 * np.sin(points[:, [1, 2, 0]] / 14.0)


def detected(count, seed):
    """Keypoints of an oblique body, mm."""
    return CENTRE + (np.random.default_rng(seed).uniform(-0.5, 0.5, (count, 3)) * SIZE) @ TURN.T


def write(folder, *patients, scans=()):
    """``case_00N.csv`` of patients, and of some the keypoints that were detected in either scan."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in patients:
        points = detected(100 + 10 * number, number)
        np.savetxt(folder / f"case_{number:03d}.csv", np.concatenate([points, moved(points)], 1) / (SPACING * 2), delimiter=",")
    for number in scans:
        shared, own, other = (detected(count, seed) for count, seed in ((90, number), (30, 50 + number), (40, 70 + number)))
        fixed = np.concatenate([shared, own])
        values = np.concatenate([fixed, moved(fixed)], 1) / (SPACING * 2)
        values.astype("<f4").tofile(folder / f"scan_exp{number:03d}.dat")
        back = np.concatenate([shared, other])
        values = np.concatenate([moved(back), back], 1) / (SPACING * 2)
        values.astype("<f4").tofile(folder / f"scan_insp{number:03d}.dat")
    return folder
