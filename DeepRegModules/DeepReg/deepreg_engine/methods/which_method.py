"""Which method and preset suits which kind of pair: the table of docs/which_method.md, from which the automatic choice is made. No torch.

Each row is a kind of pair. Its choices are the winners of the figures that stand beside them; ``Testing/benchmarks/which_method.py`` and
the commands that are named compute these. Kinds are recognised in :mod:`deepreg_engine.methods.suggestion`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Choice:
    """A method with its settings.

    Args:
        method, preset: their names.
        parameters: that differ from the preset's.
        options: of the method, see :attr:`Method.options`.
    """

    method: str
    preset: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The choice as it is written in the table."""
        more = [f"{name}={value}" for name, value in {**self.parameters, **self.options}.items()]
        return " ".join((self.method, self.preset, *more))


@dataclass(frozen=True)
class Row:
    """A kind of pair.

    Args:
        name: of the kind.
        title: in the table.
        reason: of the choice, for the user; it follows what both images show.
        best, balanced, fast: by quality.
        presets: of the other methods, by the name of the method, for a user who has chosen the method.
        measured: the pairs of the figures, and what they measure.
        figures: choice (as in :attr:`Choice.title`) to its figure, the winner first.
        command: that computes them; "" where there are none.
    """

    name: str
    title: str
    reason: str
    best: Choice
    balanced: Choice
    fast: Choice
    presets: Mapping[str, str]
    measured: str
    figures: Mapping[str, str]
    command: str

    def choice(self, quality: float) -> Choice:
        """Return the choice for a quality of 0 (fast) to 1 (best)."""
        return self.fast if quality < 1 / 3 else self.balanced if quality < 2 / 3 else self.best


_QUICK = Choice("dense", "quick")

