"""Declarations of the inputs and outputs of a registration. No torch.

The options of the command line, the arguments of the worker, the files of a registration, the fields of a panel's parameter node, its
rows, the nodes of results and the tables of the documentation are derived from them. A new input or output needs one :class:`Slot` here;
an output also needs one function that computes it (:mod:`deepreg_engine.jobs.results`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

#: Contents of a file, which determine its suffixes.
KINDS = (
    "image", "mask", "labels", "points", "cloud", "transform", "linear", "map", "colours", "table", "names", "picture", "report", "folder",
)  # fmt: skip
#: Purpose of a slot: input of the registration, guide, evaluation, transformation by the result, or output.
ROLES = ("register", "guide", "evaluate", "apply", "output")
LINEAR, DENSE, POINTS, DESCENT = "linear", "dense", "points", "descent"
#: The method that is chosen after the images have been read; until then it has the slots of all methods.
AUTOMATIC = "auto"
_ALL, _IMAGES = (LINEAR, DENSE, POINTS, DESCENT), (LINEAR, DENSE, DESCENT)
_DEFORMABLE = (DENSE, POINTS, DESCENT)
_LINEAR_CLASS = "vtkMRMLLinearTransformNode"


@dataclass(frozen=True)
class Slot:
    """One input or output of a registration.

    Args:
        name: in Python, in the worker's arguments and in reports; with hyphens, the option of the command line.
        kind: one of :data:`KINDS`.
        role: one of :data:`ROLES`.
        title: in a panel and in messages.
        help: one line for help pages and tool tips.
        methods: that have it.
        required: methods whose command line requires it.
        partner: the slot that must be given with it.
        alone_for: outputs for which it may be given without its partner.
        grid: "fixed" or "moving", the image whose grid it has; "" for its own grid or none.
        node: name of the output in Slicer: a parameter node has ``<node>Output`` and ``<node>Wanted``; of an input, its field there.
        node_name: of a new node; ``{fixed}``, ``{moving}`` and ``{labels}`` are the names of the inputs.
        node_class: MRML class of a new node; "" if it depends on the input.
        by_default: whether the output is selected in a new panel.
    """

    name: str
    kind: str
    role: str
    title: str
    help: str
    methods: tuple[str, ...] = _ALL
    required: tuple[str, ...] = ()
    partner: str = ""
    alone_for: tuple[str, ...] = ()
    grid: str = ""
    node: str = ""
    node_name: str = ""
    node_class: str = ""
    by_default: bool = False

    @property
    def is_output(self) -> bool:
        """Whether the registration writes it."""
        return self.role == "output"

    @property
    def option(self) -> str:
        """The option of the command line."""
        return f"--{self.name.replace('_', '-')}"

    def class_for(self, method: str) -> str:
        """Return the MRML class of a new node of a method, whose transforms are linear if it is the method "linear"."""
        return _LINEAR_CLASS if method == LINEAR and self.kind == "transform" else self.node_class


_GRID, _VOLUME, _MODEL = "vtkMRMLGridTransformNode", "vtkMRMLScalarVolumeNode", "vtkMRMLModelNode"
_COLOUR_VOLUME = "vtkMRMLVectorVolumeNode"

SLOTS: tuple[Slot, ...] = (
    # ------------------------------------------------------------------------------------------------ what is registered
    Slot("fixed_points", "cloud", "register", "Fixed points",
         "reference points: a list of points, or a label map whose surface or skeleton is used", (POINTS,), partner="moving_points",
         node="fixedPoints"),
    Slot("moving_points", "cloud", "register", "Moving points", "points that are registered to the fixed points, in any order", (POINTS,),
         partner="fixed_points", node="movingPoints"),
    Slot("fixed", "image", "register", "Fixed volume",
         "reference image, whose grid the results have: NIfTI, NRRD, MetaImage or a DICOM folder", required=_IMAGES,
         partner="moving", node="fixedVolume"),
    Slot("moving", "image", "register", "Moving volume", "image that is deformed onto the fixed image", required=_IMAGES,
         partner="fixed", node="movingVolume"),
    Slot("fixed_mask", "mask", "register", "Fixed mask",
         "use only voxels of the fixed image where this is not 0; keypoints are detected there", grid="fixed", node="fixedMask"),
    Slot("moving_mask", "mask", "register", "Moving mask", "use only voxels of the moving image where this is not 0", grid="moving",
         node="movingMask"),
    Slot("fixed_landmarks", "points", "guide", "Fixed guide landmarks", "landmarks that guide the registration", (DENSE,),
         partner="moving_landmarks", node="guideFixed"),
    Slot("moving_landmarks", "points", "guide", "Moving guide landmarks", "the corresponding landmarks, in the same order", (DENSE,),
         partner="fixed_landmarks", node="guideMoving"),
    # --------------------------------------------------------------------------------------------- what measures the result
    Slot("test_fixed_landmarks", "points", "evaluate", "Fixed check landmarks",
         "landmarks that do not influence the result: target registration error before and after", partner="test_moving_landmarks",
         node="testFixed"),
    Slot("test_moving_landmarks", "points", "evaluate", "Moving check landmarks", "the corresponding landmarks, in the same order",
         partner="test_fixed_landmarks", node="testMoving"),
    Slot("fixed_labels", "labels", "evaluate", "Fixed segmentation",
         "label map: Dice, 95 % Hausdorff distance and mean surface distance before and after", partner="moving_labels",
         node="fixedLabels"),
    Slot("moving_labels", "labels", "evaluate", "Moving segmentation", "label map with the same label values, or to be warped",
         partner="fixed_labels", alone_for=("warped_labels", "structures"), node="movingLabels"),
    Slot("label_names", "names", "evaluate", "Names of the labels", 'names of the labels: {"1": "liver", ...}'),
    Slot("warp_points", "points", "apply", "Points to transform", "points of the fixed side that the result transforms", (POINTS,),
         partner="warped_points"),
    # ---------------------------------------------------------------------------------------------------------------- results
    Slot("transform", "transform", "output", "Transform",
         "transform from fixed to moving points: a displacement field, or of the method linear a linear transform", required=_IMAGES,
         grid="fixed",
         node="transform", node_name="{moving} to {fixed}", node_class=_GRID, by_default=True),
    Slot("alignment_transform", "linear", "output", "Alignment alone",
         "the linear part of the transform: shift, rotation, scales and shear", _DEFORMABLE, grid="fixed",
         node="alignment", node_name="Alignment of {moving} to {fixed}", node_class=_LINEAR_CLASS),
    Slot("deformation", "transform", "output", "Deformation alone",
         "the displacement field beyond the alignment; the transform is the deformation, followed by the alignment", _DEFORMABLE,
         grid="fixed", node="deformation", node_name="Deformation of {moving} to {fixed}", node_class=_GRID),
    Slot("warped", "image", "output", "Warped volume", "moving image on the fixed image's grid", partner="moving", grid="fixed",
         node="volume", node_name="{moving} warped", node_class=_VOLUME, by_default=True),
    Slot("correspondences", "table", "output", "Correspondences",
         "each fixed point, its moved position, its partner and its confidence", (POINTS,), node="correspondences",
         node_name="Correspondences of {moving} with {fixed}", node_class=_MODEL, by_default=True),
    Slot("fixed_keypoints", "points", "output", "Fixed points", "the fixed points that were registered", (POINTS,), node="fixedCloud",
         node_name="Points of {fixed}", node_class=_MODEL, by_default=True),
    Slot("moving_keypoints", "points", "output", "Moving points", "the moving points that were registered", (POINTS,), node="movingCloud",
         node_name="Points of {moving}", node_class=_MODEL, by_default=True),
    Slot("inverse", "transform", "output", "Inverse transform", "the inverse field, with its error in the report", grid="moving",
         node="inverse", node_name="{fixed} to {moving}", node_class=_GRID),
    Slot("warped_labels", "labels", "output", "Warped segmentation", "moving labels on the fixed image's grid", partner="moving_labels",
         grid="fixed", node="labels", node_name="{labels} warped"),
    Slot("structures", "table", "output", "Contour table",
         "for each structure of the moving segmentation: volume before and after, shift, Jacobian, and Dice where the fixed one has it",
         partner="moving_labels"),
    Slot("jacobian", "map", "output", "Jacobian map",
         "local change of volume beyond the alignment: 1 without a change, 0 or less at a fold", grid="fixed",
         node="jacobian", node_name="Jacobian of {moving} to {fixed}", node_class=_VOLUME),
    Slot("magnitude", "map", "output", "Displacement map",
         "length of the displacement beyond the alignment at each voxel, mm", grid="fixed",
         node="magnitude", node_name="Displacement of {moving} to {fixed}", node_class=_VOLUME),
    Slot("uncertainty", "map", "output", "Uncertainty map", "standard deviation of the displacement in the last search, mm", (DENSE,),
         grid="fixed", node="uncertainty", node_name="Uncertainty of {moving} to {fixed}", node_class=_VOLUME),
    Slot("expected_error", "map", "output", "Expected error map",
         "length, mm, below which 90 % of the errors are expected at each voxel", (DENSE, POINTS), grid="fixed", node="expectedError",
         node_name="Expected error of {moving} to {fixed}", node_class=_VOLUME),
    Slot("warped_points", "points", "output", "Transformed points", "the points of warp_points, transformed by the result", (POINTS,),
         partner="warp_points"),
    Slot("moved_points", "points", "output", "Moved points", "the fixed points transformed by the result", (POINTS,)),
    Slot("fixed_colours", "colours", "output", "Fixed features", "features of the fixed image as colours (RGB)", (DESCENT,),
         grid="fixed", node="fixedFeatures", node_name="Features of {fixed}", node_class=_COLOUR_VOLUME),
    Slot("moving_colours", "colours", "output", "Moving features", "features of the moving image, in the same colours",
         (DESCENT,), grid="moving", node="movingFeatures", node_name="Features of {moving}", node_class=_COLOUR_VOLUME),
    Slot("warped_colours", "colours", "output", "Warped features", "features of the moving image on the fixed image's grid",
         (DESCENT,), grid="fixed", node="warpedFeatures", node_name="Features of {moving} warped", node_class=_COLOUR_VOLUME),
    Slot("iterations", "folder", "output", "Iterations", "displacement fields of some iterations, which show the convergence",
         (DESCENT,), node="iterations", node_name="{moving} to {fixed} iterations", node_class="vtkMRMLSequenceNode"),
    Slot("overview", "picture", "output", "Overview",
         "picture of the images before and after, the deformed grid and the difference (needs matplotlib)",
         partner="moving"),
    Slot("report", "report", "output", "Report", "parameters, inputs, times and all measurements"),
)  # fmt: skip

_BY_NAME = {slot.name: slot for slot in SLOTS}


def slot(name: str) -> Slot:
    """Return the slot of that name.

    Raises:
        KeyError: if there is none.
    """
    return _BY_NAME[name]


def slots(method: str = "", roles: Iterable[str] = ROLES, kinds: Iterable[str] = KINDS) -> list[Slot]:
    """Return the slots of a method, or of all methods ("" or "auto"), with one of the roles and kinds, in the order of display."""
    roles, kinds = tuple(roles), tuple(kinds)
    return [each for each in SLOTS if method in ("", AUTOMATIC, *each.methods) and each.role in roles and each.kind in kinds]


def inputs(method: str = "") -> list[Slot]:
    """Return all slots that a method reads."""
    return [each for each in slots(method) if not each.is_output]


def outputs(method: str = "") -> list[Slot]:
    """Return all slots that a method writes."""
    return slots(method, ("output",))
