"""Several segments at once: both lungs, all lobes, both kidneys."""

from __future__ import annotations

import re
from typing import Any

from slicer.i18n import tr as _

from deepreg_slicer.labels import segmentNames
from deepreg_slicer.segment_selector import SegmentChooser

_GROUP = "group:"
# Words for a position, not for a structure.
_PLACES = {"left", "right", "upper", "lower", "middle", "anterior", "posterior", "superior", "inferior", "segment", "with", "from"}


def groups(node: Any) -> list[tuple[str, str]]:
    """Return the groups of segments whose names share a word, such as left lung and right lung: ID and title of each group."""
    names = segmentNames(node)
    words: dict[str, int] = {}
    for _id, name in names:
        for word in _words(name):
            words[word] = words.get(word, 0) + 1
    shared = [(word, count) for word, count in words.items() if 1 < count < len(names)]
    return [(_GROUP + word, _("{word} ({count} segments)").format(word=word, count=count)) for word, count in shared]


def chosen(node: Any, choice: str) -> str | list[str]:
    """Return the IDs of the segments of a group; other IDs, and groups without segments, are returned unchanged."""
    if not choice.startswith(_GROUP):
        return choice
    return [segmentId for segmentId, name in segmentNames(node) if choice[len(_GROUP) :] in _words(name)] or choice


def _words(name: str) -> set[str]:
    return {word for word in re.findall(r"[^\W\d_]{4,}", name.lower()) if word not in _PLACES}


class SegmentsChooser(SegmentChooser):
    """Offers groups of segments too."""

    def offered(self, node: Any) -> list[tuple[str, str]]:
        every, *single = super().offered(node)
        return [every, *groups(node), *single]
