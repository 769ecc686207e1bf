"""A pair for the tests of reports: files on oblique, anisotropic grids, with landmarks, labels and masks."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from scenes import Waves, image_on, itk_map, itk_transform, make_grid, random_points, voxel_points

from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.points import PointSet, write_points
from deepreg_engine.jobs import report as job
from deepreg_engine.jobs.report import ReportRequest, run_report
from deepreg_engine.reporting.planes import planes
from deepreg_engine.reporting.png import data_uri

FIXED = make_grid((36, 30, 20), (2.1, 2.9, 4.3), (9, -7, 14), centre=(31.0, -52.0, 17.0))
MOVING = make_grid((33, 40, 24), (2.7, 2.2, 3.6), (-8, 11, -5), centre=(33.5, -50.0, 15.5))
# Smaller than the fixed image: some landmarks lie outside.
FIELD = make_grid((31, 22, 17), (2.4, 3.3, 4.1), (5, 6, -9), centre=(32.0, -51.0, 18.0))
WAVES = Waves.draw(3, amplitude=2.5, wavelength=90.0)
PERSON = "Zweistein_Kunigunde^1970"
# Void elements of HTML, and elements of drawings.
_VOID = {"meta", "img", "input", "br", "hr", "link"}


@dataclass
class Scene:
    """Files of a pair, and the same in memory."""

    folder: Path
    transform: sitk.Transform
    inverse: sitk.Transform
    landmarks: tuple[np.ndarray, np.ndarray]
    labels: tuple[sitk.Image, sitk.Image]

    def file(self, name: str) -> str:
        return str(self.folder / name)

    def request(self, output: Path, everything: bool = True, **changes: object) -> ReportRequest:
        """A report of the pair; without ``everything`` of the images and the transform alone."""
        given: dict[str, object] = {"fixed": "fixed.nii.gz", "moving": "moving.nrrd", "transform": "t.nrrd"}
        if everything:
            given.update(
                inverse="i.nrrd",
                fixed_landmarks="fixed.csv",
                moving_landmarks="moving.csv",
                fixed_labels="fixed_labels.nii.gz",
                moving_labels="moving_labels.nii.gz",
                run_report="run.json",
            )
        request = {name: self.file(value) for name, value in given.items()}
        if everything:
            request.update(label_names={"1": "liver", "2": "spleen"})
        return ReportRequest(**{**request, "output": str(output), **changes})


def write_scene(folder: Path) -> Scene:
    """Make the pair and write its files."""
    points = voxel_points(FIELD).reshape(-1, 3)
    vectors = np.moveaxis(WAVES.at(points).reshape(*FIELD.size[::-1], 3), -1, 0)
    transform = itk_transform(vectors.astype(np.float32), FIELD)
    # A rough inverse, -u(y), so that the inverse consistency is not 0.
    inverse = itk_transform(
        -np.moveaxis(WAVES.at(voxel_points(MOVING).reshape(-1, 3)).reshape(*MOVING.size[::-1], 3), -1, 0).astype(np.float32), MOVING
    )
    images, labels = [], []
    for grid, moving in ((FIXED, False), (MOVING, True)):
        where = voxel_points(grid).reshape(-1, 3)
        seen = where - WAVES.at(where) if moving else where
        images.append(image_on(grid, _anatomy(seen).reshape(grid.size[::-1]).astype(np.int16)))
        labels.append(image_on(grid, _organs(seen).reshape(grid.size[::-1]).astype(np.uint8)))
    for transform_, name in ((transform, "t.nrrd"), (inverse, "i.nrrd")):
        sitk.WriteImage(sitk.Cast(transform_.GetDisplacementField(), sitk.sitkVectorFloat32), str(folder / name))
    sitk.WriteImage(images[0], str(folder / "fixed.nii.gz"))
    sitk.WriteImage(images[1], str(folder / "moving.nrrd"))
    for side, label in zip(("fixed", "moving"), labels, strict=True):
        sitk.WriteImage(label, str(folder / f"{side}_labels.nii.gz"))
    fixed = random_points(FIXED, 5, 14)
    moving = itk_map(transform, fixed) + np.random.default_rng(1).normal(scale=0.8, size=fixed.shape)
    for side, positions in (("fixed", fixed), ("moving", moving)):
        write_points(folder / f"{side}.csv", PointSet(positions, tuple(f"fork {n}" for n in range(len(positions)))))
    (folder / "run.json").write_text(json.dumps(run_of(folder)), encoding="utf-8")
    return Scene(folder, transform, inverse, (fixed, moving), tuple(labels))


def run_of(folder: Path) -> dict:
    """What a registration of the pair would report."""
    from deepreg_engine.methods.dense.presets import dense_preset

    return {
        "engine": "deepreg-engine 0.1.0",
        "created": "2026-01-02T03:04:05+01:00",
        "method": "dense",
        "preset": "quick",
        "parameters": dense_preset("quick").parameters.to_dict(),
        "inputs": {
            "fixed": {"file": str(folder / "fixed.nii.gz"), "size": list(FIXED.size)},
            "moving": {"file": str(folder / "moving.nrrd")},
        },
        "device": "CPU, 2 threads",
        "features": "mind",
        "alignment": {"kind": "affine", "matrix": np.eye(4).tolist(), "file": None},
        "seconds": {"total": 12.5},
        "notes": [f"the mask {folder / 'mask.nii.gz'} was on another grid and was resampled"],
        "inverse": {"worst_round_trip_mm": 0.31, "mean_round_trip_mm": 0.02},
        "outputs": {"transform": str(folder / "t.nrrd")},
    }


def _anatomy(points: np.ndarray) -> np.ndarray:
    """Something like a CT: a body in air, with an inside."""
    body = np.linalg.norm((points - (31.0, -52.0, 17.0)) / (33.0, 38.0, 60.0), axis=1) < 1.0
    return np.where(body, 40.0 + Waves.draw(8, amplitude=60.0, wavelength=30.0).at(points)[:, 0], -1000.0)


def _organs(points: np.ndarray) -> np.ndarray:
    label = np.zeros(len(points))
    for number, (centre, radius) in enumerate((((22.0, -55.0, 18.0), 14.0), ((42.0, -45.0, 12.0), 9.0)), start=1):
        label[np.linalg.norm(points - centre, axis=1) < radius] = number
    return label


class Page(HTMLParser):
    """A parsed page; parsing fails if it is not well-formed.

    Attributes:
        headings: texts of h1 and h2, each with the text that follows it up to the next.
        figures: ``data-figure`` to the texts of those cells.
        classes: how often each class occurs.
    """

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.headings: list[list[str]] = []
        self.figures: dict[str, list[str]] = {}
        self.classes: dict[str, int] = {}
        self.links: list[str] = []
        self.text = ""
        self._stack: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self._stack == [], self._stack

    def handle_startendtag(self, tag: str, attributes: list) -> None:
        assert any(name in ("svg", "filter") for name, _ in self._stack), tag  # only elements of drawings are self-closing

    def handle_starttag(self, tag: str, attributes: list) -> None:
        values = dict(attributes)
        assert len(values) == len(attributes), (tag, attributes)
        for name in (values.get("class") or "").split():
            self.classes[name] = self.classes.get(name, 0) + 1
        self.links += [value for name, value in values.items() if name in ("src", "href")]
        if tag not in _VOID:
            self._stack.append((tag, values.get("data-figure") or ""))
        if tag in ("h1", "h2"):
            self.headings.append(["", ""])

    def handle_endtag(self, tag: str) -> None:
        assert self._stack, tag
        assert self._stack[-1][0] == tag, (tag, self._stack)
        self._stack.pop()

    def handle_data(self, data: str) -> None:
        tags = [tag for tag, _ in self._stack]
        if not tags:
            assert not data.strip(), data
            return
        if "script" in tags or "style" in tags:
            return
        self.text += data
        if self.headings:
            self.headings[-1][0 if tags[-1] in ("h1", "h2") else 1] += data
        for _, figure in self._stack:
            if figure:
                self.figures.setdefault(figure, []).append(data)


def made(request: ReportRequest) -> tuple[dict, str, Page]:
    """Return the content of a report, its page, and the parsed page."""
    content = run_report(request)
    text = Path(request.output).read_text(encoding="utf-8")
    return content, text, Page(text)


PIXELS = job._PIXELS


@pytest.fixture(scope="module", name="small_pictures")
def small_pictures_fixture():
    """Small pictures in reports; their content is tested elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "_PIXELS", (80,))
        yield


