"""What a network is trained for and judged by: OpenMIC's 20 present-or-not labels, or one IRMAS instrument."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from tutti.evaluation.metrics import f1_macro, mean_average_precision
from tutti.training.losses import masked_bce

THRESHOLD = 0.5


class Objective(Protocol):
    """A loss over rows of a feature set, and scores of predictions for them."""

    def loss(self, logits: Tensor, rows: np.ndarray) -> Tensor:
        """Mean loss of a batch: logits float [n, classes] of ``rows`` int [n]."""
        ...

    def scores(self, logits: Tensor, rows: np.ndarray) -> dict[str, float]:
        """``loss`` and the metrics of predictions, NaN where undefined."""
        ...

    def merit(self, scores: Mapping[str, float], select_by: str) -> float:
        """The number that the best epoch has most of."""
        ...


class MultiLabel(Objective):
    """Masked binary cross-entropy; mAP and macro F1 over asked cells.

    Args:
        labels: Relevance float32 [rows, classes].
        mask: bool [rows, classes].
        pos_weight: Factor of the positives' loss, float [classes], None for 1.
    """

    def __init__(self, labels: np.ndarray, mask: np.ndarray, pos_weight: Tensor | None = None) -> None:
        self._labels, self._mask, self._pos_weight = labels, mask, pos_weight

    @override
    def loss(self, logits: Tensor, rows: np.ndarray) -> Tensor:
        labels = torch.from_numpy(self._labels[rows]).to(logits.device)
        mask = torch.from_numpy(self._mask[rows]).to(logits.device)
        weight = None if self._pos_weight is None else self._pos_weight.to(logits.device)
        return masked_bce(logits, labels, mask, weight)

    @override
    def scores(self, logits: Tensor, rows: np.ndarray) -> dict[str, float]:
        probabilities = torch.sigmoid(logits).numpy()
        labels, mask = self._labels[rows], self._mask[rows]
        return {
            "loss": float(self.loss(logits, rows)),
            "map": mean_average_precision(probabilities, labels, mask),
            "f1_macro": f1_macro(probabilities, labels, mask, THRESHOLD),
        }

    @override
    def merit(self, scores: Mapping[str, float], select_by: str) -> float:
        # Too few labels for the metric: the loss is defined as long as one cell was asked.
        undefined = np.isnan(scores.get(select_by, np.nan))
        return -scores["loss"] if select_by == "loss" or undefined else scores[select_by]


class SingleLabel(Objective):
    """Cross-entropy over classes that exclude each other; accuracy.

    Args:
        classes: Class index of every row, int [rows].
    """

    def __init__(self, classes: np.ndarray) -> None:
        self._classes = classes

    @override
    def loss(self, logits: Tensor, rows: np.ndarray) -> Tensor:
        return functional.cross_entropy(logits, torch.from_numpy(self._classes[rows]).to(logits.device))

    @override
    def scores(self, logits: Tensor, rows: np.ndarray) -> dict[str, float]:
        right = logits.argmax(dim=1).numpy() == self._classes[rows]
        return {"loss": float(self.loss(logits, rows)), "accuracy": float(right.mean())}

    @override
    def merit(self, scores: Mapping[str, float], select_by: str) -> float:
        return -scores["loss"] if select_by == "loss" else scores["accuracy"]
