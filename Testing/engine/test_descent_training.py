"""Training of the Descent method's features: examples, losses, and a training that resumes where it was stopped."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from command_line import call, check_refusal, succeed
from training_runs import data, train

from deepreg_engine.errors import InputError
from deepreg_engine.features.contrast_net import ContrastNet
from deepreg_engine.features.similarity_net import SimilarityNet
from deepreg_engine.geometry.sampling import warp
from deepreg_engine.methods.descent.parameters import DescentParameters
from deepreg_engine.models.card import read_card
from deepreg_engine.models.store import load_extractor
from deepreg_engine.solvers.descent import smooth
from deepreg_engine.training.descent import scenes, trainer
from deepreg_engine.training.descent.examples import SceneViews
from deepreg_engine.training.descent.loss import STEP, contrastive_loss, step_loss
from deepreg_engine.training.descent.parameters import DescentTraining
from deepreg_engine.training.descent.scenes import Scene, phantom_scenes, random_shapes, scan_scene
from deepreg_engine.training.descent.trainer import DescentExample, DescentExamples, Phantoms, learn, validation_figures
from deepreg_engine.training.labelled_scans import find_all, find_labelled, read_scan
from deepreg_engine.training.loop import Monitor, Optimiser

SMALL = DescentTraining(steps=4, size=24, width=4, channels=4, phantoms=0, states=1)


@pytest.fixture(autouse=True)
def short_validations(monkeypatch):
    """Validations of few examples: these trainings have few steps."""
    monkeypatch.setattr(trainer, "_VALIDATION", 3)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def blobs(seed: int, modality: str = "mr") -> Scene:
    scene = random_shapes(32, generator(seed))
    image = smooth(scene.labels[None].float(), 0.7)[0]
    return Scene(scene.labels, {modality: image}, f"blobs {seed}")


def test_shapes_have_many_labels_and_are_repeatable():
    one, same, other = (random_shapes(30, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(one.labels, same.labels)
    assert not torch.equal(one.labels, other.labels)
    assert one.labels.shape == (30, 30, 30)
    assert len(one.labels.unique()) >= 3


def test_phantoms_show_one_patient_in_two_modalities(monkeypatch):
    monkeypatch.setattr(scenes, "PHANTOMS", (("abdomen", 6.0),))  # the first of those for a training has voxels of 2.5 mm
    scene = phantom_scenes(1, 5)[0]
    assert set(scene.images) == {"ct", "mr"}
    assert scene.images["ct"].shape == scene.images["mr"].shape == scene.labels.shape
    assert scene.images["ct"].min() < -500 < 0 <= scene.images["mr"].min()
    assert int(scene.labels.max()) > 5


def test_examples_are_repeatable_and_their_truth_brings_them_together():
    gained = []
    for seed in range(8):
        scene = blobs(seed)
        one, same = (SceneViews(("mr", "other"), 28, generator(seed), motion=4.0).draw(scene) for _ in range(2))
        assert torch.equal(one.fixed, same.fixed)
        assert torch.equal(one.truth, same.truth)
        assert one.fixed.shape == (28, 28, 28)
        assert torch.isfinite(one.fixed).all()
        assert torch.isfinite(one.moving).all()
        inner = (slice(None), *(slice(6, -6),) * 3)
        before = (one.fixed_labels - one.moving_labels)[inner].square().mean()
        after = (one.fixed_labels - warp(one.moving_labels, one.truth))[inner].square().mean()
        gained.append(float(after / before.clamp(min=1e-9)))
    assert np.median(gained) < 0.35


def test_label_steps_are_their_own_teacher():
    """A network whose features are the label volumes makes the teacher's steps: its loss by labels is 0."""
    example = SceneViews(("mr", "other"), 32, generator(3), motion=2.0).draw(blobs(3))
    loss, figures, goal = step_loss(example.fixed_labels, example.moving_labels, example, example.truth + 0.4)
    assert figures["labels"] < 1e-9
    assert 0.0 < figures["truth"] < 1.0
    assert torch.isfinite(loss)
    assert float(goal.norm(dim=0).max()) <= STEP.longest + 1e-5
    noise = torch.randn(6, 32, 32, 32, generator=generator(1))
    wrong, _, _ = step_loss(noise, noise.roll(5, 1), example, example.truth + 0.4)
    assert wrong > loss


