"""Effects: shelving equalisers, a room's reverberation, a common limit of the band, noise.

Built on scipy.signal, which is installed anyway and gives the same bits in every process. (Pedalboard, the obvious
library of effects, is under the GPL, which Tutti's licence does not allow for.)
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import fft, signal

#: The limit of the band is where this attenuation is reached, dB.
STOP_DB = 80.0
#: The pass band ends at this share of the limit, as that of the resampler does.
PASS_SHARE = 0.913
#: Above this frequency a room's reverberation decays faster, Hz.
_DAMPED_ABOVE_HZ = 2500.0


@dataclass(frozen=True)
class Shelf:
    """A shelving equaliser.

    Attributes:
        kind: Whether it acts below or above its corner.
        gain_db: Gain of the shelf.
        corner_hz: Where half of the gain (in dB) is reached.
    """

    kind: Literal["low", "high"]
    gain_db: float
    corner_hz: float


@dataclass(frozen=True)
class Room:
    """The reverberation that all instruments of a clip share.

    Attributes:
        decay_s: Time in which it decays by 60 dB (RT60).
        delay_s: Time between the direct sound and the first reverberation.
        damping: Decay time of high frequencies relative to ``decay_s``, in (0, 1].
    """

    decay_s: float
    delay_s: float
    damping: float


#: Avoids a division by zero.
_NOTHING = 1e-30


def equalised(samples: np.ndarray, shelves: tuple[Shelf, ...], sample_rate: int) -> np.ndarray:
    """Samples behind shelving equalisers.

    Args:
        samples: float32 [..., n].
        shelves: Any number; one whose corner is not below half the sample rate does nothing.
        sample_rate: Hz.

    Returns:
        float32 [..., n].
    """
    sections = [_section(shelf, sample_rate) for shelf in shelves if shelf.corner_hz < sample_rate / 2]
    if not sections:
        return samples
    return np.asarray(signal.sosfilt(np.array(sections), samples), np.float32)


def _section(shelf: Shelf, sample_rate: int) -> list[float]:
    """The second-order section of a shelf with slope 1.

    References:
        R. Bristow-Johnson: Cookbook formulae for audio EQ biquad filter coefficients (W3C Note, 2021).
    """
    a = 10.0 ** (shelf.gain_db / 40.0)
    sign = 1.0 if shelf.kind == "low" else -1.0
    omega = 2.0 * np.pi * shelf.corner_hz / sample_rate
    cosine, root = sign * np.cos(omega), np.sqrt(2.0 * a) * np.sin(omega)
    b0 = a * ((a + 1) - (a - 1) * cosine + root)
    b1 = 2 * a * sign * ((a - 1) - (a + 1) * cosine)
    b2 = a * ((a + 1) - (a - 1) * cosine - root)
    a0 = (a + 1) + (a - 1) * cosine + root
    a1 = -2 * sign * ((a - 1) + (a + 1) * cosine)
    a2 = (a + 1) + (a - 1) * cosine - root
    return [b0 / a0, b1 / a0, b2 / a0, 1.0, a1 / a0, a2 / a0]


def band_filter(limit_hz: float, sample_rate: int) -> np.ndarray:
    """A linear-phase low-pass filter that has reached `STOP_DB` at the limit.

    Args:
        limit_hz: At most half the sample rate.
        sample_rate: Hz.

    Returns:
        float32 [taps], an odd number.
    """
    nyquist = sample_rate / 2
    taps, beta = signal.kaiserord(STOP_DB, limit_hz * (1 - PASS_SHARE) / nyquist)
    # The cut-off lies in the middle of the transition.
    cut_off = limit_hz * (1 + PASS_SHARE) / 2
    return np.asarray(signal.firwin(taps | 1, cut_off, window=("kaiser", beta), fs=sample_rate), np.float32)


def band_limited(samples: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """Samples behind the filter of `band_filter`, without delay; float32 [n]."""
    return np.asarray(signal.oaconvolve(samples, taps, mode="full")[len(taps) // 2 :][: len(samples)], np.float32)


def room_response(room: Room, sample_rate: int, channels: int, stream: np.random.Generator) -> np.ndarray:
    """The reverberation's response to an impulse: exponentially decaying noise, darker as it decays.

    Args:
        room: The room.
        sample_rate: Hz.
        channels: The channels' noises are independent, which makes the sound wide.
        stream: Gives the noise.

    Returns:
        float32 [channels, n], each channel with energy 1: at distance 1 (the critical distance) the reverberation is
        as strong as the direct sound.

    References:
        J. A. Moorer: About this reverberation business. Computer Music Journal 3(2), 1979 (decaying noise as the late
        response of a room).
    """
    times = np.arange(max(1, round(room.decay_s * sample_rate))) / sample_rate
    noise = stream.standard_normal((channels, len(times)), dtype=np.float32)
    corner = min(_DAMPED_ABOVE_HZ, 0.45 * sample_rate)
    low = signal.sosfilt(signal.butter(4, corner, fs=sample_rate, output="sos"), noise)
    decay = 10.0 ** (-3.0 * times / room.decay_s)
    damped = 10.0 ** (-3.0 * times / (room.decay_s * room.damping))
    response = low * decay + (noise - low) * damped
    response /= np.sqrt((response**2).sum(axis=1, keepdims=True))
    delay = np.zeros((channels, round(room.delay_s * sample_rate)))
    return np.concatenate([delay, response], axis=1).astype(np.float32)


def reverberated(samples: np.ndarray, response: np.ndarray) -> np.ndarray:
    """A mono sound in the room: float32 [n] and [channels, m] to float32 [channels, n]."""
    wet = signal.oaconvolve(samples[np.newaxis], response, mode="full", axes=1)
    return np.asarray(wet[:, : len(samples)], np.float32)


def noise_floor(power: float, shape: tuple[int, ...], taps: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    """The noise below a recording: falling by 3 dB an octave, within the band.

    Args:
        power: Its mean square before the band's limit.
        shape: Channels, whose noises are independent, and samples.
        taps: The limit, from `band_filter`.
        stream: Gives the noise.

    Returns:
        float32 of that shape.
    """
    white = fft.rfft(stream.standard_normal(shape, dtype=np.float32), axis=1)
    white /= np.sqrt(np.maximum(np.arange(white.shape[1], dtype=np.float32), 1))
    pink = fft.irfft(white, shape[1], axis=1)
    pink *= np.sqrt(power / max(float((pink**2).mean()), _NOTHING))
    return np.stack([band_limited(channel, taps) for channel in pink])
