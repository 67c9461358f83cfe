import numpy as np
import pytest
import torch
from torchaudio.transforms import MelSpectrogram

from tutti.frontends import create_front_end
from tutti.models import get_model
from tutti.models.ms_crnn import Crnn, ms_crnn


def small(n_classes: int = 20, **options: object) -> Crnn:
    torch.manual_seed(0)
    chosen = {"widths": (2, 3), "hidden": 4, "layers": 2, "dropout": 0.0, **options}
    return ms_crnn(n_classes=n_classes, **chosen)  # type: ignore[arg-type]


def count(module: torch.nn.Module | None) -> int:
    assert module is not None
    return sum(parameter.numel() for parameter in module.parameters())


def test_published_parameter_counts() -> None:
    entry = get_model("ms_crnn")
    network, pretraining = entry.build("paper"), entry.build_pretraining("published", n_classes=9)
    assert count(network) == 2_250_709
    assert [count(block) for block in network.conv] == [2_944, 255_264, 255_264]
    assert [count(part) for part in (network.rnn, network.attention, network.head)] == [1_726_464, 513, 10_260]
    assert count(pretraining) == 276_297
    assert [count(block) for block in pretraining.conv] == [1_984, 73_856]
    assert [count(part) for part in (pretraining.rnn, pretraining.head)] == [198_144, 2_313]


def shapes(conv: torch.nn.Sequential, frames: int) -> list[tuple[int, ...]]:
    x, seen = torch.randn(1, 1, 128, frames), []
    for block in conv:
        x = block(x)
        seen.append(tuple(x.shape[1:]))
    return seen


def test_shapes_of_the_published_blocks() -> None:
    entry = get_model("ms_crnn")
    network = entry.build("paper").eval()
    assert shapes(network.conv, 501) == [(96, 64, 250), (96, 32, 125), (96, 16, 62)]
    with torch.inference_mode():
        assert network.steps(torch.randn(1, 128, 501)).shape == (1, 62, 512)
        assert network(torch.randn(1, 128, 501)).shape == (1, 20)
    pretraining = entry.build_pretraining("published", n_classes=9)
    assert shapes(pretraining.conv, 151) == [(64, 64, 75), (128, 32, 37)]


@pytest.mark.parametrize("clips", [1, 32])
@pytest.mark.parametrize("preset", ["mini", "published"])
def test_any_number_of_clips_is_answered(preset: str, clips: int) -> None:
    network = get_model("ms_crnn").build(preset).eval()
    with torch.inference_mode():
        assert network(torch.randn(clips, 64, 60)).shape == (clips, 20)


def test_attention_sums_to_one_and_follows_the_sound() -> None:
    network = small().eval()
    with torch.no_grad():
        weights = network.weights(network.steps(3 * torch.randn(3, 32, 80)))
    assert weights.shape == (3, 20)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(3))
    assert 0 < weights.min() < weights.max() < 1


def test_the_answer_is_the_weighted_sum_of_the_steps() -> None:
    network, features = small().eval(), torch.randn(2, 32, 80)
    with torch.no_grad():
        steps = network.steps(features)
        scores = steps @ network.attention.weight[0]  # a constant added to all scores changes nothing
        context = torch.stack([torch.softmax(s, 0) @ x for s, x in zip(scores, steps, strict=True)])
        torch.testing.assert_close(network(features), network.head(context))


def test_without_attention_the_steps_are_averaged() -> None:
    network, features = small(attention=False).eval(), torch.randn(2, 32, 80)
    with torch.no_grad():
        torch.testing.assert_close(network(features), network.head(network.steps(features).mean(dim=1)))


@pytest.mark.parametrize(("preset", "tensors"), [("paper", 3 * (3 * 2 + 5) + 16), ("published", 11 + 2 + 8)])
def test_pretraining_reaches_convolutions_and_recurrent_layers_bit_by_bit(preset: str, tensors: int) -> None:
    entry = get_model("ms_crnn")
    pretrained, network = entry.build_pretraining(preset, n_classes=9), entry.build(preset)
    for module in pretrained.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_()
    fresh = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network.load_transferable(pretrained.transferable(), where="memory")
    loaded, source = network.state_dict(), pretrained.state_dict()
    kept = [name for name in loaded if name.startswith(("head", "attention"))]
    assert len(loaded) - len(kept) == len(pretrained.transferable()) == tensors
    for name, tensor in loaded.items():
        assert torch.equal(tensor, fresh[name] if name in kept else source[name]), name
    assert not torch.equal(fresh["rnn.weight_hh_l0"], loaded["rnn.weight_hh_l0"])


def test_pretraining_changes_what_the_network_hears() -> None:
    network, pretrained, features = small().eval(), small(9).eval(), torch.randn(2, 32, 80)
    with torch.no_grad():
        for parameter in pretrained.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        network.load_transferable(pretrained.transferable(), where="memory")
        assert torch.equal(network.steps(features), pretrained.steps(features))


def test_paper_front_end_is_the_published_computation() -> None:
    preset = get_model("ms_crnn").preset("paper")
    samples = 0.1 * torch.from_numpy(np.random.default_rng(0).standard_normal((1, 16000))).float()
    mel = MelSpectrogram(16000, n_fft=1024, hop_length=320, f_min=0.0, f_max=8000.0, n_mels=128)(samples)
    log_mel = torch.log(mel + 1e-6)
    expected = (log_mel - log_mel.mean()) / log_mel.std()
    torch.testing.assert_close(create_front_end(preset.front_end)(samples), expected, rtol=1e-4, atol=1e-4)


def test_quiet_cells_are_offset_not_cut() -> None:
    config = get_model("ms_crnn").preset("paper").front_end
    samples = torch.randn(1, 16000) * torch.linspace(1e-6, 1e-3, 16000)
    floored = config.model_copy(update={"log_offset": 0.0, "log_floor": 1e-6})
    assert (create_front_end(config)(samples) - create_front_end(floored)(samples)).abs().max() > 0.1
