"""The MusicNet networks: published sizes, and answers that depend on their own window only."""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tutti.evaluation.task_metrics import micro_f1
from tutti.frontends import create_front_end
from tutti.models import get_model
from tutti.models.frame_network import FRONT_END, WINDOW, WINDOW_FRAMES, FrameNetwork, moving_statistics
from tutti.models.mfcc_transformer import sinusoids

NAMES = ("mfcc_cnn", "mfcc_transformer")
FRAMES = 128
PRESETS = [(name, preset) for name in NAMES for preset in get_model(name).presets]


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def windows(batch: int, seed: int = 0) -> Tensor:
    """Shorter than those of the presets; the networks take any multiple of 32 frames."""
    return torch.randn(batch, FRAMES, 13, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("name", "preset", "parameters"),
    [
        ("mfcc_cnn", "paper", 11_724),
        ("mfcc_cnn", "published", 12_480),
        ("mfcc_transformer", "paper", 596_364),
        ("mfcc_transformer", "published", 845_132),
    ],
)
def test_published_parameter_counts(name: str, preset: str, parameters: int) -> None:
    assert count(get_model(name).build(preset)) == parameters == get_model(name).preset(preset).total_params


def test_published_layers() -> None:
    paper, published = get_model("mfcc_cnn").build("paper"), get_model("mfcc_cnn").build("published")
    assert [count(layer) for layer in (*paper.features, paper.head)] == [128, 0, 0, 6_208, 0, 0, 5_388]
    assert [count(layer) for layer in (*published.features, published.head)] == [6_208, 0, 0, 6_176, 0, 0, 96]
    transformer = get_model("mfcc_transformer").build("paper")
    assert [count(part) for part in (transformer.embed, transformer.encoder, transformer.head)] == [
        1_792,
        593_024,
        1_548,
    ]


@pytest.mark.parametrize("preset", ["paper", "published"])
def test_coefficients_become_11_10_8_7(preset: str) -> None:
    network = get_model("mfcc_cnn").build(preset)
    x, lengths = torch.randn(1, network.frames, 13), []
    for layer in network.features:
        x = layer(x)
        lengths.append(x.shape[2])
    assert lengths == [11, 11, 10, 8, 8, 7]


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_answers_depend_on_their_window_only(name: str, preset: str) -> None:
    network, features = get_model(name).build(preset).eval(), windows(6)
    with torch.inference_mode():
        together = network(features)
        assert together.shape == (6, FRAMES, 12)
        torch.testing.assert_close(network(features[2:3]), together[2:3], rtol=1e-4, atol=1e-5)
        shuffled = [4, 2, 0]
        torch.testing.assert_close(network(features[shuffled]), together[shuffled], rtol=1e-4, atol=1e-5)
        others = torch.cat([features[2:3], 100 * windows(2, seed=1)])
        torch.testing.assert_close(network(others)[:1], together[2:3], rtol=1e-4, atol=1e-5)


def reach(network: FrameNetwork, frame: int) -> list[int]:
    """Frames that the answer for ``frame`` depends on."""
    features = windows(1).requires_grad_()
    network.eval()(features)[0, frame].sum().backward()
    assert features.grad is not None
    return torch.nonzero(features.grad[0].abs().sum(dim=1))[:, 0].tolist()


def test_what_a_frame_is_decided_from() -> None:
    torch.manual_seed(1)  # with some weights no unit of the published network is active
    assert reach(get_model("mfcc_cnn").build("paper"), 40) == [40]
    assert set(reach(get_model("mfcc_cnn").build("published"), 40)) == set(range(32, 64))
    assert reach(get_model("mfcc_transformer").build("paper"), 40) == list(range(FRAMES))
    for name in NAMES:
        assert reach(get_model(name).build("mini"), 40) == list(range(FRAMES))  # the longer span covers the window
    entry = get_model("mfcc_transformer")
    alone = entry.factory(n_classes=12, **entry.preset("paper").options, context="frame")
    assert count(alone) == 596_364
    assert reach(alone, 40) == [40]


def test_a_frame_alone_is_the_published_sequence_of_one() -> None:
    options = {"dim": 16, "heads": 2, "layers": 2, "dropout": 0.3, "feed_forward": 32}
    alone = get_model("mfcc_transformer").factory(n_classes=12, context="frame", **options)
    frame = windows(1)[:, 5:6]
    with torch.inference_mode():
        for training in (False, True):
            alone.train(training)
            torch.manual_seed(0)
            answer = alone(frame)
            torch.manual_seed(0)
            torch.testing.assert_close(answer, alone.head(alone.encoder(alone.embed(frame))))


