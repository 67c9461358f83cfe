"""Training one model of the run and writing its bundle."""

import json
import logging
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from tutti import seeds
from tutti.bundle import write_bundle
from tutti.config import Config, ForestParams, ModelParams, OptimiserParams
from tutti.errors import ConfigError
from tutti.evaluation.metrics import masked_metrics
from tutti.files import atomic_path, sha256_bytes
from tutti.labels import OPENMIC
from tutti.models import ModelEntry, get_model
from tutti.models.network import Network
from tutti.models.rf import ForestModel
from tutti.provenance import record
from tutti.training.cards import model_card
from tutti.training.feature_store import FeatureStore
from tutti.training.loop import Inputs, Run, fit, pick_device, predict
from tutti.training.losses import positive_share, positive_weight
from tutti.training.objectives import THRESHOLD, MultiLabel
from tutti.training.weights import start_network

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trained:
    """A model after training.

    Attributes:
        model: The network with its best weights, or the forests.
        probabilities: Of the validation rows, float32 [n, 20].
        started_from: Where training started.
        inputs: Digests of weights it started from.
        history: One row per epoch; empty for forests.
    """

    model: Network | ForestModel
    probabilities: np.ndarray
    started_from: str
    inputs: dict[str, str]
    history: list[dict[str, float]]


def train_model(
    name: str,
    features: Path,
    target: Path,
    config: Config,
    *,
    pretrained: Path | None = None,
    state: Path | None = None,
) -> dict[str, float]:
    """Trains the model ``name`` and writes its bundle.

    Args:
        name: The model in params.yaml.
        features: The features folder.
        target: The bundle's folder; a network's also gets ``history.csv``.
        config: The run's parameters.
        pretrained: What the pretrain step wrote for this model, None to start from public or random weights.
        state: File that keeps an interrupted training; removed when the bundle is written.

    Returns:
        Metrics on the validation split.

    Raises:
        ConfigError: The model is unknown, or its parameters are of the other kind.
        DataError: There is nothing to train or validate on.
        ArtifactMismatch: The pretrained weights do not fit.
    """
    entry, params = get_model(name), config.model_params(name)
    store = FeatureStore.open(features)
    valid = store.evaluation_rows("valid")
    if entry.family == "forest":
        trained = _train_forest(entry, params, store, valid, config.seed)
    else:
        trained = _train_network(entry, params, store, valid, config.seed, pretrained, state)
    metrics = masked_metrics(trained.probabilities, store.labels[valid], store.mask[valid], THRESHOLD)
    numbers = {key: value for key, value in metrics.to_dict().items() if isinstance(value, int | float)}
    provenance = record(
        params=params.model_dump(exclude_none=True),
        data={**store.description["provenance"]["data"], **trained.inputs},
        seed=config.seed,
    )
    card = model_card(
        entry,
        params.preset,
        metrics=numbers,
        started_from=trained.started_from,
        training=_describe_rows(store, _training_rows(store, params)),
        validation=_describe_rows(store, valid),
        seed=config.seed,
    )
    write_bundle(
        target,
        model=trained.model,
        entry=entry,
        preset=params.preset,
        labels=OPENMIC,
        metrics=numbers,
        started_from=trained.started_from,
        provenance=provenance,
        card=card,
    )
    if trained.history:
        with atomic_path(target / "history.csv") as temporary:
            pd.DataFrame(trained.history).to_csv(temporary, index=False)
    if state is not None:
        state.unlink(missing_ok=True)
    log.info("train: %s: validation mAP %.3f, macro F1 %.3f", name, metrics.map, metrics.f1_macro)
    return numbers


def _forest_params(params: ModelParams, name: str) -> ForestParams:
    if params.forest is None:
        raise ConfigError(f"{name} is a forest", got=f"models.{name}.train", expected=f"models.{name}.forest")
    return params.forest


