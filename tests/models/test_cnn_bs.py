import torch

from tutti.models import get_model
from tutti.models.cnn_bs import CnnBs


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_published_parameter_counts_of_the_code_and_of_the_table() -> None:
    with torch.device("meta"):
        coded, pooled = get_model("cnn_bs").build("paper"), get_model("cnn_bs_pooled").build("paper")
    assert [count(layer) for layer in coded.features.layers] == [10, 0, 10, 0]
    assert count(coded.last_layer()) == 2_621_460
    assert count(coded) == 2_621_480
    assert count(pooled) == 20 + 2 * 768 + 768 * 20 + 20 == 16_936


def test_the_coded_network_is_convolutions_with_relu_and_one_linear_layer() -> None:
    torch.manual_seed(0)
    network, features = CnnBs(n_classes=5, frames=40, mels=16), torch.randn(2, 40, 16)
    first, _, second, _ = network.features.layers
    cells = second(first(features[:, None]).relu()).relu().flatten(1)
    torch.testing.assert_close(network(features), network.last_layer()(cells))


def test_pooling_averages_neighbouring_cells() -> None:
    torch.manual_seed(0)
    network, features = CnnBs(n_classes=5, frames=192, mels=16, pooled=True), torch.randn(2, 192, 16)
    norm, linear = network.head[-2:]
    cells = network.features(features).view(2, 96, 2, 8, 2).mean(dim=(2, 4)).flatten(1)
    torch.testing.assert_close(network(features), linear(norm(cells)), rtol=1e-4, atol=1e-5)


def test_every_parameter_learns() -> None:
    torch.manual_seed(0)
    for name in ("cnn_bs", "cnn_bs_pooled"):
        entry = get_model(name)
        network = entry.build("mini")
        network(torch.randn(4, *entry.preset("mini").input_shape)).square().sum().backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters()), name
