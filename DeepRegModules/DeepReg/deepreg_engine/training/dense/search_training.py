"""Training of features for the Dense method through its search.

Each step registers two scans, or one with itself, by one stage of the method's search; the loss is low where equal labels are aligned
(:mod:`search_loss`). Examples follow from their number and the seed, see :mod:`loop`.
"""

from __future__ import annotations

import torch
from torch import nn

from deepreg_engine.features.context_net import ContextNet
from deepreg_engine.training.base import RunSettings, TrainingData
from deepreg_engine.training.dense.parameters import DenseTraining
from deepreg_engine.training.dense.search_examples import SearchExample, SearchExamples
from deepreg_engine.training.dense.search_loss import label_weights, training_loss
from deepreg_engine.training.example_loader import load_in_order
from deepreg_engine.training.loop import Optimiser, Selection, TrainingLoop, TrainingResult, deterministic, mean_figures

# Examples of a validation.
_VALIDATION = 12
_CHECKPOINT_EVERY = 100


def train_search(
    data: TrainingData, options: DenseTraining, run: RunSettings, examples: SearchExamples, held_out: SearchExamples
) -> TrainingResult:
    """Train a :class:`ContextNet`.

    Args:
        data: scans that are learned from.
        options: parameters of the training.
        run: how it runs.
        examples: of these scans.
        held_out: examples of a validation.

    Raises:
        InputError: if no scan has a label, or the checkpoint belongs to another training.
    """
    weights = label_weights(data).to(run.device)
    with deterministic(run.device):
        torch.manual_seed(options.seed)
        network = (run.start or ContextNet(options.channels, options.width)).to(run.device).train()
        head = nn.Conv3d(network.channels, len(weights), 1).to(run.device)
        optimiser = Optimiser(network, options, weight_decay=1e-3, head=head)
        parts = {"head": head, **optimiser.parts}
        every = run.checkpoint_every or _CHECKPOINT_EVERY
        loop = TrainingLoop(network, options, parts, run.monitor, Selection("dice", True, options.patience), every)

        def learn(example: SearchExample) -> dict[str, float]:
            loss, figures = training_loss(network, head, example.to(run.device), weights, options)
            loss.backward()
            optimiser.step()
            return figures

        @torch.no_grad()
        def validate() -> dict[str, float]:
            """Return the mean Dice of the labels after the search, and mean loss."""
            shown = (held_out[number].to(run.device) for number in range(_VALIDATION))
            return mean_figures(training_loss(network, head, example, weights, options)[1] for example in shown)

        return loop.fit(load_in_order(examples, loop.step, run.workers), learn, validate if run.validate else None)
