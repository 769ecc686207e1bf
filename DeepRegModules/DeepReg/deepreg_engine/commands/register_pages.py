"""Texts of the help pages of ``register METHOD --help``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Page:
    """Texts of a method's page.

    Args:
        usage: arguments of the command.
        about: description of the method.
        notes: contents of its files.
        examples: command lines.
    """

    usage: tuple[str, ...]
    about: str
    notes: str
    examples: tuple[str, ...]


PAGES = {
    "auto": Page(
        ("[--fixed] F [--moving] M\n--transform OUT [options]", "--fixed-points P --moving-points Q ..."),
        """
        Register MOVING to FIXED with the method and the preset that suit what both images show: their modalities and body parts, and,
        after the alignment, whether they show one person or two, and one contrast or two. "register F M" and "register auto F M" are the
        same.
        """,
        """
        A line reports the choice and its reason, and the report has them as "suggestion". The choices are those of the table of figures in
        docs/which_method.md. --task selects the kind of transform, --quality how much time it may take.
        """,
        (
            "register fixed.nii.gz moving.nii.gz --transform t.nrrd --warped warped.nii.gz",
            "register fixed.nii.gz moving.nii.gz --task rigid --transform t.tfm",
            "register fixed.nii.gz moving.nii.gz --quality fast --transform t.nrrd --report t.json",
        ),
    ),
    "linear": Page(
        ("--fixed F --moving M\n--transform OUT [options]",),
        """
        Register MOVING to FIXED without a deformation: find the rigid, similarity or affine transform with the largest mutual
        information, for images of the same contrast or of two contrasts. Several positions and orientations of the moving image are tried.
        """,
        """
        The result is a linear transform of LPS points in mm, from fixed to moving points. .tfm, .txt, .h5 and .mat hold an ITK affine
        transform, which SimpleITK, ANTs and 3D Slicer read; .nrrd and .nii.gz hold its displacements on the fixed image's grid.
        """,
        (
            "register linear --fixed t1.nii.gz --moving t2.nii.gz --transform t2_to_t1.mat --warped t2_on_t1.nii.gz",
            "register linear --fixed a.nii.gz --moving b.nii.gz --preset affine --transform b_to_a.tfm --report t.json",
            "register linear --fixed a.nii.gz --moving b.nii.gz --preset similarity --initial by_hand.tfm --transform t.h5",
        ),
    ),
    "dense": Page(
        ("--fixed F --moving M\n--transform OUT [options]",),
        """
        Register MOVING to FIXED with the Dense method: features (MIND by default, or those of a network) are compared at control points
        for all displacements up to the capture range; min-convolutions and mean-field inference regularise the costs; the smooth field
        that fits best is then refined on the features, coarse to fine.
        """,
        """
        The result is a displacement field on the fixed image's grid, in LPS mm: it maps a fixed point x to the moving point x + u(x), as
        in ITK's resampling. SimpleITK, ANTs and 3D Slicer read it. Points files are CSV with a header x,y,z in LPS mm, or Slicer's
        .mrk.json and .fcsv with a frame of their own. Files appear only when all of them are complete.
        """,
        (
            "register dense --fixed a.nii.gz --moving b.nii.gz --transform b_to_a.nrrd --warped b_on_a.nii.gz",
            "register dense --fixed mr.nrrd --moving ct.nrrd --preset mr-ct --transform t.h5 --report t.json",
            "register dense --fixed a.nii.gz --moving b.nii.gz --fixed-landmarks a.mrk.json --moving-landmarks b.mrk.json "
            "--set smoothness=20 --set capture_range=40 --transform t.nrrd --inverse t_inverse.nrrd",
        ),
    ),
    "descent": Page(
        ("--fixed F --moving M\n--transform OUT [options]",),
        """
        Register MOVING to FIXED with the Descent method: small, smoothed steps reduce the difference of features that agree between MR
        and CT, or between any two contrasts, coarse to fine. Large displacements are not searched: if the images differ by more than
        some centimetres after the alignment, use register dense.
        """,
        """
        The result is a displacement field on the fixed image's grid, in LPS mm: it maps a fixed point x to the moving point x + u(x), as
        in ITK's resampling. Files appear only when all of them are complete.
        """,
        (
            "register descent --fixed mr.nii.gz --moving ct.nii.gz --transform ct_to_mr.nrrd --warped ct_on_mr.nii.gz",
            "register descent --fixed t1.nii.gz --moving t2.nii.gz --preset brain-mr --transform t.nrrd --report t.json",
            "register descent --fixed mr.nrrd --moving us.nrrd --features prostate.safetensors --set symmetric=true --transform t.nrrd "
            "--warped-colours features.nrrd --iterations steps",
        ),
    ),
    "points": Page(
        ("--fixed-points P --moving-points Q ...", "--fixed F --moving M ..."),
        """
        Register two unordered point clouds, in which many points may have no partner: keypoints, vessels, surfaces, landmarks. Features
        of each point's neighbourhood and belief propagation find partners, coherent point drift refines them, and a smooth deformation
        is fitted. With two images and no points, Förstner keypoints of the images are registered.
        """,
        """
        The result maps a fixed point x to its moving point x + u(x), LPS mm, as in register dense. Without images the field's grid is the
        bounding box of both clouds with a margin of 20 mm (times the length scale). Points files are CSV with a header x,y,z in LPS mm, or
        Slicer's .mrk.json and .fcsv; of a label map the surface or the skeleton is used.
        """,
        (
            "register points --fixed exhale.nii.gz --moving inhale.nii.gz --fixed-mask lungs_e.nii.gz --moving-mask lungs_i.nii.gz "
            "--transform t.nrrd --warped inhale_on_exhale.nii.gz --refine",
            "register points --fixed-points a.csv --moving-points b.csv --warp-points landmarks_a.csv --warped-points landmarks_b.csv",
            "register points --fixed-points vessels_a.nii.gz --moving-points vessels_b.nii.gz --source skeleton --preset shape "
            "--transform t.nrrd",
        ),
    ),
}
