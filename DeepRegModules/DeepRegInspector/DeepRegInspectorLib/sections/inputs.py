"""The inputs: the transform, its volumes, and a transform to compare with."""

from __future__ import annotations

from typing import Any

from deepreg_slicer.provenance import PREFIX
from deepreg_slicer.transforms import interpolateLinearly
from DeepRegInspectorLib.sections.base import Section


class InputsSection(Section):
    """Completes the choice of inputs."""

    name = "inputs"

    def onInputs(self, changed: set[str], former: dict[str, Any]) -> None:
        if changed & {"transform", "fixedVolume", "movingVolume", "otherTransform"}:
            self.context.showStatus("")
        for name in ("transform", "otherTransform", "inverseTransform"):
            transform = getattr(self.node, name)
            if name in changed and transform is not None and transform.GetAttribute(f"{PREFIX}Method"):
                interpolateLinearly(transform)  # transform files have no interpolation mode

    def takeVolumes(self, transform: Any) -> None:
        """Choose the volumes that a transform refers to."""
        roles = {"fixedVolume": transform.GetFixedNodeReferenceRole(), "movingVolume": transform.GetMovingNodeReferenceRole()}
        for name, role in roles.items():
            volume = transform.GetNodeReference(role)
            if volume is not None and volume.IsA("vtkMRMLScalarVolumeNode"):
                setattr(self.node, name, volume)
