"""The Dense method: discrete search over dense displacements, then Gauss-Newton refinement."""
