"""Metrics of tasks whose frames have labels of their own, pooled over all frames.

Where the published evaluation took the mean over all twelve columns, most of which are never positive, a perfect
answer scores 5/12; so every mean is given over all columns and over those that are present. Precision, recall and F1
count as 0 where they are undefined, as there.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tutti.errors import DataError
from tutti.evaluation.metrics import PRESENT, finite


@dataclass(frozen=True)
class Scores:
    """What follows from the counts of right and wrong decisions.

    Attributes:
        hamming: Share of the cells that are decided wrongly (Hamming loss).
        micro_f1: F1 of all cells together.
        macro_precision: Mean of the columns' precision; ``macro_recall`` and ``macro_f1`` likewise.
        macro_recall: See above.
        macro_f1: See above.
        present_precision: Mean of the precision of the columns with positives; ``present_recall`` and ``present_f1``
            likewise; NaN when no column has any.
        present_recall: See above.
        present_f1: See above.
    """

    hamming: float
    micro_f1: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    present_precision: float
    present_recall: float
    present_f1: float


@dataclass(frozen=True)
class Column:
    """One label's metrics over its frames.

    Attributes:
        name: The label.
        positives: Frames where it holds.
        frames: Frames that count.
        precision: 0 where undefined; ``recall`` and ``f1`` likewise.
        recall: See above.
        f1: See above.
        auroc: Area under the ROC curve; NaN unless the label both holds and does not.
        threshold: Probability from which it is decided to hold.
    """

    name: str
    positives: int
    frames: int
    precision: float
    recall: float
    f1: float
    auroc: float
    threshold: float

    def to_dict(self) -> dict[str, Any]:
        """The fields, JSON-able, by the column names of per_class.csv: an undefined area is None."""
        row = asdict(self)
        return {"class": row.pop("name"), **row, "auroc": finite(self.auroc)}


@dataclass(frozen=True)
class FrameMetrics:
    """Metrics of one split.

    Attributes:
        scores: What was decided right and wrong.
        auroc: Mean area under the ROC curve over the columns that have one, NaN without any.
        frames: Frames with at least one cell that counts.
        cells: Cells that count.
        per_column: One entry per label, in their order.
    """

    scores: Scores
    auroc: float
    frames: int
    cells: int
    per_column: tuple[Column, ...]

    def to_dict(self) -> dict[str, Any]:
        """The summary without the columns, JSON-able: an undefined number is None."""
        numbers = {name: finite(value) for name, value in asdict(self.scores).items()}
        return {**numbers, "auroc": finite(self.auroc), "frames": self.frames, "cells": self.cells}


def frame_metrics(
    probabilities: ArrayLike,
    labels: ArrayLike,
    mask: ArrayLike,
    *,
    names: Collection[str],
    thresholds: ArrayLike = PRESENT,
) -> FrameMetrics:
    """Metrics over all frames that count.

    Args:
        probabilities: [..., frames, labels] in [0, 1].
        labels: Relevance of the same shape in [0, 1]; booleans do as well.
        mask: Whether a cell counts, bool of the same shape; False in padding.
        names: The labels.
        thresholds: Probability from which a label is decided to hold: one number, or one per label.

    Raises:
        DataError: Shapes differ, nothing counts, or a probability that counts is no number in [0, 1].
    """
    prob, relevance, counted = np.asarray(probabilities), np.asarray(labels), np.asarray(mask, bool)
    shapes = [list(array.shape) for array in (prob, relevance, counted)]
    if shapes[0] != shapes[1] or shapes[0] != shapes[2] or shapes[0][-1:] != [len(names)]:
        raise DataError(
            "probabilities, labels and mask of frames must have one shape",
            got=", ".join(map(str, shapes)),
            expected=f"[..., frames, {len(names)}]",
        )
    if not counted.any():
        raise DataError("there is no frame to judge", expected="at least one cell whose mask is True")
    judged = prob[counted]
    if not ((judged >= 0) & (judged <= 1)).all():
        raise DataError("a probability is not in [0, 1]", got=judged[~((judged >= 0) & (judged <= 1))][0])
    width = len(names)
    prob, present, counted = (
        prob.reshape(-1, width),
        relevance.reshape(-1, width) >= PRESENT,
        counted.reshape(-1, width),
    )
    cuts = np.broadcast_to(np.asarray(thresholds, float), (width,))
    decided = prob >= cuts
    tp, fp, fn = (
        (cells & counted).sum(axis=0) for cells in (decided & present, decided & ~present, ~decided & present)
    )
    precision, recall, f1 = _ratio(tp, tp + fp), _ratio(tp, tp + fn), _ratio(2 * tp, 2 * tp + fp + fn)
    per_column = tuple(
        Column(
            name=name,
            positives=int(tp[c] + fn[c]),
            frames=int(counted[:, c].sum()),
            precision=float(precision[c]),
            recall=float(recall[c]),
            f1=float(f1[c]),
            auroc=_auroc(prob[counted[:, c], c], present[counted[:, c], c]),
            threshold=float(cuts[c]),
        )
        for c, name in enumerate(names)
    )
    areas = [column.auroc for column in per_column if not np.isnan(column.auroc)]
    return FrameMetrics(
        scores=scores_of_counts(tp, fp, fn, cells=int(counted.sum())),
        auroc=float(np.mean(areas)) if areas else float("nan"),
        frames=int(counted.any(axis=1).sum()),
        cells=int(counted.sum()),
        per_column=per_column,
    )


def scores_of_counts(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, *, cells: int) -> Scores:
    """Scores from each column's true positives, false positives and false negatives, int [columns] each.

    Args:
        tp: Cells rightly decided to hold.
        fp: Cells wrongly decided to hold.
        fn: Cells wrongly decided not to hold.
        cells: All cells that count.
    """
    tp, fp, fn = (np.asarray(counts, np.int64) for counts in (tp, fp, fn))
    precision, recall, f1 = _ratio(tp, tp + fp), _ratio(tp, tp + fn), _ratio(2 * tp, 2 * tp + fp + fn)
    present = tp + fn > 0

    def over_present(values: np.ndarray) -> float:
        return float(values[present].mean()) if present.any() else float("nan")

    return Scores(
        hamming=float((fp + fn).sum() / cells),
        micro_f1=float(_ratio(2 * tp.sum(), (2 * tp + fp + fn).sum())),
        macro_precision=float(precision.mean()),
        macro_recall=float(recall.mean()),
        macro_f1=float(f1.mean()),
        present_precision=over_present(precision),
        present_recall=over_present(recall),
        present_f1=over_present(f1),
    )


def constant_scores(positives: Mapping[int, int], frames: int, columns: Collection[int], *, width: int) -> Scores:
    """Scores of a predictor that always answers the same, which need no data but the labels' counts.

    With the published test set's counts and the six columns that are positive in training, these are all four numbers
    of the published row "CNN Model - BCE": that network answered the same to everything.

    Args:
        positives: Column to its positive frames; none where a column is left out.
        frames: All frames.
        columns: Columns that are always decided to hold.
        width: All columns.
    """
    held = np.array([positives.get(column, 0) for column in range(width)])
    on = np.isin(np.arange(width), list(columns))
    return scores_of_counts(held * on, (frames - held) * on, held * ~on, cells=frames * width)


def macro_f1_bound(precision: float, recall: float) -> float:
    """The largest macro F1 that a macro precision and a macro recall allow: their harmonic mean.

    The harmonic mean is concave, so the mean of the columns' F1 is at most the harmonic mean of the means. The
    published transformer's row (0.1515, 0.4105, 0.2810) breaks that: no predictions score so.
    """
    return float(_ratio(2 * precision * recall, precision + recall))


def _ratio(part: ArrayLike, whole: ArrayLike) -> np.ndarray:
    """``part / whole``, 0 where ``whole`` is 0."""
    part, whole = np.asarray(part, float), np.asarray(whole, float)
    return np.divide(part, whole, out=np.zeros(np.broadcast(part, whole).shape), where=whole > 0)


def _auroc(prob: np.ndarray, present: np.ndarray) -> float:
    if not present.any() or present.all():
        return float("nan")
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(present, prob))
