"""Small generated recordings."""

import io

import numpy as np
import pytest
import soundfile


@pytest.fixture
def noise():
    """Function (seconds, rate, channels) to reproducible noise [n, channels]."""

    def make(seconds: float, rate: int, channels: int = 1) -> np.ndarray:
        generator = np.random.default_rng(7)
        return (0.1 * generator.standard_normal((round(seconds * rate), channels))).astype(np.float32)

    return make


@pytest.fixture
def encode():
    """Function (samples [n, channels], rate, format, subtype) to a sound file's bytes."""

    def write(samples: np.ndarray, rate: int, kind: str = "WAV", subtype: str | None = None) -> bytes:
        buffer = io.BytesIO()
        soundfile.write(buffer, samples, rate, format=kind, subtype=subtype)
        return buffer.getvalue()

    return write
