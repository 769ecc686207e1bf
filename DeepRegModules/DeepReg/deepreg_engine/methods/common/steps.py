"""Names of the steps of a run, as users see them while it goes on."""

from __future__ import annotations

from collections.abc import Sequence

ALIGNMENT = "alignment"
SEARCHES = ("search", "coarse search", "medium search", "fine search")
REFINEMENTS = ("refinement", "coarse refinement", "medium refinement", "fine refinement")
DEFORMATIONS = ("deformation", "coarse deformation", "medium deformation", "fine deformation")
_TITLE = "step {number} of {count}: {name}"
_ITERATION = "iteration {number} of {count} in {step}"
#: Texts for translators.
TEXTS = (_TITLE, _ITERATION, ALIGNMENT, *SEARCHES, *REFINEMENTS, *DEFORMATIONS)


def graded(names: Sequence[str], count: int) -> list[str]:
    """Return the names of steps that grow finer.

    Args:
        names: of a single step, and of the first, a middle and the last one of several.
        count: number of steps.
    """
    single, coarse, medium, fine = names
    return [single] if count == 1 else [coarse, *[medium] * (count - 2), fine][:count]


class Steps:
    """The steps of a run; the first one is the alignment.

    Args:
        names: of the steps after the alignment, in their order.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = (ALIGNMENT, *names)

    def title(self, number: int) -> str:
        """Return the title of a step; 0 is the alignment."""
        return _TITLE.format(number=number + 1, count=len(self._names), name=self._names[number])

    def iteration(self, number: int, iteration: int, count: int) -> str:
        """Return the title of one of ``count`` iterations, the first of which is 1, of a step."""
        return _ITERATION.format(number=iteration, count=count, step=self.title(number))
