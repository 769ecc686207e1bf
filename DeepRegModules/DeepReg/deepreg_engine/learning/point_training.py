"""Training of the point features: the loss is what the solver makes of them.

First a softmax over candidates by the likeness of their features is to point at where each point belongs (a fast start); then belief
propagation runs, unrolled, and the distance of its expected displacements from the truth is added. Hansen and Heinrich, IPMI 2021.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from deepreg_engine.features.point_matcher import Matcher
from deepreg_engine.learning.options import PointTraining
from deepreg_engine.learning.point_augmentation import Example, Examples
from deepreg_engine.learning.point_pairs import PointPair
from deepreg_engine.solvers.belief_propagation import belief_propagation, expected_move, likeliest, marginals
from deepreg_engine.solvers.neighbours import nearest, neighbour_graph

# A partner counts as found within this distance, mm: keypoints are not repeated more exactly.
_EXACT = 2.5
# Candidates of the unrolled solver, and the distance at which an error's gradient stops growing, mm.
_SOLVED, _HUBER = 32, 3.0


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
    device: torch.device,
    log: str | os.PathLike | None = None,
    tell: Callable[[float, str], None] = lambda share, stage: None,
) -> Matcher:
    """Train point features.

    Args:
        pairs: to learn from.
        options: see :class:`PointTraining`.
        device: where to compute.
        log: file that gets one JSON line every 50 steps.
        tell: called with the share done and a line; it may raise to stop.

    Returns:
        The trained matcher, on the CPU, in evaluation mode.
    """
    with _repeatable(device):
        torch.manual_seed(options.seed)
        examples = Examples(pairs, torch.Generator().manual_seed(options.seed))
        matcher = Matcher(options.neighbours).to(device)
        optimiser = torch.optim.AdamW(matcher.parameters(), lr=options.rate, weight_decay=1e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.rate, total_steps=options.steps, pct_start=0.05)
        begun, sums, counted = time.perf_counter(), {}, 0
        for step in range(options.steps):
            solve = step >= (1.0 - options.solver_share) * options.steps
            for _ in range(options.batch):
                value, figures = loss(matcher, examples.draw().to(device), options, solve)
                (value / options.batch).backward()
                sums = {name: sums.get(name, 0.0) + figure for name, figure in figures.items()}
                counted += 1
            nn.utils.clip_grad_norm_(matcher.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            schedule.step()
            if (step + 1) % 50 == 0 or step + 1 == options.steps:
                line = {"step": step + 1, **{name: round(total / counted, 4) for name, total in sums.items()}}
                line |= {"seconds": round(time.perf_counter() - begun, 1)}
                if log is not None:
                    with open(Path(log), "a", encoding="utf-8") as stream:
                        stream.write(json.dumps(line) + "\n")
                tell((step + 1) / options.steps, ", ".join(f"{name} {number:g}" for name, number in line.items() if name != "seconds"))
                sums, counted = {}, 0
    return matcher.cpu().eval()


@contextlib.contextmanager
def _repeatable(device: torch.device) -> Iterator[None]:
    """Sums of gradients in a fixed order: on a CPU, threads would add them as they come. (CUDA has no such mode for all that is needed.)"""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(before or device.type == "cpu")
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
