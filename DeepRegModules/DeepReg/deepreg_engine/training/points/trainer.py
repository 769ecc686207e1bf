"""Trainer of the Points method's features: from corresponding keypoints, see :mod:`loss`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from deepreg_engine.errors import ParameterError
from deepreg_engine.features.point_matcher import DYNAMIC, Matcher
from deepreg_engine.progress import Progress
from deepreg_engine.training.base import RunSettings, Trainer, TrainingData, TrainingRequest
from deepreg_engine.training.loop import Optimiser, Selection, TrainingLoop, TrainingResult, deterministic
from deepreg_engine.training.points.examples import Example, PointExamples
from deepreg_engine.training.points.loss import point_loss
from deepreg_engine.training.points.pairs import PointPair, read_point_pairs
from deepreg_engine.training.points.parameters import PointTraining

_LOG_EVERY, _CHECKPOINT_EVERY = 50, 250
# Examples of a validation: the same in each validation.
_VALIDATION, _VALIDATION_SEED = 12, 977_000_000
# Edges of the voxels in which keypoints are given, mm, by default.
_SPACING = (1.0, 1.0, 1.0)


class PointTrainer(Trainer):
    """See :class:`Trainer`."""

    method = "points"
    least_scans = 1
    kind = "pair"

    def find(self, request: TrainingRequest) -> list[tuple[str, PointPair]]:
        return [(pair.name, pair) for pair in read_point_pairs(request.data, _spacing(request))]

    def read(self, entries: Mapping[str, PointPair], request: TrainingRequest, options: PointTraining, progress: Progress) -> TrainingData:
        data = TrainingData()
        for name, pair in entries.items():
            data.add(name, pair, len(pair.fixed), [])
        return data

    def examples(self, items: list[PointPair], options: PointTraining, seed: int) -> PointExamples:
        return PointExamples([pair.nominal() for pair in items], torch.Generator().manual_seed(seed))

    def train(self, data: TrainingData, options: PointTraining, run: RunSettings) -> TrainingResult:
        held_out = data.validation if run.validate else []
        with deterministic(run.device):
            torch.manual_seed(options.seed)
            examples = self.examples(data.training, options, options.seed)
            matcher = Matcher(options.neighbours, options.graph == DYNAMIC).to(run.device)
            optimiser = Optimiser(matcher, options, weight_decay=1e-3, warm_up=0.05)
            parts = {"generator": examples, **optimiser.parts}
            selection = Selection("tre" if held_out else None, higher_is_better=False)
            every = run.checkpoint_every or _CHECKPOINT_EVERY
            loop = TrainingLoop(matcher, options, parts, run.monitor, selection, every, _LOG_EVERY)

            def learn(batch: list[Example]) -> dict[str, float]:
                solve = loop.step >= (1.0 - options.solver_share) * options.steps
                means: dict[str, float] = {}
                for example in batch:
                    value, figures = point_loss(matcher, example.to(run.device), options, solve)
                    (value / options.batch).backward()
                    for name, figure in {"loss": float(value.detach()), **figures}.items():
                        means[name] = means.get(name, 0.0) + figure / options.batch
                optimiser.step()
                return means

            @torch.no_grad()
            def validate() -> dict[str, float]:
                """Return the mean target registration error of the solver, mm at the size of a human body, always over the same
                examples."""
                shown = self.examples(held_out, options, _VALIDATION_SEED)
                found = [point_loss(matcher, shown.draw().to(run.device), options, True)[1]["error"] for _ in range(_VALIDATION)]
                return {"tre": sum(found) / len(found)}

            return loop.fit(_batches(examples, options.batch), learn, validate if held_out else None)

    def architecture(self, options: PointTraining) -> str:
        return "edge-conv"

    def settings(self, data: TrainingData, request: TrainingRequest, options: PointTraining) -> dict[str, Any]:
        return {}

    def trials(self, options: PointTraining, steps: int) -> list[tuple[float, Any]]:
        shares = {0.0: 1.0 - options.solver_share, 1.0: options.solver_share}
        return [(share, options.replaced({"steps": steps, "solver_share": solved})) for solved, share in shares.items() if share > 0.0]


def _batches(examples: PointExamples, size: int) -> Iterator[list[Example]]:
    while True:
        yield [examples.draw() for _ in range(size)]


def _spacing(request: TrainingRequest) -> tuple[float, float, float]:
    """Return the edges of the voxels in which keypoints are given, mm."""
    values = _SPACING if request.spacing is None else request.spacing
    values = tuple(float(value) for value in (values if isinstance(values, (list, tuple)) else (values,) * 3))
    if len(values) != 3 or not all(0 < value < 100 for value in values):
        message = f"spacing {request.spacing} is not three voxel sizes in mm"
        raise ParameterError(message, "give three numbers such as 1.75, 1, 1.25", "spacing")
    return values[0], values[1], values[2]


TRAINER = PointTrainer()
