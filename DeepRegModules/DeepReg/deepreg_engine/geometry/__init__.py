"""Grids, displacement fields, points and frames: the ground floor. Physical space is LPS, in millimetres."""
