"""From stems to a clip: levels, places, a room, a medium; and the measurements that a good clip passes."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, fftconvolve, sosfilt

from tutti.rendering.composing import Part
from tutti.rendering.synth import RATE

#: No stem lies further below the sum of all than this, dB of RMS over the clip.
AUDIBLE_DB = -17.0
#: Standard deviation of the treble of single players, dB.
_COLOUR_DB = 2.5
#: RMS of the loudest clips, dBFS.
LOUDEST_DB = -14.0


@dataclass(frozen=True)
class MixStyle:
    """How one artist's recordings sound.

    Attributes:
        reverb_s: Time in which the room decays by 60 dB, seconds.
        wet_db: Level of the room against the direct sound.
        width: 0 mono to 1 full stereo.
        tilt_db: Treble against bass, dB; positive is bright.
        lowpass_hz: Where the medium stops.
        drive: Saturation, 0 none to 1 clearly audible.
        noise_db: RMS of the noise floor, dBFS.
        peak_db: Peak of the finished clip, dBFS.
    """

    reverb_s: float
    wet_db: float
    width: float
    tilt_db: float
    lowpass_hz: float
    drive: float
    noise_db: float
    peak_db: float


def draw_style(rng: random.Random) -> MixStyle:
    """A mix style between a dry mono demo and a bright hall."""
    return MixStyle(
        reverb_s=rng.choice((rng.uniform(0.15, 0.5), rng.uniform(0.5, 1.2), rng.uniform(1.2, 2.4))),
        wet_db=rng.uniform(-24, -9),
        width=rng.choice((0.0, 0.0, rng.uniform(0.1, 0.35), rng.uniform(0.35, 0.8))),
        tilt_db=rng.gauss(0, 2.2),
        lowpass_hz=rng.choice((7500.0, 11000.0, 14000.0, 16000.0, 17000.0)),
        drive=rng.choice((0.0, 0.0, rng.uniform(0.1, 0.6))),
        noise_db=rng.uniform(-88, -62),
        peak_db=rng.uniform(-4.0, -2.6),
    )


def rms_db(sound: np.ndarray) -> float:
    """RMS over all samples and channels, dB; -inf for silence."""
    power = float(np.mean(np.square(sound, dtype=np.float64)))
    return 10 * float(np.log10(power)) if power > 0 else float("-inf")


def active_db(sound: np.ndarray) -> float:
    """RMS over the tenths of a second in which something sounds, dB: a short blow counts as loud as a held note.

    Args:
        sound: [2, n], not silent.
    """
    frame = RATE // 10
    power = (
        np.square(sound[:, : sound.shape[1] // frame * frame], dtype=np.float64).reshape(2, -1, frame).mean(axis=(0, 2))
    )
    return 10 * float(np.log10(np.mean(power[power > power.max() * 10**-2.5])))


def balance(
    stems: Sequence[np.ndarray], parts: Sequence[Part], rng: random.Random, backing_db: tuple[float, float] = (-9, -2)
) -> list[np.ndarray]:
    """Sets levels: the lead on top, the rest a little below, nobody buried.

    Args:
        stems: float32 [2, n] each, none silent.
        parts: The part of each stem.
        rng: Draws the levels.
        backing_db: Lowest and highest level of an accompanying part against the lead, dB.

    Returns:
        The stems, scaled to about -20 dB while they sound; over the whole clip none lies below `AUDIBLE_DB`.
    """
    targets = [rng.uniform(-1, 1) if part.leads else rng.uniform(*backing_db) for part in parts]
    scaled = [
        stem * np.float32(10 ** ((target - 20 - active_db(stem)) / 20))
        for stem, target in zip(stems, targets, strict=True)
    ]
    floor = rms_db(np.sum(scaled, axis=0)) + AUDIBLE_DB + 1
    return [stem * np.float32(10 ** (max(0.0, floor - rms_db(stem)) / 20)) for stem in scaled]


def place(stem: np.ndarray, position: float, width: float) -> np.ndarray:
    """Pans a stem.

    Args:
        stem: float32 [2, n].
        position: -1 left to 1 right.
        width: 0 mono to 1 full stereo; scales position and the stem's own width.
    """
    middle, side = (stem[0] + stem[1]) / 2, (stem[0] - stem[1]) / 2 * width
    angle = (1 + position * width) * np.pi / 4
    left, right = np.sqrt(2) * np.cos(angle), np.sqrt(2) * np.sin(angle)
    return np.stack([(middle + side) * left, (middle - side) * right]).astype(np.float32)


def tilt(sound: np.ndarray, decibels: float) -> np.ndarray:
    """Raises the treble against the bass, around 900 Hz.

    Args:
        sound: [2, n].
        decibels: Treble against bass; negative is dull.
    """
    low = sosfilt(butter(1, 900, fs=RATE, output="sos"), sound, axis=-1)
    gain = 10 ** (decibels / 40)
    return low / gain + (sound - low) * gain


def room(sound: np.ndarray, style: MixStyle, generator: np.random.Generator) -> np.ndarray:
    """Adds a diffuse room: exponentially decaying noise, darker as it decays, different in each ear.

    Args:
        sound: float32 [2, n].
        style: Gives decay, level and width.
        generator: Draws the room.
    """
    length = int(RATE * style.reverb_s)
    time = np.arange(length) / RATE
    decay = np.exp(-6.9 * time / style.reverb_s)
    noise = generator.standard_normal((2, length))
    dark = sosfilt(butter(1, 2500, fs=RATE, output="sos"), noise, axis=-1)
    fade = np.exp(-3 * time / style.reverb_s)
    response = (noise * 0.3 * fade + dark) * decay
    response[:, : int(0.008 * RATE)] = 0  # the first reflection comes after the direct sound
    response[1] = style.width * response[1] + (1 - style.width) * response[0]
    response /= np.sqrt(np.sum(response**2, axis=-1, keepdims=True))
    wet = np.stack([fftconvolve(channel, ear)[: sound.shape[-1]] for channel, ear in zip(sound, response, strict=True)])
    return (sound + wet * 10 ** (style.wet_db / 20)).astype(np.float32)


def medium(sound: np.ndarray, style: MixStyle, generator: np.random.Generator) -> np.ndarray:
    """Tilts the spectrum, saturates, limits the band, adds noise and sets the peak.

    Args:
        sound: float32 [2, n].
        style: Gives all amounts.
        generator: Draws the noise.

    Returns:
        float32 [2, n] with its peak at ``style.peak_db`` dBFS, or lower where it would be louder than `LOUDEST_DB`.
    """
    shaped = tilt(sound, style.tilt_db)
    shaped = shaped / max(float(np.max(np.abs(shaped))), 1e-9)
    if style.drive:
        shaped = np.tanh(shaped * (1 + 2 * style.drive)) / np.tanh(1 + 2 * style.drive)
    # A stray peak must not leave the rest of the clip faint: it is bent towards eight times the RMS.
    ceiling = 8 * 10 ** (rms_db(shaped) / 20)
    shaped = np.tanh(shaped / ceiling) * ceiling
    shaped = sosfilt(butter(4, style.lowpass_hz, fs=RATE, output="sos"), shaped, axis=-1)
    hiss = generator.standard_normal((1, shaped.shape[-1]))
    shaped = _levelled(shaped, style.peak_db) + hiss * 10 ** (style.noise_db / 20)
    return _levelled(shaped, style.peak_db).astype(np.float32)


def _levelled(sound: np.ndarray, peak_db: float) -> np.ndarray:
    gain_db = peak_db - 20 * np.log10(max(float(np.max(np.abs(sound))), 1e-9))
    return sound * 10 ** (min(gain_db, LOUDEST_DB - rms_db(sound)) / 20)


def mix(
    stems: Sequence[np.ndarray],
    parts: Sequence[Part],
    style: MixStyle,
    rng: random.Random,
    noise: np.random.Generator,
    *,
    backing_db: tuple[float, float] = (-9, -2),
) -> np.ndarray:
    """Mixes stems to a finished clip.

    Args:
        stems: float32 [2, n] each, none silent.
        parts: The part of each stem.
        style: The artist's sound.
        rng: Draws levels and places.
        noise: Draws room and hiss.
        backing_db: Lowest and highest level of an accompanying part against the lead, dB.

    Returns:
        float32 [2, n].
    """
    positions = [0.0 if part.leads or part.instrument.family == "bass" else rng.uniform(-0.8, 0.8) for part in parts]
    # Microphones and desks colour every player differently.
    coloured = [tilt(stem, rng.gauss(0, _COLOUR_DB)) for stem in stems]
    placed = [
        place(stem, position, style.width)
        for stem, position in zip(balance(coloured, parts, rng, backing_db), positions, strict=True)
    ]
    return medium(room(np.sum(placed, axis=0), style, noise), style, noise)
