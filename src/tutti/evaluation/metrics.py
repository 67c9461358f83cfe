"""Masked multi-label metrics, each definition under a name of its own.

Only asked cells count: where ``mask`` is False nobody knows whether the instrument plays, and neither the label nor
the prediction of that cell changes any number here. A label is positive from a relevance of 0.5, a prediction from
its class's threshold; both with ``>=``.

Two numbers called "macro F1" circulate for OpenMIC-2018 and differ by about 0.08 for the same predictions. Here
``f1_macro`` is the mean over classes of the positive class's F1, and ``f1_macro_two_class`` the mean over classes of
the unweighted mean of the positive's and the negative's F1.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tutti.errors import DataError
from tutti.evaluation import ranking

#: A relevance from here on means that the instrument is present.
PRESENT = 0.5

#: Summary metrics of `Metrics`, in the order reports show them.
NAMES = ("map", "f1_macro", "f1_macro_two_class", "auroc", "hamming")


@dataclass(frozen=True)
class ClassMetrics:
    """One class's metrics over its asked cells.

    Attributes:
        name: The class.
        positives: Asked cells where it plays.
        negatives: Asked cells where it does not.
        ap: Average precision; NaN unless there are positives and negatives.
        auroc: Area under the ROC curve; NaN likewise.
        f1: F1 of the positive class; 0 where undefined, NaN when no cell was asked. ``precision`` and ``recall``
            likewise.
        f1_two_class: Mean of the F1 of both polarities; NaN unless there are positives and negatives.
        precision: Share of the cells predicted present that are.
        recall: Share of the positives predicted present.
        threshold: Probability from which the class counts as present.
    """

    name: str
    positives: int
    negatives: int
    ap: float
    auroc: float
    f1: float
    f1_two_class: float
    precision: float
    recall: float
    threshold: float

    def to_dict(self) -> dict[str, Any]:
        """The fields by the column names of per_class.csv."""
        row = asdict(self)
        return {"class": row.pop("name"), **row}


@dataclass(frozen=True)
class Metrics:
    """Metrics of one split.

    Attributes:
        map: Mean over classes of average precision.
        f1_macro: Mean over classes of the positive class's F1.
        f1_macro_two_class: Mean over classes of (F1 of the positives + F1 of the negatives) / 2.
        auroc: Mean over classes of the area under the ROC curve.
        hamming: Share of the asked cells that are decided wrongly (Hamming loss).
        clips: Clips with at least one asked cell.
        cells: Asked cells.
        skipped: Classes without both polarities, which ``map``, ``auroc`` and ``f1_macro_two_class`` leave out.
        per_class: One entry per class, in class order.

    A mean over no class at all is NaN.
    """

    map: float
    f1_macro: float
    f1_macro_two_class: float
    auroc: float
    hamming: float
    clips: int
    cells: int
    skipped: tuple[str, ...]
    per_class: tuple[ClassMetrics, ...]

    def to_dict(self) -> dict[str, Any]:
        """The summary without the classes, JSON-able: an undefined number is None."""
        numbers = {name: finite(getattr(self, name)) for name in NAMES}
        return {**numbers, "clips": self.clips, "cells": self.cells, "skipped": list(self.skipped)}


def finite(value: float) -> float | None:
    """``value`` as a Python float, None where it is undefined (JSON knows no NaN)."""
    return float(value) if np.isfinite(value) else None


def check_arrays(prob: ArrayLike, labels: ArrayLike, mask: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities, presence and mask as arrays that agree; the arguments are not changed.

    Args:
        prob: Probabilities [clips, classes] in [0, 1].
        labels: Relevance [clips, classes] in [0, 1]; booleans and 0/1 do as well.
        mask: Whether the cell was asked, bool [clips, classes].

    Returns:
        Float [clips, classes], bool [clips, classes] (present), bool [clips, classes] (asked).

    Raises:
        DataError: Shapes differ, an asked label is not a number, or a probability is not a number in [0, 1].
    """
    probabilities, relevance, asked = np.asarray(prob), np.asarray(labels), np.asarray(mask).astype(bool)
    if probabilities.ndim != 2 or not probabilities.shape == relevance.shape == asked.shape:
        raise DataError(
            "probabilities, labels and mask do not have the same shape",
            got=f"{probabilities.shape}, {relevance.shape}, {asked.shape}",
            expected="[clips, classes] three times",
        )
    wrong = ~((probabilities >= 0) & (probabilities <= 1))  # also True for NaN
    if wrong.any():
        rows, columns = np.nonzero(wrong)
        raise DataError(
            f"{len(set(rows.tolist()))} clip(s) have probabilities that are no numbers in [0, 1]",
            got=f"{probabilities[rows[0], columns[0]]} in row {rows[0]}, class {columns[0]}",
            expected="numbers from 0 to 1",
            hint="the model diverged, or its features hold invalid numbers: train it again",
        )
    if np.isnan(relevance[asked].astype(float)).any():
        raise DataError("an asked label is not a number", hint="run the validate step again")
    return probabilities, relevance >= PRESENT, asked


