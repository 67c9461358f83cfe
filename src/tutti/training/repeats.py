"""The same model trained with other seeds: how much of a difference between models is chance."""

import logging
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from tutti.config import Config
from tutti.evaluation.clips import predict_clips
from tutti.evaluation.predictions import SPLITS
from tutti.evaluation.summary import summarise
from tutti.predictor import Predictor
from tutti.training.feature_store import FeatureStore
from tutti.training.train import train_model

log = logging.getLogger(__name__)


def repeat_model(name: str, features: Path, config: Config, *, pretrained: Path | None, bundle: Path) -> pd.DataFrame:
    """Metrics of a model under the run's seed and under every further one.

    Everything but the training is as it was: data, splits, features, and the pretrained weights.

    Args:
        name: The model in params.yaml.
        features: The features folder.
        config: The run's parameters; ``repeat.seeds`` are the further seeds.
        pretrained: What the pretrain step wrote for the model, None for none.
        bundle: The model as the run trained it.

    Returns:
        One row per seed and split: seed, split, and every summary metric at the model's thresholds.
    """
    rows = _scores(config.seed, bundle, features, config)
    with tempfile.TemporaryDirectory() as folder:
        for seed in config.repeat.seeds:
            target = Path(folder) / str(seed)
            changed = config.model_copy(update={"seed": seed})
            train_model(name, features, target, changed, pretrained=pretrained)
            rows += _scores(seed, target, features, config)
            log.info("repeat: %s with the seed %d", name, seed)
    return pd.DataFrame(rows)


def _scores(seed: int, bundle: Path, features: Path, config: Config) -> list[dict[str, Any]]:
    predictor = Predictor.from_path(bundle)
    predictions = predict_clips(predictor, FeatureStore.open(features, predictor.task.name))
    without_intervals = config.evaluate.model_copy(update={"bootstrap": 0})
    rows = []
    for split in SPLITS:
        _, document = summarise(
            predictions.of(split), predictor.thresholds, predictor.task, without_intervals, config.seed
        )
        numbers = {key: value for key, value in document.items() if not isinstance(value, list)}
        rows.append({"seed": seed, "split": split, **numbers})
    return rows
