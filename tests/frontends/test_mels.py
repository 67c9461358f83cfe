"""The spectrograms against independent computations: librosa, NumPy, and torchaudio's Kaldi bank."""

import librosa
import numpy as np
import pytest
import torch
from torchaudio.compliance.kaldi import get_mel_banks

from tutti.frontends.clip_embedding import ClipEmbedding, ClipEmbeddingConfig
from tutti.frontends.htk_mel import HtkMel, HtkMelConfig
from tutti.frontends.passt_mel import PasstMel, PasstMelConfig


def sound(seconds: float, rate: int) -> np.ndarray:
    times = np.arange(round(seconds * rate)) / rate
    tone = 0.4 * np.sin(2 * np.pi * 440 * times) + 0.2 * np.sin(2 * np.pi * 3000 * times * (1 + 0.01 * times))
    return (tone + 0.01 * np.random.default_rng(0).standard_normal(len(times))).astype(np.float32)


def power_spectrum(samples: np.ndarray, window: np.ndarray, n_fft: int, hop: int) -> np.ndarray:
    """Centred, reflect-padded STFT power, frame by frame: float64 [n_fft / 2 + 1, frames]."""
    padded = np.pad(samples.astype(float), n_fft // 2, mode="reflect")
    left = (n_fft - len(window)) // 2
    full = np.pad(window, (left, n_fft - len(window) - left))
    starts = range(0, len(padded) - n_fft + 1, hop)
    return np.stack([np.abs(np.fft.rfft(padded[start : start + n_fft] * full)) ** 2 for start in starts], axis=1)


def test_passt_mel_is_the_published_computation() -> None:
    samples = sound(1.0, 32000)
    emphasised = samples[1:].astype(float) - 0.97 * samples[:-1]
    symmetric = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(800) / 799)
    power = power_spectrum(emphasised, symmetric, 1024, 320)
    bank = get_mel_banks(128, 1024, 32000.0, 0.0, 15000.0, 100.0, -500.0, 1.0)[0].numpy()
    bank = np.pad(bank, ((0, 0), (0, 1)))
    expected = (np.log(bank @ power + 1e-5) + 4.5) / 5
    got = PasstMel(PasstMelConfig())(torch.from_numpy(samples)[None])[0].numpy()
    assert got.shape == expected.shape == (128, 100)
    np.testing.assert_allclose(got, expected, atol=2e-3)


def test_passt_mel_golden_values() -> None:
    """A 440 Hz tone at half scale; silence is (ln 1e-5 + 4.5) / 5."""
    front_end = PasstMel(PasstMelConfig())
    times = torch.arange(320000) / 32000
    tone = front_end(0.5 * torch.sin(2 * torch.pi * 440 * times)[None])[0]
    assert (tone[:, 10:-10].argmax(dim=0) == tone[:, 500].argmax()).all()
    silence = front_end(torch.zeros(1, 320000))
    assert silence.unique().tolist() == pytest.approx([(np.log(1e-5) + 4.5) / 5], abs=1e-6)


def test_passt_bank_ignores_nyquist_and_jitters_in_training_only() -> None:
    front_end = PasstMel(PasstMelConfig(freq_mask=0, time_mask=0))
    assert (front_end.get_buffer("bank")[:, -1] == 0).all()
    samples = torch.from_numpy(sound(0.5, 32000))[None]
    drawn = [front_end.training_forward(samples, torch.Generator().manual_seed(seed)) for seed in range(4)]
    assert len({tuple(features.flatten().tolist()) for features in drawn}) == 4
    assert torch.equal(front_end(samples), front_end(samples))
    # The smallest and largest edges: 0 .. 9 Hz and 14,001 .. 16,000 Hz.
    assert (front_end(samples) - drawn[0]).abs().max() < 3


CBAM = HtkMelConfig()
MS_CRNN = HtkMelConfig(fmin=0, fmax=8000, log_offset=1e-6, peak_normalise=False, std_floor=1e-6)


@pytest.mark.parametrize("config", [CBAM, MS_CRNN], ids=["cbam", "ms_crnn"])
def test_htk_mel_agrees_with_librosa(config: HtkMelConfig) -> None:
    """To 2e-3 of a standard deviation of the spectrogram; librosa's STFT is of float64."""
    samples = sound(3.0, 16000)
    mel = librosa.feature.melspectrogram(
        y=(samples / np.abs(samples).max() if config.peak_normalise else samples).astype(float),
        sr=16000,
        n_fft=1024,
        hop_length=320,
        n_mels=128,
        fmin=config.fmin,
        fmax=config.fmax,
        htk=True,
        norm=None,
        pad_mode="reflect",
    )
    log_mel = np.log(mel + 1e-6) if config is MS_CRNN else np.log(np.maximum(mel, 1e-10))
    expected = (log_mel - log_mel.mean()) / log_mel.std(ddof=1)
    got = HtkMel(config)(torch.from_numpy(samples)[None])[0].numpy()
    assert got.shape == expected.shape == (128, 151)
    np.testing.assert_allclose(got, expected, atol=2e-3)


def test_htk_mel_is_standardised_and_does_not_hear_the_level() -> None:
    front_end = HtkMel(HtkMelConfig())
    samples = torch.from_numpy(sound(3.0, 16000))[None]
    features = front_end(samples)
    assert features.mean().item() == pytest.approx(0, abs=1e-4)
    assert features.std().item() == pytest.approx(1, abs=1e-4)
    torch.testing.assert_close(front_end(0.01 * samples), features, atol=1e-3, rtol=1e-3)
    # Rounding of the mean, over the floor of the deviation.
    assert front_end(torch.zeros(1, 48000)).abs().max() < 0.1


def test_htk_mel_replaces_what_is_no_number() -> None:
    samples = torch.from_numpy(sound(1.0, 16000))[None].clone()
    samples[0, 100] = float("nan")
    assert torch.isfinite(HtkMel(HtkMelConfig())(samples)).all()


def test_clip_embedding_agrees_with_librosa() -> None:
    samples = sound(3.0, 16000)
    got = ClipEmbedding(ClipEmbeddingConfig())(torch.from_numpy(samples)[None])[0].numpy()
    assert got.shape == (3, 128)
    for segment in range(3):
        mel = librosa.feature.melspectrogram(
            y=samples[segment * 15360 : (segment + 1) * 15360],
            sr=16000,
            n_fft=2048,
            hop_length=320,
            n_mels=128,
            fmin=60,
            fmax=7600,
            center=False,
        )
        np.testing.assert_allclose(got[segment], np.log(mel + 1e-10).mean(axis=1), atol=2e-3)
