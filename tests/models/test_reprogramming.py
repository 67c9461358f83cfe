"""What is trained and what is not, and the input transforms against the published tables."""

import pytest
import torch

from tutti.models import get_model
from tutti.models.ast import Ast, fit_positions
from tutti.models.input_transforms import AdditiveNoise, TwoConvolutions, UNet
from tutti.models.reprogramming import ReprogrammedAst

SYSTEMS = ("ast_bs", "ast_tl", "ast_nrp", "ast_cnnrp", "ast_urp")
FROZEN = tuple(name for name in SYSTEMS if name != "ast_tl")


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def mini(name: str) -> tuple[ReprogrammedAst, torch.Tensor]:
    torch.manual_seed(0)
    entry = get_model(name)
    return entry.build("mini"), torch.randn(3, *entry.preset("mini").input_shape)


@pytest.mark.parametrize(
    ("name", "transform", "trained"),
    [
        ("ast_bs", 0, 16_916),
        ("ast_tl", 0, 86_204_180),
        ("ast_nrp", 131_072, 147_988),
        ("ast_cnnrp", 20, 16_936),
        ("ast_urp", 1_285, 18_201),
    ],
)
def test_published_parameter_counts(name: str, transform: int, trained: int) -> None:
    with torch.device("meta"):
        network = get_model(name).build("paper")
    assert count(network.transform) == transform
    assert count(network.head) == 16_916
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) == trained
    assert count(network) == 86_187_264 + 16_916 + transform
    if name == "ast_tl":
        # The published number has two spare classifiers and a noise that take no part.
        assert trained + 2 * (768 * 1000 + 1000) + 131_072 == 87_873_252


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_published_runs_differ_in_the_input_normalisation_alone(name: str) -> None:
    entry = get_model(name)
    paper, published = entry.preset("paper"), entry.preset("published")
    assert published.options == paper.options
    assert published.front_end == paper.front_end.model_copy(update={"input_norm": "none"})


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_system_answers_the_published_input(name: str) -> None:
    options = get_model(name).preset("paper").options | {"dim": 12, "depth": 1, "heads": 1}
    assert ReprogrammedAst(n_classes=20, **options)(torch.randn(2, 1024, 128)).shape == (2, 20)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_step_moves_all_that_is_trained_and_nothing_that_is_frozen(name: str) -> None:
    network, features = mini(name)
    network.eval().train()
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    optimiser = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=1e-3)
    network(features).square().sum().backward()
    optimiser.step()
    after, frozen = network.state_dict(), name in FROZEN
    if frozen:
        assert [key for key in after if key.startswith("backbone.") and not torch.equal(after[key], before[key])] == []
    for key, parameter in network.named_parameters():
        if frozen and key.startswith("backbone."):
            assert parameter.grad is None, key
        else:
            assert parameter.grad is not None, key
            assert parameter.grad.abs().sum() > 0, key
            assert not torch.equal(after[key], before[key]), key
    assert network.backbone.training is not frozen
    assert all(module.training is not frozen for module in network.backbone.modules())
    assert network.transform.training
    assert network.head.training


@pytest.mark.parametrize("name", SYSTEMS)
def test_only_the_plain_frozen_system_has_an_output_to_keep(name: str) -> None:
    network, features = mini(name)
    network.eval()
    encoded = network.encode(features)
    assert (encoded is not None) is (name == "ast_bs")
    if encoded is not None:
        assert encoded.shape == (3, 64)
        assert not encoded.requires_grad
        assert torch.equal(network.decide(encoded), network(features))


@pytest.mark.parametrize("name", SYSTEMS)
def test_pretraining_trains_the_whole_backbone_on_three_seconds(name: str) -> None:
    entry = get_model(name)
    pretraining, (network, features) = entry.build_pretraining("mini", n_classes=9), mini(name)
    assert all(parameter.requires_grad for parameter in pretraining.parameters())
    assert pretraining.encode(torch.randn(2, 74, 64)) is None
    assert pretraining(torch.randn(2, 74, 64)).shape == (2, 9)
    for parameter in pretraining.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    before = {key: tensor.clone() for key, tensor in network.state_dict().items() if not key.startswith("backbone")}
    network.load_transferable(pretraining.transferable(), where="memory")
    for key, tensor in pretraining.transferable().items():
        expected = fit_positions(tensor, 5, 20) if key == "pos_embed" else tensor
        assert torch.equal(network.transferable()[key], expected), key
    assert all(torch.equal(network.state_dict()[key], tensor) for key, tensor in before.items())
    assert all(p.requires_grad is (name == "ast_tl") for p in network.backbone.parameters())
    assert network(features).shape == (3, 20)


