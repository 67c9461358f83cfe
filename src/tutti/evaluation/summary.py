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
from tutti.evaluation.task_metrics import clip_scores, task_metrics
from tutti.tasks import Task

#: Metrics that people compare with their intervals.
_COMPARED = ("map", "f1_macro_two_class", "accuracy", "label_accuracy", "exact_accuracy", "micro_f1")


def summarise(
    predictions: Predictions, thresholds: Sequence[float], task: Task, params: EvaluateParams, seed: int
) -> tuple[Metrics, dict[str, Any]]:
    """Metrics of one split.

    Args:
        predictions: The clips of the split.
        thresholds: One per class.
        task: What they are predictions of.
        params: Resamples and level of the intervals.
        seed: The run's seed.

    Returns:
        The metrics, and their JSON form: every summary metric, those of `tutti.evaluation.task_metrics`,
        ``<metric>_low`` and ``<metric>_high`` where there are intervals, ``clips``, ``cells``, ``skipped`` and, of
        frames, ``frames``. Numbers have six decimals; an undefined one is None.
    """
    cells = predictions.probabilities, predictions.labels, predictions.mask
    metrics = masked_metrics(*cells, thresholds, names=predictions.names)
    own = {name: finite(value) for name, value in task_metrics(task, *cells, thresholds).items()}
    document = metrics.to_dict() | own
    if task.frames:
        asked = predictions.mask.any(axis=1)
        document |= {"clips": len(set(predictions.clip_id[asked])), "frames": metrics.clips}
    if params.bootstrap:
        found = intervals(
            *cells,
            thresholds,
            groups=predictions.group,
            resamples=params.bootstrap,
            confidence=params.confidence,
            seed=seed,
            frames=task.frames,
            means=clip_scores(task, *cells, thresholds),
        )
        for name, interval in found.items():
            document[f"{name}_low"], document[f"{name}_high"] = finite(interval.low), finite(interval.high)
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
    """The part of a metrics document that people compare: without digests, with intervals of the main metrics."""
    kept = {key: value for key, value in document.items() if key != "digest"}
    kept["data"] = {key: document["data"][key] for key in ("name", "synthetic")}
    for split in ("valid", "test"):
        kept[split] = {
            key: value
            for key, value in document[split].items()
            if key.removesuffix("_low").removesuffix("_high") in _COMPARED or not key.endswith(("_low", "_high"))
        }
    return kept
