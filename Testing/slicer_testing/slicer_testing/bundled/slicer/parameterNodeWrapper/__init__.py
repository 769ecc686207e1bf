"""Typed access to a vtkMRMLScriptedModuleNode: ``parameterNodeWrapper``, ``parameterPack`` and their GUI connectors.

The names of this package are those of 3D Slicer, so that a scripted module imports the same names here and in the
application; files that start with an underscore are the host's own, and modules must not import them.
"""

from .default import *
from .guiConnectors import *
from .guiCreation import *
from .parameterPack import *
from .serializers import *
from .types import *
from .util import findFirstAnnotation, getNodeTypes, isNodeOrUnionOfNodes, splitAnnotations, unannotatedType
from .validators import *
from .wrapper import *
