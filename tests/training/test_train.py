import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.training.studio import Studio, optimiser, with_models
from tutti.bundle import read_bundle
from tutti.config import Config, ModelParams
from tutti.errors import ArtifactMismatch, ConfigError, DataError
from tutti.files import sha256_tree
from tutti.models import get_model
from tutti.models.network import Network
from tutti.tasks import get_task
from tutti.training import fitting
from tutti.training.feature_store import FeatureStore
from tutti.training.loop import Inputs, Run, predict
from tutti.training.pretrain import pretrain_model
from tutti.training.train import train_model
from tutti.training.weights import WEIGHTS, read_tensors


@pytest.fixture(scope="module")
def pretrained(features: Path, config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("pretrained") / "cbam_cnn"
    pretrain_model("cbam_cnn", features, target, config)
    return target


@pytest.mark.parametrize("name", ["rf", "passt"])
def test_every_model_becomes_a_bundle(name: str, features: Path, config: Config, tmp_path: Path) -> None:
    metrics = train_model(name, features, tmp_path / name, config)
    bundle = read_bundle(tmp_path / name)
    assert (bundle.contract.model, bundle.contract.task) == (name, "openmic-20")
    assert bundle.contract.started_from == "random"
    assert bundle.contract.metrics == metrics
    assert 0 <= metrics["map"] <= 1
    assert bundle.contract.provenance["seed"] == config.seed
    assert bundle.contract.provenance["data"].keys() == {"manifest", "mixtures"}
    card = (tmp_path / name / "card.md").read_text()
    assert name in card
    assert "18" in card


@pytest.mark.parametrize("name", ["rf", "cbam_cnn"])
def test_training_again_gives_the_same_bundle(name: str, features: Path, config: Config, tmp_path: Path) -> None:
    for run in ("first", "second"):
        train_model(name, features, tmp_path / run, config)
    assert sha256_tree(tmp_path / "first") == sha256_tree(tmp_path / "second")
    other = config.model_copy(update={"seed": 43})
    train_model(name, features, tmp_path / "third", other)
    weights = "forest.safetensors" if name == "rf" else "weights.safetensors"
    assert (tmp_path / "third" / weights).read_bytes() != (tmp_path / "first" / weights).read_bytes()


def test_pretraining_learns_nine_classes(pretrained: Path, features: Path) -> None:
    description = json.loads((pretrained / "pretrained.json").read_text())
    assert description["task"] == "irmas-9"
    assert description["classes"] == list(get_task("irmas-9").labels)
    assert description["metrics"].keys() == {"valid_loss", "valid_accuracy"}
    assert "(chance 0.111)" in description["summary"]
    columns = (pretrained / "history.csv").read_text().splitlines()[0].split(",")
    assert columns[:3] == ["epoch", "learning_rate", "train_loss"]
    assert {"valid_loss", "valid_accuracy"} <= set(columns)


def test_fine_tuning_starts_from_the_pretrained_weights(
    pretrained: Path, features: Path, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, torch.Tensor]] = []

    def watching(network: Network, run: Run) -> object:
        seen.append({key: tensor.clone() for key, tensor in network.transferable().items()})
        return fit(network, run)

    fit = fitting.fit
    monkeypatch.setattr(fitting, "fit", watching)
    train_model("cbam_cnn", features, tmp_path / "bundle", config, pretrained=pretrained)
    stored = read_tensors(pretrained / WEIGHTS)
    assert seen[0].keys() == stored.keys()
    assert all(torch.equal(seen[0][key], stored[key]) for key in stored)
    contract = read_bundle(tmp_path / "bundle").contract
    assert contract.started_from.startswith("irmas-9 pretraining")
    assert "pretrained" in contract.provenance["data"]


def test_altered_or_foreign_pretraining_is_refused(
    pretrained: Path, features: Path, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ArtifactMismatch, match="another model"):
        train_model("passt", features, tmp_path / "bundle", config, pretrained=pretrained)
    with pytest.raises(ArtifactMismatch, match="no pretraining"):
        train_model("cbam_cnn", features, tmp_path / "bundle", config, pretrained=tmp_path)
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in pretrained.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    save_file({key: 2 * value for key, value in read_tensors(copy / WEIGHTS).items()}, copy / WEIGHTS)
    with pytest.raises(ArtifactMismatch, match="not the file"):
        train_model("cbam_cnn", features, tmp_path / "bundle", config, pretrained=copy)
    entry = get_model("cbam_cnn")
    preset = entry.preset("mini")
    moved = dataclasses.replace(preset, front_end=preset.front_end.model_copy(update={"fmin": 60.0}))
    monkeypatch.setitem(entry.presets, "mini", moved)
    with pytest.raises(ArtifactMismatch, match="front end"):
        train_model("cbam_cnn", features, tmp_path / "bundle", config, pretrained=pretrained)