def test_losses_fall_along_their_gradients():
    example = SceneViews(("mr", "other"), 28, generator(4)).draw(blobs(4))
    fixed, moving = (smooth(torch.randn(4, 28, 28, 28, generator=generator(seed)), 1.0).requires_grad_() for seed in (1, 2))
    field = example.truth + 0.5

    def losses(fixed, moving):
        return step_loss(fixed, moving, example, field)[0] + contrastive_loss(fixed, moving, example.truth, generator(0))

    loss = losses(fixed, moving)
    gradients = torch.autograd.grad(loss, (fixed, moving))
    size = sum(float(part.square().sum()) for part in gradients)
    with torch.no_grad():
        step = 1e-3 * float(loss) / size
        later = losses(fixed - step * gradients[0], moving - step * gradients[1])
    assert size > 0
    assert float((loss - later).detach()) == pytest.approx(step * size, rel=0.2)


def test_the_contrastive_loss_knows_the_true_partner():
    truth = torch.zeros(3, 28, 28, 28)
    truth[0] = 2.0
    moving = torch.randn(8, 28, 28, 28, generator=generator(0))
    fixed = warp(moving, truth)
    right, wrong = contrastive_loss(fixed, moving, truth, generator(1)), contrastive_loss(fixed, moving, truth + 3.0, generator(1))
    assert right < 0.7 * wrong
    assert wrong > 0.9


def test_a_stopped_training_resumes_bit_for_bit(tmp_path):
    options, given, path = SMALL.replaced({"steps": 7}), data([blobs(1), blobs(2)]), tmp_path / "c.ckpt"
    whole = train(options, given, checkpoint_every=2).network

    class Stopped(Exception):
        pass

    def stop(share: float, stage: str) -> None:
        if share > 0.75:  # after step 6, with a checkpoint at 4 or 6
            raise Stopped

    with pytest.raises(Stopped):
        train(options, given, Monitor(checkpoint=path, progress=stop), checkpoint_every=2)
    resumed = train(options, given, Monitor(checkpoint=path), checkpoint_every=2).network
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    assert any(
        not torch.equal(value, ContrastNet(("ct", "mr", "other"), 4, 4).state_dict()[name]) for name, value in whole.state_dict().items()
    )
    with pytest.raises(InputError, match="other options"):
        train(options.replaced({"seed": 5}), given, Monitor(checkpoint=path))
    path.write_bytes(b"no checkpoint")
    with pytest.raises(InputError, match="no checkpoint"):
        train(options, given, Monitor(checkpoint=path))


def test_training_learns_an_example_by_heart_and_logs_it(tmp_path):
    example = SceneViews(("mr", "other"), 24, generator(7), motion=2.0).draw(blobs(7))
    torch.manual_seed(0)
    network = ContrastNet(("mr", "other"), 4, 4)
    optimiser = Optimiser(network, SMALL.replaced({"rate": 1e-2, "steps": 12}), weight_decay=1e-2)
    history = [learn(network, optimiser, DescentExample(example, [example.truth + 0.6], 3.0)) for _ in range(12)]
    assert history[-1]["truth"] < 0.4 * history[0]["truth"]
    log = tmp_path / "log.jsonl"
    train(SMALL, data([blobs(1)]), Monitor(log))
    (line,) = [json.loads(line) for line in log.read_text().splitlines()]
    assert line["step"] == 4
    assert np.isfinite(list(line.values())).all()
    assert "validation_truth" in line


def test_self_similarity_learns_a_few_numbers():
    options = SMALL.replaced({"network": "similarity", "rate": 0.05, "steps": 12})
    first, given = SimilarityNet(), data([blobs(1), blobs(2)])
    trained = train(options, given).network
    assert isinstance(trained, SimilarityNet)
    assert set(trained.numbers()) == {"s in plane", "s across", "g"}
    moved = [abs(value - 1.0) for value in trained.numbers().values()]
    assert max(moved) > 0.05
    assert max(moved) < 5.0
    unseen = DescentExamples([blobs(9)], Phantoms(), first, options.replaced({"steps": 6, "scans": 1.0}), 5000)
    before, after = (validation_figures(network, unseen, torch.device("cpu"))["truth"] for network in (first, trained))
    assert after < before
    again = train(options, given).network
    assert again.numbers() == trained.numbers()  # from the same seed


