"""What a network is trained for and judged by: labels that hold each on its own, or that exclude each other."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from tutti.errors import ConfigError
from tutti.evaluation.metrics import PRESENT, f1_macro, f1_macro_two_class, mean_average_precision
from tutti.evaluation.task_metrics import accuracy, label_accuracy, micro_f1
from tutti.tasks import Task
from tutti.training.losses import masked_bce

THRESHOLD = 0.5


class Objective(Protocol):
    """A loss over rows of a feature set, and scores of predictions for them."""

    def loss(self, logits: Tensor, rows: np.ndarray) -> Tensor:
        """Mean loss of a batch: logits float [n, (frames,) classes] of ``rows`` int [n]."""
        ...

    def hits(self, logits: Tensor, rows: np.ndarray) -> dict[str, Tensor]:
        """The share of right answers in a batch, a scalar under the metric's name; what a training curve shows."""
        ...

    def scores(self, logits: Tensor, rows: np.ndarray) -> dict[str, float]:
        """``loss`` and the metrics of predictions, NaN where undefined."""
        ...

    def merit(self, scores: Mapping[str, float], select_by: str) -> float:
        """The number that the best epoch has most of.

        Raises:
            ConfigError: The task has no such metric.
        """
        if select_by not in scores:
            raise ConfigError(
                f"select_by: {select_by} is no metric of this task", expected=", ".join(scores), hint="see params.yaml"
            )
        # Too few labels for the metric: the loss is defined as long as one cell was asked.
        return -scores["loss"] if select_by == "loss" or np.isnan(scores[select_by]) else scores[select_by]


class MultiLabel(Objective):
    """Masked binary cross-entropy.

    Scores are mAP, macro F1 and the share of right labels over asked cells; where every frame has labels, micro F1 and
    the share of right labels, since ranking a million frames takes longer than an epoch.

    Args:
        labels: Relevance float32 [rows, classes] or [rows, frames, classes].
        mask: bool of the same shape.
        pos_weight: Factor of the positives' loss, float [classes], None for 1.
        soft: Whether relevance itself is the target, not only whether it reaches 0.5.
    """

    def __init__(
        self, labels: np.ndarray, mask: np.ndarray, pos_weight: Tensor | None = None, *, soft: bool = False
    ) -> None:
        self._labels, self._mask, self._pos_weight, self._soft = labels, mask, pos_weight, soft

    @override
    def loss(self, logits: Tensor, rows: np.ndarray) -> Tensor:
        labels = torch.from_numpy(self._labels[rows]).to(logits.device)
        mask = torch.from_numpy(self._mask[rows]).to(logits.device)
        weight = None if self._pos_weight is None else self._pos_weight.to(logits.device)
        return masked_bce(logits, labels, mask, weight, soft=self._soft)

    @override
    def hits(self, logits: Tensor, rows: np.ndarray) -> dict[str, Tensor]:
        present = torch.from_numpy(self._labels[rows] >= PRESENT).to(logits.device)
        asked = torch.from_numpy(self._mask[rows]).to(logits.device)
        right = ((logits >= 0) == present) & asked
        return {"label_accuracy": right.sum() / asked.sum().clamp_min(1)}

    @override
    def scores(self, logits: Tensor, rows: np.ndarray) -> dict[str, float]:
        probabilities = torch.sigmoid(logits).numpy()
        labels, mask = self._labels[rows], self._mask[rows]
        found = {"loss": float(self.loss(logits, rows)), "label_accuracy": label_accuracy(probabilities, labels, mask)}
        if labels.ndim == 3:
            return found | {"micro_f1": micro_f1(probabilities, labels, mask)}
        return found | {
            "map": mean_average_precision(probabilities, labels, mask),
            "f1_macro": f1_macro(probabilities, labels, mask, THRESHOLD),
            "f1_macro_two_class": f1_macro_two_class(probabilities, labels, mask, THRESHOLD),
        }


class SingleLabel(Objective):
    """Cross-entropy over classes that exclude each other; accuracy.

    Args:
        labels: One-hot float32 [rows, classes].
    """

    def __init__(self, labels: np.ndarray) -> None:
        self._classes = labels.argmax(axis=1)

    @override
    def loss(self, logits: Tensor, rows: np.ndarray) -> Tensor:
        return functional.cross_entropy(logits, torch.from_numpy(self._classes[rows]).to(logits.device))

    @override
    def hits(self, logits: Tensor, rows: np.ndarray) -> dict[str, Tensor]:
        classes = torch.from_numpy(self._classes[rows]).to(logits.device)
        return {"accuracy": (logits.argmax(dim=1) == classes).float().mean()}

    @override
    def scores(self, logits: Tensor, rows: np.ndarray) -> dict[str, float]:
        one_hot = np.eye(logits.shape[1], dtype=np.float32)[self._classes[rows]]
        return {
            "loss": float(self.loss(logits, rows)),
            "accuracy": accuracy(torch.softmax(logits, dim=1).numpy(), one_hot),
        }


def objective_of(
    task: Task, labels: np.ndarray, mask: np.ndarray, pos_weight: Tensor | None = None, *, soft: bool = False
) -> Objective:
    """The objective of a task; see `MultiLabel` and `SingleLabel`."""
    return SingleLabel(labels) if task.exclusive else MultiLabel(labels, mask, pos_weight, soft=soft)


def probabilities_of(task: Task, logits: Tensor) -> Tensor:
    """What a network of this task answers: softmax where labels exclude each other, else sigmoid."""
    return torch.softmax(logits, dim=-1) if task.exclusive else torch.sigmoid(logits)
