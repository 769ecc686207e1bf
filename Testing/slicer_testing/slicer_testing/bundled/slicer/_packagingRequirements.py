"""Python requirements: read from files, from arguments, and checked against what is installed."""

import importlib.metadata
import shlex
import tomllib

from packaging.markers import default_environment
from packaging.requirements import InvalidRequirement, Requirement


def load_requirements(path):
    """Return the requirements listed in a requirements.txt, without comments and pip options (``-r``, ``--index-url`` ...)."""
    with open(path) as file:
        lines = [line.strip() for line in file]
    return [Requirement(line) for line in lines if line and line[0] not in "#-"]


def load_pyproject_dependencies(path):
    """Return the requirements under ``[project] dependencies`` of a pyproject.toml.

    :raises KeyError: if the file has no table ``[project]``.
    """
    with open(path, "rb") as file:
        tables = tomllib.load(file)
    if "project" not in tables:
        raise KeyError(f"pyproject.toml has no [project] table: {path}")
    return [Requirement(dependency) for dependency in tables["project"].get("dependencies", [])]


def _to_requirements(requirements):
    """Return a list of Requirement objects from a string, a Requirement, or a list of both."""
    if isinstance(requirements, Requirement):
        return [requirements]
    if isinstance(requirements, list):
        return [Requirement(item) if isinstance(item, str) else item for item in requirements]
    if not isinstance(requirements, str):
        raise TypeError(f"Expected str, Requirement, or list, got {type(requirements).__name__}")
    # One requirement may hold spaces itself ("name; sys_platform == 'win32'"), so it is tried before splitting.
    try:
        return [Requirement(requirements)]
    except InvalidRequirement:
        return [Requirement(item) for item in requirements.split()]


def _to_arguments(requirements, function):
    """Return a list of command-line arguments from a string in shell notation or a list."""
    if isinstance(requirements, str):
        return shlex.split(requirements)
    if isinstance(requirements, list):
        return list(requirements)
    raise ValueError(f"{function} requirement input must be string or list")


def pip_check(req, _seen=None):
    """Return True if the requirements are satisfied.

    A requirement whose marker does not apply here counts as satisfied. For ``name[extra]`` the dependencies of the extra are
    checked as well.

    :param req: string (several requirements separated by spaces), Requirement, or list of both.
    """
    seen = set() if _seen is None else _seen
    return all(_is_satisfied(requirement, seen) for requirement in _to_requirements(req))


def _is_satisfied(requirement, seen):
    if requirement.marker is not None and not requirement.marker.evaluate(default_environment()):
        return True
    # Extras may depend on each other in a cycle.
    key = (requirement.name.lower(), frozenset(requirement.extras))
    if key in seen:
        return True
    seen.add(key)
    try:
        installed = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return False
    if installed not in requirement.specifier:
        return False
    return all(_is_satisfied(dependency, seen) for dependency in _dependencies_of_extras(requirement))


def _dependencies_of_extras(requirement):
    """Return the dependencies of the extras of a requirement, without the markers that name the extras."""
    environment = default_environment()
    found = []
    for text in (importlib.metadata.requires(requirement.name) or []) if requirement.extras else []:
        dependency = Requirement(text)
        marker, dependency.marker = dependency.marker, None
        if marker is not None and any(marker.evaluate({**environment, "extra": extra}) for extra in requirement.extras):
            found.append(dependency)
    return found
