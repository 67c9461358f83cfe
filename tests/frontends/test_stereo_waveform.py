import pytest
import torch
from pydantic import ValidationError

from tutti.frontends import create_front_end, parse_front_end
from tutti.frontends.stereo_waveform import StereoWaveformConfig


@pytest.fixture
def samples() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(5, 2, 4000, generator=generator) * torch.tensor([[0.01], [3.0]])


def test_each_channel_peaks_at_one_half(samples: torch.Tensor) -> None:
    features = create_front_end(StereoWaveformConfig())(samples)
    assert features.shape == samples.shape
    torch.testing.assert_close(features.abs().amax(dim=-1), torch.full((5, 2), 0.5))
    # Nothing but the level changes.
    torch.testing.assert_close(features[0, 0] * samples[0, 0].abs().max() * 2, samples[0, 0])


def test_a_silent_channel_stays_silent_beside_one_that_sounds(samples: torch.Tensor) -> None:
    samples[2, 0] = 0
    features = create_front_end(StereoWaveformConfig(peak=0.25))(samples)
    assert (features[2, 0] == 0).all()
    assert features[2, 1].abs().max().item() == pytest.approx(0.25)


def test_polarity_and_level_of_the_recording(samples: torch.Tensor) -> None:
    front_end = create_front_end(StereoWaveformConfig())
    assert torch.equal(front_end(-samples), -front_end(samples))
    torch.testing.assert_close(front_end(0.1 * samples), front_end(samples))


def test_each_clip_is_computed_alone(samples: torch.Tensor) -> None:
    front_end = create_front_end(StereoWaveformConfig())
    assert torch.equal(front_end(samples)[3:4], front_end(samples[3:4]))


def test_the_configuration_asks_for_both_channels_and_survives_json() -> None:
    config = StereoWaveformConfig(sample_rate=8000)
    assert config.signal == (8000, 2)
    assert parse_front_end(config.model_dump(mode="json")) == config
    with pytest.raises(ValidationError, match="peak"):
        StereoWaveformConfig(peak=0)
