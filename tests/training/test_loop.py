import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.training.studio import optimiser, same_weights
from tutti.errors import ConfigError, DataError
from tutti.models import get_model
from tutti.models.network import Network
from tutti.training.checkpoint import load_state, save_state
from tutti.training.feature_store import FeatureStore
from tutti.training.loop import Inputs, Progress, Run, fit, predict
from tutti.training.objectives import MultiLabel, SingleLabel

CPU = torch.device("cpu")
PRESET = get_model("passt").preset("mini")


def new_network() -> Network:
    torch.manual_seed(0)
    return get_model("passt").factory(n_classes=20, **PRESET.options | {"dim": 12, "depth": 1, "heads": 1})


def make_run(features: Path, *, augment: bool = True, **changes: object) -> Run:
    store = FeatureStore.open(features, "openmic-20")
    values: dict[str, object] = {
        "name": "test",
        "inputs": Inputs(store, PRESET.front_end, from_samples=False, augment=augment, device=CPU),
        "objective": MultiLabel(store.labels, store.mask),
        "train_rows": store.training_rows(),
        "valid_rows": store.evaluation_rows("valid"),
        "params": optimiser(),
        "seed": 42,
    }
    return Run(**(values | changes))


def test_training_lowers_the_loss_and_ends_with_the_best_epoch(features: Path) -> None:
    run = make_run(features, params=optimiser(epochs=8, select_by="loss"))
    network = new_network()
    progress = fit(network, run)
    losses = [row["valid_loss"] for row in progress.history]
    assert progress.history[-1]["train_loss"] < 0.9 * progress.history[0]["train_loss"]
    assert progress.best_epoch == int(np.argmin(losses)) + 1
    scores = run.objective.scores(predict(network, run.inputs, run.valid_rows, 8), run.valid_rows)
    assert scores["loss"] == pytest.approx(min(losses), rel=1e-5)
    assert [row["epoch"] for row in progress.history] == list(range(1, 9))


def test_the_same_seed_gives_the_same_weights(features: Path) -> None:
    networks = [new_network() for _ in range(3)]
    for network, seed in zip(networks, (1, 1, 2), strict=True):
        torch.rand(seed * 7)  # what others drew before does not matter
        fit(network, make_run(features, seed=seed))
    assert same_weights(networks[0], networks[1])
    assert not same_weights(networks[0], networks[2])


class Interrupted(MultiLabel):
    """Stops in the middle of an epoch, as a killed pod would."""

    def __init__(self, store: FeatureStore, calls: int) -> None:
        super().__init__(store.labels, store.mask)
        self._left = calls

    def loss(self, logits: torch.Tensor, rows: np.ndarray) -> torch.Tensor:
        self._left -= 1
        if self._left < 0:
            raise KeyboardInterrupt
        return super().loss(logits, rows)


@pytest.mark.parametrize("calls", [2, 7, 16])
def test_a_resumed_run_ends_as_an_uninterrupted_one(features: Path, tmp_path: Path, calls: int) -> None:
    params = optimiser(epochs=5, clip_norm=0.5)
    whole = new_network()
    expected = fit(whole, make_run(features, params=params))

    state, store = tmp_path / "state.pt", FeatureStore.open(features, "openmic-20")
    with pytest.raises(KeyboardInterrupt):
        fit(new_network(), make_run(features, params=params, state=state, objective=Interrupted(store, calls)))
    resumed = new_network()
    torch.nn.init.normal_(resumed.last_layer().weight)
    if calls == 2:  # nothing was saved yet
        resumed = new_network()
    progress = fit(resumed, make_run(features, params=params, state=state))
    assert same_weights(resumed, whole)
    assert progress.history == expected.history
    assert progress.best_epoch == expected.best_epoch
    # A run that is over stays as it is.
    again = new_network()
    assert fit(again, make_run(features, params=params, state=state)).history == expected.history
    assert same_weights(again, whole)


