"""Slice, 3D, table and plot views with Slicer's own displayable managers, and the layout manager that arranges them."""
