"""Training of features for the Dense method."""
