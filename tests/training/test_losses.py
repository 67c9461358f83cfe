import numpy as np
import pytest
import torch
from torch.nn import functional

from tutti.training.losses import masked_bce, positive_share, positive_weight
from tutti.training.objectives import MultiLabel


def cells(mask_share: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    logits = torch.randn(6, 20, requires_grad=True)
    return logits, torch.rand(6, 20), torch.rand(6, 20) < mask_share


def test_a_full_mask_gives_the_plain_mean() -> None:
    logits, labels, _ = cells(1)
    expected = functional.binary_cross_entropy_with_logits(logits, (labels >= 0.5).float())
    torch.testing.assert_close(masked_bce(logits, labels, torch.ones(6, 20)), expected)


def test_only_asked_cells_count_and_get_a_gradient() -> None:
    logits, labels, mask = cells(0.3)
    loss = masked_bce(logits, labels, mask)
    expected = functional.binary_cross_entropy_with_logits(logits[mask], (labels[mask] >= 0.5).float())
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert (logits.grad[~mask] == 0).all()
    assert (logits.grad[mask] != 0).all()


def test_an_empty_mask_gives_zero_and_no_gradient() -> None:
    logits, labels, mask = cells(0)
    loss = masked_bce(logits, labels, mask)
    loss.backward()
    assert loss.item() == 0
    assert (logits.grad == 0).all()


def test_an_infinite_logit_in_an_unasked_cell_does_no_harm() -> None:
    logits = torch.tensor([[0.0, float("inf")]])
    loss = masked_bce(logits, torch.tensor([[1.0, 0.0]]), torch.tensor([[True, False]]))
    assert loss.item() == pytest.approx(0.6931, abs=1e-4)


def test_a_relevance_of_one_half_is_positive() -> None:
    logits, mask = torch.tensor([[3.0]]), torch.tensor([[True]])
    assert masked_bce(logits, torch.tensor([[0.5]]), mask) < 0.1
    assert masked_bce(logits, torch.tensor([[0.49]]), mask) > 3


def test_soft_targets_are_the_relevance_itself() -> None:
    logits, labels, mask = cells(0.4)
    expected = functional.binary_cross_entropy_with_logits(logits[mask], labels[mask])
    torch.testing.assert_close(masked_bce(logits, labels, mask, soft=True), expected)
    objective = MultiLabel(labels.numpy(), mask.numpy(), soft=True)
    torch.testing.assert_close(
        objective.loss(logits[2:4], np.array([2, 3])), masked_bce(logits[2:4], labels[2:4], mask[2:4], soft=True)
    )
    assert not torch.allclose(expected, masked_bce(logits, labels, mask))


def test_frames_count_like_rows() -> None:
    logits, labels, mask = cells(0.5)
    frames = [tensor.view(2, 3, 20) for tensor in (logits, labels, mask)]
    torch.testing.assert_close(masked_bce(*frames), masked_bce(logits, labels, mask))
    assert positive_share(*frames[1:]).tolist() == positive_share(labels, mask).tolist()


def test_positive_weights_multiply_the_loss_of_positives() -> None:
    logits, labels, mask = cells(0.5)
    weight = torch.linspace(1, 20, 20)
    factor = torch.where(labels >= 0.5, weight, 1.0)
    each = functional.binary_cross_entropy_with_logits(logits, (labels >= 0.5).float(), reduction="none")
    torch.testing.assert_close(masked_bce(logits, labels, mask, weight), (each * factor)[mask].mean())


def test_priors_and_weights_look_at_asked_cells_only() -> None:
    labels = torch.tensor([[1.0, 0, 0, 1], [0, 0, 1, 1], [0, 0, 1, 1], [0, 1, 1, 1]])
    mask = torch.tensor([[1, 1, 0, 1], [1, 1, 0, 1], [1, 1, 0, 1], [1, 0, 0, 1]])
    assert positive_share(labels, mask).tolist() == [0.25, 0.0, 0.5, 1.0]
    assert positive_weight(labels, mask, cap=20.0).tolist() == [3.0, 20.0, 1.0, 0.0]