def decide(prob: ArrayLike, thresholds: float | ArrayLike) -> np.ndarray:
    """Whether each class counts as present: probability >= threshold.

    Both are compared as float32, the predictor's precision: a probability that equals the threshold as written, such
    as 0.7, is present although 0.7 as float32 is less than 0.7 as float64.

    Args:
        prob: Probabilities [..., classes].
        thresholds: One number, or one per class.

    Returns:
        bool [..., classes].
    """
    decided: np.ndarray = np.asarray(prob, np.float32) >= np.asarray(thresholds, np.float32)
    return decided


def mean_average_precision(prob: ArrayLike, labels: ArrayLike, mask: ArrayLike) -> float:
    """Mean over classes of the average precision over asked cells (mAP).

    Args:
        prob: Probabilities [clips, classes] in [0, 1].
        labels: Relevance [clips, classes], present from 0.5.
        mask: Whether the cell was asked, bool [clips, classes].

    Returns:
        The mean over the classes that have asked cells of both polarities; NaN when none has.

    Raises:
        DataError: See `check_arrays`.
    """
    probabilities, present, asked = check_arrays(prob, labels, mask)
    return _mean(_ranked(probabilities[:, c], present[:, c], asked[:, c])[0] for c in range(asked.shape[1]))


def f1_macro(prob: ArrayLike, labels: ArrayLike, mask: ArrayLike, thresholds: float | ArrayLike = 0.5) -> float:
    """Mean over classes of the positive class's F1 over asked cells.

    Args:
        prob: Probabilities [clips, classes] in [0, 1].
        labels: Relevance [clips, classes], present from 0.5.
        mask: Whether the cell was asked, bool [clips, classes].
        thresholds: One number, or one per class.

    Returns:
        The mean over the classes with asked cells, an undefined F1 counting as 0; NaN when nothing was asked.

    Raises:
        DataError: See `check_arrays`.
    """
    probabilities, present, asked = check_arrays(prob, labels, mask)
    tp, fp, fn, _ = confusion(decide(probabilities, thresholds), present, asked)
    return _mean(f1_score(tp, fp, fn)[asked.any(axis=0)])


def f1_macro_two_class(
    prob: ArrayLike, labels: ArrayLike, mask: ArrayLike, thresholds: float | ArrayLike = 0.5
) -> float:
    """Mean over classes of the unweighted mean of the positive's and the negative's F1 over asked cells.

    Args:
        prob: Probabilities [clips, classes] in [0, 1].
        labels: Relevance [clips, classes], present from 0.5.
        mask: Whether the cell was asked, bool [clips, classes].
        thresholds: One number, or one per class.

    Returns:
        The mean over the classes that have asked cells of both polarities; NaN when none has.

    Raises:
        DataError: See `check_arrays`.
    """
    probabilities, present, asked = check_arrays(prob, labels, mask)
    tp, fp, fn, tn = confusion(decide(probabilities, thresholds), present, asked)
    both = (tp + fn > 0) & (fp + tn > 0)
    return _mean(((f1_score(tp, fp, fn) + f1_score(tn, fn, fp)) / 2)[both])


