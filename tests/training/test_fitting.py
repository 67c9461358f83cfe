"""What is particular to one kind of model: frozen parts, a teacher, labels that nobody gave."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.training.studio import optimiser, with_models
from tutti import seeds
from tutti.bundle import read_bundle
from tutti.config import Config, ModelParams
from tutti.models import get_model
from tutti.models.mean_teacher import MeanTeacher
from tutti.models.network import Network
from tutti.models.tl_classifier import TlClassifier
from tutti.training import fitting
from tutti.training.feature_store import FeatureStore
from tutti.training.loop import Inputs, Run, fit
from tutti.training.objectives import Objective, objective_of
from tutti.training.pretrain import pretrain_model
from tutti.training.train import train_model
from tutti.training.weights import WEIGHTS, read_tensors

CPU = torch.device("cpu")


def quick(**changes: object) -> ModelParams:
    return ModelParams(train=optimiser(**{"epochs": 2, "augment": False, "weight_decay": 0.1, **changes}))


@pytest.mark.parametrize("augment", [False, True])
def test_a_frozen_transformer_stays_as_it_was(augment: bool, features: Path, config: Config, tmp_path: Path) -> None:
    models = with_models(config, ast_bs=quick(augment=augment))
    train_model("ast_bs", features, tmp_path / "bundle", models)
    seeds.seed_everything(config.seed, "train-ast_bs")
    start: Network = get_model("ast_bs").build("mini")
    trained = read_bundle(tmp_path / "bundle").model.state_dict()
    changed = {name for name, tensor in start.state_dict().items() if not torch.equal(trained[name], tensor)}
    assert changed == {f"head.{layer}.{name}" for layer in (0, 1) for name in ("weight", "bias")}


def test_a_frozen_extractor_is_its_pretraining_bit_by_bit(features: Path, config: Config, tmp_path: Path) -> None:
    params = quick(select_by="label_accuracy").model_copy(
        update={"pretrain": optimiser(epochs=1, select_by="accuracy")}
    )
    models = with_models(config, tl_classifier=params)
    description = pretrain_model("tl_classifier", features, tmp_path / "pretrained", models)
    assert (description["task"], len(description["classes"])) == ("irmas-4", 4)
    train_model("tl_classifier", features, tmp_path / "bundle", models, pretrained=tmp_path / "pretrained")
    bundle = read_bundle(tmp_path / "bundle")
    assert bundle.contract.started_from.startswith("irmas-4 pretraining")
    stored, extractor = read_tensors(tmp_path / "pretrained" / WEIGHTS), bundle.model.extractor.state_dict()
    # Statistics of the batch normalisation included: a network in training mode would have moved them.
    assert any(name.endswith("running_mean") for name in extractor)
    assert all(torch.equal(tensor, stored[name]) for name, tensor in extractor.items())


class Recomputing(TlClassifier):
    """Sees the waveforms in every step."""

    def encode(self, features: torch.Tensor) -> torch.Tensor | None:  # type: ignore[override]
        return None

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.decide(self.extractor(features))


def test_what_a_frozen_part_says_is_kept_without_changing_anything(features: Path) -> None:
    entry = get_model("tl_classifier")
    preset, store = entry.preset("mini"), FeatureStore.open(features, "irmas-pairs")
    objective = objective_of(fitting.get_task(entry.task), store.labels, store.mask)
    progress, inputs = [], []
    for cls in (TlClassifier, Recomputing):
        torch.manual_seed(0)
        network = cls(n_classes=4, **preset.options)
        inputs.append(Inputs(store, preset.front_end, from_samples=False, augment=False, device=CPU))
        rows = store.training_rows(), store.evaluation_rows("valid")
        run = Run("test", inputs[-1], objective, *rows, optimiser(learning_rate=1e-3, select_by="loss"), 42)
        progress.append(fit(network, run))
    width = get_model("tl_classifier").build("mini").fc1.in_features
    assert inputs[0].evaluation(np.arange(2)).shape == (2, width)
    assert inputs[1].evaluation(np.arange(2)).shape == (2, *preset.input_shape)
    for kept, computed in zip(*(p.history for p in progress), strict=True):
        assert kept == pytest.approx(computed, rel=1e-4)
    for name, tensor in progress[0].best.items():
        torch.testing.assert_close(tensor, progress[1].best[name], rtol=1e-4, atol=1e-5)


def test_input_that_is_drawn_anew_is_not_kept(features: Path) -> None:
    entry = get_model("ast_bs")
    preset, store = entry.preset("mini"), FeatureStore.open(features, "openmic-20")
    inputs = Inputs(store, preset.front_end, from_samples=False, augment=True, device=CPU)
    inputs.encode(entry.build("mini"), np.arange(4), 2)
    assert inputs.evaluation(np.arange(2)).shape == (2, *preset.input_shape)


class Watched(MeanTeacher):
    """Notes the student after every step."""

    def after_step(self, step: int) -> None:
        self.steps = [*getattr(self, "steps", []), step]
        self.students = [*getattr(self, "students", []), [p.detach().clone() for p in self.student.parameters()]]
        super().after_step(step)


def test_the_teacher_is_the_running_mean_of_the_student(features: Path) -> None:
    entry = get_model("mean_teacher")
    preset, store = entry.preset("mini"), FeatureStore.open(features, "openmic-20")
    torch.manual_seed(0)
    network = Watched(n_classes=20, **preset.options)
    expected = [p.clone() for p in network.teacher.parameters()]
    run = Run(
        name="test",
        inputs=Inputs(store, preset.front_end, from_samples=False, augment=False, device=CPU),
        objective=objective_of(fitting.get_task(entry.task), store.labels, store.mask),
        train_rows=store.training_rows(),
        valid_rows=store.evaluation_rows("valid"),
        params=optimiser(epochs=2, select_by="loss"),
        seed=42,
    )
    progress = fit(network, run)
    last = progress.best_epoch * run.steps_per_epoch()
    assert network.steps == list(range(1, 2 * run.steps_per_epoch() + 1))
    for step in range(1, last + 1):
        kept = 1 - 1 / (step + 1)
        expected = [kept * mean + (1 - kept) * p for mean, p in zip(expected, network.students[step - 1], strict=True)]
    for found, wanted, student in zip(network.teacher.parameters(), expected, network.students[last - 1], strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
        assert not torch.equal(found, student)


def labels_seen(
    name: str, features: Path, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **changes: object
) -> list[tuple[np.ndarray, np.ndarray, bool]]:
    """Trains a model; the labels, the mask and the softness of each objective that it was trained with."""
    seen: list[tuple[np.ndarray, np.ndarray, bool]] = []

    def noting(task: Any, labels: np.ndarray, mask: np.ndarray, *weights: Any, soft: bool) -> Objective:
        seen.append((np.array(labels), np.array(mask), soft))
        return objective_of(task, labels, mask, *weights, soft=soft)

    monkeypatch.setattr(fitting, "objective_of", noting)
    params = quick(epochs=1, **changes).model_copy(update={"confident_share": 0.75})
    train_model(name, features, tmp_path / "bundle", with_models(config, **{name: params}))
    return seen


@pytest.mark.parametrize(
    ("name", "trainings"), [("attention_mic", 1), ("attention_negatives", 1), ("attention_enhanced", 2)]
)
def test_what_nobody_was_asked_is_filled_in_for_training_only(
    name: str, trainings: int, features: Path, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = labels_seen(name, features, config, tmp_path, monkeypatch)
    assert len(seen) == trainings
    store = FeatureStore.open(features, "openmic-20")
    train = store.training_rows()
    others = np.setdiff1d(np.arange(len(store.index)), train)
    asked = store.mask[train]
    for labels, mask, _ in seen:
        assert np.array_equal(labels[others], store.labels[others])
        assert np.array_equal(mask[others], store.mask[others])
        assert np.array_equal(labels[train][asked], store.labels[train][asked])
        assert mask[train][asked].all()
    first, last = seen[0], seen[-1]
    if name == "attention_mic":
        assert np.array_equal(first[1], store.mask)
        return
    assert first[1][train].all()
    assert (first[0][train][~asked] == 0).all()
    if name == "attention_enhanced":
        added = (last[1][train] & ~asked).sum(axis=0)
        unasked = (~asked).sum(axis=0)
        assert added.tolist() == [count - round(0.75 * count) for count in unasked]
        assert (last[0][train][~asked] == 0).all()
        # They are not simply the first rows: the first network chose them.
        assert len({column.tobytes() for column in last[1][train].T}) > 2


@pytest.mark.parametrize("soft", [False, True])
def test_soft_targets_reach_the_loss(
    soft: bool, features: Path, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = labels_seen("attention_mic", features, config, tmp_path, monkeypatch, soft_targets=soft)
    assert [was for *_, was in seen] == [soft]


def test_results_are_measured_with_the_labels_that_were_given(features: Path, config: Config, tmp_path: Path) -> None:
    models = with_models(config, attention_enhanced=quick(epochs=1))
    train_model("attention_enhanced", features, tmp_path / "bundle", models)
    card = (tmp_path / "bundle/card.md").read_text()
    store = FeatureStore.open(features, "openmic-20")
    assert f"{int(store.mask[store.training_rows()].sum())} labelled cells" in card
