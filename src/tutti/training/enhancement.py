"""What labels that nobody was asked about are taken for: absence, or absence only where a model agrees.

References:
    Gururani and Lerch, Semi-supervised audio classification with partially labeled data, 2021: baseline 0 and label
    enhancement, which follows Fonseca et al., Addressing missing labels in large-scale sound event recognition using a
    teacher-student framework with loss masking, 2020.
"""

import numpy as np

from tutti.errors import ConfigError
from tutti.evaluation.metrics import check_arrays


def unasked_as_absent(labels: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels as if everything that nobody was asked about were known to be absent.

    Args:
        labels: Relevance float [rows, classes]; unasked cells may hold anything.
        mask: Whether the cell was asked, bool [rows, classes].

    Returns:
        New labels, in which unasked cells are 0, and a mask that is True everywhere.
    """
    asked = np.asarray(mask, bool)
    return np.where(asked, labels, np.zeros_like(labels)), np.ones_like(asked)


def enhance_labels(
    probabilities: np.ndarray, labels: np.ndarray, mask: np.ndarray, *, confident_share: float = 0.9
) -> tuple[np.ndarray, np.ndarray]:
    """Keeps as absences those unasked cells that a model finds the least likely to be detections.

    A model that took every unasked cell for an absence is still confident of some of them: these are probably labels
    that are missing. In each class the ``confident_share`` with the highest probabilities become unknown, the rest
    become negatives. What was asked stays as it is.

    Args:
        probabilities: The model's on the training rows, float [rows, classes] in [0, 1].
        labels: Relevance float [rows, classes].
        mask: Whether the cell was asked, bool [rows, classes].
        confident_share: Share of each class's unasked cells that become unknown, in [0, 1], rounded to whole cells; of
            equal probabilities the earlier rows first.

    Returns:
        New labels [rows, classes], in which unasked cells are 0, and the new mask: asked cells and kept negatives.

    Raises:
        ConfigError: The share is not one.
        DataError: The shapes differ, or a probability is not a number in [0, 1].

    Reproduces:
        The published share is 0.9.
    """
    if not 0 <= confident_share <= 1:
        raise ConfigError("confident_share is no share", got=confident_share, expected="a number from 0 to 1")
    scores, _, asked = check_arrays(probabilities, labels, mask)
    enhanced, known = unasked_as_absent(labels, asked)
    for index in range(asked.shape[1]):
        rows = np.flatnonzero(~asked[:, index])
        by_confidence = rows[np.argsort(-scores[rows, index], kind="stable")]
        known[by_confidence[: round(confident_share * len(rows))], index] = False
    return enhanced, known