ROWS: tuple[Row, ...] = (
    Row(
        "ct-chest-one",
        "CT of one chest, two breathing states",
        "one person, perhaps in two breathing states",
        Choice("dense", "thorax-ct"),
        Choice("dense", "thorax-ct"),
        _QUICK,
        {"descent": "ct-cbct", "points": "lung", "linear": "affine"},
        "known deformation ct-64 0 of a CT of the chest, oblique, mean error, mm",
        {"dense thorax-ct": "1.12", "dense follow-up-ct": "1.13", "points lung refine=True": "8.66 (without masks of the lungs)"},
        "python Testing/benchmarks/which_method.py --data DATA --kinds ct-chest-one",
    ),
    Row(
        "ct-trunk-one",
        "CT of one trunk at two dates",
        "one person",
        Choice("dense", "follow-up-ct"),
        Choice("dense", "follow-up-ct"),
        _QUICK,
        {"descent": "ct-cbct", "points": "shape", "linear": "affine"},
        "known deformations example_ct 0 and chaos_ct 0 of CT of two trunks, also oblique, mean error, mm",
        {"dense follow-up-ct": "0.76", "dense abdomen-ct": "0.94", "dense quick": "1.27 (not oblique)"},
        "python Testing/benchmarks/pairs.py --data DATA --seeds 0 --oblique --scans example_ct chaos_ct --preset NAME",
    ),
    Row(
        "ct-two",
        "CT of two people",
        "two people, or one person with a different contrast medium or scanner",
        Choice("dense", "abdomen-ct"),
        Choice("dense", "abdomen-ct"),
        _QUICK,
        {"descent": "mr-ct", "points": "shape", "linear": "affine"},
        "liver of two patients, both ways, mean Dice",
        {
            "dense abdomen-ct": "0.875",
            "dense abdomen-ct features=ct-tissue": "0.850",
            "dense abdomen-ct features=self-similarity": "0.835",
            "affine alignment": "0.750",
        },
        "python Testing/benchmarks/pairs.py --data DATA --scans ct-64 --overlap [--set features=NAME]",
    ),
    Row(
        "ct-chest-two",
        "CT of two chests",
        "two people, or one person with a different contrast medium or scanner",
        Choice("dense", "abdomen-ct"),
        Choice("dense", "abdomen-ct"),
        _QUICK,
        {"descent": "mr-ct", "points": "lung", "linear": "affine"},
        "No figures: the choices are those for CT of two people, except that Points takes the preset for lungs",
        {},
        "",
    ),
    Row(
        "mr-head-one",
        "MR of one head, one contrast",
        "one person and one contrast",
        Choice("dense", "brain-mr"),
        Choice("dense", "brain-mr"),
        _QUICK,
        {"descent": "brain-mr", "points": "shape", "linear": "rigid"},
        "known deformation T1 0 of a head, mean error, mm",
        {"dense brain-mr": "0.07", "descent brain-mr features=mind": "0.07", "dense brain-mr features=mind": "0.09"},
        "python Testing/benchmarks/devices.py --data DATA --scans T1",
    ),
    Row(
        "mr-contrasts",
        "MR of heads, two contrasts",
        "two contrasts",
        Choice("descent", "brain-mr"),
        Choice("descent", "brain-mr"),
        Choice("descent", "quick"),
        {"dense": "brain-mr", "points": "shape", "linear": "rigid"},
        "known deformation T2 to T1 0 of one head, oblique, mean error, mm; docs/descent.md has more",
        {"descent brain-mr": "0.28", "dense brain-mr": "0.34", "dense mr-ct": "2.15", "descent mr-ct": "2.35"},
        "python Testing/benchmarks/which_method.py --data DATA --kinds mr-contrasts-one "
        "--methods 'descent brain-mr' 'dense brain-mr' 'dense mr-ct' 'descent mr-ct'",
    ),
    Row(
        "mr-two",
        "MR of two people, one contrast: heads, or crops of them",
        "two people and one contrast",
        Choice("dense", "people-mr"),
        Choice("dense", "people-mr"),
        _QUICK,
        {"descent": "brain-mr", "points": "shape", "linear": "affine"},
        "hippocampi of 40 pairs of people, mean Dice",
        {
            "dense people-mr": "0.777",
            "dense brain-mr": "0.773",
            "dense quick": "0.769",
            "dense abdomen-ct": "0.767",
            "descent brain-mr": "0.734",
        },
        "python Testing/benchmarks/people.py --data DATA --sets hippocampus --ours METHOD...",
    ),
    Row(
        "mr-ct",
        "MR with CT, or other images of two kinds",
        "two modalities",
        Choice("descent", "mr-ct"),
        Choice("descent", "mr-ct"),
        Choice("descent", "quick"),
        {"dense": "mr-ct", "points": "shape", "linear": "affine"},
        "six organs of CT and MR of two people, both ways, mean Dice",
        {
            "descent mr-ct": "0.615",
            "descent mr-ct features=any-contrast": "0.614",
            "descent mr-ct features=self-similarity": "0.602",
            "affine alignment": "0.447",
        },
        "python Testing/benchmarks/contrasts.py --data DATA --parts mr-ct --features mind self-similarity any-contrast",
    ),
    Row(
        "ultrasound",
        "ultrasound with any other image",
        "with ultrasound the centres are aligned, because an alignment by mutual information would fail; check the result",
        Choice("dense", "mr-ct", {"initial": "geometry"}),
        Choice("dense", "mr-ct", {"initial": "geometry"}),
        Choice("dense", "quick", {"initial": "geometry"}),
        {"descent": "mr-ct", "points": "shape", "linear": "rigid"},
        "prostates in MR and ultrasound, four pairs, mean Dice of the gland (0.65 in nine pairs with aligned centres alone)",
        {
            "dense mr-ct initial=geometry": "0.43",
            "descent mr-ct initial=geometry": "0.42 (three pairs)",
            "linear rigid initial=geometry": "0.28",
            "linear rigid": "0.23",
        },
        "python Testing/benchmarks/which_method.py --data DATA --kinds us-mr --pairs 4",
    ),
    Row(
        "other",
        "any other pair",
        "features that suit any contrast, and the largest capture range",
        Choice("dense", "abdomen-ct"),
        Choice("dense", "abdomen-ct"),
        _QUICK,
        {"descent": "mr-ct", "points": "shape", "linear": "affine"},
        "No figures: this is the choice that suits the largest variety of images",
        {},
        "",
    ),
)
