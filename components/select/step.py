"""Chooses the ensemble: its members, their weights and the thresholds.

Searches the weights on validation clips alone, with the models that params.yaml names, and tunes a threshold per class.
Then, with nothing left to choose, measures the ensemble and the best single model on the test clips.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components._command import described
from tutti.config import Config


@dataclass(frozen=True)
class Inputs:
    """What the step reads."""

    models: Path = described("folder with the bundle of every model, by name")
    evaluations: Path = described("folder with the evaluation of every model, by name")


@dataclass(frozen=True)
class Outputs:
    """What the step writes."""

    ensemble: Path = described("folder: bag.yaml, members/, predictions.parquet, per_class.csv, search.csv")
    metrics: Path = described("JSON: the ensemble's metrics, its weights, and the best single model's metrics")


def run(inputs: Inputs, outputs: Outputs, params: Config) -> dict[str, Any]:
    """Selects the ensemble; returns its metrics document.

    Raises:
        ArtifactMismatch: A bundle is not the one that was evaluated, or two models are of different tasks.
        ConfigError: A model cannot listen to recordings, since its input only comes with its dataset.
        DataError: A model was not trained or not evaluated, or validation has too few labels.
    """
    from tutti.evaluation.selection import read_trained, write_ensemble
    from tutti.evaluation.summary import metrics_of
    from tutti.files import write_json

    trained = read_trained(inputs.models, inputs.evaluations, params.select.models)
    document = write_ensemble(trained, outputs.ensemble, params)
    write_json(outputs.metrics, metrics_of(document))
    return document
