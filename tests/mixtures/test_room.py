"""Equalisers, the end of the band, reverberation."""

import numpy as np
import pytest
from scipy import signal

from tutti.mixtures.room import (
    Room,
    Shelf,
    band_filter,
    band_limited,
    equalised,
    reverberated,
    room_response,
)

RATE = 16000


def gain_db(samples: np.ndarray, hz: float) -> float:
    """Gain of an impulse response at a frequency."""
    _, response = signal.freqz(samples, worN=[hz], fs=RATE)
    return float(20 * np.log10(np.abs(response[0])))


def impulse(length: int = 8192) -> np.ndarray:
    samples = np.zeros(length, np.float32)
    samples[0] = 1.0
    return samples


@pytest.mark.parametrize("gain", [-6.0, 6.0])
def test_shelves_act_on_their_side_and_meet_half_of_the_gain_at_the_corner(gain):
    low = equalised(impulse(), (Shelf("low", gain, 300.0),), RATE)
    assert gain_db(low, 10) == pytest.approx(gain, abs=0.1)
    assert gain_db(low, 300) == pytest.approx(gain / 2, abs=0.1)
    assert gain_db(low, 7000) == pytest.approx(0.0, abs=0.1)
    high = equalised(impulse(), (Shelf("high", gain, 2000.0),), RATE)
    assert gain_db(high, 10) == pytest.approx(0.0, abs=0.1)
    assert gain_db(high, 2000) == pytest.approx(gain / 2, abs=0.1)
    assert gain_db(high, 7900) == pytest.approx(gain, abs=0.1)
    both = equalised(impulse(), (Shelf("low", gain, 300.0), Shelf("high", gain, 2000.0)), RATE)
    assert gain_db(both, 10) == pytest.approx(gain, abs=0.1)
    assert both.dtype == np.float32


def test_a_shelf_above_the_band_does_nothing():
    samples = impulse()
    assert equalised(samples, (Shelf("high", 6.0, 9000.0),), RATE) is samples


@pytest.mark.parametrize("limit", [1500.0, 4000.0, 8000.0])
def test_nothing_is_left_above_the_limit(limit):
    noise = np.random.default_rng(0).standard_normal(4 * RATE).astype(np.float32)
    limited = band_limited(noise, band_filter(limit, RATE))
    assert limited.shape == noise.shape
    frequencies, power = signal.welch(limited, RATE, "blackmanharris", nperseg=4096)
    inside = power[frequencies < 0.9 * limit].mean()
    assert 10 * np.log10(inside / signal.welch(noise, RATE, nperseg=4096)[1].mean()) == pytest.approx(0, abs=0.2)
    if limit < RATE / 2:
        assert 10 * np.log10(power[frequencies > limit + 20].max() / inside) < -70


def test_the_limit_brings_no_delay():
    samples = np.zeros(4000, np.float32)
    samples[1000] = 1.0
    assert np.argmax(np.abs(band_limited(samples, band_filter(3000.0, RATE)))) == 1000


def test_a_room_decays_as_it_says_and_gets_darker():
    room = Room(decay_s=1.0, delay_s=0.01, damping=0.4)
    response = room_response(room, RATE, 2, np.random.default_rng(0))
    assert response.shape == (2, round(1.01 * RATE))
    assert response.dtype == np.float32
    assert not response[:, : round(0.01 * RATE)].any()
    np.testing.assert_allclose((response**2).sum(axis=1), 1.0, rtol=1e-4)
    assert abs(np.corrcoef(response)[0, 1]) < 0.1, "the channels are independent"
    low = signal.sosfilt(signal.butter(6, 1000, output="sos", fs=RATE), response[0])
    high = signal.sosfilt(signal.butter(6, 5000, "high", output="sos", fs=RATE), response[0])

    def decay_db(sound: np.ndarray) -> float:
        """From around 0.1 s to around 0.3 s."""
        early, late = ((sound[round(t * RATE) :][: RATE // 10] ** 2).mean() for t in (0.06, 0.26))
        return float(10 * np.log10(early / late))

    assert decay_db(low) == pytest.approx(0.2 * 60, abs=3)
    assert decay_db(high) == pytest.approx(0.2 * 60 / 0.4, abs=4)


def test_reverberation_comes_after_the_sound_and_keeps_its_energy():
    samples = np.zeros(2 * RATE, np.float32)
    samples[100] = 1.0
    wet = reverberated(samples, room_response(Room(0.5, 0.02, 0.5), RATE, 1, np.random.default_rng(0)))
    assert wet.shape == (1, 2 * RATE)
    assert np.abs(wet[0, : 100 + round(0.02 * RATE)]).max() < 1e-6
    assert (wet**2).sum() == pytest.approx(1.0, rel=1e-3)
