"""The training loop: complete checkpoints, a log without gaps, the best weights, early stopping, and kills at any moment."""

from __future__ import annotations

import itertools
import json
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

import pytest
import torch

from deepreg_engine.errors import InputError
from deepreg_engine.methods.common.parameters import Parameters, parameter
from deepreg_engine.training.augmentation.draws import RandomDraws
from deepreg_engine.training.loop import Monitor, Selection, TrainingLoop


@dataclass(frozen=True)
class Options(Parameters):
    """Parameters of a tiny training."""

    steps: int = parameter(20, "steps")
    size: int = parameter(3, "an option that older checkpoints do not have")


def learner(folder, steps=20, command=lambda: "", figure="score", patience=0, size=3):
    """A tiny training: one weight with random gradients."""
    torch.manual_seed(0)
    network = torch.nn.Linear(1, 1, bias=False)
    optimiser = torch.optim.SGD(network.parameters(), 0.1, momentum=0.9)
    generator = RandomDraws(torch.Generator().manual_seed(3))
    monitor = Monitor(folder / "log.jsonl", folder / "checkpoint.pt", command=command)
    parts = {"optimiser": optimiser, "generator": generator}
    selection = Selection(figure, patience=patience)
    loop = TrainingLoop(network, Options(steps, size), parts, monitor, selection, checkpoint_every=2, log_every=1)
    return network, optimiser, generator, loop


def walk(network, optimiser, generator, loop, score):
    """Train until the end; returns the loop."""

    def learn(number):
        (network.weight * torch.randn(1, generator=generator.generator)).sum().backward()
        optimiser.step()
        optimiser.zero_grad()
        return {"loss": float(network.weight.detach())} | ({"rare": 5.0} if number % 3 == 0 else {})

    loop.fit(itertools.count(loop.step), learn, lambda: {"score": score(loop.step)})
    return loop


def test_the_best_of_the_validations_is_kept(tmp_path):
    parts = learner(tmp_path)
    seen = {}

    def score(done):
        seen[done] = float(parts[0].weight.detach())
        return -abs(done - 8)

    loop = walk(*parts, score)
    assert loop.best.to_dict() == {"step": 8, "figure": "score", "value": 0.0}
    assert loop.state == "finished"
    loop.result()
    assert float(parts[0].weight.detach()) == pytest.approx(seen[8])
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 21))
    assert lines[7]["validation_score"] == 0.0
    assert all(line["rare"] == 5.0 for line in lines if "rare" in line)
    assert sum("rare" in line for line in lines) == 7


def test_it_ends_early_when_nothing_gets_better(tmp_path):
    loop = walk(*learner(tmp_path, patience=3), lambda done: -done)
    assert loop.step == 8
    assert loop.state == "finished"
    assert loop.best.step == 2
    assert learner(tmp_path, patience=3)[3].complete


@pytest.mark.parametrize("word", ["pause", "stop"])
def test_asked_to_pause_or_stop_it_keeps_a_checkpoint_first(tmp_path, word):
    whole = walk(*learner(tmp_path / "..", figure=None), lambda done: 0.0)
    (tmp_path / "part").mkdir()
    network, *_ = parts = learner(tmp_path / "part", command=iter([""] * 6 + [word]).__next__, figure=None)
    loop = walk(*parts, lambda done: 0.0)
    assert loop.step == 7
    assert loop.state == {"pause": "paused", "stop": "stopped"}[word]
    network, *_, loop = parts = learner(tmp_path / "part", figure=None)
    assert loop.step == 7
    walk(*parts, lambda done: 0.0)
    assert torch.equal(network.weight, whole.result().network.weight)
    steps = [json.loads(line)["step"] for line in (tmp_path / "part" / "log.jsonl").read_text().splitlines()]
    assert steps == list(range(1, 21))


def test_a_foreign_or_damaged_checkpoint_is_refused(tmp_path):
    walk(*learner(tmp_path), lambda done: 0.0)
    with pytest.raises(InputError, match="other options"):
        learner(tmp_path, steps=30)
    with pytest.raises(InputError, match="other options"):
        learner(tmp_path, size=4)
    (tmp_path / "checkpoint.pt").write_bytes(b"PK\x03\x04 no")
    with pytest.raises(InputError, match="no checkpoint"):
        learner(tmp_path)


def test_a_checkpoint_of_an_earlier_version_is_resumed(tmp_path):
    """It lacks options that came later, and names the random number generator otherwise."""
    whole = walk(*learner(tmp_path, figure=None), lambda done: 0.0).result().network.weight
    (tmp_path / "old").mkdir()
    walk(*learner(tmp_path / "old", command=iter([""] * 4 + ["pause"]).__next__, figure=None), lambda done: 0.0)
    path = tmp_path / "old" / "checkpoint.pt"
    state = torch.load(path, weights_only=True)
    del state["options"]["size"]
    state["parts"]["random"] = state["parts"].pop("generator")
    torch.save(state, path)
    parts = learner(tmp_path / "old", figure=None)
    assert parts[-1].step == 5
    assert torch.equal(walk(*parts, lambda done: 0.0).result().network.weight, whole)


CHILD = """
import sys
sys.path[:0] = {paths!r}
from pathlib import Path
from test_training_loop import learner, walk
walk(*learner(Path(sys.argv[1]), steps=100000, figure=None), lambda done: 0.0)
"""


def test_killed_at_any_moment_it_goes_on_from_a_whole_checkpoint(tmp_path):
    """The training is killed without a warning while it writes checkpoints as fast as it can."""
    from pathlib import Path

    import deepreg_engine

    paths = [str(Path(__file__).parent), str(Path(deepreg_engine.__file__).parents[1])]
    delay, done = random.Random(0), 0
    for _ in range(3):
        child = subprocess.Popen([sys.executable, "-c", CHILD.format(paths=paths), str(tmp_path)])
        deadline = time.monotonic() + 60
        before = (tmp_path / "checkpoint.pt").stat().st_mtime_ns if done else 0
        while time.monotonic() < deadline and not (
            (tmp_path / "checkpoint.pt").exists() and (tmp_path / "checkpoint.pt").stat().st_mtime_ns > before
        ):
            time.sleep(0.01)
        time.sleep(delay.uniform(0.0, 0.3))
        child.send_signal(signal.SIGKILL)
        child.wait()
        *_, loop = learner(tmp_path, steps=100000, figure=None)
        assert loop.step > done
        done = loop.step
        steps = [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
        assert steps == list(range(1, done + 1))
