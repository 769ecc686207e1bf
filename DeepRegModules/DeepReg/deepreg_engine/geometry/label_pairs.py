"""Label maps in which a structure has the same value in all; structures with names are paired by name."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.labels import label_numbers
from deepreg_engine.geometry.segments import segment_names, values_by_name

LabelPair = tuple[sitk.Image, sitk.Image]


def joined(fixed: sitk.Image, moving: sitk.Image, notes: list[str] | None = None) -> tuple[LabelPair, dict[int, str]]:
    """Pair the structures of two label maps: by their names if both have names (``.seg.nrrd``), else by their values.

    Args:
        fixed, moving: label maps as they were read.
        notes: receives a note if names and values disagree.

    Returns:
        Both label maps, the moving one with the values of the fixed one; and value to name, empty without names.

    Raises:
        InputError: if both have names and none in common, or a name stands for several segments.
    """
    names, others = (_present(image, segment_names(image)) for image in (fixed, moving))
    if not names or not others:
        return (fixed, moving), names or others
    values = values_by_name(names, "the fixed labels", "fixed_labels")
    moving_values = values_by_name(others, "the moving labels", "moving_labels")
    common = [name for name in values if name in moving_values]
    if not common:
        raise InputError(
            f"the fixed labels ({_listed(names)}) and the moving labels ({_listed(others)}) have no structure of the same name",
            "rename their segments",
            "moving_labels",
        )
    table = _new_values({moving_values[name]: values[name] for name in common}, label_numbers(fixed) | set(names), label_numbers(moving))
    if notes is not None and (disagreement := _disagreement(names, others, table)):
        notes.append(f"the structures were paired by their names: {disagreement}")
    everything = {**{table[value]: name for value, name in others.items()}, **names}
    return (fixed, _renumbered(moving, table)), everything


def with_common_values(maps: Mapping[str, sitk.Image], notes: list[str]) -> dict[str, sitk.Image]:
    """Return the label maps of several scans, in which structures of one name have one value.

    The value of a name is that of the first label map that has it. If a label map has no names, the structures of all are paired by their
    values.

    Args:
        maps: name of the scan to its label map as it was read.
        notes: receives a note if names and values disagree.

    Raises:
        InputError: if a name stands for several segments of a scan.
    """
    names = {scan: _present(image, segment_names(image)) for scan, image in maps.items()}
    changed, values, used = {}, {}, set()
    disagreement = ""
    for scan, image in maps.items():
        own = values_by_name(names[scan], f"the labels of {scan}", "labels")
        table = _new_values({own[name]: values[name] for name in own if name in values}, used, label_numbers(image))
        used |= set(table.values())
        values = {**{name: table[value] for name, value in own.items()}, **values}
        changed[scan] = _renumbered(image, table)
        differing = [value for value in names[scan] if table[value] != value]
        if differing and not disagreement:
            disagreement = f"{names[scan][differing[0]]!r} is {differing[0]} in {scan} and {table[differing[0]]} in the others"
    nameless = [scan for scan, own in names.items() if not own]
    if disagreement and nameless:
        notes.append(f"the structures were paired by their values, because the labels of {nameless[0]} have no names: {disagreement}")
    elif disagreement:
        notes.append(f"the structures were paired by their names: {disagreement}")
    return dict(maps) if nameless else changed


def _present(image: sitk.Image, names: dict[int, str]) -> dict[int, str]:
    """Return the names of the labels that occur."""
    labels = label_numbers(image) if names else set()
    return {value: name for value, name in names.items() if value in labels}


def _listed(names: dict[int, str]) -> str:
    shown = list(names.values())
    return ", ".join(shown[:6]) + (", ..." if len(shown) > 6 else "")


def _new_values(common: dict[int, int], taken: set[int], labels: set[int]) -> dict[int, int]:
    """Return moving value to new value: the value of the fixed structure with the same name; for other structures an unused value."""
    table, used = dict(common), taken | set(common.values())
    for value in sorted(labels - common.keys()):
        table[value] = value if value not in used else max(used | labels | set(table.values())) + 1
        used.add(table[value])
    return table


def _disagreement(names: dict[int, str], others: dict[int, str], table: dict[int, int]) -> str:
    """Return the first structure whose name and value do not agree in both label maps, "" if all do."""
    for value, name in others.items():
        if table[value] == value:
            continue
        if table[value] in names:
            return f"{names[table[value]]!r} is {table[value]} in the fixed and {value} in the moving labels"
        if value in names:
            return f"{value} is {names[value]!r} in the fixed and {name!r} in the moving labels"
    return ""


def _renumbered(image: sitk.Image, table: dict[int, int]) -> sitk.Image:
    """Return a label map with new values, of 32 bits if its own type cannot hold them."""
    if all(old == new for old, new in table.items()):
        return image
    array = sitk.GetArrayViewFromImage(image)
    dtype = array.dtype if max(table.values()) <= np.iinfo(array.dtype).max else np.dtype(np.int32)
    changed = array.astype(dtype)
    for old, new in table.items():
        if old != new:
            changed[array == old] = new
    result = sitk.GetImageFromArray(changed)
    result.CopyInformation(image)
    return result
