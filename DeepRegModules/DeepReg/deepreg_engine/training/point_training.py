"""Training of the point features: the loss is what the solver makes of them.

First a softmax over candidates by the likeness of their features is to point at where each point belongs (a fast start); then belief
propagation runs, unrolled, and the distance of its expected displacements from the truth is added. Hansen and Heinrich, IPMI 2021.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from deepreg_engine.features.point_matcher import Matcher
from deepreg_engine.solvers.belief_propagation import belief_propagation, expected_move, likeliest, marginals
from deepreg_engine.solvers.neighbours import nearest, neighbour_graph
from deepreg_engine.training.course import Chance, Course, Places, Trained, repeatable
from deepreg_engine.training.options import PointTraining
from deepreg_engine.training.point_augmentation import Example, Examples
from deepreg_engine.training.point_pairs import PointPair

# A partner counts as found within this distance, mm: keypoints are not repeated more exactly.
_EXACT = 2.5
# Candidates of the unrolled solver, and the distance at which an error's gradient stops growing, mm.
_SOLVED, _HUBER = 32, 3.0
_LOG_EVERY = 50
# Examples of a validation: always the same.
_VALIDATION, _VALIDATION_SEED = 12, 977_000_000


def loss(matcher: Matcher, example: Example, options: PointTraining, solve: bool) -> tuple[Tensor, dict[str, float]]:
    """Loss of one example, and figures to log."""
    candidates = nearest(example.moved, example.target, options.candidates)
    cost, move = matcher.costs(example.moved, example.target, candidates)
    apart = ((example.target[candidates] - example.truth[:, None]) ** 2).sum(2)
    near = torch.exp(-0.5 * apart / _EXACT**2)
    # A point whose partner was not detected has nothing to point at.
    weight = near.amax(1)
    wanted = near / near.sum(1, keepdim=True).clamp(min=1e-9)
    entropy = torch.special.xlogy(wanted, wanted).sum(1)
    divergence = entropy - (wanted * torch.log_softmax(-cost, 1)).sum(1)
    pointing = (weight * divergence).sum() / weight.sum().clamp(min=1e-6)
    figures = {"pointing": float(pointing.detach())}
    if not solve:
        return pointing, figures
    chosen = likeliest(cost, _SOLVED)
    some = move.gather(1, chosen[..., None].expand(-1, -1, 3))
    edges = neighbour_graph(example.template, 10)
    beliefs = belief_propagation(cost.gather(1, chosen), some, edges, matcher.log_bond.exp(), 4)
    mean, _ = expected_move(marginals(beliefs), some)
    error = (mean - (example.truth - example.moved)).norm(dim=1)
    figures["error"] = float(error.detach().mean())
    robust = torch.where(error < _HUBER, 0.5 * error**2 / _HUBER, error - 0.5 * _HUBER)
    return pointing + 0.3 * robust.mean(), figures


def train_points(
    pairs: list[PointPair],
    options: PointTraining,
    device: torch.device | None = None,
    places: Places | None = None,
    held_out: list[PointPair] | None = None,
    keep_every: int = 250,
) -> Trained:
    """Train point features.

    Args:
        pairs: to learn from.
        options: see :class:`PointTraining`.
        device: where to compute; the CPU by default.
        places: files, and how the training is spoken to.
        held_out: pairs to validate on; the best validation is what it ends with. Without any, it ends with its last step.
        keep_every: steps from one checkpoint, and validation, to the next.

    Raises:
        InputError: if the checkpoint belongs to another training.
    """
    device, places = device or torch.device("cpu"), places or Places()
    with repeatable(device):
        torch.manual_seed(options.seed)
        chance = Chance(options.seed)
        examples = Examples(pairs, chance.generator)
        matcher = Matcher(options.neighbours).to(device)
        optimiser = torch.optim.AdamW(matcher.parameters(), lr=options.rate, weight_decay=1e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.rate, total_steps=options.steps, pct_start=0.05)
        parts = {"network": matcher, "optimiser": optimiser, "schedule": schedule, "chance": chance}
        course = Course(
            options.to_dict(), options.steps, parts, places, keep_every, _LOG_EVERY, "tre" if held_out else None, higher_is_better=False
        )
        while not course.over:
            solve = course.done >= (1.0 - options.solver_share) * options.steps
            means: dict[str, float] = {}
            for _ in range(options.batch):
                value, figures = loss(matcher, examples.draw().to(device), options, solve)
                (value / options.batch).backward()
                for name, figure in {"loss": float(value.detach()), **figures}.items():
                    means[name] = means.get(name, 0.0) + figure / options.batch
            nn.utils.clip_grad_norm_(matcher.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            schedule.step()
            if not course.after(means, (lambda: validate(matcher, held_out, options, device)) if held_out else None):
                break
    return course.result()


@torch.no_grad()
def validate(matcher: Matcher, pairs: list[PointPair], options: PointTraining, device: torch.device) -> dict[str, float]:
    """Mean error of belief propagation with the features, mm, over the same few examples each time: the target registration error."""
    examples = Examples(pairs, torch.Generator().manual_seed(_VALIDATION_SEED))
    found = [loss(matcher, examples.draw().to(device), options, True)[1]["error"] for _ in range(_VALIDATION)]
    return {"tre": sum(found) / len(found)}
