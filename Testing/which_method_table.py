"""Write docs/which_method.md from the table of the automatic choice: python Testing/which_method_table.py

A test compares the page with what this would write.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "DeepRegModules" / "DeepReg"))

from deepreg_engine.methods.which_method import ROWS, Row  # noqa: E402

PAGE = ROOT / "docs" / "which_method.md"
_ABOUT = """# Which method and preset

You need not choose a method: the module Register, the preset *Automatic* (`auto`, the default of each method), and `register FIXED MOVING`
on the command line choose the method and the preset for your images from the table below.

1. Modality, contrast and body part of both images are recognised from DICOM tags if there are any, otherwise from intensities and anatomy.
2. Two CT images, or two MR images, are aligned (affine) and compared at coarse resolution, to decide whether they show one person or
   two, and one contrast or two. If this decision is wrong, the result is less accurate, but usable: each preset also suits
   the pairs of the neighbouring rows, though less well than their own.
3. The row for this kind of pair gives the method and the preset. The lengths of the preset are scaled to the size of what the image
   shows, from a mouse to a whole body.
4. `--quality fast`, `balanced` (the default) or `best`, or a number from 0 to 1, selects the column.

If you choose the method (`register descent`), the row gives the preset of that method. `--task rigid`, `similarity` or
`affine` selects the method
[linear](command_line.md#rigid-similarity-and-affine); with points instead of images, the [Points method](points.md) is used. The
report contains the choice and its reason as
`suggestion`, and the command line prints them.

## The choices

| pair | fast | balanced | best | presets of other methods |
|---|---|---|---|---|
"""
_FIGURES = """
## The figures

The most accurate choice stands first. For one person, a scan was deformed by a known deformation, and the figure is the
mean error over the body in mm (lower is better). For two people, the figure is the mean Dice coefficient
of labels (higher is better). No model was trained on these scans.

This page is written by `python Testing/which_method_table.py` from `deepreg_engine/methods/which_method.py`.
"""


def page() -> str:
    """The text of the page."""
    return _ABOUT + "\n".join(_choices(row) for row in ROWS) + "\n" + _FIGURES + "".join(_figures(row) for row in ROWS)


def _choices(row: Row) -> str:
    others = ", ".join(f"{method} {preset}" for method, preset in row.presets.items())
    return f"| {row.title} | {row.fast.title} | {row.balanced.title} | {row.best.title} | {others} |"


def _figures(row: Row) -> str:
    if not row.figures:
        return f"\n### {row.title}\n\n{row.measured}\n"
    lines = [f"\n### {row.title}\n", f"{row.measured}:\n", f"```\n{row.command}\n```\n", "| method and preset | figure |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {figure} |" for name, figure in row.figures.items())]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
