"""Training of features for the Descent method."""
