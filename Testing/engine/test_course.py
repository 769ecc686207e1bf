"""The course of a training: checkpoints that are whole, a log without gaps, the best kept, and kills at any moment."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time

import pytest
import torch

from deepreg_engine.errors import InputError
from deepreg_engine.training.course import Chance, Course, Places


def learner(folder, steps=20, asked=lambda: "", figure="score", **settings):
    """A tiny training: one weight that walks by chance."""
    torch.manual_seed(0)
    network = torch.nn.Linear(1, 1, bias=False)
    optimiser = torch.optim.SGD(network.parameters(), 0.1, momentum=0.9)
    chance = Chance(3)
    places = Places(folder / "log.jsonl", folder / "checkpoint.pt", asked=asked)
    course = Course(
        {"steps": steps},
        steps,
        {"network": network, "optimiser": optimiser, "chance": chance},
        places,
        keep_every=2,
        log_every=1,
        figure=figure,
        **settings,
    )
    return network, optimiser, chance, course


def walk(network, optimiser, chance, course, score):
    """Until it ends."""
    while not course.over:
        (network.weight * torch.randn(1, generator=chance.generator)).sum().backward()
        optimiser.step()
        optimiser.zero_grad()
        figures = {"loss": float(network.weight.detach())}
        if course.done % 3 == 0:
            figures["rare"] = 5.0
        if not course.after(figures, lambda: {"score": score(course.done)}):
            break
    return course


def test_the_best_of_the_validations_is_kept(tmp_path):
    parts = learner(tmp_path)
    seen = {}

    def score(done):
        seen[done] = float(parts[0].weight.detach())
        return -abs(done - 8)

    course = walk(*parts, score)
    assert course.best.to_dict() == {"step": 8, "figure": "score", "value": 0.0}
    assert course.state == "finished"
    course.settle()
    assert float(parts[0].weight.detach()) == pytest.approx(seen[8])
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 21))
    assert lines[7]["validation_score"] == 0.0
    assert all(line["rare"] == 5.0 for line in lines if "rare" in line)
    assert sum("rare" in line for line in lines) == 7


def test_it_ends_early_when_nothing_gets_better(tmp_path):
    course = walk(*learner(tmp_path, patience=3), lambda done: -done)
    assert course.done == 8
    assert course.state == "finished"
    assert course.best.step == 2
    assert learner(tmp_path, patience=3)[3].over


@pytest.mark.parametrize("word", ["pause", "stop"])
def test_asked_to_pause_or_stop_it_keeps_a_checkpoint_first(tmp_path, word):
    whole = walk(*learner(tmp_path / "..", figure=None), lambda done: 0.0)
    (tmp_path / "part").mkdir()
    network, *_ = parts = learner(tmp_path / "part", asked=iter([""] * 6 + [word]).__next__, figure=None)
    course = walk(*parts, lambda done: 0.0)
    assert course.done == 7
    assert course.state == {"pause": "paused", "stop": "stopped"}[word]
    network, *_, course = parts = learner(tmp_path / "part", figure=None)
    assert course.done == 7
    walk(*parts, lambda done: 0.0)
    assert torch.equal(network.weight, whole._parts["network"].weight)
    steps = [json.loads(line)["step"] for line in (tmp_path / "part" / "log.jsonl").read_text().splitlines()]
    assert steps == list(range(1, 21))


def test_a_foreign_or_damaged_checkpoint_is_refused(tmp_path):
    walk(*learner(tmp_path), lambda done: 0.0)
    with pytest.raises(InputError, match="other options"):
        learner(tmp_path, steps=30)
    (tmp_path / "checkpoint.pt").write_bytes(b"PK\x03\x04 no")
    with pytest.raises(InputError, match="no checkpoint"):
        learner(tmp_path)


CHILD = """
import sys
sys.path[:0] = {paths!r}
from pathlib import Path
from test_course import learner, walk
walk(*learner(Path(sys.argv[1]), steps=100000, figure=None), lambda done: 0.0)
"""


def test_killed_at_any_moment_it_goes_on_from_a_whole_checkpoint(tmp_path):
    """Without a warning, while it writes checkpoints as fast as it can."""
    from pathlib import Path

    import deepreg_engine

    paths = [str(Path(__file__).parent), str(Path(deepreg_engine.__file__).parents[1])]
    chance, done = random.Random(0), 0
    for _ in range(3):
        child = subprocess.Popen([sys.executable, "-c", CHILD.format(paths=paths), str(tmp_path)])
        deadline = time.monotonic() + 60
        before = (tmp_path / "checkpoint.pt").stat().st_mtime_ns if done else 0
        while time.monotonic() < deadline and not (
            (tmp_path / "checkpoint.pt").exists() and (tmp_path / "checkpoint.pt").stat().st_mtime_ns > before
        ):
            time.sleep(0.01)
        time.sleep(chance.uniform(0.0, 0.3))
        child.send_signal(signal.SIGKILL)
        child.wait()
        *_, course = learner(tmp_path, steps=100000, figure=None)
        assert course.done > done
        done = course.done
        steps = [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
        assert steps == list(range(1, done + 1))