def test_the_state_of_another_run_is_not_used(features: Path, tmp_path: Path) -> None:
    state = tmp_path / "state.pt"
    fit(new_network(), make_run(features, state=state, fingerprint="one", params=optimiser(epochs=1)))
    progress = fit(new_network(), make_run(features, state=state, fingerprint="two", params=optimiser(epochs=2)))
    assert [row["epoch"] for row in progress.history] == [1, 2]


def test_a_file_that_is_no_state_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    assert load_state(path, "x") is None
    path.write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"state\.pt"):
        load_state(path, "x")
    torch.save({"fingerprint": "x", "model": print}, path)  # a pickled function is not executed
    with pytest.raises(DataError, match=r"state\.pt"):
        load_state(path, "x")


def test_a_state_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    progress = Progress(3, 2, 0.5, {"w": torch.ones(2)}, [{"epoch": 1, "loss": math.nan}])
    save_state(tmp_path / "state.pt", {"fingerprint": "x", "progress": vars(progress)})
    state = load_state(tmp_path / "state.pt", "x")
    assert state is not None
    assert Progress(**state["progress"]).best["w"].tolist() == [1, 1]


def test_patience_stops_the_run(features: Path) -> None:
    frozen = optimiser(epochs=20, patience=3, learning_rate=1e-30, weight_decay=0.0, schedule="constant")
    progress = fit(new_network(), make_run(features, params=frozen))
    assert progress.best_epoch == 1
    assert progress.epoch == 4


@pytest.mark.filterwarnings("ignore")
def test_a_diverging_run_says_so(features: Path) -> None:
    wild = optimiser(epochs=4, learning_rate=1e30, clip_norm=None, schedule="constant")
    with pytest.raises(ConfigError, match="diverged"):
        fit(new_network(), make_run(features, params=wild))


def test_the_learning_rate_warms_up_and_falls_to_zero(features: Path) -> None:
    run = make_run(features, params=optimiser(epochs=4, batch=8))
    steps = run.steps_per_epoch()
    rates = [run.learning_rate(step) for step in range(4 * steps)]
    assert rates[:steps] == pytest.approx([0.01 * (step + 1) / steps for step in range(steps)])
    assert max(rates) == rates[steps] == pytest.approx(0.01)
    assert all(before > after for before, after in zip(rates[steps:], rates[steps + 1 :], strict=False))
    assert run.learning_rate(4 * steps) == pytest.approx(0, abs=1e-12)
    constant = make_run(features, params=optimiser(schedule="constant"))
    assert {constant.learning_rate(step) for step in range(9)} == {0.01}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # AST: x0.85 after every epoch from 5 to 25.
        (
            {"epochs": 30, "step_factor": 0.85, "step_from": 5, "step_until": 25},
            [1.0] * 5 + [0.85**drops for drops in range(1, 22)] + [0.85**21] * 4,
        ),
        # AttentionMIC: halved every 30 epochs.
        ({"epochs": 70, "step_every": 30}, [1.0] * 30 + [0.5] * 30 + [0.25] * 10),
        ({"epochs": 4, "step_every": 2, "step_from": 1}, [1.0, 0.5, 0.5, 0.25]),
    ],
)
def test_the_learning_rate_falls_in_steps(features: Path, changes: dict[str, Any], expected: list[float]) -> None:
    run = make_run(features, params=optimiser(schedule="step", learning_rate=0.01, **changes))
    steps = run.steps_per_epoch()
    assert steps > 1
    for position in (0, steps - 1):
        rates = [run.learning_rate(epoch * steps + position) for epoch in range(len(expected))]
        assert rates == pytest.approx([0.01 * factor for factor in expected])


@pytest.mark.parametrize("kind", ["adam", "adamw"])
def test_frozen_parameters_feel_no_weight_decay(features: Path, kind: str) -> None:
    network, before = new_network(), new_network()
    network.requires_grad_(False)
    network.last_layer().requires_grad_(True)
    params = optimiser(epochs=1, optimiser=kind, weight_decay=1.0, schedule="constant")
    fit(network, make_run(features, params=params))
    changed = {name for name, p in network.named_parameters() if not torch.equal(p, before.get_parameter(name))}
    assert changed == {f"head.1.{name}" for name in ("weight", "bias")}