def test_the_network_is_transform_then_backbone_then_head() -> None:
    network, features = mini("ast_urp")
    network.eval()
    assert isinstance(network.backbone, Ast)
    expected = network.head(network.backbone(network.transform(features)))
    assert torch.equal(network(features), expected)


def test_noise_is_xavier_uniform_or_normal_and_shared_by_all_clips() -> None:
    torch.manual_seed(0)
    bound = (6 / (1024 * 128 + 128)) ** 0.5
    uniform, normal = AdditiveNoise(1024, 128), AdditiveNoise(1024, 128, init="normal")
    assert 0.99 * bound < uniform.noise.abs().max() <= bound
    assert normal.noise.std().item() == pytest.approx(1, abs=0.02)
    x = torch.randn(2, 1024, 128)
    torch.testing.assert_close(uniform(x) - x, uniform.noise.expand(2, -1, -1), rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match=r"\(1000, 128\) cannot be added to \(1024, 128\)"):
        uniform(x[:, :1000])


def test_convolutions_are_linear_unless_they_are_given_an_activation() -> None:
    torch.manual_seed(0)
    linear, rectified, x = TwoConvolutions(), TwoConvolutions("relu"), torch.randn(2, 40, 16)
    assert count(linear) == count(rectified) == 20
    offset = linear(torch.zeros_like(x))
    torch.testing.assert_close(linear(2 * x) - offset, 2 * (linear(x) - offset), rtol=1e-4, atol=1e-5)
    rectified.load_state_dict(linear.state_dict())
    first, _, second, _ = rectified.layers
    torch.testing.assert_close(rectified(x), second(first(x[:, None]).relu()).relu()[:, 0])
    assert not torch.allclose(rectified(x), linear(x))


def test_published_layers_of_the_u_net() -> None:
    network = UNet()
    parts = [network.down1, network.down2, network.down3, network.up1, network.up2, network.up3]
    assert [count(part) for part in parts] == [44, 304, 592, 296, 38, 11]
    shapes: list[tuple[int, ...]] = []
    for part in parts:
        part.register_forward_hook(lambda _, given, made: shapes.append((*given[0].shape[1:], *made.shape[1:])))
    made = network(torch.randn(2, 1024, 128))
    assert shapes == [
        (1, 1024, 128, 4, 1024, 128),
        (4, 512, 64, 8, 512, 64),
        (8, 256, 32, 8, 256, 32),
        (8, 256, 32, 4, 256, 32),
        (4, 512, 64, 1, 512, 64),
        (1, 1024, 128, 1, 1024, 128),
    ]
    assert made.shape == (2, 1024, 128)
    assert made.min() == 0


def test_the_u_nets_skips_are_sums() -> None:
    torch.manual_seed(0)
    network, x = UNet(), torch.randn(1, 16, 8)
    network.eval()
    pool = torch.nn.MaxPool2d(2)
    up = torch.nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
    x1 = pool(network.down1(x[:, None]))
    x2 = pool(network.down2(x1))
    x3 = pool(network.down3(x2))
    x5 = network.up2(up(network.up1(up(x3) + x2)) + x1)
    torch.testing.assert_close(network(x), network.up3(up(x5) + x[:, None])[:, 0])


def test_the_u_nets_result_may_be_negative_without_its_last_activation() -> None:
    torch.manual_seed(0)
    rectified, free, x = UNet(), UNet("identity"), torch.randn(2, 24, 16)
    free.load_state_dict(rectified.state_dict())
    assert free(x).min() < 0
    assert torch.equal(rectified(x), free(x).relu())


def test_the_u_net_takes_sides_that_are_no_multiples_of_8() -> None:
    torch.manual_seed(0)
    network, x = UNet().eval(), torch.randn(2, 21, 13)
    made = network(x)
    assert made.shape == (2, 21, 13)
    padded = torch.cat([x, x[:, -1:].expand(-1, 3, -1)], dim=1)
    padded = torch.cat([padded, padded[:, :, -1:].expand(-1, -1, 3)], dim=2)
    assert torch.equal(made, network(padded)[:, :21, :13])