def masked_metrics(
    probabilities: ArrayLike,
    labels: ArrayLike,
    mask: ArrayLike,
    thresholds: float | ArrayLike = 0.5,
    *,
    names: Sequence[str],
) -> Metrics:
    """All metrics of one split.

    A row is a clip, or a frame where every frame has labels of its own.

    Args:
        probabilities: [clips, classes] in [0, 1].
        labels: Relevance [clips, classes], present from 0.5.
        mask: Whether the cell was asked, bool [clips, classes].
        thresholds: One number, or one per class.
        names: The classes.

    Returns:
        The summary and one entry per class.

    Raises:
        DataError: See `check_arrays`; also when the number of names or thresholds is not the number of classes.
    """
    prob, present, asked = check_arrays(probabilities, labels, mask)
    cuts = np.asarray(thresholds, float)
    if len(names) != prob.shape[1] or cuts.shape not in ((), (prob.shape[1],)):
        raise DataError(
            "the number of classes differs",
            got=f"{len(names)} names, {cuts.size} thresholds, {prob.shape[1]} columns of probabilities",
        )
    cuts = np.broadcast_to(cuts, prob.shape[1:])
    decided = decide(prob, cuts)
    tp, fp, fn, tn = confusion(decided, present, asked)
    f1 = f1_score(tp, fp, fn)
    per_class = []
    for c, name in enumerate(names):
        ap, auroc = _ranked(prob[:, c], present[:, c], asked[:, c])
        known, both = bool(asked[:, c].any()), bool(tp[c] + fn[c] > 0 and fp[c] + tn[c] > 0)
        per_class.append(
            ClassMetrics(
                name=name,
                positives=int(tp[c] + fn[c]),
                negatives=int(fp[c] + tn[c]),
                ap=ap,
                auroc=auroc,
                f1=float(f1[c]) if known else float("nan"),
                f1_two_class=float((f1[c] + f1_score(tn, fn, fp)[c]) / 2) if both else float("nan"),
                precision=float(_ratio(tp, tp + fp)[c]) if known else float("nan"),
                recall=float(_ratio(tp, tp + fn)[c]) if known else float("nan"),
                threshold=float(cuts[c]),
            )
        )
    return Metrics(
        map=_mean(row.ap for row in per_class),
        f1_macro=_mean(row.f1 for row in per_class),
        f1_macro_two_class=_mean(row.f1_two_class for row in per_class),
        auroc=_mean(row.auroc for row in per_class),
        hamming=float((decided != present)[asked].mean()) if asked.any() else float("nan"),
        clips=int(asked.any(axis=1).sum()),
        cells=int(asked.sum()),
        skipped=tuple(row.name for row in per_class if not (row.positives and row.negatives)),
        per_class=tuple(per_class),
    )


def confusion(
    decided: np.ndarray, present: np.ndarray, asked: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """True positives, false positives, false negatives and true negatives per class, int [classes] each.

    Args:
        decided: Predicted present, bool [clips, classes].
        present: Truly present, bool [clips, classes].
        asked: The mask, bool [clips, classes].
    """
    return (
        (decided & present & asked).sum(axis=0),
        (decided & ~present & asked).sum(axis=0),
        (~decided & present & asked).sum(axis=0),
        (~decided & ~present & asked).sum(axis=0),
    )


def f1_score(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike) -> np.ndarray:
    """F1 = 2 tp / (2 tp + fp + fn), 0 where undefined; elementwise."""
    tp2 = 2 * np.asarray(tp, float)
    return _ratio(tp2, tp2 + np.asarray(fp, float) + np.asarray(fn, float))


def _ratio(part: ArrayLike, whole: ArrayLike) -> np.ndarray:
    """``part / whole``, 0 where ``whole`` is 0."""
    part, whole = np.asarray(part, float), np.asarray(whole, float)
    return np.divide(part, whole, out=np.zeros(np.broadcast(part, whole).shape), where=whole > 0)


def _mean(values: Any) -> float:
    """Mean of the defined values, NaN when there are none."""
    defined = [value for value in map(float, values) if not np.isnan(value)]
    return sum(defined) / len(defined) if defined else float("nan")


def _ranked(prob: np.ndarray, present: np.ndarray, asked: np.ndarray) -> tuple[float, float]:
    """Average precision and AUROC of one class; NaN unless asked cells of both polarities are there."""
    truth = present[asked]
    if not truth.any() or truth.all():
        return float("nan"), float("nan")
    return ranking.unweighted(prob[asked], truth)
