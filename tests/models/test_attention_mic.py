import pytest
import torch
from torch import Tensor

from tutti.models import get_model
from tutti.models.attention_mic import AttentionMic


def small(width: int = 16, **options: float) -> AttentionMic:
    torch.manual_seed(0)
    return AttentionMic(n_classes=5, width=width, input_range=(0.0, 1.0), **{"dropout": 0.0, **options})


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_published_parameter_counts() -> None:
    network = get_model("attention_mic").build("paper")
    assert count(network) == 55_336
    assert count(network.embed) == 3 * 128 * 128 + 4 * 2 * 128
    assert count(network.attention) == count(network.classifier) == 2_580


def test_three_procedures_share_the_network() -> None:
    procedures = {}
    for name in ("attention_mic", "attention_negatives", "attention_enhanced"):
        entry = get_model(name)
        procedures[name] = entry.procedure
        assert {preset.total_params for preset in entry.presets.values()} == {55_336}
    assert procedures == {
        "attention_mic": "masked",
        "attention_negatives": "negatives",
        "attention_enhanced": "enhanced",
    }
    assert get_model("attention_enhanced").preset("paper").options["dropout"] == 0.3


def test_weights_start_as_published() -> None:
    network = get_model("attention_mic").build("paper")
    bound = (6 / 128) ** 0.5
    for module in network.modules():
        if isinstance(module, torch.nn.Linear):
            assert 0.98 * bound < module.weight.abs().max() <= bound
            assert module.bias is None or not module.bias.any()
        elif isinstance(module, torch.nn.BatchNorm1d):
            assert (module.weight == 1).all()


def test_attention_sums_to_one_over_time_and_answers_are_probabilities() -> None:
    network = small()
    with torch.no_grad():
        weights = network.weights(network.segments(5 * torch.randn(3, 10, 16)))
        answer = torch.sigmoid(network(50 * torch.randn(64, 10, 16)))
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(3, 5))
    assert 0 < weights.min() < 0.1 < weights.max() < 1
    assert 0 <= answer.min() < answer.max() <= 1


@pytest.mark.parametrize("magnitude", [1.0, 1e4])
def test_a_clip_that_does_not_change_is_weighted_evenly(magnitude: float) -> None:
    network = small().eval()
    features = magnitude * torch.randn(2, 1, 16).expand(2, 10, 16)
    torch.testing.assert_close(network.weights(network.segments(features)), torch.full((2, 10, 5), 0.1))


def by_hand(network: AttentionMic, features: Tensor) -> Tensor:
    """The published formula with 1 x 1 convolutions over [batch, width, segments, 1], in evaluation mode."""

    def convolve(x: Tensor, layer: torch.nn.Linear) -> Tensor:
        return torch.conv2d(x, layer.weight[:, :, None, None], layer.bias)

    x = features.transpose(1, 2)[..., None]
    hidden = x
    for layer in network.embed:
        if isinstance(layer, torch.nn.Linear):
            hidden = convolve(hidden, layer)
        elif isinstance(layer, torch.nn.BatchNorm1d):
            hidden = torch.batch_norm(
                hidden, layer.weight, layer.bias, layer.running_mean, layer.running_var, False, 0.0, layer.eps, False
            )
        elif isinstance(layer, torch.nn.ReLU):
            hidden = hidden.relu()
    hidden = hidden + x
    gates = torch.sigmoid(convolve(hidden, network.attention)).clamp(1e-7, 1 - 1e-7)
    votes = torch.sigmoid(convolve(hidden, network.classifier))
    return (gates / gates.sum(dim=2, keepdim=True) * votes).sum(dim=2)[..., 0]


def test_the_answer_is_the_published_formula() -> None:
    network = small()
    network(torch.rand(8, 10, 16))  # moves the statistics away from 0 and 1
    features = torch.rand(4, 10, 16)
    torch.testing.assert_close(torch.sigmoid(network.eval()(features)), by_hand(network, features))


def test_the_input_range_counts_as_0_to_1() -> None:
    plain, vggish = small().eval(), small().eval()
    vggish.input_range = (0.0, 255.0)
    features = torch.rand(2, 10, 16)
    torch.testing.assert_close(vggish(255 * features), plain(features))


def test_silence_and_extremes_stay_finite_with_finite_gradients() -> None:
    network = small()
    features = torch.cat([torch.zeros(2, 10, 16), 1e6 * torch.ones(2, 10, 16)])
    logits = network(features)
    assert logits.isfinite().all()
    logits.sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())


def test_the_layers_transfer_and_the_heads_stay() -> None:
    source, target = small(), get_model("attention_mic").factory(n_classes=3, width=16, dropout=0.0, input_range=(0, 1))
    source(torch.rand(4, 10, 16))
    heads = target.attention.weight.clone(), target.classifier.weight.clone()
    target.load_transferable(source.transferable(), where="memory")
    assert len(source.transferable()) == 3 + 4 * 5
    assert all(torch.equal(target.transferable()[name], tensor) for name, tensor in source.transferable().items())
    assert torch.equal(target.attention.weight, heads[0])
    assert torch.equal(target.classifier.weight, heads[1])
