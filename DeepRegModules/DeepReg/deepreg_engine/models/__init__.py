"""Trained weights: their files, their cards and their checksums."""
