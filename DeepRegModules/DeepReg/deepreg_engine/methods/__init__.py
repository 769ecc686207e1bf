"""Registration methods: a feature, a solver and their parameters."""
