"""Augmentation: random poses, deformations, contrasts and scanners, which all trainings share."""
