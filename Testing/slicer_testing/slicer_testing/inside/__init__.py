"""The fixtures over a real application: pytest runs in its Python, and uses its scene, widgets, views and dialogs."""
