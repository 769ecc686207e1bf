"""Grids, displacement fields, points and frames, which all other packages use. Physical space is LPS, in millimetres."""
