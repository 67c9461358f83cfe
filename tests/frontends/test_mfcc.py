import librosa
import numpy as np
import pytest
import torch

from tutti.errors import ConfigError
from tutti.frontends import create_front_end, parse_front_end
from tutti.frontends.mfcc import MfccConfig

RATE = 22050


def sound(seconds: float, *, seed: int = 0) -> np.ndarray:
    """A decaying chord over faint noise, then silence: levels from full scale down to the floor of top_db."""
    generator = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    chord = sum(np.sin(2 * np.pi * f * t) / n for n, f in enumerate((220, 554.4, 1318.5, 6000), start=1))
    noisy = 0.3 * np.exp(-2 * t) * chord + 1e-3 * generator.standard_normal(len(t))
    noisy[-len(t) // 5 :] = 0
    return noisy.astype(np.float32)


def by_librosa(samples: np.ndarray, **changes: float) -> np.ndarray:
    published = {"n_mfcc": 13, "n_mels": 96, "fmin": 20, "fmax": 11025, "hop_length": 255, "n_fft": 2048}
    return librosa.feature.mfcc(y=samples, sr=RATE, **{**published, **changes}).T


@pytest.mark.parametrize("seconds", [0.05, 1.4687, 10.0])
def test_it_is_librosas(seconds: float) -> None:
    samples = sound(seconds)
    ours = create_front_end(MfccConfig())(torch.from_numpy(samples[None]))[0].numpy()
    assert ours.shape == (1 + len(samples) // 255, 13)
    np.testing.assert_allclose(ours, by_librosa(samples), atol=1e-3)


def test_ten_seconds_are_865_frames() -> None:
    assert create_front_end(MfccConfig())(torch.zeros(1, 10 * RATE)).shape == (1, 865, 13)


def test_the_window_that_was_meant_is_exposed() -> None:
    samples = sound(0.5)
    ours = create_front_end(MfccConfig(n_fft=1024))(torch.from_numpy(samples[None]))[0].numpy()
    np.testing.assert_allclose(ours, by_librosa(samples, n_fft=1024), atol=1e-3)
    assert np.abs(ours - by_librosa(samples)).max() > 1


def test_the_floor_is_that_of_each_window() -> None:
    front_end = create_front_end(MfccConfig())
    loud, faint = torch.from_numpy(sound(0.4)), torch.from_numpy(1e-3 * sound(0.4, seed=1))
    together = front_end(torch.stack([loud, faint]))
    torch.testing.assert_close(together[1:], front_end(faint[None]), atol=1e-3, rtol=1e-5)
    assert torch.isfinite(front_end(torch.zeros(1, 3000))).all()


@pytest.mark.parametrize(
    "change", [{"fmax": 12000}, {"fmin": 11025}, {"n_mfcc": 97}, {"hop_length": 0}, {"n_fft": 1023}, {"hops": 1}]
)
def test_impossible_parameters_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="mfcc has wrong parameters"):
        parse_front_end({"kind": "mfcc", **change})
