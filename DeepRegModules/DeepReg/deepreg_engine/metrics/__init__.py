"""Measures of a registration: errors of landmarks, overlap of labels, regularity of the deformation, inverse consistency."""
