"""The Linear method: rigid, similarity and affine registration."""
