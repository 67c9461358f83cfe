"""The metrics document of one model: per split the metrics with their intervals, and on which data."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tutti.config import EvaluateParams
from tutti.errors import DataError
from tutti.evaluation.bootstrap import Interval, intervals
from tutti.evaluation.metrics import Metrics, finite, masked_metrics
from tutti.evaluation.predictions import Predictions

#: Metrics whose intervals the document carries.
WITH_INTERVAL = ("map", "f1_macro", "f1_macro_two_class", "auroc")


def summarise(
    predictions: Predictions, thresholds: Sequence[float], params: EvaluateParams, seed: int
) -> tuple[Metrics, dict[str, Any]]:
    """Metrics of one split.

    Args:
        predictions: The clips of the split.
        thresholds: One per class.
        params: Resamples and level of the intervals.
        seed: The run's seed.

    Returns:
        The metrics, and their JSON form: every summary metric, ``<metric>_low`` and ``<metric>_high`` where there are
        intervals, ``clips``, ``cells`` and ``skipped``. Numbers have six decimals; an undefined one is None.
    """
    metrics = masked_metrics(predictions.probabilities, predictions.labels, predictions.mask, thresholds)
    document = metrics.to_dict()
    if params.bootstrap:
        found = intervals(
            predictions.probabilities,
            predictions.labels,
            predictions.mask,
            thresholds,
            resamples=params.bootstrap,
            confidence=params.confidence,
            seed=seed,
        )
        for name in WITH_INTERVAL:
            document[f"{name}_low"], document[f"{name}_high"] = finite(found[name].low), finite(found[name].high)
    return metrics, {name: rounded(value) for name, value in document.items()}


def difference_dict(interval: Interval) -> dict[str, float | None]:
    """The JSON form of a difference between two models."""
    return {name: rounded(finite(getattr(interval, name))) for name in ("value", "low", "high")}


def rounded(value: Any) -> Any:
    """A float with six decimals, which is beyond what any test set can tell; anything else as it is."""
    return round(value, 6) if isinstance(value, float) else value


def read_document(path: Path) -> dict[str, Any]:
    """Reads a metrics document.

    Raises:
        DataError: It is missing, or no metrics document.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"there is no {path}", hint="run the evaluate step first") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is not readable JSON", got=error, hint="run the evaluate step again") from error
    missing = {"digest", "data", "valid", "test"} - set(document if isinstance(document, dict) else ())
    if missing:
        raise DataError(f"{path} is no metrics document", got=f"no {', '.join(sorted(missing))}")
    return dict(document)


def metrics_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a metrics document that people compare: without digests, with intervals of the two main metrics."""
    kept = {key: value for key, value in document.items() if key != "digest"}
    kept["data"] = {key: document["data"][key] for key in ("name", "synthetic")}
    for split in ("valid", "test"):
        kept[split] = {
            key: value
            for key, value in document[split].items()
            if key.startswith(("map", "f1_macro_two_class")) or not key.endswith(("_low", "_high"))
        }
    return kept
