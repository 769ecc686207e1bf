"""DeepReg engine: deformable image registration with learned features and explained mathematics.

The package is imported without torch. Modules that compute import it when they are imported themselves, so that a
program which only needs the parameters of a method, or the help of a command, does not wait for it.

Each layer imports only from those below it::

    errors, progress < geometry < solvers < features < models < methods < training, metrics < reporting < jobs < commands < cli, worker
    geometry < phantoms < training, jobs
"""

from importlib import import_module

try:  # written from the git tag when a wheel or the package for Slicer is built
    __version__: str = import_module("deepreg_engine._version").version
except ImportError:  # a checkout
    __version__ = "0.1.0"
