"""From a trained model and the feature store to predictions of the evaluation clips."""

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from tutti.errors import ArtifactMismatch, DataError
from tutti.evaluation.predictions import SPLITS, Predictions
from tutti.labels import OPENMIC
from tutti.progress import track

if TYPE_CHECKING:
    from tutti.predictor import Predictor
    from tutti.training.feature_store import FeatureStore

log = logging.getLogger(__name__)

#: Windows read from the memory-mapped features at a time.
_ROWS = 256


def predict_clips(predictor: "Predictor", store: "FeatureStore") -> Predictions:
    """What a model says about the validation and test clips.

    Windows go through the predictor as recordings do in serving, and a clip's windows are aggregated by the model's
    own policy.

    Args:
        predictor: The bundle or the ensemble.
        store: The set of windows with the task's labels.

    Returns:
        One row per clip. ``synthetic`` is true for mixtures and for clips of rendered datasets.

    Raises:
        ArtifactMismatch: The model decides about other classes.
        DataError: The store lacks features of one of its front ends, or a split has no clips.
    """
    if tuple(predictor.labels) != OPENMIC:
        raise ArtifactMismatch(
            f"{predictor.name} does not decide about the classes that clips are judged on",
            got=", ".join(predictor.labels),
            expected=", ".join(OPENMIC),
        )
    rows = np.concatenate([_rows(store, split) for split in SPLITS])
    arrays = {key: store.array(config) for key, config in predictor.front_ends.items()}
    chunks = [rows[first : first + _ROWS] for first in range(0, len(rows), _ROWS)]
    windows = np.concatenate(
        [
            predictor.predict_features({key: array[chunk] for key, array in arrays.items()})
            for chunk in track(chunks, f"predicting with {predictor.name}", unit="batches")
        ]
    )
    by_clip: dict[str, list[int]] = {}
    for position, clip in enumerate(store.index["clip_id"].to_numpy()[rows]):
        by_clip.setdefault(str(clip), []).append(position)
    first = rows[[positions[0] for positions in by_clip.values()]]  # labels are the clip's: the same in all its windows
    index = store.index.iloc[first]
    log.info("predicted %d clips (%d windows) with %s", len(by_clip), len(rows), predictor.name)
    return Predictions(
        clip_id=np.array(list(by_clip), object),
        dataset=index["dataset"].to_numpy(object),
        split=index["split"].to_numpy(object),
        synthetic=index["dataset"].isin(store.description["synthetic"]).to_numpy(bool),
        probabilities=np.stack([predictor.window.aggregate(windows[positions]) for positions in by_clip.values()]),
        labels=store.labels[first],
        mask=store.mask[first],
    )


def describe_data(predictions: Predictions, store: "FeatureStore") -> dict[str, Any]:
    """On which data the test metrics are: ``name``, whether it is ``synthetic``, and the manifest's ``sha256``."""
    test = predictions.of("test")
    return {
        "name": test.data_name(),
        "synthetic": bool(test.synthetic.any()),
        "sha256": store.description["provenance"]["data"]["manifest"],
    }


def _rows(store: "FeatureStore", split: str) -> np.ndarray:
    rows = store.evaluation_rows(split)
    if not len(rows):
        raise DataError(
            f"there are no {split} clips with labels to evaluate on",
            got=f"splits {', '.join(sorted(set(store.index['split'])))}",
            expected="labelled clips in valid and in test",
            hint="add recordings, or raise data.valid_fraction in params.yaml",
        )
    return rows
