"""Whole tasks from files to files: read, check, compute, write together, report. The command line and the worker call them."""
