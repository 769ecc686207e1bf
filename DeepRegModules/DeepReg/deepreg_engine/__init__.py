"""DeepReg engine: deformable image registration with learned features and explained mathematics.

The package is imported without torch. Modules that compute import it when they are imported themselves, so that a
program which only wants the parameters of a method, or the help of a command, does not wait for it.

Floors, from the ground; a floor imports only from below::

    errors < geometry < features, solvers < models < methods < metrics, phantoms, training < cli, worker
"""

__version__ = "0.1.0"
