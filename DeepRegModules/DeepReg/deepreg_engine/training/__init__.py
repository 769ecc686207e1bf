"""Training of features: data, augmentation, losses and the training loop."""
