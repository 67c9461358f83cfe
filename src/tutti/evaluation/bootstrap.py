"""Confidence intervals of the metrics: bias-corrected percentiles over resampled clips.

Clips are drawn with replacement, whole: the cells of a clip stay together because they are judged on the same sound.
Where clips come in groups (artists, recordings) the groups are drawn instead. Two models on the same clips are
compared on the same draws, which cancels what is hard or easy about the clips themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from tutti.errors import DataError
from tutti.evaluation import ranking
from tutti.evaluation.metrics import check_arrays, decide, f1_score
from tutti.seeds import numpy_generator

_NORMAL = NormalDist()

#: Metrics that have intervals.
NAMES = ("map", "f1_macro", "f1_macro_two_class", "auroc")


@dataclass(frozen=True)
class Interval:
    """A number with its confidence interval.

    Attributes:
        value: From all clips.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float
    high: float


def draw(clips: int, resamples: int, seed: int, *, groups: Sequence[str] | None = None) -> np.ndarray:
    """How often each clip occurs in each resample.

    Args:
        clips: Number of clips.
        resamples: Number of resamples.
        seed: The run's seed; the same seed gives the same draws.
        groups: Group of each clip; all clips of a group are drawn together.

    Returns:
        int64 [resamples, clips]; each row draws as many clips (or groups) as there are.
    """
    membership = np.arange(clips) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    units = int(membership.max()) + 1 if clips else 0
    if not units:
        return np.zeros((resamples, 0), np.int64)
    generator = numpy_generator(seed, "evaluation", "bootstrap")
    counts = generator.multinomial(units, np.full(units, 1 / units), size=resamples)
    weights: np.ndarray = counts[:, membership]
    return weights


