"""Qt and CTK as Slicer's Python sees them."""
