"""Windows cut while decoding are those that would be cut from the whole recording."""

import numpy as np
import pytest

from tutti.audio.decode import decode, mono, open_stream, resample
from tutti.audio.stream import stream_windows
from tutti.audio.windows import WindowPolicy
from tutti.errors import AudioDecodeError

RATES = (16000, 22050, 32000, 44100)


def whole(data: bytes, policy: WindowPolicy) -> list[tuple[float, dict[int, np.ndarray]]]:
    audio = decode(data, where="x")
    tracks = {rate: resample(mono(audio.samples), audio.sample_rate, rate) for rate in RATES}
    return [
        (
            start,
            {
                rate: policy.fit(track[round(start * rate) :][: policy.length(rate)], rate)
                for rate, track in tracks.items()
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
        windows = list(stream_windows(stream, policy, RATES))
    assert [window.start_s for window in windows] == [start for start, _ in expected]
    assert all(window.end_s <= seconds + 1e-4 for window in windows)
    for window, (_, samples) in zip(windows, expected, strict=True):
        assert set(window.samples) == set(RATES)
        for rate in RATES:
            np.testing.assert_allclose(window.samples[rate], samples[rate], atol=1e-5)


def test_a_fault_at_the_end_is_raised(noise, encode):
    data = bytearray(encode(noise(5, 44100), 44100, "OGG"))
    del data[len(data) // 2 : len(data) // 2 + 6000]
    with open_stream(bytes(data), where="x") as stream, pytest.raises(AudioDecodeError, match="cut short"):
        list(stream_windows(stream, WindowPolicy(length_s=1, hop_s=1), [16000]))
