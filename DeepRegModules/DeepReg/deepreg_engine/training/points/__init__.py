"""Training of features for the Points method."""
