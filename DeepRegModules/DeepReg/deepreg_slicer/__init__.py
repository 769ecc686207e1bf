"""What the DeepReg modules share: between the scene and the engine, and between the user and both.

This package is used inside 3D Slicer. It never imports torch, nor anything else that Slicer does not bundle: the engine computes in
a worker process, see :mod:`worker_client`.
"""
