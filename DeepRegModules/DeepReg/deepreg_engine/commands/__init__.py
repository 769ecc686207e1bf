"""The commands of the command line, one a file; :mod:`deepreg_engine.cli` puts them together.

Each has ``add(commands)``, which describes it to argparse, and ``run(options)``, which does it. Nothing here imports torch at
file scope: help pages and errors appear at once.
"""
