"""The list of chosen scans: scans of the scene, or of a folder that an estimate has read."""

from __future__ import annotations

from typing import Any, Protocol

from DeepRegTrainerLib.preparing import Prepared
from DeepRegTrainerLib.scans import NONE, FolderRoles, Row, SceneScan, SceneScans, structures

# Ending of the engine's name of the second scan of a pair: the pair is used as a whole.
_MOVING = " moving"


class _Choices(Protocol):
    node: Any

    @property
    def inFolder(self) -> bool: ...


class ChosenScans:
    """Lists scans, their roles and their problems.

    Args:
        choices: the parameter set, and whether its scans are in a folder.

    Attributes:
        problems: key of a scan to its problem, as the last estimate found.
    """

    def __init__(self, choices: _Choices) -> None:
        self._choices = choices
        self.problems: dict[str, str] = {}
        self._listed: tuple[str, dict[str, str]] = ("", {})

    @property
    def _roles(self) -> SceneScans | FolderRoles:
        mrml = self._choices.node.parameterNode
        return FolderRoles(mrml) if self._choices.inFolder else SceneScans(mrml)

    def used(self) -> list[SceneScan]:
        """Return the scans of the scene that are used."""
        return [scan for scan in SceneScans(self._choices.node.parameterNode).all() if scan.role != NONE]

    def setRoles(self, roles: dict[str, str]) -> None:
        """Give scans their roles, key to role."""
        self._roles.setRoles(roles)

    def rows(self) -> list[Row]:
        """Return one row of the table for each scan."""
        roles = self._roles
        if isinstance(roles, FolderRoles):
            return [Row(name, name, roles.of(name), labels, self.problems.get(name, "")) for name, labels in self._known().items()]
        return [
            Row(scan.key, scan.name, scan.role, structures(scan.labels), scan.problem or self.problems.get(scan.key, ""))
            for scan in roles.all()
        ]

    def _known(self) -> dict[str, str]:
        """Return the scans that an estimate has found in the chosen folder, with their labels."""
        folder, known = self._listed
        return known if folder == self._choices.node.folder else {}

    def take(self, prepared: Prepared) -> None:
        """Keep the names and problems of scans that an estimate has found."""
        bad = prepared.bad()
        if prepared.exported is not None:
            keys = {name: key for key, name in prepared.exported.files.items()}
            self.problems = {**prepared.exported.problems, **{keys[name]: problem for name, problem in bad.items() if name in keys}}
            return
        known, found = self._known(), prepared.estimate.get("scans") or []
        names = {str(scan["name"]) for scan in found}
        seen = {
            str(scan["name"]): ", ".join(map(str, scan.get("labels") or []))
            for scan in found
            if str(scan["name"]).removesuffix(_MOVING) not in names or not str(scan["name"]).endswith(_MOVING)
        }
        self._listed = (self._choices.node.folder, {**known, **seen, **{name: known.get(name, "") for name in bad}})
        self.problems = bad
