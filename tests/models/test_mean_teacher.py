import copy

import pytest
import torch

from tutti.models import get_model
from tutti.models.mean_teacher import MeanTeacher
from tutti.training.losses import masked_bce


def small(dropout: float = 0.5, **options: str | float) -> MeanTeacher:
    torch.manual_seed(0)
    return MeanTeacher(n_classes=4, width=8, dropout=dropout, input_range=(0.0, 1.0), **options)


def steps(network: MeanTeacher, number: int) -> list[list[torch.Tensor]]:
    """Trains; returns the student's parameters after each step."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser = torch.optim.Adam(trained, lr=0.05)
    seen = []
    for step in range(1, number + 1):
        features, labels = torch.rand(6, 10, 8), torch.rand(6, 4)
        logits = network(features)
        loss = masked_bce(logits, labels, torch.rand(6, 4) < 0.3) + network.extra_loss(features, logits)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        network.after_step(step)
        seen.append([parameter.detach().clone() for parameter in network.student.parameters()])
    return seen


def test_published_parameter_counts() -> None:
    network = get_model("mean_teacher").build("paper")
    assert sum(p.numel() for p in network.parameters()) == 110_672
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) == 55_336
    assert network.consistency_weight == 3


@pytest.mark.parametrize(
    ("step", "decay"), [(1, 0.5), (2, 2 / 3), (3, 0.75), (998, 998 / 999), (999, 0.999), (1000, 0.999), (10**6, 0.999)]
)
def test_the_teacher_keeps_a_growing_share_of_itself(step: int, decay: float) -> None:
    assert MeanTeacher.decay(step) == pytest.approx(decay, abs=1e-12)


def test_the_teacher_starts_as_a_copy_of_the_student_also_after_weights_and_prior_are_set() -> None:
    network, other = small(), small()
    torch.nn.init.normal_(other.student.embed[1].weight)
    other.after_step(1)
    for change in (
        lambda: None,
        lambda: network.load_transferable(other.transferable(), where="memory"),
        lambda: network.set_prior(torch.tensor([0.1, 0.2, 0.3, 0.4])),
    ):
        change()
        for name, tensor in network.student.state_dict().items():
            assert torch.equal(tensor, network.teacher.state_dict()[name]), name
    assert torch.equal(network.teacher.embed[1].weight, other.teacher.embed[1].weight)


def test_after_three_steps_the_teacher_is_the_mean_computed_by_hand() -> None:
    network = small()
    expected = [parameter.detach().clone() for parameter in network.student.parameters()]
    for decay, student in zip((1 / 2, 2 / 3, 3 / 4), steps(network, 3), strict=True):
        expected = [decay * mean + (1 - decay) * new for mean, new in zip(expected, student, strict=True)]
    for mean, wanted in zip(network.teacher.parameters(), expected, strict=True):
        torch.testing.assert_close(mean, wanted)
        assert mean.grad is None
        assert not mean.requires_grad


def test_the_teachers_statistics_are_its_own() -> None:
    network = small()
    steps(network, 2)
    before = {name: buffer.clone() for name, buffer in network.teacher.named_buffers()}
    network.after_step(3)
    assert all(torch.equal(buffer, before[name]) for name, buffer in network.teacher.named_buffers())
    assert int(network.teacher.embed[0].num_batches_tracked) == 2
    assert not torch.equal(network.teacher.embed[2].running_mean, network.student.embed[2].running_mean)


def test_consistency_is_the_published_loss_over_all_cells() -> None:
    network = small(dropout=0.0)
    steps(network, 1)
    features = torch.rand(5, 10, 8)
    logits = network(features).detach().requires_grad_()
    loss = network.extra_loss(features, logits)
    with torch.no_grad():
        wanted = torch.sigmoid(network.teacher(features))
    torch.testing.assert_close(loss, 3 * (torch.sigmoid(logits) - wanted).square().mean())
    loss.backward()
    assert logits.grad is not None
    assert (logits.grad != 0).all()


def test_labels_teach_nothing_where_nobody_was_asked() -> None:
    network, mask = small(), torch.rand(5, 4) < 0.5
    logits = network(torch.rand(5, 10, 8)).detach().requires_grad_()
    masked_bce(logits, torch.rand(5, 4), mask).backward()
    assert logits.grad is not None
    assert torch.equal(logits.grad != 0, mask)


def test_dropout_is_all_that_tells_the_two_apart_at_first() -> None:
    features = torch.rand(5, 10, 8)
    with_dropout, without = small(dropout=0.5), small(dropout=0.0)
    assert with_dropout.extra_loss(features, with_dropout(features)) > 1e-6
    assert without.extra_loss(features, without(features)) < 1e-12


@pytest.mark.parametrize("answers", ["teacher", "student"])
def test_the_chosen_one_answers_in_evaluation_and_the_student_in_training(answers: str) -> None:
    network, features = small(dropout=0.0, answers=answers), torch.rand(5, 10, 8)
    steps(network, 2)
    twin = copy.deepcopy(network)
    assert torch.equal(network(features), twin.student(features))
    network.eval()
    assert torch.equal(network(features), getattr(network, answers)(features))
    assert not torch.equal(network.student(features), network.teacher(features))
    name = "1.weight"
    assert torch.equal(network.transferable()[name], getattr(network, answers).embed[1].weight)
