"""Per-class decision thresholds, chosen on validation only."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from tutti.errors import ConfigError
from tutti.evaluation.metrics import check_arrays, confusion, decide, f1_score

#: Fewest asked validation cells of each polarity for a class to have a threshold of its own: with fewer, the best
#: candidate says more about those cells than about the class.
MIN_CELLS = 5

#: What a threshold serves: the positive class alone, or both answers alike. Where half of the asked cells are positive,
#: saying "present" to everything scores well on the first and badly on the second.
Metric = Literal["f1_macro", "f1_macro_two_class"]


def threshold_scores(
    prob: ArrayLike,
    labels: ArrayLike,
    mask: ArrayLike,
    candidates: Sequence[float],
    *,
    metric: Metric = "f1_macro",
) -> np.ndarray:
    """F1 of each class at every candidate.

    Args:
        prob: Probabilities [clips, classes] in [0, 1].
        labels: Relevance [clips, classes], present from 0.5.
        mask: Whether the cell was asked, bool [clips, classes].
        candidates: Thresholds in (0, 1).
        metric: F1 of the positive class, or the mean of both classes' F1.

    Returns:
        Float [candidates, classes]; NaN for a class without asked cells.

    Raises:
        ConfigError: There are no candidates, or one is outside (0, 1).
        DataError: See `tutti.evaluation.metrics.check_arrays`.
    """
    if not candidates or not all(0 < candidate < 1 for candidate in candidates):
        raise ConfigError("select.thresholds is wrong", got=list(candidates), expected="at least one number in (0, 1)")
    probabilities, present, asked = check_arrays(prob, labels, mask)
    scores = []
    for candidate in candidates:
        tp, fp, fn, tn = confusion(decide(probabilities, candidate), present, asked)
        f1 = f1_score(tp, fp, fn)
        if metric == "f1_macro_two_class":
            f1 = (f1 + f1_score(tn, fn, fp)) / 2
        scores.append(np.where(asked.any(axis=0), f1, np.nan))
    return np.stack(scores)


def shared_threshold(scores: np.ndarray, candidates: Sequence[float]) -> tuple[float, float]:
    """The one threshold with the best macro F1, and that F1.

    Args:
        scores: From `threshold_scores`, float [candidates, classes].
        candidates: The same candidates.

    Returns:
        The threshold, of equally good ones that nearest to 0.5, then the lower; and its macro F1. 0.5 or the candidate
        nearest to it, and NaN, when no class has asked cells.
    """
    known = ~np.isnan(scores[0])
    macro = scores[:, known].mean(axis=1) if known.any() else np.full(len(scores), np.nan)
    best = _best(np.nan_to_num(macro), candidates, near=0.5)
    return float(candidates[best]), float(macro[best])


def choose_thresholds(
    prob: ArrayLike,
    labels: ArrayLike,
    mask: ArrayLike,
    candidates: Sequence[float],
    *,
    metric: Metric = "f1_macro",
    min_cells: int = MIN_CELLS,
) -> np.ndarray:
    """The thresholds that maximise a macro F1.

    A class with fewer than ``min_cells`` positives or negatives takes the shared threshold, and so does a class that
    no candidate serves better.

    Args:
        prob: Validation probabilities [clips, classes] in [0, 1].
        labels: Relevance [clips, classes], present from 0.5.
        mask: Whether the cell was asked, bool [clips, classes].
        candidates: Thresholds in (0, 1) to choose from.
        metric: Which F1.
        min_cells: Fewest asked cells of each polarity for a threshold of the class's own.

    Returns:
        Float [classes]; a probability that equals its threshold counts as present.

    Raises:
        ConfigError: There are no candidates, or one is outside (0, 1).
        DataError: See `tutti.evaluation.metrics.check_arrays`.
    """
    scores = threshold_scores(prob, labels, mask, candidates, metric=metric)
    shared, _ = shared_threshold(scores, candidates)
    _, present, asked = check_arrays(prob, labels, mask)
    enough = np.minimum((present & asked).sum(axis=0), (~present & asked).sum(axis=0)) >= min_cells
    return np.array(
        [
            candidates[_best(scores[:, c], candidates, near=shared)] if enough[c] else shared
            for c in range(scores.shape[1])
        ]
    )


def _best(scores: np.ndarray, candidates: Sequence[float], *, near: float) -> int:
    """Index of the best score; of equal ones the candidate nearest to ``near``, then the lower."""
    return min(
        range(len(candidates)),
        key=lambda i: (-round(float(scores[i]), 12), round(abs(candidates[i] - near), 12), candidates[i]),
    )