def test_tissue_classes_are_learned_from_ct_alone(tmp_path):
    from deepreg_engine.errors import InputError, ParameterError
    from deepreg_engine.jobs.training import train_to_file
    from deepreg_engine.training.base import TrainingRequest

    with pytest.raises(ParameterError, match="no CT to learn tissue classes from"):
        train(SMALL.replaced({"network": "tissue"}), data([]))
    labels = (blobs(3).labels.numpy() > 2).astype(np.float32)
    for name in ("one", "two", "three", "four"):
        write(tmp_path / "images" / f"{name}.nii.gz", labels * 80.0)
        write(tmp_path / "labels" / f"{name}.nii.gz", labels, dtype=np.uint8)
    request = TrainingRequest(
        "descent", [str(tmp_path)], str(tmp_path / "own"), {"network": "tissue", "phantoms": 0, "steps": 2, "size": 24}, modality="mr"
    )
    with pytest.raises(InputError, match="is mr, and tissue classes are learned from CT alone"):
        train_to_file(request, str(tmp_path / "own.safetensors"), None, None)
    assert not (tmp_path / "own.safetensors").exists()
    train_to_file(dataclasses.replace(request, modality="ct"), str(tmp_path / "own.safetensors"), None, None)
    assert read_card(tmp_path / "own.safetensors").architecture == "tissue-net"


def load_scene(scan, spacing):
    return scan_scene(*read_scan(scan), scan.modality, spacing, scan.name)


def write(path, array, spacing=(1.0, 1.2, 1.5), dtype=np.float32):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(array.astype(dtype), isVector=False)
    image.SetSpacing((*spacing, 1.0)[: array.ndim])
    sitk.WriteImage(image, str(path))


@pytest.fixture
def scans(tmp_path):
    """A folder of four labelled scans."""
    random = np.random.default_rng(0)
    for number in range(4):
        labels = np.zeros((22, 24, 26))
        labels[6:15, 5:16, 7 : 18 + number] = 1
        labels[12:18, 12:20, 4:12] = 2
        write(tmp_path / "set" / "images" / f"case{number}.nii.gz", labels * 100 + random.normal(0, 5, labels.shape))
        write(tmp_path / "set" / "labels" / f"case{number}.nii.gz", labels, dtype=np.uint8)
    return tmp_path / "set"


def test_folders_of_scans_pairs_and_datasets(scans, tmp_path):
    found = find_labelled(scans, "mr")
    assert [name for name, _ in find_all([scans], "mr", "mr")] == [f"case{number}" for number in range(4)]
    assert found.scans[0].modality == "mr"
    scene = load_scene(found.scans[0], 1.5)
    assert scene.images["mr"].shape == scene.labels.shape
    assert set(scene.labels.unique().tolist()) == {0, 1, 2}
    for side in ("fixed", "moving"):
        (tmp_path / "pairs").mkdir(exist_ok=True)
        (tmp_path / "pairs" / f"{side}_images").symlink_to(scans / "images")
        (tmp_path / "pairs" / f"{side}_labels").symlink_to(scans / "labels")
    pairs = find_labelled(tmp_path / "pairs", "other", "mr").pairs
    assert [name for name, _ in find_all([tmp_path / "pairs"], "other", "mr")] == [f"case{number}" for number in range(4)]
    assert len(pairs) == 4
    assert pairs[0][0].modality == "other"
    assert pairs[0][1].modality == "mr"
    entries = [{"image": f"./images/case{n}.nii.gz", "label": f"./labels/case{n}.nii.gz"} for n in range(3)]
    (scans / "dataset.json").write_text(json.dumps({"modality": {"0": "CT"}, "training": entries}), encoding="utf-8-sig")
    dataset = find_labelled(scans)
    assert [scan.name for scan in dataset.scans] == ["case0", "case1", "case2"]
    assert dataset.scans[0].modality == "ct"
    # Labels in a fourth dimension, one volume each.
    volumes = np.zeros((2, 22, 24, 26))
    volumes[0, 6:15, 5:16, 7:18], volumes[1, 12:18, 12:20, 4:12] = 1, 1
    write(scans / "labels" / "case0.nii.gz", volumes, dtype=np.float64)
    assert set(load_scene(find_labelled(scans).scans[0], 1.5).labels.unique().tolist()) == {0, 1, 2}


