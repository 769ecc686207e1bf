"""Installing packages one by one, without some of those that they depend on."""

import importlib
import importlib.metadata
import logging
import shlex
from subprocess import CalledProcessError

import slicer
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from slicer._packagingRequirements import pip_check
from slicer._packagingRuns import _build_pip_args, _executePythonModule, _isSlicerAppAvailable


class SkippingInstallation:
    """Installs each package alone and walks its dependencies, without those that are to be skipped.

    A dependency that fails is passed over with a warning; a requirement of the caller that fails raises.

    :param skip_packages: names of the packages to skip.
    :param constraints: path of a constraints file for pip.
    :param log_fn: called with each message and each line of pip's output.
    """

    def __init__(self, skip_packages, constraints=None, log_fn=None):
        self._skip_set = {canonicalize_name(name) for name in skip_packages}
        self._constraints = constraints
        self._log_fn = log_fn
        self._seen = set()
        self._skipped = []

    def run(self, requirements):
        """Install requirements, given as a list or as one string, and return the requirements that were skipped."""
        for text in shlex.split(requirements) if isinstance(requirements, str) else requirements:
            try:
                requirement = Requirement(text)
            except InvalidRequirement:
                logging.warning("Could not parse requirement: %s", text)
                continue
            self._install(requirement)
        return self._skipped

    def _log(self, message):
        if self._log_fn:
            self._log_fn(message)
        if _isSlicerAppAvailable():
            slicer.app.processEvents()

    def _is_needed(self, requirement):
        """Return True if the package has to be installed; it is the first time that the walk meets it."""
        name = canonicalize_name(requirement.name)
        if name in self._seen:
            return False
        self._seen.add(name)
        if name in self._skip_set:
            self._skipped.append(str(requirement))
            self._log(f"Skipping {requirement.name} (in skip list)")
            return False
        if requirement.marker is not None and not requirement.marker.evaluate():
            return False
        if pip_check(requirement):
            self._log(f"{requirement.name} already satisfied")
            return False
        return True

    def _install(self, requirement):
        if not self._is_needed(requirement):
            return
        self._log(f"Installing {requirement.name}...")
        # The marker has been evaluated, and pip would get it split at its spaces.
        extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
        args = _build_pip_args(f"{requirement.name}{extras}{requirement.specifier}", self._constraints, no_deps=True)
        _executePythonModule("pip", args, blocking=True, logCallback=self._log_fn)

        importlib.invalidate_caches()
        try:
            dependencies = importlib.metadata.requires(requirement.name) or []
        except importlib.metadata.PackageNotFoundError:
            dependencies = []
        # Before the walk, so that an interrupted walk leaves no package that requires the skipped ones.
        if self._skip_set:
            _scrub_metadata(canonicalize_name(requirement.name), self._skip_set)
        for text in dependencies:
            self._install_dependency(text)

    def _install_dependency(self, text):
        try:
            dependency = Requirement(text)
        except InvalidRequirement:
            return
        if dependency.marker is not None and "extra" in str(dependency.marker):
            return
        try:
            self._install(dependency)
        except CalledProcessError:
            logging.warning("Failed to install %s, continuing with remaining dependencies", dependency.name)
            self._log(f"WARNING: Failed to install {dependency.name}")


def _scrub_metadata(package_name, skip_set):
    """Remove ``skip_set`` (canonical names) from the requirements in an installed package's metadata, so that pip no longer misses them."""
    try:
        files = importlib.metadata.distribution(package_name).files or []
    except importlib.metadata.PackageNotFoundError:
        logging.warning("_scrub_metadata: distribution not found for %s", package_name)
        return
    path = next((file.locate() for file in files if file.name == "METADATA"), None)
    if path is None:
        logging.warning("_scrub_metadata: METADATA file not found for %s", package_name)
        return

    def isSkipped(line):
        key, _separator, value = line.partition(": ")
        try:
            return key == "Requires-Dist" and canonicalize_name(Requirement(value.strip()).name) in skip_set
        except InvalidRequirement:
            return False

    # Latin-1 keeps every byte of a file in an unknown encoding.
    with open(path, "r+", encoding="latin-1", newline="") as file:
        lines = file.readlines()
        file.seek(0)
        file.writelines(line for line in lines if not isSkipped(line))
        file.truncate()
