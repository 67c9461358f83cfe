"""Pretraining a network on another task, for the weights that its training starts from."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from tutti import seeds
from tutti.config import Config
from tutti.errors import ConfigError
from tutti.files import atomic_folder, sha256_file, write_json
from tutti.models import get_model
from tutti.models.network import Network
from tutti.provenance import record
from tutti.tasks import get_task
from tutti.training.feature_store import FeatureStore
from tutti.training.loop import Inputs, Run, fit, pick_device
from tutti.training.objectives import objective_of
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

    entry, params = get_model(config.registry_name(name)), config.model_params(name)
    if entry.pretraining is None or params.pretrain is None:
        raise ConfigError(
            f"{name} is not pretrained",
            got="no pretraining in the registry" if entry.pretraining is None else f"no models.{name}.pretrain",
            hint=f"leave the pretrain step out for it, or give models.{name}.pretrain in params.yaml",
        )
    preset, task = entry.preset(params.preset), get_task(entry.pretraining)
    store = FeatureStore.open(features, task.name)

    # Models of one architecture begin alike, so that what is compared later is what was done with the same weights.
    stream = f"pretrain-{entry.factory.__module__.rpartition('.')[2]}"
    seeds.seed_everything(config.seed, stream)
    network: Network = entry.build_pretraining(params.preset, n_classes=len(task.labels))
    start = start_network(network, entry.name, params.preset, preset, pretrained=None, weights=params.weights)
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
            objective=objective_of(task, store.labels, store.mask),
            train_rows=store.training_rows(),
            valid_rows=store.evaluation_rows("valid"),
            params=params.pretrain,
            seed=config.seed,
            drop_last=preset.drop_last,
        ),
    )
    best = progress.history[progress.best_epoch - 1]
    description = {
        "model": entry.name,
        "preset": params.preset,
        "task": task.name,
        "classes": list(task.labels),
        "front_end": preset.front_end.model_dump(),
        "front_end_digest": preset.front_end.digest(),
        "started_from": start.description,
        "summary": (
            f"{task.name} pretraining, epoch {progress.best_epoch}, validation accuracy {best['valid_accuracy']:.3f} "
            f"(chance {1 / len(task.labels):.3f}), started from {start.description}"
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
