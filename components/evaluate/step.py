"""Measures one model on the validation and test clips.

Predicts with the same code as the server, from the stored features, and writes the predictions, a table per class and
the metrics with their confidence intervals. Test clips are those of the model's task; without any, the test mixtures.
The bundle may be an ensemble, too, such as a champion that is to be judged on new data.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components._command import described
from tutti.config import Config


@dataclass(frozen=True)
class Inputs:
    """What the step reads."""

    features: Path = described("the folder that features wrote")
    model: str = described("name of the model, as in params.yaml")
    bundle: Path = described("the folder that train wrote for it, or an ensemble's")


@dataclass(frozen=True)
class Outputs:
    """What the step writes."""

    evaluation: Path = described("folder: predictions.parquet, per_class.csv and evaluation.json")
    metrics: Path = described("JSON: the metrics of both splits, and on which data they are")


def run(inputs: Inputs, outputs: Outputs, params: Config) -> dict[str, Any]:
    """Evaluates the model; returns the metrics document.

    Raises:
        ArtifactMismatch: The bundle was altered, or is of another model.
        DataError: There are no features for it, or no clips to judge it on.
    """
    from tutti.errors import ArtifactMismatch
    from tutti.evaluation.clips import describe_data, predict_clips
    from tutti.evaluation.predictions import SPLITS, per_class_table, save_csv, save_predictions
    from tutti.evaluation.selection import DOCUMENT, PER_CLASS, PREDICTIONS
    from tutti.evaluation.summary import metrics_of, summarise
    from tutti.files import atomic_folder, write_json
    from tutti.predictor import Predictor
    from tutti.training.feature_store import FeatureStore

    predictor = Predictor.from_path(inputs.bundle)
    if inputs.model in params.models and predictor.name != params.registry_name(inputs.model):
        expected = params.registry_name(inputs.model)
        raise ArtifactMismatch(f"{inputs.bundle} is of another model", got=predictor.name, expected=expected)
    store = FeatureStore.open(inputs.features, predictor.task.name)
    predictions = predict_clips(predictor, store)
    measured = {
        split: summarise(predictions.of(split), predictor.thresholds, predictor.task, params.evaluate, params.seed)
        for split in SPLITS
    }
    document = {
        "model": inputs.model,
        "preset": predictor.version,
        "digest": predictor.digest,
        "data": describe_data(predictions, store),
        **{split: of_split for split, (_, of_split) in measured.items()},
    }
    with atomic_folder(outputs.evaluation) as folder:
        save_predictions(predictions, folder / PREDICTIONS)
        save_csv(per_class_table({split: metrics for split, (metrics, _) in measured.items()}), folder / PER_CLASS)
        write_json(folder / DOCUMENT, document)
    write_json(outputs.metrics, metrics_of(document))
    return document
