"""Fitting one model, network or forest, on the rows of its task."""

import json
import logging
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tutti import seeds
from tutti.config import ForestParams, ModelParams, OptimiserParams
from tutti.errors import ConfigError
from tutti.files import sha256_bytes
from tutti.models import ModelEntry, Preset
from tutti.models.forest import Forest
from tutti.models.network import Network
from tutti.tasks import get_task
from tutti.training.enhancement import enhance_labels, unasked_as_absent
from tutti.training.feature_store import FeatureStore
from tutti.training.loop import Inputs, Run, fit, pick_device, predict
from tutti.training.losses import positive_share, positive_weight
from tutti.training.objectives import objective_of, probabilities_of
from tutti.training.weights import Start, start_network

log = logging.getLogger(__name__)

#: Rows whose input constants are summed at a time.
_CHUNK = 256


@dataclass(frozen=True)
class Job:
    """What is to be fitted.

    Attributes:
        name: The model's name in the run; random streams and progress are called after it.
        entry: Its registry entry.
        params: Its parameters.
        store: The feature set of its task.
        seed: The run's seed.
        pretrained: What the pretrain step wrote, None to start from public or random weights.
        state: File that keeps an interrupted training, None for none.
    """

    name: str
    entry: ModelEntry
    params: ModelParams
    store: FeatureStore
    seed: int
    pretrained: Path | None = None
    state: Path | None = None

    @property
    def preset(self) -> Preset:
        """The chosen size."""
        return self.entry.preset(self.params.preset)

    @property
    def training_rows(self) -> np.ndarray:
        """Rows the model is trained on; synthetic ones only where params.yaml wants them."""
        if self.params.forest is not None:
            return self.store.training_rows(synthetic=self.params.forest.synthetic)
        assert self.params.train is not None
        return self.store.training_rows(synthetic=self.params.train.synthetic_weight > 0)

    @property
    def validation_rows(self) -> np.ndarray:
        """Rows that choose the epoch."""
        return self.store.evaluation_rows("valid")


@dataclass(frozen=True)
class Fitted:
    """A model after training.

    Attributes:
        model: The network with its best weights, or the forests.
        probabilities: Of the validation rows, float32 [n, (frames,) classes].
        started_from: Where training started.
        inputs: Digests of weights it started from.
        history: One row per epoch; empty for forests.
    """

    model: Network | Forest
    probabilities: np.ndarray
    started_from: str
    inputs: dict[str, str]
    history: list[dict[str, float]]


def fit_model(job: Job) -> Fitted:
    """Fits the model of a job.

    Raises:
        ConfigError: Its parameters are of the other kind.
        DataError: There is nothing to train or validate on.
        ArtifactMismatch: The pretrained weights do not fit.
    """
    return _fit_forest(job) if job.entry.family == "forest" else _fit_network(job)


def _forest_params(job: Job) -> ForestParams:
    if job.params.forest is None:
        raise ConfigError(
            f"{job.name} is a forest", got=f"models.{job.name}.train", expected=f"models.{job.name}.forest"
        )
    return job.params.forest


def _network_params(job: Job) -> OptimiserParams:
    if job.params.train is None:
        raise ConfigError(
            f"{job.name} is a network", got=f"models.{job.name}.forest", expected=f"models.{job.name}.train"
        )
    return job.params.train


def _fit_forest(job: Job) -> Fitted:
    chosen, rows = _forest_params(job), job.training_rows
    vectors = job.store.array(job.preset.front_end)
    model: Forest = job.entry.build(job.params.preset)
    # The papers' forests have the seed 0; scikit-learn takes 32 bits.
    seed = 0 if job.params.preset != "mini" else seeds.derive(job.seed, job.entry.name) % 2**32
    model.fit(
        vectors[rows],
        job.store.labels[rows],
        job.store.mask[rows],
        trees=chosen.trees,
        max_depth=chosen.max_depth,
        seed=seed,
    )
    return Fitted(model, model.predict(vectors[job.validation_rows]), "random", {}, [])


