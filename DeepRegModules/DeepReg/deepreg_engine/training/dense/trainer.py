"""Trainer of the Dense method's features: a segmentation network, or features that are learned through the search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import InputError
from deepreg_engine.features.context_net import ContextNet
from deepreg_engine.features.label_net import LabelNet
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.label_pairs import with_common_values
from deepreg_engine.progress import Progress
from deepreg_engine.training.base import RunSettings, Trainer, TrainingData, TrainingRequest
from deepreg_engine.training.dense.label_examples import LabelExamples
from deepreg_engine.training.dense.label_training import train_labels
from deepreg_engine.training.dense.parameters import DenseTraining
from deepreg_engine.training.dense.scans import make_scan
from deepreg_engine.training.dense.search_examples import SearchExamples
from deepreg_engine.training.dense.search_training import train_search
from deepreg_engine.training.labelled_scans import find_all, read_scan
from deepreg_engine.training.loop import TrainingResult

# Largest number of labels, because the loss gets slow; the rarest are left out.
_MOST_LABELS = 60
# Examples of a validation come from another seed, and are the same in each validation.
_VALIDATION_SEED = 977_000_000
_EXAMPLES = {"label": LabelExamples, "context": SearchExamples}
_TRAIN = {"label": train_labels, "context": train_search}


class DenseTrainer(Trainer):
    """See :class:`Trainer`."""

    method = "dense"
    least_scans = 2

    def find(self, request: TrainingRequest) -> list[tuple[str, Any]]:
        return find_all(request.data, request.modality, request.moving_modality)

    def read(self, entries: Mapping[str, Any], request: TrainingRequest, options: DenseTraining, progress: Progress) -> TrainingData:
        data = TrainingData()
        options.voxel_size(())  # refuses a wrong one before the scans are read
        # The two scans of a pair are used as single scans: any two scans are compared.
        files = {
            name + part: (name, scan)
            for name, entry in entries.items()
            for part, scan in zip(("", " moving"), entry if isinstance(entry, tuple) else (entry,), strict=False)
        }
        images = {}
        for number, (key, (name, scan)) in enumerate(files.items()):
            progress(number / len(files), key)
            try:
                images[key] = read_scan(scan, data.reading)
            except InputError as error:
                data.skip(name, error, request.skip_bad)
        maps = with_common_values({key: labels for key, (_, labels) in images.items()}, data.reading)
        data.labels = _shared_labels(list(maps.values()))
        spacing = options.voxel_size([ImageGrid.of(image) for image, _ in images.values()])
        for key, (image, _) in images.items():
            name, files_of = files[key]
            scan = make_scan(key, image, maps[key], files_of.modality, spacing, data.labels)
            present = [value for number, value in enumerate(data.labels, start=1) if bool((scan.labels == number).any())]
            if not present:
                error = InputError(f"scan {key} has no label inside its image", "leave it out, or check that both have one frame")
                data.skip(name, error, request.skip_bad)
                continue
            data.add(name, scan, int(np.prod(image.GetSize())), present, key)
            data.bytes += scan.image.numel() * 3
        return data

    def read_options(self, options: DenseTraining) -> tuple[Any, ...]:
        return options.network, options.spacing

    def examples(self, items: list[Any], options: DenseTraining, seed: int) -> LabelExamples | SearchExamples:
        return _EXAMPLES[options.network](items, options, seed)

    def train(self, data: TrainingData, options: DenseTraining, run: RunSettings) -> TrainingResult:
        options = options.fitted([scan.grid for scan in data.training])
        held_out = self.examples(data.validation or data.training, options, _VALIDATION_SEED + options.seed)
        return _TRAIN[options.network](data, options, run, self.examples(data.training, options, options.seed), held_out)

    def architecture(self, options: DenseTraining) -> str:
        return f"{options.network}-net"

    def settings(self, data: TrainingData, request: TrainingRequest, options: DenseTraining) -> dict[str, Any]:
        kinds = {scan.modality for scan in data.training}
        # "auto" scales intensities of CT and of other modalities alike, so that one input of the network serves both.
        several = "auto" if "ct" in kinds else "other"
        modality = "ct" if kinds == {"ct"} and options.contrast == 0 else several
        grids = [scan.grid for scan in data.training]
        found: dict[str, Any] = {"spacing_mm": grids[0].spacing[0], "modality": modality}
        return {**found, "size": options.fitted(grids).size} if options.network == "label" else found

    def network_kinds(self) -> dict[str, type]:
        return {"context": ContextNet, "label": LabelNet}


def _shared_labels(maps: list[sitk.Image]) -> list[int]:
    """Return the labels of at least two label maps, or of all if no label is in two; the most frequent ones."""
    found: dict[int, int] = {}
    for labels in maps:
        for value in np.unique(sitk.GetArrayViewFromImage(labels)).tolist():
            if value > 0:
                found[int(value)] = found.get(int(value), 0) + 1
    shared = [value for value, count in found.items() if count > 1] or list(found)
    return sorted(sorted(shared, key=lambda value: -found[value])[:_MOST_LABELS])


TRAINER = DenseTrainer()
