"""Training of the features: data, losses and loops."""