def test_public_weights_are_where_training_starts(features: Path, config: Config, tmp_path: Path) -> None:
    public = get_model("passt").build("mini", n_classes=527)
    for suffix, save in ((".pt", torch.save), (".safetensors", save_file)):
        path = tmp_path / f"audioset{suffix}"
        save(public.state_dict(), path)
        frozen = optimiser(epochs=1, learning_rate=1e-30, weight_decay=0.0)
        models = with_models(config, passt=ModelParams(train=frozen, weights=str(path)))
        train_model("passt", features, tmp_path / suffix, models)
        bundle = read_bundle(tmp_path / suffix)
        assert bundle.contract.started_from == path.name
        trained = bundle.model.state_dict()
        assert torch.equal(trained["blocks.2.mlp.fc1.weight"], public.state_dict()["blocks.2.mlp.fc1.weight"])
        assert trained["head.1.weight"].shape == (20, 128)


@pytest.mark.parametrize("content", [None, b"not weights"])
def test_unusable_public_weights_are_named(
    content: bytes | None, features: Path, config: Config, tmp_path: Path
) -> None:
    path = tmp_path / "public.pt"
    if content is not None:
        path.write_bytes(content)
    models = with_models(config, passt=ModelParams(train=optimiser(), weights=str(path)))
    with pytest.raises((ConfigError, ArtifactMismatch), match=r"public\.pt"):
        train_model("passt", features, tmp_path / "bundle", models)
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize("name", ["cbam_cnn", "mean_teacher"])  # the teacher's pace depends on the steps so far
def test_an_interrupted_training_goes_on_and_ends_the_same(
    name: str, features: Path, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = with_models(config, **{name: ModelParams(train=optimiser(epochs=4))})
    train_model(name, features, tmp_path / "whole", models)

    state, epochs = tmp_path / "state.pt", iter(range(99))

    def killed(network: Network, inputs: Inputs, rows: np.ndarray, batch: int) -> torch.Tensor:
        if next(epochs) == 2:
            raise KeyboardInterrupt
        return predict(network, inputs, rows, batch)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("tutti.training.loop.predict", killed)
        train_model(name, features, tmp_path / "bundle", models, state=state)
    assert state.exists()
    assert not (tmp_path / "bundle").exists()
    train_model(name, features, tmp_path / "bundle", models, state=state)
    assert not state.exists()
    assert sha256_tree(tmp_path / "bundle") == sha256_tree(tmp_path / "whole")


def test_models_without_pretraining_say_so(features: Path, config: Config, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="rf is not pretrained"):
        pretrain_model("rf", features, tmp_path / "pretrained", config)
    plain = with_models(config, cbam_cnn=ModelParams(train=optimiser()))
    with pytest.raises(ConfigError, match=r"models\.cbam_cnn\.pretrain"):
        pretrain_model("cbam_cnn", features, tmp_path / "pretrained", plain)


def test_parameters_of_the_other_kind_are_named(features: Path, config: Config, tmp_path: Path) -> None:
    swapped = with_models(config, rf=config.models["passt"], passt=config.models["rf"])
    with pytest.raises(ConfigError, match=r"models\.rf\.forest"):
        train_model("rf", features, tmp_path / "bundle", swapped)
    with pytest.raises(ConfigError, match=r"models\.passt\.train"):
        train_model("passt", features, tmp_path / "bundle", swapped)


def test_changed_models_need_new_features(studio: Studio, config: Config, tmp_path: Path) -> None:
    features = studio.features(tmp_path / "features", with_models(config, rf=config.models["rf"]))
    with pytest.raises(DataError, match="run the features step again"):
        train_model("passt", features, tmp_path / "bundle", config)


def test_training_from_samples_redraws_the_front_end(
    studio: Studio, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = get_model("passt")
    monkeypatch.setitem(entry.presets, "mini", dataclasses.replace(entry.preset("mini"), cache="samples"))
    models = with_models(config, passt=ModelParams(train=optimiser(epochs=1)))
    features = studio.features(tmp_path / "features", models)
    store = FeatureStore.open(features, "openmic-20")
    front_end = entry.preset("mini").front_end
    inputs = Inputs(store, front_end, from_samples=True, augment=True, device=torch.device("cpu"))
    rows = np.arange(3)
    drawn = [inputs.training(rows, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    difference = (drawn[0] - inputs.evaluation(rows)).abs()
    assert difference.median() < 0.1  # the same sound through a slightly different bank
    train_model("passt", features, tmp_path / "bundle", models)
    assert read_bundle(tmp_path / "bundle").contract.preset == "mini"
