"""Windows cut while decoding are those that would be cut from the whole recording."""

import numpy as np
import pytest

from tutti.audio.decode import decode, open_stream, resample, with_channels
from tutti.audio.stream import stream_windows
from tutti.audio.windows import WindowPolicy
from tutti.errors import AudioDecodeError

SIGNALS = ((16000, 1), (22050, 1), (22050, 2), (48000, 1), (48000, 2))


def whole(data: bytes, policy: WindowPolicy) -> list[tuple[float, dict[tuple[int, int], np.ndarray]]]:
    audio = decode(data, where="x")
    tracks = {
        signal: resample(with_channels(audio.samples, signal[1]), audio.sample_rate, signal[0]) for signal in SIGNALS
    }
    return [
        (
            start,
            {
                (rate, channels): policy.fit(track[..., round(start * rate) :][..., : policy.length(rate)], rate)
                for (rate, channels), track in tracks.items()
            },
        )
        for start in policy.starts(audio.duration_s)
    ]


@pytest.mark.parametrize("pad", ["zero", "repeat"])
@pytest.mark.parametrize("hop", [0.5, 1.0, 2.5])
@pytest.mark.parametrize("seconds", [0.2, 1.0, 1.001, 1.99997, 2.0, 3.7, 9.0])
def test_same_as_in_memory(seconds, hop, pad, noise, encode):
    policy = WindowPolicy(length_s=1.0, hop_s=hop, pad=pad)
    data = encode(noise(seconds, 48000, 2), 48000, "FLAC")
    expected = whole(data, policy)
    with open_stream(data, where="x") as stream:
        windows = list(stream_windows(stream, policy, SIGNALS))
    assert [window.start_s for window in windows] == [start for start, _ in expected]
    assert all(window.end_s <= seconds + 1e-4 for window in windows)
    for window, (_, samples) in zip(windows, expected, strict=True):
        assert set(window.samples) == set(SIGNALS)
        for signal in SIGNALS:
            assert window.samples[signal].shape == samples[signal].shape
            np.testing.assert_allclose(window.samples[signal], samples[signal], atol=1e-5)


@pytest.mark.parametrize("rate", [16000, 48000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_stereo_of_any_number_of_channels(channels, rate, noise, encode):
    sound = noise(1.5, 48000, channels)
    with open_stream(encode(sound, 48000, "WAV", "FLOAT"), where="x") as stream:
        windows = list(stream_windows(stream, WindowPolicy(length_s=1.0, hop_s=0.5), [(rate, 2), (rate, 1)]))
    left, right = np.concatenate([windows[0].samples[rate, 2], windows[1].samples[rate, 2][:, rate // 2 :]], axis=1)
    mixed = np.concatenate([windows[0].samples[rate, 1], windows[1].samples[rate, 1][rate // 2 :]])
    if channels == 2:
        assert not np.allclose(left, right, atol=1e-3)
        np.testing.assert_allclose((left + right) / 2, mixed, atol=1e-5)
    else:
        np.testing.assert_array_equal(left, right)
        np.testing.assert_allclose(left, mixed, atol=1e-5)


def test_a_fault_at_the_end_is_raised(noise, encode):
    data = bytearray(encode(noise(5, 44100), 44100, "OGG"))
    del data[len(data) // 2 : len(data) // 2 + 6000]
    with open_stream(bytes(data), where="x") as stream, pytest.raises(AudioDecodeError, match="cut short"):
        list(stream_windows(stream, WindowPolicy(length_s=1, hop_s=1), [(16000, 1)]))
