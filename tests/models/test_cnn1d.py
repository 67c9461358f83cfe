import pytest
import torch
from torch.nn import functional

from tutti.models import get_model
from tutti.models.cnn1d import SAMPLES, WINDOW, Cnn1d, length_chain
from tutti.models.registry import Preset

STAGES = ("cnn1d_stage1", "cnn1d_stage2")
EARLIER = {"mynet7": 1030, "mynet8": 1030, "mynet9": 1030, "mynet10": 514, "mynet11": 514, "mynet12": 514}
TOTALS = {
    "mynet7": 10_618, "mynet8": 10_618, "mynet9": 13_610, "mynet10": 11_546, "mynet11": 38_690, "mynet12": 80_242,
}  # fmt: skip
SMALL = {"channels": (4, 3), "kernels": (5, 3), "pools": (2, 4)}


def paper(name: str) -> Preset:
    return get_model(name).preset("paper")


@pytest.mark.parametrize("name", STAGES)
def test_published_counts(name: str) -> None:
    with torch.device("meta"):
        network = get_model(name).build("paper")
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) == 81_650
    assert sum(p.numel() for key, p in network.named_parameters() if not key.startswith("bn")) == 81_166
    state = network.state_dict()
    assert len(state) == 44
    assert sum(tensor.numel() for tensor in state.values()) == 82_140


def test_published_names_and_shapes() -> None:
    """The state dict that the project saved."""
    with torch.device("meta"):
        state = get_model("cnn1d_stage1").build("paper").state_dict()
    affine = {f"bn{n}.{part}" for n in range(1, 7) for part in ("weight", "bias", "running_mean", "running_var")}
    counters = {f"bn{n}.num_batches_tracked" for n in range(1, 7)}
    convolutions = {f"conv{n}.{part}" for n in range(1, 7) for part in ("weight", "bias")}
    assert state.keys() == affine | counters | convolutions | {"fc1.weight", "fc1.bias"}
    assert [tuple(state[f"conv{n}.weight"].shape) for n in range(1, 7)] == [
        (64, 2, 11), (64, 64, 9), (64, 64, 7), (32, 64, 5), (16, 32, 5), (2, 16, 5),
    ]  # fmt: skip
    assert state["fc1.weight"].shape == (4, 254)
    assert [state[f"bn{n}.weight"].numel() for n in range(1, 7)] == [64, 64, 64, 32, 16, 2]


@pytest.mark.parametrize("name", EARLIER)
def test_published_totals_of_the_earlier_networks(name: str) -> None:
    with torch.device("meta"):
        network = get_model(name).build("paper")
    assert sum(p.numel() for p in network.parameters()) == TOTALS[name]
    assert network.fc1.in_features == EARLIER[name]
    assert network(torch.zeros(1, 2, SAMPLES["paper"], device="meta")).shape == (1, 4)


def test_published_lengths() -> None:
    options = paper("cnn1d_stage1").options
    kernels, pools = options["kernels"], options["pools"]
    assert length_chain(132299, kernels, pools) == [66144, 33068, 8265, 2065, 515, 127]
    ends = {length_chain(samples, kernels, pools)[-1] for samples in range(131_442, 132_465 + 1)}
    assert ends == {127}
    assert length_chain(131_441, kernels, pools)[-1] == 126
    assert length_chain(132_466, kernels, pools)[-1] == 128
    with pytest.raises(ValueError, match="6 blocks leave nothing"):
        length_chain(1000, kernels, pools)


def test_published_arithmetic() -> None:
    """3.66 GMAC per clip."""
    options = paper("cnn1d_stage1").options
    lengths = [132299, *length_chain(132299, options["kernels"], options["pools"])[:-1]]
    widths = [2, *options["channels"]]
    macs = sum(
        (length - kernel + 1) * kernel * before * after
        for length, kernel, before, after in zip(lengths, options["kernels"], widths, widths[1:], strict=False)
    )
    assert macs + 254 * 4 == pytest.approx(3.66e9, rel=2e-3)


@pytest.mark.parametrize("samples", [131_442, 132_299, 132_465])
def test_any_input_of_about_three_seconds_has_254_features(samples: int) -> None:
    with torch.device("meta"):
        network = get_model("cnn1d_stage2").build("paper")
    assert network(torch.zeros(2, 2, samples, device="meta")).shape == (2, 4)


def test_a_window_is_what_the_published_decoder_gave() -> None:
    assert WINDOW.length(44100) == 132299
    assert WINDOW.starts(3.0) == [0.0]
    # The demonstration cut a recording into slices that do not overlap.
    assert WINDOW.starts(2 * 132299 / 44100) == pytest.approx([0, 132299 / 44100])


