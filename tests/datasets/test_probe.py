import math

import numpy as np
import pytest

from tests.corpus import encode
from tutti.datasets.probe import SILENCE_FLOOR, probe
from tutti.files import sha256_bytes

RATE = 22050
TONE = (0.25 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)


def test_levels_of_a_sine() -> None:
    data = encode(TONE, RATE, "WAV", "PCM_16")
    found = probe(data, "tone")
    assert found.decodable
    assert (found.sample_rate, found.channels, found.duration_s) == (RATE, 1, 1.0)
    assert found.rms_dbfs == pytest.approx(20 * math.log10(0.25 / math.sqrt(2)), abs=0.01)
    assert found.peak == pytest.approx(0.25, abs=1e-4)
    assert found.clipped_share == 0
    assert found.sha256 == sha256_bytes(data)


def test_the_spectrum_of_two_sines() -> None:
    times = np.arange(8 * RATE) / RATE
    low, high = (np.sin(2 * np.pi * hertz * times) for hertz in (500, 4000))
    stereo = 0.1 * np.stack([3 * low, high], axis=1)
    found = probe(encode(stereo, RATE, "WAV", "FLOAT"), "sines")
    # Nine tenths of the power at 500 Hz, one tenth at 4,000 Hz; a bin is 5.4 Hz wide.
    assert found.centroid_hz == pytest.approx(0.9 * 500 + 0.1 * 4000, abs=6)
    assert found.rolloff_hz == pytest.approx(500, abs=12)
    brighter = probe(encode(0.1 * np.stack([low, 3 * high], axis=1), RATE, "WAV", "FLOAT"), "bright")
    assert brighter.rolloff_hz == pytest.approx(4000, abs=12)


@pytest.mark.parametrize("samples", [1, 2, 100, 5000])
def test_the_spectrum_of_a_short_recording_is_a_number_or_none(samples: int) -> None:
    found = probe(encode(TONE[1000 : 1000 + samples], RATE, "WAV", "FLOAT"), "short")
    assert found.decodable
    assert math.isnan(found.centroid_hz) or 0 <= found.centroid_hz <= RATE / 2


def test_the_same_sound_in_another_container_has_the_same_content() -> None:
    whole_numbers = np.round(TONE * 32767).astype(np.int16)  # libsndfile rounds floats differently for each container
    wav, flac = (encode(whole_numbers, RATE, kind, "PCM_16") for kind in ("WAV", "FLAC"))
    assert probe(wav, "wav").sha256 != probe(flac, "flac").sha256
    assert probe(wav, "wav").content_sha256 == probe(flac, "flac").content_sha256
    assert (
        probe(wav, "wav").content_sha256
        != probe(encode(whole_numbers, 2 * RATE, "WAV", "PCM_16"), "faster").content_sha256
    )
    louder = encode(whole_numbers + np.int16(1), RATE, "WAV", "PCM_16")
    assert probe(wav, "wav").content_sha256 != probe(louder, "louder").content_sha256


def test_clipping_is_counted_over_all_channels() -> None:
    stereo = np.stack([np.clip(8 * TONE, -1, 1), np.zeros_like(TONE)], axis=1)
    found = probe(encode(stereo, RATE, "WAV", "PCM_16"), "clipped")
    assert found.channels == 2
    assert found.peak > 0.999
    # |sin| exceeds 1/2 for two thirds of the time, on one of two channels.
    assert found.clipped_share == pytest.approx(1 / 3, abs=0.01)


def test_silence_is_decodable_and_at_the_floor() -> None:
    found = probe(encode(np.zeros(RATE, np.float32), RATE, "FLAC"), "silence")
    assert found.decodable
    assert found.rms_dbfs == SILENCE_FLOOR
    assert found.peak == 0
    assert math.isnan(found.centroid_hz)
    assert math.isnan(found.rolloff_hz)


WAV = encode(TONE, RATE, "WAV", "PCM_16")
OGG = encode(TONE, RATE, "OGG", "VORBIS")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_audio"),
        (b"this is a text file named like a recording\n" * 9, "unsupported_audio"),
        (WAV[: len(WAV) // 2], "truncated_audio"),
        (OGG[: len(OGG) // 2], "truncated_audio"),
        (encode(np.full(RATE, np.nan, np.float32), RATE, "WAV", "FLOAT"), "invalid_samples"),
        (encode(TONE[:0], RATE, "WAV", "PCM_16"), ""),
    ],
)
def test_what_cannot_be_decoded_has_zeros_and_says_why(data: bytes, code: str) -> None:
    found = probe(data, "bad")
    assert not found.decodable
    assert code in found.fault
    assert (found.sample_rate, found.channels, found.duration_s) == (0, 0, 0.0)
    assert math.isnan(found.rms_dbfs)
    assert found.sha256 == sha256_bytes(data)
