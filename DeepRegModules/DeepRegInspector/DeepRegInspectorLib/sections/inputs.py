"""What is inspected: the transform, the volumes it is between, and a transform to compare with."""

from __future__ import annotations

from typing import Any

from deepreg_slicer.provenance import PREFIX
from deepreg_slicer.transforms import interpolateLinearly
from DeepRegInspectorLib.sections.base import Section


class InputsSection(Section):
    """Completes what is chosen."""

    name = "inputs"

    def onInputs(self, changed: set[str], former: dict[str, Any]) -> None:
        if changed & {"transform", "fixedVolume", "movingVolume", "otherTransform"}:
            self.context.say("")
        for name in ("transform", "otherTransform", "inverseTransform"):
            transform = getattr(self.node, name)
            if name in changed and transform is not None and transform.GetAttribute(f"{PREFIX}Method"):
                interpolateLinearly(transform)  # a file does not say so

    def takeVolumes(self, transform: Any) -> None:
        """Choose the volumes that a transform says it is between."""
        roles = {"fixedVolume": transform.GetFixedNodeReferenceRole(), "movingVolume": transform.GetMovingNodeReferenceRole()}
        for name, role in roles.items():
            volume = transform.GetNodeReference(role)
            if volume is not None and volume.IsA("vtkMRMLScalarVolumeNode"):
                setattr(self.node, name, volume)
