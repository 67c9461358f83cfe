import pytest
import torch

from tutti.models import get_model
from tutti.models.cbam_cnn import Cbam, CbamCnn


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_published_parameter_counts() -> None:
    entry = get_model("cbam_cnn")
    network, pretraining = entry.build("paper"), entry.build_pretraining("paper", n_classes=9)
    assert count(network.features) == 20_402
    assert count(network) == 42_182
    assert count(pretraining) == 20_987
    assert [count(layer) for layer in network.features] == [320, 0, 0, 292 + 99, 18_496, 0, 0, 1_096 + 99, 0]
    assert len(network.transferable()) == 16
    assert network.transferable().keys() == pretraining.transferable().keys()


def test_shapes_of_the_published_stages() -> None:
    x = torch.randn(1, 1, 128, 151)
    shapes = []
    for layer in get_model("cbam_cnn").build_pretraining("paper", n_classes=9).features:
        x = layer(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes[2] == shapes[3] == (32, 64, 75)
    assert shapes[6] == shapes[7] == (64, 32, 37)
    assert shapes[8] == (64, 1, 1)


def test_attention_lies_between_0_and_1() -> None:
    cbam, x = Cbam(32, 8), 5 * torch.randn(2, 32, 10, 12)
    channel, spatial = cbam.channel(x), cbam.spatial(x)
    assert channel.shape == (2, 32, 1, 1)
    assert spatial.shape == (2, 1, 10, 12)
    for weights in (channel, spatial):
        assert 0 < weights.min() < weights.max() < 1


def test_channel_attention_is_the_published_formula() -> None:
    cbam, x = Cbam(8, 2), torch.randn(1, 8, 5, 6)
    first, _, second = cbam.channel.mlp

    def mlp(v: torch.Tensor) -> torch.Tensor:
        return second.weight @ torch.relu(first.weight @ v + first.bias) + second.bias

    expected = torch.sigmoid(mlp(x[0].flatten(1).mean(1)) + mlp(x[0].flatten(1).max(1).values))
    torch.testing.assert_close(cbam.channel(x)[0, :, 0, 0], expected)


@pytest.mark.parametrize("hidden", [None, 16])
def test_the_head_is_linear_or_has_one_hidden_layer(hidden: int | None) -> None:
    network = CbamCnn(n_classes=5, channels=(8, 16), reduction=4, hidden=hidden, dropout=0.3)
    assert count(network.head) == (16 * 5 + 5 if hidden is None else 16 * 16 + 16 + 16 * 5 + 5)
    assert network(torch.randn(2, 32, 40)).shape == (2, 5)