def test_positions_are_told_apart_without_parameters() -> None:
    positions = sinusoids(FRAMES, 64)
    assert positions.shape == (FRAMES, 64)
    torch.testing.assert_close(positions[0], torch.tensor([0.0, 1.0]).repeat(32))
    torch.testing.assert_close(
        positions[3, 2:4], torch.tensor([np.sin(3 * 1e4 ** (-1 / 32)), np.cos(3 * 1e4 ** (-1 / 32))]).float()
    )
    assert torch.pdist(positions).min() > 0.1
    network, features = get_model("mfcc_transformer").build("published").eval(), windows(1)
    turned = features.flip(1)
    with torch.inference_mode():
        assert not torch.allclose(network(turned).flip(1), network(features), atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_standardisation_is_part_of_the_network(name: str) -> None:
    network, features = get_model(name).build("mini").eval(), windows(2)
    assert network.scales_input
    mean, std = torch.linspace(-270, 10, 13), torch.linspace(90, 9, 13)
    scaled = copy.deepcopy(network)
    scaled.set_scaler(mean, std)
    with torch.inference_mode():
        torch.testing.assert_close(scaled(features * std + mean), network(features), rtol=1e-3, atol=1e-4)
    restored = get_model(name).build("mini")
    restored.load_state_dict(scaled.state_dict())
    torch.testing.assert_close(restored.mean, mean)
    constant = std.clone()
    constant[3] = 0
    scaled.set_scaler(mean, constant)
    assert torch.isfinite(scaled(features)).all()


def test_moving_statistics_are_those_of_the_frames_around() -> None:
    values, reach = windows(2), 20
    found = moving_statistics(values, reach)
    assert found.shape == (2, FRAMES, 3, 13)
    for frame in (0, 7, 64, FRAMES - 1):
        around = slice(max(frame - reach, 0), frame + reach + 1)
        change = torch.cat([torch.zeros(2, 1, 13), values.diff(dim=1).abs()], dim=1)
        expected = [values[:, around].mean(1), values[:, around].std(1, correction=0), change[:, around].mean(1)]
        torch.testing.assert_close(found[:, frame], torch.stack(expected, dim=1), atol=1e-4, rtol=1e-4)
    constant = moving_statistics(torch.full((1, FRAMES, 13), 3.0), reach)
    torch.testing.assert_close(constant[0, 5], torch.tensor([3.0, 0.01, 0.0])[:, None].expand(3, 13))


def test_colour_shifts_whole_windows_in_training_only() -> None:
    entry = get_model("mfcc_transformer")
    network = entry.factory(n_classes=12, **{**entry.preset("mini").options, "colour": 0.3})
    features = windows(200)
    torch.manual_seed(0)
    shift = network.train().standardise(features) - features
    torch.testing.assert_close(shift, shift[:, :1].expand_as(shift), atol=1e-5, rtol=0)
    assert 0.27 < float(shift[:, 0].std()) < 0.33
    assert torch.equal(network.eval().standardise(features), features)


def test_windows_follow_each_other_frame_by_frame() -> None:
    rate, hop = FRONT_END.sample_rate, FRONT_END.hop_length
    assert WINDOW.length(rate) == (WINDOW_FRAMES - 1) * hop
    assert WINDOW_FRAMES % 32 == 0
    samples = torch.randn(1, 3 * WINDOW_FRAMES * hop)
    starts = WINDOW.starts(samples.shape[1] / rate)
    assert [round(start * rate / hop, 6) for start in starts[:3]] == [0, WINDOW_FRAMES, 2 * WINDOW_FRAMES]
    front_end = create_front_end(FRONT_END)
    whole = front_end(samples)[0]
    second = front_end(samples[:, round(starts[1] * rate) :][:, : WINDOW.length(rate)])[0]
    assert second.shape == (WINDOW_FRAMES, 13)
    # Near its ends a window hears the silence outside it, where the recording goes on.
    torch.testing.assert_close(second[5:-5], whole[WINDOW_FRAMES + 5 : 2 * WINDOW_FRAMES - 5], atol=1e-2, rtol=1e-3)


def played(recordings: int, seed: int) -> tuple[Tensor, np.ndarray]:
    """Windows of notes, each group with a timbre of its own, and the frames' labels."""
    generator = np.random.default_rng(seed)
    front_end, rate, hop = create_front_end(FRONT_END), FRONT_END.sample_rate, FRONT_END.hop_length
    harmonics = {1: (1, 0, 0, 0), 3: (1, 0.8, 0.7, 0.6), 8: (1, 0, 0.8, 0)}
    t = np.arange((FRAMES - 1) * hop) / rate
    sounds, labels = [], np.zeros((recordings, FRAMES, 12), bool)
    for number in range(recordings):
        sound = 1e-3 * generator.standard_normal(len(t))
        frames = np.arange(FRAMES)
        for group, levels in harmonics.items():
            first, last = np.sort(generator.integers(0, FRAMES, 2))
            pitch = 220 * 2 ** (generator.integers(0, 12) / 12)
            tone = sum(level * np.sin(2 * np.pi * n * pitch * t) for n, level in enumerate(levels, start=1))
            sound += 0.2 * tone * ((t >= first * hop / rate) & (t < last * hop / rate))
            labels[number, :, group] = (frames >= first) & (frames < last)
        labels[number, :, 0] = ~labels[number].any(axis=1)
        sounds.append(sound.astype(np.float32))
    return front_end(torch.from_numpy(np.stack(sounds))), labels


@pytest.mark.parametrize("name", NAMES)
def test_a_short_training_beats_silence_and_constant_answers(name: str) -> None:
    features, labels = played(24, seed=0)
    torch.manual_seed(0)
    network = get_model(name).build("mini")
    network.set_scaler(features.mean(dim=(0, 1)), features.std(dim=(0, 1)))
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    targets = torch.from_numpy(labels).float()
    for step in range(40):
        rows = slice(8 * (step % 3), 8 * (step % 3) + 8)
        loss = nn.functional.binary_cross_entropy_with_logits(network(features[rows]), targets[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    unseen, truth = played(8, seed=1)
    with torch.inference_mode():
        answer = torch.sigmoid(network.eval()(unseen)).numpy()

    everything = np.ones(truth.shape, bool)
    constant = np.broadcast_to(labels.any(axis=(0, 1)), truth.shape).astype(float)
    assert micro_f1(np.zeros(truth.shape), truth, everything) == 0
    assert micro_f1(answer, truth, everything) > micro_f1(constant, truth, everything) + 0.1
