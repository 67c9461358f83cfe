"""Confusion matrices, of labels that exclude each other and of pairs of labels, and what is read from them.

Rows are true classes, columns decided ones, cells count clips.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tutti.errors import DataError

#: The last column of a pairs matrix: anything but exactly two labels.
OTHER = "Other"


@dataclass(frozen=True)
class ClassScores:
    """What a confusion matrix says of each class; a ratio without a denominator is 0.

    Attributes:
        recall: Share of the class's clips that were decided to be of it, float [classes].
        precision: Share of the clips decided to be of the class that are, float [classes].
        false_positive_rate: Share of the other classes' clips that were decided to be of it, float [classes].
        f1: Harmonic mean of recall and precision, float [classes].
    """

    recall: np.ndarray
    precision: np.ndarray
    false_positive_rate: np.ndarray
    f1: np.ndarray


def confusion_matrix(truth: ArrayLike, decided: ArrayLike, n_classes: int) -> np.ndarray:
    """Counts of an exclusive task.

    Args:
        truth: True class of each clip, int [clips] in ``range(n_classes)``.
        decided: Decided class of each clip, likewise.
        n_classes: Classes.

    Returns:
        int64 [n_classes, n_classes].

    Raises:
        DataError: The lengths differ, or there is another class.
    """
    rows, columns = np.asarray(truth), np.asarray(decided)
    if rows.ndim != 1 or rows.shape != columns.shape:
        raise DataError("truth and decisions do not match", got=f"shapes {rows.shape} and {columns.shape}")
    for values, what in ((rows, "true"), (columns, "decided")):
        if len(values) and not 0 <= values.min() <= values.max() < n_classes:
            raise DataError(
                f"a {what} class is unknown", got=f"{values.min()} to {values.max()}", expected=f"0 to {n_classes - 1}"
            )
    return _counts(rows, columns, (n_classes, n_classes))


def pair_names(labels: Sequence[str]) -> tuple[str, ...]:
    """The pairs of labels in the order of a pairs matrix's rows, joined by ``+``; its columns end with ``OTHER``."""
    return tuple("+".join(pair) for pair in itertools.combinations(labels, 2))


def pairs_matrix(truth: ArrayLike, decided: ArrayLike) -> np.ndarray:
    """Counts of a task of which every clip has exactly two labels.

    Args:
        truth: Labels, 0 or 1 [clips, labels], two of each row being 1.
        decided: Whether each label was decided to be present, 0 or 1 [clips, labels].

    Returns:
        int64 [pairs, pairs + 1], pairs as `pair_names` orders them; the last column counts decisions for any other
        number of labels than two.

    Raises:
        DataError: The shapes differ, or a clip does not have two labels.
    """
    present, said = np.asarray(truth).astype(bool), np.asarray(decided).astype(bool)
    if present.ndim != 2 or present.shape != said.shape:
        raise DataError(
            "labels and decisions do not match",
            got=f"shapes {present.shape} and {said.shape}",
            expected="[clips, labels] twice",
        )
    if (present.sum(axis=1) != 2).any():
        raise DataError("a clip does not have exactly two labels", got=sorted({int(n) for n in present.sum(axis=1)}))
    pairs = np.array(list(itertools.combinations(range(present.shape[1]), 2)))
    members = np.eye(present.shape[1], dtype=bool)[pairs].any(axis=1)
    rows, columns = ((bits[:, None] == members).all(axis=2) for bits in (present, said))
    decided_pair = np.where(columns.any(axis=1), columns.argmax(axis=1), len(pairs))
    return _counts(rows.argmax(axis=1), decided_pair, (len(pairs), len(pairs) + 1))


def matrix_accuracy(matrix: ArrayLike) -> float:
    """Share of the clips on the diagonal: accuracy, of a pairs matrix the exact accuracy; NaN without clips."""
    counts = np.asarray(matrix)
    return float(np.trace(counts) / counts.sum()) if counts.sum() else float("nan")


def class_scores(matrix: ArrayLike) -> ClassScores:
    """Recall, precision, false-positive rate and F1 of each row's class.

    Args:
        matrix: int [classes, classes], or with further columns for what is no class.
    """
    counts = np.asarray(matrix, float)
    right, true = counts.diagonal(), counts.sum(axis=1)
    decided = counts.sum(axis=0)[: len(counts)]
    recall, precision = _ratio(right, true), _ratio(right, decided)
    return ClassScores(
        recall=recall,
        precision=precision,
        false_positive_rate=_ratio(decided - right, counts.sum() - true),
        f1=_ratio(2 * right, true + decided),
    )


def _counts(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    matrix = np.zeros(shape, np.int64)
    np.add.at(matrix, (rows, columns), 1)
    return matrix


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
