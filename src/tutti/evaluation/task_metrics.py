"""Which numbers belong to which kind of task, beside those that every task has.

Labels that exclude each other have an ``accuracy``. Where every label of every clip is known, clips can be right in
part (``label_accuracy``) or as a whole (``exact_accuracy``). Labels of frames are judged over all cells at once
(``micro_f1``) and over the classes that occur (``f1_macro_present``), since most classes occur in few recordings.
"""

import numpy as np
from numpy.typing import ArrayLike

from tutti.evaluation.metrics import check_arrays, confusion, decide, f1_score, masked_metrics
from tutti.tasks import Task

#: What `task_metrics` may return, in the order reports show it.
NAMES = ("accuracy", "label_accuracy", "exact_accuracy", "micro_f1", "f1_macro_present")


def summary_numbers(
    task: Task, prob: ArrayLike, labels: ArrayLike, mask: ArrayLike, thresholds: float | ArrayLike
) -> dict[str, float]:
    """All defined numbers of one split, those that every task has and those of `task_metrics`.

    Args:
        task: The task.
        prob: Probabilities [rows, classes] or [rows, frames, classes] in [0, 1].
        labels: Relevance of the same shape, present from 0.5.
        mask: Whether the cell was asked, bool of the same shape.
        thresholds: One number, or one per class.

    Raises:
        DataError: See `tutti.evaluation.metrics.check_arrays`.
    """
    cells = _rows(prob, labels, mask)
    numbers = masked_metrics(*cells, thresholds, names=task.labels).to_dict()
    numbers |= task_metrics(task, *cells, thresholds)
    return {name: value for name, value in numbers.items() if isinstance(value, int | float) and not np.isnan(value)}


def task_metrics(
    task: Task, prob: ArrayLike, labels: ArrayLike, mask: ArrayLike, thresholds: float | ArrayLike
) -> dict[str, float]:
    """The numbers of a task that others do not have.

    Args:
        task: The task.
        prob: Probabilities [rows, classes] in [0, 1].
        labels: Relevance [rows, classes], present from 0.5.
        mask: Whether the cell was asked, bool [rows, classes].
        thresholds: One number, or one per class.

    Returns:
        ``accuracy`` for exclusive labels; ``micro_f1`` and ``f1_macro_present`` for frames; for other tasks
        ``label_accuracy`` and ``exact_accuracy`` where every cell was asked, else nothing.

    Raises:
        DataError: See `tutti.evaluation.metrics.check_arrays`.
    """
    if task.frames:
        return {
            "micro_f1": micro_f1(prob, labels, mask, thresholds),
            "f1_macro_present": f1_macro_present(prob, labels, mask, thresholds),
        }
    scores = clip_scores(task, prob, labels, mask, thresholds)
    return {name: float(values.mean()) for name, values in scores.items()}


def clip_scores(
    task: Task, prob: ArrayLike, labels: ArrayLike, mask: ArrayLike, thresholds: float | ArrayLike
) -> dict[str, np.ndarray]:
    """Those of a task's numbers that are a mean over clips, clip by clip; arguments as in `task_metrics`.

    Returns:
        Name to float [rows]; empty where the task has none or not every cell was asked.
    """
    _, present, asked = check_arrays(prob, labels, mask)
    if task.frames or not len(asked) or not asked.all():
        return {}
    if task.exclusive:
        return {"accuracy": (np.argmax(prob, axis=1) == np.argmax(labels, axis=1)).astype(float)}
    right = decide(prob, thresholds) == present
    return {"label_accuracy": right.mean(axis=1), "exact_accuracy": right.all(axis=1).astype(float)}


def accuracy(prob: ArrayLike, labels: ArrayLike, mask: ArrayLike | None = None) -> float:
    """Share of the asked rows whose most probable class is the most relevant one; NaN when nothing was asked.

    Args:
        prob: Probabilities [..., classes] in [0, 1].
        labels: Relevance [..., classes].
        mask: Whether the cell was asked, bool [..., classes]; None where all were.

    Raises:
        DataError: See `tutti.evaluation.metrics.check_arrays`.
    """
    probabilities, relevance, asked = _rows(prob, labels, np.ones(np.shape(prob), bool) if mask is None else mask)
    check_arrays(probabilities, relevance, asked)
    rows = asked.any(axis=1)
    return _mean(probabilities[rows].argmax(axis=1) == relevance[rows].argmax(axis=1))


def label_accuracy(prob: ArrayLike, labels: ArrayLike, mask: ArrayLike, thresholds: float | ArrayLike = 0.5) -> float:
    """Share of the asked cells that are decided rightly, 1 - Hamming loss; NaN when nothing was asked.

    The "part" accuracy of the two-stage IRMAS classifiers. Arguments as for `micro_f1`.

    Raises:
        DataError: See `tutti.evaluation.metrics.check_arrays`.
    """
    probabilities, present, asked = check_arrays(*_rows(prob, labels, mask))
    return _mean((decide(probabilities, thresholds) == present)[asked])


def micro_f1(prob: ArrayLike, labels: ArrayLike, mask: ArrayLike, thresholds: float | ArrayLike = 0.5) -> float:
    """F1 over the asked cells of all classes together; 0 where undefined, NaN when nothing was asked.

    Args:
        prob: Probabilities [..., classes] in [0, 1].
        labels: Relevance [..., classes], present from 0.5.
        mask: Whether the cell was asked, bool [..., classes].
        thresholds: One number, or one per class.

    Raises:
        DataError: See `tutti.evaluation.metrics.check_arrays`.
    """
    tp, fp, fn = _counts(prob, labels, mask, thresholds)
    return float(f1_score(tp.sum(), fp.sum(), fn.sum())) if np.any(mask) else float("nan")


def f1_macro_present(prob: ArrayLike, labels: ArrayLike, mask: ArrayLike, thresholds: float | ArrayLike = 0.5) -> float:
    """Mean of the positive class's F1 over the classes that have positives; NaN when none has. As `micro_f1`."""
    tp, fp, fn = _counts(prob, labels, mask, thresholds)
    return _mean(f1_score(tp, fp, fn)[tp + fn > 0])


def _rows(prob: ArrayLike, labels: ArrayLike, mask: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """[..., classes] as [rows, classes]."""
    flat = [np.asarray(array).reshape(-1, np.shape(array)[-1]) for array in (prob, labels, mask)]
    return flat[0], flat[1], flat[2].astype(bool)


def _counts(
    prob: ArrayLike, labels: ArrayLike, mask: ArrayLike, thresholds: float | ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    probabilities, present, asked = check_arrays(*_rows(prob, labels, mask))
    return confusion(decide(probabilities, thresholds), present, asked)[:3]


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
