"""How good a registration is: landmarks, overlap of labels, regularity of the deformation, and the report of all three."""
