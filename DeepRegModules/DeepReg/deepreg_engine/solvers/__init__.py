"""Solvers that compute the deformation from features or points. All are differentiable torch functions on arrays of common layouts.

Cost volumes have the layout (Kz, Ky, Lz, Ly, Lx, Kx): control points K in space, displacement labels L, and the control
points of one row last. Loops over labels therefore read contiguous rows of memory, and the data of one row (Ky, Kz fixed) stay in the
processor's cache during several operations.
"""