def test_pairs_of_scans_are_learned_from(scans):
    fixed, moving = (load_scene(scan, 1.2) for scan in find_labelled(scans, "mr").scans[:2])
    example = SceneViews(("mr", "other"), 24, generator(1)).draw_pair(fixed, moving)
    assert example.truth is None
    assert example.fixed_modality == "mr"
    assert example.fixed_labels.shape == example.moving_labels.shape
    network = train(SMALL.replaced({"scans": 1.0}), data([(fixed, moving)])).network
    assert all(torch.isfinite(value).all() for value in network.state_dict().values())


def test_train_descent_on_the_command_line(scans, tmp_path):
    settings = [
        word for name, value in (("steps", 3), ("size", 24), ("width", 4), ("phantoms", 0)) for word in ("--set", f"{name}={value}")
    ]
    model = tmp_path / "own.safetensors"
    text = succeed(
        "train",
        "descent",
        scans,
        "--modality",
        "mr",
        "--spacing",
        1.5,
        *settings,
        "--workers",
        0,
        "--output",
        model,
        "--log",
        tmp_path / "log.jsonl",
        "--checkpoint",
        tmp_path / "c.ckpt",
        "--licence",
        "CC0-1.0",
    )
    assert "trained on 4 scans" in text
    card = read_card(model)
    assert card.architecture == "contrast-net"
    assert card.licence == "CC0-1.0"
    assert card.settings["steps"] == 3
    assert card.settings["width"] == 4
    assert "case3" in card.training_data
    assert "random contrasts" in card.training_data
    again = tmp_path / "again.safetensors"
    for kind in ("images", "labels"):
        (scans / kind / "case4.nii.gz").write_bytes((scans / kind / "case1.nii.gz").read_bytes())
    succeed("train", "descent", scans, "--start", model, "--leave-out", "case3", *settings, "--workers", 0, "--output", again)
    assert "case3" not in read_card(again).training_data
    # The few numbers of a descriptor, from those that are shipped on.
    similar = tmp_path / "similar.safetensors"
    begin = ("--preset", "similarity", "--start", "self-similarity", "--set", "steps=2", "--set", "size=24", "--set", "phantoms=0")
    succeed("train", "descent", scans, *begin, "--workers", 0, "--output", similar)
    card = read_card(similar)
    assert card.architecture == "similarity-net"
    assert card.settings["rate"] == 0.03
    assert not {"width", "channels"} & set(card.settings)
    assert load_extractor(DescentParameters(features=str(similar))).channels == 12


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], ["nowhere", "no labelled scans"]),
        (["SCANS", "--leave-out", "case9"], ["case9", "there are case0"]),
        (["SCANS", "--leave-out", "case0,case1"], ["too few", "at least 4"]),
        (["--set", "phantoms=0", "--set", "shapes=0"], ["nothing to learn from"]),
        (["SCANS", "--set", "widht=4"], ["did you mean width?"]),
        (["SCANS", "--spacing", "99"], ["voxel size"]),
    ],
)
def test_bad_input_is_refused_in_one_line(scans, tmp_path, arguments, words):
    arguments = [str(scans) if word == "SCANS" else word for word in arguments]
    outcome = call("train", "descent", *arguments, "--output", tmp_path / "out.safetensors")
    check_refusal(outcome, *words)
    assert not (tmp_path / "out.safetensors").exists()


def test_a_bad_scan_is_named_and_skipped_only_by_choice(scans, tmp_path):
    (scans / "images" / "case2.nii.gz").write_text("no image")
    for extra in range(4, 6):
        for kind in ("images", "labels"):
            (scans / kind / f"case{extra}.nii.gz").write_bytes((scans / kind / "case1.nii.gz").read_bytes())
    settings = [
        "--set",
        "steps=2",
        "--set",
        "size=24",
        "--set",
        "width=4",
        "--set",
        "phantoms=0",
        "--workers",
        "0",
        "--output",
        tmp_path / "o.safetensors",
    ]
    check_refusal(call("train", "descent", scans, *settings), "case2")
    text = succeed("train", "descent", scans, "--skip-bad", *settings)
    assert "not used" in text
    assert "case2" in text
