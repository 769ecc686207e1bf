"""The Points method: belief propagation and coherent point drift on point clouds."""
