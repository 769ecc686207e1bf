"""Helpers of the trainer's tests: scans with segmentations, and an engine whose answers a test gives."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from test_worker_client import FakeProcess
from world import TURN, add_volume, matrix4

# Oblique and anisotropic, no two sizes alike.
SIZE = (22, 18, 14)
IJK = matrix4(TURN * np.array([2.0, 2.3, 3.1]), (-20.0, -25.0, -18.0))
ORGANS = ("liver", "spleen")


def organs(seed: int = 0, ijk: np.ndarray = IJK) -> np.ndarray:
    """Two boxes that differ a little from seed to seed: 1 and 2, as an array (k, j, i)."""
    labels = np.zeros(SIZE[::-1], dtype=np.uint8)
    shift = seed % 3
    labels[2:7, 3 + shift : 9 + shift, 4:12] = 1
    labels[8:12, 8:14, 10 + shift : 17 + shift] = 2
    return labels


def add_scan(name: str, seed: int = 0, order: tuple[str, ...] = ORGANS, ijk: np.ndarray = IJK, reference: bool = True):
    """A volume with its segmentation; segments stand in the given order."""
    import slicer

    labels = organs(seed, ijk)
    noise = np.random.default_rng(seed).normal(size=labels.shape)
    volume = add_volume(name, (100.0 * labels + 10.0 * noise).astype(np.int16), ijk)
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", f"{name} organs")
    segmentation.CreateDefaultDisplayNodes()
    if reference:
        segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    for title in order:
        segment = segmentation.GetSegmentation().AddEmptySegment("", title)
        slicer.util.updateSegmentBinaryLabelmapFromArray(
            (labels == 1 + ORGANS.index(title)).astype(np.uint8), segmentation, segment, volume
        )
    return volume, segmentation


class FakeEngine(FakeProcess):
    """Answers estimates and imports of models like the engine; a test gives the answers of a training."""

    bad: dict[str, str] = {}
    estimate: dict = {}

    def start(self, scratch: str, mark: str) -> None:
        super().start(scratch, mark)
        import qt

        qt.QTimer.singleShot(0, self.ready)

    def write(self, data: bytes) -> None:
        super().write(data)
        import qt

        qt.QTimer.singleShot(0, lambda request=self.written[-1]: self.answer(request))

    def answer(self, request: dict) -> None:
        if not self.running:
            return
        number, arguments = request["id"], request["arguments"]
        if request["op"] == "train-estimate":
            names = sorted(
                path.name.removesuffix(".nii.gz") for folder in arguments["data"] for path in (Path(folder) / "images").glob("*")
            )
            names = [name for name in names if name not in arguments.get("leave_out", [])]
            self.result(
                number,
                {
                    "seconds": 754.0,
                    "memory": 2.1e9,
                    "free_memory": 8.0e9,
                    "step_seconds": 0.5,
                    "scans": [{"name": name, "voxels": 5544, "labels": [1, 2]} for name in names if name not in self.bad],
                    "bad": [{"name": name, "problem": problem} for name, problem in self.bad.items() if name in names],
                    **self.estimate,
                },
            )
        elif request["op"] == "import-model":
            from deepreg_engine.errors import EngineError
            from deepreg_engine.jobs.operations import import_model

            try:
                self.result(number, import_model(arguments, None))
            except EngineError as error:
                self.says({"id": number, "kind": "error", "code": error.code, "message": error.message, "advice": error.advice})
        elif request["op"] == "cancel":
            self.says({"id": arguments["job"], "kind": "error", "code": "cancelled", "message": "stopped", "advice": ""})

    def result(self, number: str, result: dict) -> None:
        self.says({"id": number, "kind": "result", "result": result})

    # ------------------------------------------------------------ of a training

    @property
    def request(self) -> dict:
        """The latest request of a training or cross-validation."""
        return [request for request in self.written if request["op"] in ("train", "cross-validate")][-1]

    @property
    def folder(self) -> Path:
        return Path(self.request["arguments"]["folder"])

    def learns(self, *lines: dict, state: str = "running") -> None:
        """Some steps are done."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / "log.jsonl", "a", encoding="utf-8") as stream:
            for line in lines:
                stream.write(json.dumps(line) + "\n")
        self.writes(state, lines[-1]["step"] if lines else 0)
        self.says({"id": self.request["id"], "kind": "progress", "fraction": 0.3, "stage": "step 30 of 100", "eta": 70.0})

    def writes(self, state: str, step: int) -> None:
        arguments = self.request["arguments"]
        result = None if state == "running" else {"step": step, "steps": 100}
        content = {"request": arguments, "state": state, "begun": "", "result": result}
        (self.folder / "training.json").write_text(json.dumps(content), encoding="utf-8")

    def ends(self, state: str, step: int, **more) -> None:
        """The training is over; there is a model unless it is paused."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.writes(state, step)
        model = None
        if state in ("finished", "stopped"):
            from deepreg_engine.models.card import ModelCard, write_model

            model = str(self.folder / "model.safetensors")
            arguments = self.request["arguments"]
            write_model(
                model,
                ModelCard(arguments["name"], arguments["method"], "contrast-net", intended_use="a test"),
                {"w": np.ones(3, dtype=np.float32)},
            )
        self.result(
            self.request["id"],
            {"state": state, "model": model, "step": step, "steps": 100, "best": None, "notes": [], "seconds": 61.0, **more},
        )


# ----------------------------------------------------------------------------------------------------------------- panel

LINES = [
    {"step": 10, "steps": 100, "loss": 2.0},
    {"step": 20, "steps": 100, "loss": 1.5, "validation_dice": 0.4},
    {"step": 30, "steps": 100, "loss": 1.2, "validation_dice": 0.3},
]


def estimate(app, hands, widget) -> None:
    hands.click(widget.ui.estimateButton)
    app.wait_for(lambda: not widget.panel.session.preparing, 20, "the estimate")


def begun(app, hands, widget, engine):
    """A training that the engine has begun; the engine."""
    hands.click(widget.ui.startButton)
    app.wait_for(lambda: any(request["op"] == "train" for request in engine().written), 5)
    return engine()


def idle(app, widget) -> None:
    app.wait_for(lambda: widget.panel.run is None and not widget.panel.client.busy, 5, "the end")
    app.process_events()


def cells(table, column: int) -> list[str]:
    return [table.item(row, column).text() for row in range(table.rowCount)]


def select(widget, name: str) -> None:
    table = widget.ui.trainingsTable
    table.setCurrentCell(cells(table, 0).index(name), 0)


def learned_nodes() -> dict[str, int]:
    import slicer

    kinds = (
        "vtkMRMLTableNode",
        "vtkMRMLPlotChartNode",
        "vtkMRMLPlotSeriesNode",
        "vtkMRMLVolumeNode",
        "vtkMRMLTransformNode",
        "vtkMRMLSegmentationNode",
    )
    return {kind: len(slicer.util.getNodesByClass(kind)) for kind in kinds}