def reference(network: Cnn1d, x: torch.Tensor, *, norm_first: bool = False) -> torch.Tensor:
    """Two blocks and the head of ``SMALL`` in evaluation mode, operation by operation."""
    for number, pool in ((1, 2), (2, 4)):
        norm = network.get_submodule(f"bn{number}")
        conv = network.get_submodule(f"conv{number}")
        x = functional.relu(functional.conv1d(x, conv.weight, conv.bias))
        scale = norm.weight / torch.sqrt(norm.running_var + 1e-5)
        shift = norm.bias - norm.running_mean * scale
        if norm_first:
            x = x * scale[:, None] + shift[:, None]
        x = x[..., : x.shape[-1] // pool * pool].unflatten(-1, (-1, pool)).amax(dim=-1)
        if not norm_first:
            x = x * scale[:, None] + shift[:, None]
    # Channel after channel.
    return torch.cat([x[:, channel] for channel in range(x.shape[1])], dim=1) @ network.fc1.weight.T + network.fc1.bias


def test_normalisation_stands_behind_the_pooling_and_the_channels_behind_each_other() -> None:
    torch.manual_seed(0)
    network = Cnn1d(n_classes=4, samples=100, dropout=0.5, **SMALL).eval()
    for number in (1, 2):
        norm = network.get_submodule(f"bn{number}")
        for tensor in (norm.weight.data, norm.bias.data, norm.running_mean):  # some scales are negative
            tensor.normal_()
        norm.running_var.uniform_(0.5, 2)
    x = torch.randn(3, 2, 100)
    with torch.no_grad():
        torch.testing.assert_close(network(x), reference(network, x))
        assert (network(x) - reference(network, x, norm_first=True)).abs().max() > 0.1


def test_dropout_is_on_in_training_only() -> None:
    torch.manual_seed(0)
    network = Cnn1d(n_classes=4, samples=100, dropout=0.5, **SMALL)
    for number in (1, 2):
        network.get_submodule(f"bn{number}").eval()
    x = torch.randn(1, 2, 100)
    assert not torch.equal(network(x), network(x))
    assert torch.equal(network.eval()(x), network(x))


def test_evaluation_leaves_the_batch_counters_alone() -> None:
    """The published counters hold every validation pass, too: 27 x 2 x (109 + 36) of the first stage."""
    network = Cnn1d(n_classes=4, samples=100, dropout=0.3, **SMALL)
    x = torch.randn(4, 2, 100)
    for _ in range(3):
        network.train()(x)
        network.eval()(x)
    assert network.get_buffer("bn1.num_batches_tracked") == network.get_buffer("bn2.num_batches_tracked") == 3


def test_a_whole_checkpoint_brings_its_last_layer_where_the_classes_agree() -> None:
    stored = Cnn1d(n_classes=4, samples=100, dropout=0.3, **SMALL).state_dict()
    same, other = (Cnn1d(n_classes=classes, samples=100, dropout=0.3, **SMALL) for classes in (4, 9))
    own = other.fc1.weight.detach().clone()
    same.load_transferable(stored, where="file")
    other.load_transferable(stored, where="file")
    assert torch.equal(same.fc1.weight, stored["fc1.weight"])
    assert torch.equal(other.fc1.weight, own)
    assert torch.equal(other.get_parameter("conv2.weight"), stored["conv2.weight"])


@pytest.mark.parametrize("name", [*STAGES, *EARLIER])
def test_the_small_presets_have_the_same_blocks(name: str) -> None:
    large, small = (get_model(name).preset(preset).options for preset in ("paper", "mini"))
    assert {key: large[key] for key in ("kernels", "pools", "dropout")} == {
        key: small[key] for key in ("kernels", "pools", "dropout")
    }
    assert len(small["channels"]) == len(large["channels"])


def test_the_small_preset_learns_two_tones() -> None:
    torch.manual_seed(0)
    network = get_model("cnn1d_stage1").build("mini")
    times = torch.arange(SAMPLES["mini"]) / 8000
    x = 0.5 * torch.stack([torch.sin(2 * torch.pi * hz * times).expand(2, -1) for hz in (220, 1760)])
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    losses = []
    for _ in range(15):
        losses.append(functional.cross_entropy(network(x), torch.tensor([0, 1])))
        optimiser.zero_grad()
        losses[-1].backward()
        optimiser.step()
    assert losses[-1] < 0.5 * losses[0]