def resampled(
    prob: ArrayLike, labels: ArrayLike, mask: ArrayLike, thresholds: float | ArrayLike, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """The metrics under each weighting of the clips.

    With every weight 1 they are those of `tutti.evaluation.metrics`. A class that lost all its positives or all its
    negatives in a resample is left out of that resample, rather than counted as an F1 of 0 that no model could avoid.

    Args:
        prob: Probabilities [clips, classes] in [0, 1].
        labels: Relevance [clips, classes], present from 0.5.
        mask: Whether the cell was asked, bool [clips, classes].
        thresholds: One number, or one per class.
        weights: How often each clip counts, [weightings, clips].

    Returns:
        Name in ``NAMES`` to float [weightings]; NaN where no class is left.

    Raises:
        DataError: See `tutti.evaluation.metrics.check_arrays`.
    """
    probabilities, present, asked = check_arrays(prob, labels, mask)
    decided = decide(probabilities, thresholds)
    classes = asked.shape[1]
    table = {name: np.full((len(weights), classes), np.nan) for name in NAMES}
    for c in range(classes):
        rows = np.flatnonzero(asked[:, c])
        if not len(rows):
            continue
        w = weights[:, rows].astype(float)
        p, y, d = probabilities[rows, c], present[rows, c], decided[rows, c]
        tp, fp, fn, tn = w @ (d & y), w @ (d & ~y), w @ (~d & y), w @ (~d & ~y)
        has_positives, has_negatives = tp + fn > 0, fp + tn > 0
        both = has_positives & has_negatives
        # A class asked in one polarity only keeps its positive F1, as in the metric itself.
        complete = has_positives if y.all() else has_negatives if not y.any() else both
        f1 = f1_score(tp, fp, fn)
        table["map"][:, c] = np.where(both, ranking.average_precision(p, y, w), np.nan)
        table["auroc"][:, c] = ranking.auroc(p, y, w)
        table["f1_macro"][:, c] = np.where(complete, f1, np.nan)
        table["f1_macro_two_class"][:, c] = np.where(both, (f1 + f1_score(tn, fn, fp)) / 2, np.nan)
    return {name: _mean_over_classes(values) for name, values in table.items()}


def intervals(
    prob: ArrayLike,
    labels: ArrayLike,
    mask: ArrayLike,
    thresholds: float | ArrayLike,
    *,
    resamples: int,
    confidence: float,
    seed: int,
    groups: Sequence[str] | None = None,
) -> dict[str, Interval]:
    """Every metric with its bias-corrected percentile interval.

    Args:
        prob: Probabilities [clips, classes] in [0, 1].
        labels: Relevance [clips, classes], present from 0.5.
        mask: Whether the cell was asked, bool [clips, classes].
        thresholds: One number, or one per class.
        resamples: Resamples of the clips, at least 1.
        confidence: Level, such as 0.95.
        seed: The run's seed.
        groups: Group of each clip, None to draw single clips.

    Returns:
        Name in ``NAMES`` to its interval; NaN where the metric is undefined.

    Raises:
        DataError: See `tutti.evaluation.metrics.check_arrays`.
    """
    clips = len(np.asarray(prob))
    weights = draw(clips, resamples, seed, groups=groups)
    whole = resampled(prob, labels, mask, thresholds, np.ones((1, clips)))
    samples = resampled(prob, labels, mask, thresholds, weights)
    return {name: _interval(float(whole[name][0]), samples[name], confidence) for name in NAMES}


def paired_differences(
    candidate: ArrayLike,
    other: ArrayLike,
    labels: ArrayLike,
    mask: ArrayLike,
    *,
    thresholds: float | ArrayLike,
    other_thresholds: float | ArrayLike,
    resamples: int,
    confidence: float,
    seed: int,
    groups: Sequence[str] | None = None,
) -> dict[str, Interval]:
    """Every metric of ``candidate`` minus that of ``other``, with its interval over the same draws.

    Args:
        candidate: Probabilities [clips, classes] in [0, 1].
        other: Probabilities of the model it is compared with, same clips in the same order.
        labels: Relevance [clips, classes], present from 0.5.
        mask: Whether the cell was asked, bool [clips, classes].
        thresholds: The candidate's, one number or one per class.
        other_thresholds: The other model's.
        resamples: Resamples of the clips, at least 1.
        confidence: Level, such as 0.95.
        seed: The run's seed.
        groups: Group of each clip, None to draw single clips.

    Returns:
        Name in ``NAMES`` to the difference; positive when the candidate is better.

    Raises:
        DataError: The two have different shapes; see also `tutti.evaluation.metrics.check_arrays`.
    """
    if np.shape(candidate) != np.shape(other):
        raise DataError(
            "the two models were judged on different clips", got=f"{np.shape(candidate)}, {np.shape(other)}"
        )
    clips = len(np.asarray(candidate))
    once, drawn = np.ones((1, clips)), draw(clips, resamples, seed, groups=groups)
    whole, whole_other, samples, samples_other = (
        resampled(prob, labels, mask, cuts, weights)
        for weights in (once, drawn)
        for prob, cuts in ((candidate, thresholds), (other, other_thresholds))
    )
    return {
        name: _interval(float(whole[name][0] - whole_other[name][0]), samples[name] - samples_other[name], confidence)
        for name in NAMES
    }


def _mean_over_classes(values: np.ndarray) -> np.ndarray:
    """Mean of the defined classes of every row, NaN for a row without any; [weightings, classes] to [weightings]."""
    defined = ~np.isnan(values)
    count = defined.sum(axis=1)
    total = np.where(defined, values, 0.0).sum(axis=1)
    return np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)


def _interval(value: float, samples: np.ndarray, confidence: float) -> Interval:
    """The bias-corrected percentile interval (Efron 1981).

    Drawing clips with replacement repeats positives, which then rank beside themselves: average precision rises with
    few clips, and plain percentiles would lie too high.
    """
    samples = samples[~np.isnan(samples)]
    if not len(samples):
        return Interval(value, float("nan"), float("nan"))
    below = ((samples < value).sum() + (samples == value).sum() / 2) / len(samples)
    # A value outside all samples would ask for a quantile at infinity.
    below = min(max(below, 0.5 / len(samples)), 1 - 0.5 / len(samples))
    shift = 2 * _NORMAL.inv_cdf(below)
    levels = [_NORMAL.cdf(shift + _NORMAL.inv_cdf(level)) for level in ((1 - confidence) / 2, (1 + confidence) / 2)]
    low, high = np.quantile(samples, levels)
    return Interval(value, float(low), float(high))
