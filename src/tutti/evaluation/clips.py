"""From a trained model and the feature store to predictions of the evaluation clips."""

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tutti.errors import ArtifactMismatch, DataError
from tutti.evaluation.predictions import SPLITS, Predictions
from tutti.progress import track

if TYPE_CHECKING:
    from tutti.predictor import Predictor
    from tutti.training.feature_store import FeatureStore

log = logging.getLogger(__name__)

#: Windows read from the memory-mapped features at a time.
_ROWS = 256


def predict_clips(predictor: "Predictor", store: "FeatureStore") -> Predictions:
    """What a model says about the validation and test clips.

    Windows go through the predictor as recordings do in serving, a few at a time, so that memory is bounded by the
    result. A clip's windows are aggregated by the model's own policy; where every frame has labels, each stands alone.

    Args:
        predictor: The bundle or the ensemble.
        store: The set of its task.

    Returns:
        One row per clip; where every frame has labels, one per asked frame. ``frame`` counts the frames of a clip's
        windows one after the other, so it is the number within the clip when windows do not overlap. ``synthetic`` is
        true for mixtures and for clips of rendered datasets.

    Raises:
        ArtifactMismatch: The model decides about other classes than the set has, or about fewer frames.
        DataError: The store lacks features of one of its front ends, or a split has no clips.
    """
    expected = (*store.labels.shape[1:-1], len(predictor.labels))
    if store.labels.shape[1:] != expected or predictor.task.frames != (store.labels.ndim == 3):
        raise ArtifactMismatch(
            f"{predictor.name} does not decide about the classes that clips are judged on",
            got=f"{len(predictor.labels)} classes of the task {predictor.task.name}",
            expected=f"those of the set {store.folder.name}, {store.labels.shape[1:]} for each window",
        )
    rows = np.concatenate([_rows(store, split) for split in SPLITS])
    predictions = _of_frames(predictor, store, rows) if predictor.task.frames else _of_clips(predictor, store, rows)
    log.info("predicted %d rows (%d windows) with %s", len(predictions), len(rows), predictor.name)
    return predictions


def describe_data(predictions: Predictions, store: "FeatureStore") -> dict[str, Any]:
    """On which data the test metrics are: ``name``, whether it is ``synthetic``, and the manifest's ``sha256``."""
    test = predictions.of("test")
    return {
        "name": test.data_name(),
        "synthetic": bool(test.synthetic.any()),
        "sha256": store.description["provenance"]["data"]["manifest"],
    }


def _of_clips(predictor: "Predictor", store: "FeatureStore", rows: np.ndarray) -> Predictions:
    windows = np.concatenate([probabilities for _, probabilities in _chunks(predictor, store, rows)])
    by_clip: dict[str, list[int]] = {}
    for position, clip in enumerate(store.index["clip_id"].to_numpy()[rows]):
        by_clip.setdefault(str(clip), []).append(position)
    first = rows[[positions[0] for positions in by_clip.values()]]  # labels are the clip's: the same in all its windows
    return _predictions(
        predictor,
        store,
        first,
        frame=np.zeros(len(first), np.int32),
        probabilities=np.stack([predictor.window.aggregate(windows[positions]) for positions in by_clip.values()]),
        labels=store.labels[first],
        mask=store.mask[first],
    )


def _of_frames(predictor: "Predictor", store: "FeatureStore", rows: np.ndarray) -> Predictions:
    window = store.index.groupby("clip_id")["start_s"].rank(method="first").to_numpy(int) - 1
    parts: dict[str, list[np.ndarray]] = {name: [] for name in ("row", "frame", "probabilities", "labels", "mask")}
    for chunk, probabilities in _chunks(predictor, store, rows):
        mask = store.mask[chunk]
        if probabilities.shape != mask.shape:
            raise ArtifactMismatch(
                f"{predictor.name} does not answer for the frames that have labels",
                got=f"{probabilities.shape[1]} frames of a window",
                expected=mask.shape[1],
                hint="run the features step again",
            )
        which, frame = np.nonzero(mask.any(axis=2))
        parts["row"].append(chunk[which])
        parts["frame"].append((window[chunk[which]] * mask.shape[1] + frame).astype(np.int32))
        parts["probabilities"].append(probabilities[which, frame])
        parts["labels"].append(store.labels[chunk][which, frame])
        parts["mask"].append(mask[which, frame])
    joined = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    return _predictions(predictor, store, joined.pop("row"), **joined)


def _predictions(predictor: "Predictor", store: "FeatureStore", rows: np.ndarray, **arrays: np.ndarray) -> Predictions:
    """Predictions whose facts about the clips stand in these rows of the index."""
    facts = {name: store.index[name].to_numpy(object)[rows] for name in ("clip_id", "group", "dataset", "split")}
    synthetic = store.index["dataset"].isin(store.description["synthetic"]).to_numpy(bool)[rows]
    return Predictions(names=predictor.labels, **facts, synthetic=synthetic, **arrays)


def _chunks(predictor: "Predictor", store: "FeatureStore", rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows of the store, a few at a time, and the predictor's answer to them."""
    arrays = {key: store.array(config) for key, config in predictor.front_ends.items()}
    chunks = [rows[first : first + _ROWS] for first in range(0, len(rows), _ROWS)]
    for chunk in track(chunks, f"predicting with {predictor.name}", unit="batches"):
        yield chunk, predictor.predict_features({key: array[chunk] for key, array in arrays.items()})


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
