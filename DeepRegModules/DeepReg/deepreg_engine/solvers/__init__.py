"""The mathematics that finds the deformation; every part is a differentiable torch function with one contract.

Cost volumes have the layout (Kz, Ky, Lz, Ly, Lx, Kx): control points K in space, displacement labels L, and the control
points of one row last. So the long loops over labels run over whole rows that are neighbours in memory, and what belongs
to one row (Ky, Kz fixed) stays in the processor's cache through a whole chain of operations.
"""