def test_an_epoch_sees_every_row_once(features: Path) -> None:
    run = make_run(features)
    epochs = [np.concatenate(list(run.batches(epoch))) for epoch in range(2)]
    for order in epochs:
        assert sorted(order) == sorted(run.train_rows)
    assert list(epochs[0]) != list(epochs[1])


def test_the_last_partial_batch_is_left_out_on_demand(features: Path) -> None:
    rows = np.arange(20)
    whole = make_run(features, train_rows=rows)
    dropping = make_run(features, train_rows=rows, drop_last=True)
    assert [len(batch) for batch in whole.batches(0)] == [8, 8, 4]
    assert [len(batch) for batch in dropping.batches(0)] == [8, 8]
    assert [len(batch) for batch in make_run(features, train_rows=rows[:5], drop_last=True).batches(0)] == [5]


def test_rows_are_drawn_by_weight(features: Path) -> None:
    rows = np.arange(400)
    run = make_run(features, train_rows=rows, weights=np.where(rows < 100, 3.0, 1.0))
    drawn = np.concatenate([np.concatenate(list(run.batches(epoch))) for epoch in range(20)])
    assert len(drawn) == 20 * 400
    assert (drawn < 100).mean() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("rows", ["train_rows", "valid_rows"])
def test_a_run_without_clips_is_refused(features: Path, rows: str) -> None:
    with pytest.raises(DataError, match="training" if rows == "train_rows" else "validation"):
        make_run(features, **{rows: np.array([], int)})


def test_augmentation_is_drawn_per_epoch_and_off_in_evaluation(features: Path) -> None:
    run, rows = make_run(features), np.arange(4)
    plain = run.inputs.evaluation(rows)
    first, second = (run.inputs.training(rows, torch.Generator().manual_seed(seed)) for seed in (0, 1))
    assert not torch.equal(first, plain)
    assert not torch.equal(first, second)
    off = make_run(features, augment=False).inputs
    assert torch.equal(off.training(rows, torch.Generator()), plain)


def test_scores_ignore_what_was_not_asked() -> None:
    labels = np.array([[1.0, 0], [0, 1], [1, 1]], np.float32)
    mask = np.array([[True, False], [True, True], [True, False]])
    objective, rows = MultiLabel(labels, mask), np.arange(3)
    scores = objective.scores(torch.tensor([[2.0, 9], [-2, 1], [1, -9]]), rows)
    assert scores == objective.scores(torch.tensor([[2.0, -9], [-2, 1], [1, 9]]), rows)
    assert scores["map"] == 1
    assert objective.merit(scores, "loss") == -scores["loss"]
    assert objective.merit(scores, "map") == 1
    # No class has both polarities: the loss decides instead.
    alone = objective.scores(torch.tensor([[2.0, -9]]), rows[:1])
    assert math.isnan(alone["map"])
    assert objective.merit(alone, "map") == -alone["loss"]


def test_single_labels_are_scored_by_accuracy() -> None:
    objective = SingleLabel(np.eye(3, dtype=np.float32)[[0, 1, 2, 2]])
    scores = objective.scores(torch.eye(3)[[0, 1, 2, 0]] * 5, np.arange(4))
    assert objective.merit(scores, "accuracy") == 0.75
    assert objective.merit(scores, "loss") == -scores["loss"]
    with pytest.raises(ConfigError, match="select_by: map"):  # ranking is not defined for them
        objective.merit(scores, "map")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_training_on_a_gpu(features: Path) -> None:
    store = FeatureStore.open(features, "openmic-20")
    inputs = Inputs(store, PRESET.front_end, from_samples=False, augment=True, device=torch.device("cuda"))
    progress = fit(new_network(), make_run(features, inputs=inputs))
    assert progress.history[-1]["train_loss"] < progress.history[0]["train_loss"]
