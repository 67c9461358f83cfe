"""Every descriptor of the summary against librosa's, with the same frames."""

from collections.abc import Callable

import librosa
import numpy as np
import pytest
import torch

from tutti.frontends.summary import Summary, SummaryConfig

RATE, FFT, HOP = 16000, 2048, 512


def sounds() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    times = np.arange(2 * RATE) / RATE
    harmonics = sum(np.sin(2 * np.pi * 220 * k * times) / k for k in range(1, 20))
    decaying = 0.3 * harmonics * np.exp(-3 * (times % 0.5))
    return {
        "noise": (0.2 * generator.standard_normal(len(times))).astype(np.float32),
        "plucked": (decaying + 1e-3 * generator.standard_normal(len(times))).astype(np.float32),
        "quiet": (1e-4 * generator.standard_normal(len(times))).astype(np.float32),
    }


SOUNDS = sounds()


def magnitude(samples: np.ndarray) -> np.ndarray:
    return np.abs(librosa.stft(samples, n_fft=FFT, hop_length=HOP))


#: Descriptor to librosa's computation and the largest difference accepted, in the descriptor's unit.
ORACLES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float]] = {
    "mfcc": (lambda y: librosa.feature.mfcc(y=y, sr=RATE, n_mfcc=20, n_fft=FFT, hop_length=HOP), 0.02),
    "centroid": (lambda y: librosa.feature.spectral_centroid(S=magnitude(y), sr=RATE), 0.1),
    "bandwidth": (lambda y: librosa.feature.spectral_bandwidth(S=magnitude(y), sr=RATE), 0.1),
    "rolloff": (lambda y: librosa.feature.spectral_rolloff(S=magnitude(y), sr=RATE), RATE / FFT),
    "flatness": (lambda y: librosa.feature.spectral_flatness(S=magnitude(y)), 1e-4),
    "zero_crossing_rate": (
        lambda y: librosa.feature.zero_crossing_rate(y, frame_length=FFT, hop_length=HOP),
        1.5 / FFT,
    ),
    "rms": (lambda y: librosa.feature.rms(y=y, frame_length=FFT, hop_length=HOP), 1e-6),
    "contrast": (lambda y: librosa.feature.spectral_contrast(S=magnitude(y), sr=RATE), 0.01),
}


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("kind", SOUNDS)
def test_descriptors_are_librosas(name: str, kind: str) -> None:
    oracle, tolerance = ORACLES[name]
    got = Summary(SummaryConfig()).describe(torch.from_numpy(SOUNDS[kind])[None])[name][0].numpy()
    expected = oracle(SOUNDS[kind])
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, atol=tolerance, rtol=1e-4)


def test_the_summary_is_means_and_deviations_of_the_descriptors() -> None:
    front_end, samples = Summary(SummaryConfig()), SOUNDS["plucked"]
    got = front_end(torch.from_numpy(samples)[None])[0].numpy()
    mfcc = librosa.feature.mfcc(y=samples, sr=RATE, n_mfcc=20, n_fft=FFT, hop_length=HOP)
    # librosa fits a line beyond the ends; the summary uses whole neighbourhoods only.
    slopes = librosa.feature.delta(mfcc, width=9)[:, 4:-4]
    rest = np.concatenate([oracle(samples) for name, (oracle, _) in ORACLES.items() if name != "mfcc"])
    parts = [mfcc.mean(1), mfcc.std(1), slopes.std(1), rest.mean(1), rest.std(1)]
    np.testing.assert_allclose(got, np.concatenate(parts), atol=0.05, rtol=1e-3)
