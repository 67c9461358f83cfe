"""Pretraining on IRMAS: which of nine instruments plays in a three-second clip."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tutti import seeds
from tutti.config import Config
from tutti.errors import ConfigError
from tutti.files import atomic_folder, sha256_file, write_json
from tutti.labels import IRMAS_PRETRAINING
from tutti.models import get_model
from tutti.provenance import record
from tutti.training.feature_store import IRMAS, FeatureStore
from tutti.training.loop import Inputs, Run, fit, pick_device
from tutti.training.objectives import SingleLabel
from tutti.training.weights import DESCRIPTION, WEIGHTS, start_network

log = logging.getLogger(__name__)


def pretrain_model(name: str, features: Path, target: Path, config: Config) -> dict[str, Any]:
    """Pretrains a network and writes the weights that its training starts from.

    Args:
        name: The model in params.yaml.
        features: The features folder.
        target: Folder for ``weights.safetensors``, ``pretrained.json`` and ``history.csv``, written whole.
        config: The run's parameters.

    Returns:
        ``pretrained.json``.

    Raises:
        ConfigError: The model has no pretraining, or params.yaml does not ask for it.
        DataError: There are no features for it.
    """
    from safetensors.torch import save_file

    entry, params = get_model(name), config.model_params(name)
    if entry.pretraining is None or params.pretrain is None:
        raise ConfigError(
            f"{name} is not pretrained",
            got="no pretraining in the registry" if entry.pretraining is None else f"no models.{name}.pretrain",
            hint=f"leave the pretrain step out for it, or give models.{name}.pretrain in params.yaml",
        )
    preset = entry.preset(params.preset)
    store = FeatureStore.open(features, IRMAS)
    classes = pretraining_classes(store.index)
    split = store.index["split"].to_numpy()

    stream = f"pretrain-{name}"
    seeds.seed_everything(config.seed, stream)
    network = entry.build_pretraining(params.preset, n_classes=len(IRMAS_PRETRAINING))
    start = start_network(network, name, params.preset, preset, pretrained=None, weights=params.weights)
    progress = fit(
        network,
        Run(
            name=stream,
            inputs=Inputs(
                store,
                preset.front_end,
                from_samples=preset.cache == "samples",
                augment=params.pretrain.augment,
                device=pick_device(),
            ),
            objective=SingleLabel(classes),
            train_rows=np.flatnonzero((split == "train") & (classes >= 0)),
            valid_rows=np.flatnonzero((split == "valid") & (classes >= 0)),
            params=params.pretrain,
            seed=config.seed,
            drop_last=preset.drop_last,
        ),
    )
    best = progress.history[progress.best_epoch - 1]
    description = {
        "model": name,
        "preset": params.preset,
        "task": entry.pretraining,
        "classes": list(IRMAS_PRETRAINING),
        "front_end": preset.front_end.model_dump(),
        "front_end_digest": preset.front_end.digest(),
        "started_from": start.description,
        "summary": (
            f"{entry.pretraining} pretraining, epoch {progress.best_epoch}, validation accuracy "
            f"{best['valid_accuracy']:.3f} (chance {1 / len(IRMAS_PRETRAINING):.3f}), started from {start.description}"
        ),
        "best_epoch": progress.best_epoch,
        "metrics": {key: value for key, value in best.items() if key.startswith("valid_")},
    }
    with atomic_folder(target) as folder:
        save_file({k: v.detach().cpu().contiguous() for k, v in network.transferable().items()}, folder / WEIGHTS)
        description["sha256"] = sha256_file(folder / WEIGHTS)
        description["provenance"] = record(
            params=params.pretrain.model_dump(),
            data={**store.description["provenance"]["data"], **start.sha256},
            seed=config.seed,
        )
        pd.DataFrame(progress.history).to_csv(folder / "history.csv", index=False)
        write_json(folder / DESCRIPTION, description)
    log.info("pretrain: %s: %s", name, description["summary"])
    return description


def pretraining_classes(index: pd.DataFrame) -> np.ndarray:
    """Class of each IRMAS clip, int64 [rows] in 0..8; -1 for codes that are not pretrained on (organ, voice)."""
    position = {code: number for number, code in enumerate(IRMAS_PRETRAINING)}
    return np.array([position.get(code, -1) for code in index["native_labels"]], np.int64)
