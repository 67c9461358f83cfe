"""Thresholded metrics of many weightings of groups, from four counts per group and class.

True and false positives and negatives add up over groups, so a weighting of the groups is a weighted sum of their
counts: a resample costs the same for ten rows of a group as for ten million.
"""

import numpy as np
from numpy.typing import ArrayLike

from tutti.evaluation.metrics import check_arrays, decide, f1_score

#: The metrics that follow from the counts.
NAMES = ("f1_macro", "f1_macro_two_class", "hamming", "micro_f1", "f1_macro_present")


def grouped(
    prob: ArrayLike, labels: ArrayLike, mask: ArrayLike, thresholds: float | ArrayLike, numbers: np.ndarray
) -> np.ndarray:
    """The counts of every group.

    Args:
        prob: Probabilities [rows, classes] in [0, 1].
        labels: Relevance [rows, classes], present from 0.5.
        mask: Whether the cell was asked, bool [rows, classes].
        thresholds: One number, or one per class.
        numbers: The number of each row's group, int [rows], from 0 without gaps.

    Returns:
        Float [4, groups, classes]: true positives, false positives, false negatives, true negatives.

    Raises:
        DataError: See `tutti.evaluation.metrics.check_arrays`.
    """
    probabilities, present, asked = check_arrays(prob, labels, mask)
    groups, classes = int(numbers.max(initial=-1)) + 1, asked.shape[1]
    kind = ~present + 2 * ~decide(probabilities, thresholds)  # 0 to 3 in the order above
    result = np.empty((4, groups, classes))
    for c in range(classes):
        rows = asked[:, c]
        result[:, :, c] = np.bincount(kind[rows, c] * groups + numbers[rows], minlength=4 * groups).reshape(4, groups)
    return result


def resampled(counts: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """The metrics under each weighting of the groups.

    A class that lost all its positives or all its negatives in a resample is left out of that resample's means, as in
    `tutti.evaluation.bootstrap.resampled`; with every weight 1 the metrics are those of all rows.

    Args:
        counts: From `grouped`, [4, groups, classes].
        weights: How often each group counts, [weightings, groups].

    Returns:
        Name in ``NAMES`` to float [weightings]; NaN where it is undefined.
    """
    tp, fp, fn, tn = np.asarray(weights, float) @ counts
    positives, negatives = tp + fn, fp + tn
    both = (positives > 0) & (negatives > 0)
    ever = counts.sum(axis=1)
    never_positive, never_negative = ever[0] + ever[2] == 0, ever[1] + ever[3] == 0
    # A class that has one polarity only in all rows keeps its positive F1, as in the metric itself.
    complete = np.where(never_negative, positives > 0, np.where(never_positive, negatives > 0, both))
    f1 = f1_score(tp, fp, fn)
    wrong, asked = (fp + fn).sum(axis=1), (positives + negatives).sum(axis=1)
    micro = f1_score(tp.sum(axis=1), fp.sum(axis=1), fn.sum(axis=1))
    return {
        "f1_macro": _mean(f1, complete),
        "f1_macro_two_class": _mean((f1 + f1_score(tn, fn, fp)) / 2, both),
        "hamming": np.divide(wrong, asked, out=np.full(len(asked), np.nan), where=asked > 0),
        "micro_f1": np.where(asked > 0, micro, np.nan),
        "f1_macro_present": _mean(f1, positives > 0),
    }


def _mean(values: np.ndarray, defined: np.ndarray) -> np.ndarray:
    """Mean over the defined classes of every row, NaN without any; [weightings, classes] to [weightings]."""
    number = defined.sum(axis=1)
    total = np.where(defined, values, 0.0).sum(axis=1)
    return np.divide(total, number, out=np.full(len(values), np.nan), where=number > 0)
