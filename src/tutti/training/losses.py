"""Losses that look only at what somebody was asked."""

import torch
from torch import Tensor
from torch.nn import functional


def masked_bce(
    logits: Tensor, labels: Tensor, mask: Tensor, pos_weight: Tensor | None = None, *, soft: bool = False
) -> Tensor:
    """Binary cross-entropy over the asked cells: sum(loss * mask) / max(sum(mask), 1).

    Args:
        logits: float [batch, ..., classes].
        labels: Relevance in [0, 1], of the same shape; a cell is positive from 0.5.
        mask: bool or 0/1, of the same shape; cells with 0 get no gradient.
        pos_weight: Factor of the positive cells' loss, float [classes].
        soft: Whether the relevance itself is the target, as in the AST reprogramming project.

    Returns:
        A scalar; 0 when nothing was asked.
    """
    targets = labels.to(logits.dtype) if soft else (labels >= 0.5).to(logits.dtype)
    cells = functional.binary_cross_entropy_with_logits(logits, targets, pos_weight=pos_weight, reduction="none")
    asked = mask.bool()
    # A product with the mask would turn an infinite loss in an unasked cell into NaN.
    return cells.masked_fill(~asked, 0.0).sum() / asked.sum().clamp_min(1)


def positive_share(labels: Tensor, mask: Tensor) -> Tensor:
    """Share of positives among each class's asked cells, 0.5 for a class nobody was asked about.

    Args:
        labels: Relevance [..., classes].
        mask: Of the same shape.

    Returns:
        float [classes].
    """
    asked = mask.bool().flatten(0, -2)
    positives = ((labels >= 0.5).flatten(0, -2) & asked).sum(dim=0)
    return torch.where(asked.any(dim=0), positives / asked.sum(dim=0).clamp_min(1), 0.5)


def positive_weight(labels: Tensor, mask: Tensor, cap: float) -> Tensor:
    """Negatives per positive of each class's asked cells, at most ``cap``; float [classes].

    A class without positives gets the cap, a class nobody was asked about 1.
    """
    asked = mask.bool().flatten(0, -2)
    positives = ((labels >= 0.5).flatten(0, -2) & asked).sum(dim=0)
    negatives = asked.sum(dim=0) - positives
    return torch.where(asked.any(dim=0), (negatives / positives.clamp_min(1e-9)).clamp_max(cap), 1.0)
