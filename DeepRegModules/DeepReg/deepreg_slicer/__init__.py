"""The common library of the DeepReg modules: it connects the scene with the engine, and has the common parts of the panels.

This package is used inside 3D Slicer. It never imports torch, nor anything else that Slicer does not bundle: the engine computes in
a worker process, see :mod:`worker_client`.
"""
