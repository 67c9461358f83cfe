"""What every front end promises, for every front end of every registered model."""

import pytest
import torch

from tutti.errors import ConfigError
from tutti.frontends import FrontEndConfig, create_front_end, parse_front_end
from tutti.frontends.clip_embedding import ClipEmbeddingConfig
from tutti.frontends.htk_mel import HtkMelConfig
from tutti.frontends.masking import mask_spectrogram
from tutti.frontends.passt_mel import PasstMelConfig
from tutti.frontends.summary import SummaryConfig
from tutti.models import list_models

CONFIGS = {
    config.key: config
    for config in [
        *(
            preset.front_end
            for entry in list_models()
            if entry.factory.__module__.startswith("tutti.")
            for preset in entry.presets.values()
            if not preset.front_end.stored
        ),
        ClipEmbeddingConfig(),
        HtkMelConfig(),
        PasstMelConfig(),
        SummaryConfig(),
    ]
}


def noise(rows: int, samples: int, seed: int = 0, channels: int = 1) -> torch.Tensor:
    shape = (rows, samples) if channels == 1 else (rows, channels, samples)
    return 0.3 * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=list(CONFIGS), scope="module")
def config(request: pytest.FixtureRequest) -> FrontEndConfig:
    return CONFIGS[request.param]


def test_a_window_gives_the_same_alone_and_in_a_batch(config: FrontEndConfig) -> None:
    front_end, batch = create_front_end(config), noise(4, 2 * config.sample_rate, channels=config.channels)
    batch[1] *= 1e-3
    batch[3] *= 0
    together = front_end(batch)
    for row in range(4):
        torch.testing.assert_close(front_end(batch[row : row + 1])[0], together[row], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("level", [0.0, 1.0, -1.0, 1e-9])
def test_silence_and_dc_give_finite_values(config: FrontEndConfig, level: float) -> None:
    samples = torch.full_like(noise(2, 3 * config.sample_rate, channels=config.channels), level)
    assert torch.isfinite(create_front_end(config)(samples)).all()


def test_the_json_form_gives_the_same_front_end(config: FrontEndConfig) -> None:
    parsed = parse_front_end(config.model_dump(mode="json"))
    assert parsed == config
    assert parsed.key == config.key


def test_a_changed_parameter_changes_the_digest(config: FrontEndConfig) -> None:
    assert config.model_copy(update={"sample_rate": config.sample_rate + 1}).digest() != config.digest()


def test_training_draws_are_replayed_by_the_generator(config: FrontEndConfig) -> None:
    front_end, samples = create_front_end(config), noise(2, 3 * config.sample_rate, channels=config.channels)
    first, again = (front_end.training_forward(samples, torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(first, again)
    assert first.shape == front_end(samples).shape


@pytest.mark.parametrize(
    ("config", "seconds", "shape"),
    [
        (PasstMelConfig(), 10, (128, 1000)),
        (HtkMelConfig(), 10, (128, 501)),
        (HtkMelConfig(), 3, (128, 151)),
        (ClipEmbeddingConfig(), 10, (10, 128)),
        (SummaryConfig(), 10, (86,)),
    ],
)
def test_published_shapes(config: FrontEndConfig, seconds: int, shape: tuple[int, ...]) -> None:
    assert create_front_end(config)(noise(1, seconds * config.sample_rate)).shape == (1, *shape)


def test_an_unknown_front_end_is_named() -> None:
    with pytest.raises(ConfigError, match="htk_mel"):
        parse_front_end({"kind": "gammatone", "sample_rate": 16000})


@pytest.mark.parametrize("change", [{"n_mels": 0}, {"hop_length": "x"}, {"bins": 3}])
def test_wrong_parameters_are_named(change: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(change))):
        parse_front_end(HtkMelConfig().model_dump() | change)


def test_mask_widths_stay_below_their_limits() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.ones(400, 128, 1000)
    masked = mask_spectrogram(features, freq_mask=48, time_mask=192, value=0.0, generator=generator) == 0
    bins, frames = masked.all(dim=2).sum(dim=1), masked.all(dim=1).sum(dim=1)
    assert bins.max() < 48
    assert frames.max() < 192
    assert bins.max() > 40  # the limits are reached, nearly
    assert frames.max() > 170
    assert (features == 1).all()
    # Each mask is one span: its cells are those between its first and last one.
    positions = [row.nonzero()[:, 0] for row in masked.all(dim=2) if row.any()]
    assert all(len(span) == span[-1] - span[0] + 1 for span in positions)


def test_no_mask_leaves_the_features_alone() -> None:
    features = torch.rand(2, 8, 9)
    assert torch.equal(
        mask_spectrogram(features, freq_mask=0, time_mask=0, value=0.0, generator=torch.Generator()), features
    )
