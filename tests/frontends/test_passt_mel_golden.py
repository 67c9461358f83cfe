"""PaSST's spectrogram against its authors' package, hear21passt 0.0.26 (scripts/golden_passt.py)."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from scripts.golden_passt import EDGES, EVERY, signal
from tutti.frontends.passt_mel import PasstMel, PasstMelConfig

GOLDEN = np.load(Path(__file__).parents[1] / "models" / "golden" / "passt.npz")

#: Both compute in float32, which is up to 2e-4 from float64 in quiet bins; on one machine they are equal to the bit.
TOLERANCE = 5e-4


@pytest.mark.parametrize(("low", "high"), EDGES)
def test_the_spectrogram_is_the_packages(low: float, high: float) -> None:
    """At evaluation's edges and at the ends of those that training draws."""
    front_end = PasstMel(PasstMelConfig(fmin=low, fmax=high))
    short, long = (front_end(torch.from_numpy(signal(seconds))[None])[0].numpy() for seconds in (2, 10))
    assert (short.shape, long.shape) == ((128, 200), (128, 1000))
    statistics = np.stack([long.mean(1), long.std(1), long.min(1), long.max(1)])
    np.testing.assert_allclose(short[:, ::EVERY], GOLDEN[f"mel-{low:g}-{high:g}/frames"], atol=TOLERANCE, rtol=0)
    np.testing.assert_allclose(statistics, GOLDEN[f"mel-{low:g}-{high:g}/statistics"], atol=TOLERANCE, rtol=0)


class Watched(PasstMel):
    """Notes the edges of each bank that is made."""

    def _mel_bank(self, low: float, high: float) -> Tensor:
        self.__dict__.setdefault("edges", []).append((low, high))
        return super()._mel_bank(low, high)


def test_training_draws_the_published_edges() -> None:
    """0 .. 9 Hz and 14,001 .. 16,000 Hz, whole numbers."""
    front_end, samples = Watched(PasstMelConfig(n_mels=4)), torch.zeros(1, 1000)
    generator = torch.Generator().manual_seed(0)
    for _ in range(120):
        front_end.training_forward(samples, generator)
    lows, highs = map(set, zip(*front_end.__dict__["edges"][1:], strict=True))
    assert lows == set(range(10))
    assert min(highs) in range(14_001, 14_100)
    assert max(highs) in range(15_900, 16_001)
    assert all(high == int(high) for high in highs)