@pytest.fixture(scope="module", name="scene")
def scene_fixture(tmp_path_factory, small_pictures):
    """A pair in a folder whose name is that of a person."""
    folder = tmp_path_factory.mktemp("home") / PERSON
    folder.mkdir()
    return write_scene(folder)


@pytest.fixture(scope="module", name="report")
def report_fixture(scene, tmp_path_factory):
    """The content of a report, its page, its page read, and the folder of its files."""
    folder = tmp_path_factory.mktemp("report")
    request = scene.request(folder / "r.html", json=str(folder / "r.json"), csv=str(folder / "r.csv"))
    return (*made(request), folder)


def blank_views(size, spacing=(2.0, 2.0, 2.0)):
    """Views without anything in them."""
    grid = ImageGrid(size, spacing)
    names = ("before", "after", "checkerboard", "grid", "jacobian", "difference")
    return [
        (plane, {name: data_uri(np.full((*plane.grid.shape[1:], 3), 120, np.uint8)) for name in names})
        for plane in planes(grid, grid.centre, 120)
    ]


def many(content):
    """The same with more landmarks, structures and notes than fit on the page."""
    content = copy.deepcopy(content)
    figures, long = content["figures"], "a name that is longer than any that a sensible person would give to it, "
    inside = [entry for entry in figures["landmarks"]["each"] if entry["after_mm"] is not None]
    figures["landmarks"]["each"] = [
        {**inside[n % len(inside)], "label": f"{n} {long}", "after_mm": float((n * 37) % 300), "outlier": n % 2 == 0} for n in range(300)
    ]
    figures["overlap"]["labels"] = [{**figures["overlap"]["labels"][n % 2], "name": f"{n} {long}"} for n in range(61)]
    figures["overlap"]["only_in_fixed"], figures["overlap"]["only_in_moving"] = [4, 5], [6]
    for side in ("fixed", "moving", "transform"):
        content["inputs"][side]["name"] = 3 * long
    content["inputs"]["with"] = ["landmarks", "labels", "mask", "inverse transform"]
    content["patient"], content["title"], content["notes"] = 2 * long, 3 * long, [6 * long] * 9
    for number, entry in enumerate(content["ratings"]):
        entry["rating"] = ("red", "amber")[number % 2]
    for entry in content["run"]["parameters"]:
        entry["changed"] = True
    content["run"]["model"] = {
        "name": "lung-points",
        "architecture": "edge-conv",
        "origin": "DeepRegModules",
        "licence": "Apache-2.0",
        "training_data": 3 * long,
        "date": "2026-11-26",
        "intended_use": 2 * long,
        "figures": {long: 11.5, "after": 2.8},
        "sha256": "7f4afae7b744671b371670cef1f9d0c0",
    }
    return content