def _fit_network(job: Job) -> Fitted:
    """Trains with the labels that the model's procedure takes for known."""
    labels, mask = np.array(job.store.labels), np.array(job.store.mask)
    rows = job.training_rows
    if job.entry.procedure == "masked":
        return _train(job, labels, mask)
    labels[rows], mask[rows] = unasked_as_absent(labels[rows], mask[rows])
    if job.entry.procedure == "negatives":
        return _train(job, labels, mask)
    first = replace(job, name=f"{job.name}-negatives", state=None)
    suspicious = _train(first, labels, mask, answer=rows)
    labels[rows], mask[rows] = enhance_labels(
        suspicious.probabilities,
        job.store.labels[rows],
        job.store.mask[rows],
        confident_share=job.params.confident_share,
    )
    return _train(job, labels, mask)


def _train(job: Job, labels: np.ndarray, mask: np.ndarray, *, answer: np.ndarray | None = None) -> Fitted:
    """Trains a network on these labels; its probabilities are those of ``answer``, by default the validation rows."""
    chosen, preset, rows = _network_params(job), job.preset, job.training_rows
    task, device = get_task(job.entry.task), pick_device()
    stream = f"train-{job.name}"
    seeds.seed_everything(job.seed, stream)
    network: Network = job.entry.build(job.params.preset)
    start = start_network(
        network, job.entry.name, job.params.preset, preset, pretrained=job.pretrained, weights=job.params.weights
    )
    log.info("%s: starts from %s", stream, start.description)
    known, asked = torch.from_numpy(labels[rows]), torch.from_numpy(mask[rows])
    if chosen.prior_bias:
        network.set_prior(positive_share(known, asked))
    pos_weight: Tensor | None = None
    if chosen.pos_weight_cap is not None:
        pos_weight = positive_weight(known, asked, chosen.pos_weight_cap)
    if network.scales_input:
        network.set_scaler(*input_scale(job.store.array(preset.front_end), mask, rows))

    inputs = Inputs(
        job.store, preset.front_end, from_samples=preset.cache == "samples", augment=chosen.augment, device=device
    )
    synthetic = job.store.index["synthetic"].to_numpy(bool)[rows]
    run = Run(
        name=stream,
        inputs=inputs,
        objective=objective_of(task, labels, mask, pos_weight, soft=chosen.soft_targets),
        train_rows=rows,
        valid_rows=job.validation_rows,
        params=chosen,
        seed=job.seed,
        weights=np.where(synthetic, chosen.synthetic_weight, 1.0) if chosen.synthetic_weight != 1 else None,
        drop_last=preset.drop_last,
        state=job.state,
        fingerprint=_fingerprint(job, start),
    )
    progress = fit(network, run)
    wanted = job.validation_rows if answer is None else answer
    probabilities = probabilities_of(task, predict(network, inputs, wanted, chosen.batch)).numpy()
    history = [{key: value for key, value in row.items() if not math.isnan(value)} for row in progress.history]
    return Fitted(network, probabilities, start.description, start.sha256, history)


def _fingerprint(job: Job, start: Start) -> str:
    about = {
        "model": job.entry.name,
        "params": job.params.model_dump(),
        "front_end": job.preset.front_end.digest(),
        "data": {**job.store.description["provenance"]["data"], **start.sha256},
        "seed": job.seed,
    }
    return sha256_bytes(json.dumps(about, sort_keys=True).encode())


def input_scale(features: np.ndarray, mask: np.ndarray, rows: np.ndarray) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each input value over the frames of the training rows.

    Args:
        features: float [rows, frames, values].
        mask: Whether a frame is one of the recording's, bool [rows, frames, classes]; padding counts for nothing.
        rows: The training rows, int [n].

    Returns:
        float32 [values] each.
    """
    count, total, squares = 0, np.zeros(features.shape[-1]), np.zeros(features.shape[-1])
    for first in range(0, len(rows), _CHUNK):
        chunk = rows[first : first + _CHUNK]
        values = features[chunk][mask[chunk].any(axis=-1)].astype(np.float64)
        count += len(values)
        total += values.sum(axis=0)
        squares += np.square(values).sum(axis=0)
    mean = total / max(count, 1)
    variance = np.maximum(squares / max(count, 1) - np.square(mean), 0)
    return torch.from_numpy(mean.astype(np.float32)), torch.from_numpy(np.sqrt(variance).astype(np.float32))