def _network_params(params: ModelParams, name: str) -> OptimiserParams:
    if params.train is None:
        raise ConfigError(f"{name} is a network", got=f"models.{name}.forest", expected=f"models.{name}.train")
    return params.train


def _training_rows(store: FeatureStore, params: ModelParams) -> np.ndarray:
    """Rows the model is trained on; synthetic ones only where params.yaml wants them."""
    if params.forest is not None:
        return store.training_rows(synthetic=params.forest.synthetic)
    assert params.train is not None
    return store.training_rows(synthetic=params.train.synthetic_weight > 0)


def _train_forest(entry: ModelEntry, params: ModelParams, store: FeatureStore, valid: np.ndarray, seed: int) -> Trained:
    chosen = _forest_params(params, entry.name)
    vectors = store.array(entry.preset(params.preset).front_end)
    rows = _training_rows(store, params)
    model: ForestModel = entry.build(params.preset)
    # The paper's forests have the seed 0; scikit-learn takes 32 bits.
    forest_seed = 0 if params.preset == "paper" else seeds.derive(seed, entry.name) % 2**32
    model.fit(
        vectors[rows],
        store.labels[rows],
        store.mask[rows],
        trees=chosen.trees,
        max_depth=chosen.max_depth,
        seed=forest_seed,
    )
    return Trained(model, model.predict(vectors[valid]), "random", {}, [])


def _train_network(
    entry: ModelEntry,
    params: ModelParams,
    store: FeatureStore,
    valid: np.ndarray,
    seed: int,
    pretrained: Path | None,
    state: Path | None,
) -> Trained:
    chosen, preset = _network_params(params, entry.name), entry.preset(params.preset)
    rows = _training_rows(store, params)
    labels, mask = torch.from_numpy(store.labels[rows]), torch.from_numpy(store.mask[rows])

    stream = f"train-{entry.name}"
    seeds.seed_everything(seed, stream)
    network: Network = entry.build(params.preset)
    start = start_network(network, entry.name, params.preset, preset, pretrained=pretrained, weights=params.weights)
    log.info("%s: starts from %s", stream, start.description)
    if chosen.prior_bias:
        network.set_prior(positive_share(labels, mask))
    pos_weight: Tensor | None = None
    if chosen.pos_weight_cap is not None:
        pos_weight = positive_weight(labels, mask, chosen.pos_weight_cap)

    inputs = Inputs(
        store,
        preset.front_end,
        from_samples=preset.cache == "samples",
        augment=chosen.augment,
        device=pick_device(),
    )
    synthetic = store.index["synthetic"].to_numpy(bool)[rows]
    weights = np.where(synthetic, chosen.synthetic_weight, 1.0) if chosen.synthetic_weight != 1 else None
    about = {
        "model": entry.name,
        "params": params.model_dump(),
        "front_end": preset.front_end.digest(),
        "data": {**store.description["provenance"]["data"], **start.sha256},
        "seed": seed,
    }
    run = Run(
        name=stream,
        inputs=inputs,
        objective=MultiLabel(store.labels, store.mask, pos_weight),
        train_rows=rows,
        valid_rows=valid,
        params=chosen,
        seed=seed,
        weights=weights,
        drop_last=preset.drop_last,
        state=state,
        fingerprint=sha256_bytes(json.dumps(about, sort_keys=True).encode()),
    )
    progress = fit(network, run)
    probabilities = torch.sigmoid(predict(network, inputs, valid, chosen.batch)).numpy()
    history = [{key: value for key, value in row.items() if not math.isnan(value)} for row in progress.history]
    return Trained(network, probabilities, start.description, start.sha256, history)


def _describe_rows(store: FeatureStore, rows: np.ndarray) -> str:
    synthetic = int(store.index["synthetic"].to_numpy(bool)[rows].sum())
    return f"{len(rows) - synthetic} recordings and {synthetic} mixtures, {int(store.mask[rows].sum())} labelled cells"
