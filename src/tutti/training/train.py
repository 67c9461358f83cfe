"""Training one model of the run and writing its bundle."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from tutti.bundle import write_bundle
from tutti.config import Config
from tutti.evaluation.task_metrics import summary_numbers
from tutti.files import atomic_path
from tutti.models import get_model
from tutti.provenance import record
from tutti.tasks import get_task
from tutti.training.cards import model_card
from tutti.training.feature_store import FeatureStore
from tutti.training.fitting import Job, fit_model
from tutti.training.objectives import THRESHOLD

log = logging.getLogger(__name__)


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
    entry, params = get_model(config.registry_name(name)), config.model_params(name)
    task = get_task(entry.task)
    store = FeatureStore.open(features, task.name)
    job = Job(name, entry, params, store, config.seed, pretrained, state)
    fitted = fit_model(job)
    valid = job.validation_rows
    numbers = summary_numbers(task, fitted.probabilities, store.labels[valid], store.mask[valid], THRESHOLD)
    provenance = record(
        params=params.model_dump(exclude_none=True),
        data={**store.description["provenance"]["data"], **fitted.inputs},
        seed=config.seed,
    )
    card = model_card(
        entry,
        params.preset,
        metrics=numbers,
        started_from=fitted.started_from,
        training=_describe_rows(store, job.training_rows),
        validation=_describe_rows(store, valid),
        seed=config.seed,
    )
    write_bundle(
        target,
        model=fitted.model,
        entry=entry,
        preset=params.preset,
        metrics=numbers,
        started_from=fitted.started_from,
        provenance=provenance,
        card=card,
    )
    if fitted.history:
        with atomic_path(target / "history.csv") as temporary:
            pd.DataFrame(fitted.history).to_csv(temporary, index=False)
    if state is not None:
        state.unlink(missing_ok=True)
    log.info("train: %s: validation %s", name, ", ".join(f"{key} {value:.3f}" for key, value in numbers.items()))
    return numbers


def _describe_rows(store: FeatureStore, rows: np.ndarray) -> str:
    synthetic = int(store.index["synthetic"].to_numpy(bool)[rows].sum())
    return f"{len(rows) - synthetic} recordings and {synthetic} mixtures, {int(store.mask[rows].sum())} labelled cells"
