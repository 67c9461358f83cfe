"""The filter bank against torchaudio's, one recording at a time, and against the published values."""

import pytest
import torch
from torchaudio.compliance.kaldi import fbank as kaldi_fbank

from tutti.errors import ConfigError
from tutti.frontends import create_front_end, parse_front_end
from tutti.frontends.fbank import FbankConfig

RAW = {"peak_normalise": False, "input_norm": "none", "frames": None}


def sound(rows: int, seconds: float, rate: int = 16000) -> torch.Tensor:
    """Tones in noise around an offset, at very different levels."""
    generator = torch.Generator().manual_seed(0)
    times = torch.arange(round(seconds * rate)) / rate
    hz = torch.rand(rows, 1, generator=generator) * 3000 + 100
    noise = 0.05 * torch.randn(rows, len(times), generator=generator)
    return (0.4 * torch.sin(2 * torch.pi * hz * times) + noise + 0.1) * torch.logspace(0, -3, rows)[:, None]


@pytest.mark.parametrize(
    ("rate", "mels", "length", "shift"), [(16000, 128, 25.0, 10.0), (16000, 64, 50.0, 40.0), (22050, 40, 25.0, 10.0)]
)
def test_it_is_kaldis_filter_bank(rate: int, mels: int, length: float, shift: float) -> None:
    config = FbankConfig(sample_rate=rate, n_mels=mels, frame_length_ms=length, frame_shift_ms=shift, **RAW)
    samples = sound(4, 1.5, rate)
    got = create_front_end(config)(samples)
    for row in range(4):
        expected = kaldi_fbank(
            samples[row : row + 1],
            htk_compat=True,
            sample_frequency=rate,
            use_energy=False,
            window_type="hanning",
            num_mel_bins=mels,
            dither=0.0,
            frame_length=length,
            frame_shift=shift,
        )
        torch.testing.assert_close(got[row], expected, atol=1e-3, rtol=0)


def test_published_values_of_a_tone_and_of_silence() -> None:
    front_end = create_front_end(FbankConfig(**RAW))
    tone = (0.5 * torch.sin(2 * torch.pi * 440 * torch.arange(160_000, dtype=torch.float64) / 16000)).float()
    features = front_end(torch.stack([tone, torch.zeros(160_000)]))
    assert features.shape == (2, 998, 128)
    assert features[0].mean().item() == pytest.approx(-13.3295, abs=1e-3)
    assert features[0].std().item() == pytest.approx(4.8449, abs=1e-3)
    assert features[0].max().item() == pytest.approx(3.9088, abs=1e-3)
    assert (features[0].argmax(dim=1) == 23).all()
    assert features[1].unique().tolist() == pytest.approx([-15.942385], abs=1e-6)


def test_rows_are_appended_before_the_normalisation_or_cut() -> None:
    samples = sound(1, 10.0)
    raw = create_front_end(FbankConfig(input_norm="none"))(samples)
    assert raw.shape == (1, 1024, 128)
    assert (raw[:, 998:] == 0).all()
    assert (raw[:, :998] != 0).any(dim=2).all()
    scaled = create_front_end(FbankConfig())(samples)
    torch.testing.assert_close(scaled, (raw + 4.2677393) / (2 * 4.5689974))
    cut = create_front_end(FbankConfig(input_norm="none", frames=100))(samples)
    assert torch.equal(cut, raw[:, :100])


def test_the_level_is_heard_without_peak_normalisation_only() -> None:
    samples = sound(1, 1.0)
    for peak_normalise in (True, False):
        front_end = create_front_end(FbankConfig(peak_normalise=peak_normalise))
        same = torch.allclose(front_end(samples), front_end(0.1 * samples), atol=1e-3)
        assert same is peak_normalise
    assert torch.isfinite(create_front_end(FbankConfig())(torch.zeros(1, 16000))).all()


@pytest.mark.parametrize(("norm", "value"), [("none", 0.0), ("audioset", 4.2677393 / (2 * 4.5689974))])
def test_masked_cells_are_0_before_the_normalisation(norm: str, value: float) -> None:
    front_end = create_front_end(FbankConfig(input_norm=norm, freq_mask=24, time_mask=96))
    features = torch.full((200, 300, 128), -9.0)
    masked = front_end.augment(features, torch.Generator().manual_seed(0))
    assert masked.shape == features.shape
    assert masked.unique().tolist() == pytest.approx([-9.0, value])
    hit = masked != -9
    bins, frames = hit.all(dim=1).sum(dim=1), hit.all(dim=2).sum(dim=1)
    assert 20 < bins.max() < 24
    assert 80 < frames.max() < 96


def test_what_cannot_be_computed_is_refused() -> None:
    with pytest.raises(ValueError, match="399 samples hold no frame of 400"):
        create_front_end(FbankConfig())(torch.zeros(1, 399))
    with pytest.raises(ConfigError, match="input_norm"):
        parse_front_end(FbankConfig().model_dump() | {"input_norm": "openmic"})
