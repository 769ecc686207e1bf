"""A host for scripted Slicer modules without the Slicer application: scene, logics, views, and the Qt classes that modules use.

import slicer_testing
host = slicer_testing.start()
panel = host.load_module("path/to/MyModule.py").widgetRepresentation()

Within a real application, :func:`start` returns that application with the same interface (:mod:`slicer_testing.backend`).
"""

from slicer_testing.backend import inside_application

if not inside_application():
    from slicer_testing.pythonqt.enumerations import patch_all

    # Before any dictionary with enumerators as keys is made, since this changes their hashes to those of their integers.
    patch_all()

from slicer_testing.host import Host
from slicer_testing.starting import start

__all__ = ["Host", "start"]
__version__ = "0.1.0"
