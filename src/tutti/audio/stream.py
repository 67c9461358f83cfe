"""A recording as windows of several signals, in one pass and with memory that does not depend on its length."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import soxr

from tutti.audio.decode import AudioStream, with_channels
from tutti.audio.windows import WindowPolicy

#: A sample rate in Hz and a number of channels: what `tutti.frontends.base.FrontEndConfig.signal` asks for.
Signal = tuple[int, int]


@dataclass(frozen=True)
class Window:
    """One window of a recording.

    Attributes:
        start_s: Where it begins, seconds.
        end_s: Where it ends, seconds; the recording's end when that comes first.
        samples: For each signal (rate, channels) its float32 samples: [policy.length(rate)] where it is mono, and
            [2, policy.length(rate)] where it is stereo.
    """

    start_s: float
    end_s: float
    samples: dict[Signal, np.ndarray]


class _Track:
    """The part of the recording that is still needed, as one signal."""

    def __init__(self, from_hz: int, signal: Signal) -> None:
        self.signal = signal
        self.rate, self.channels = signal
        self._resampler = None
        if self.rate != from_hz:
            self._resampler = soxr.ResampleStream(from_hz, self.rate, self.channels, dtype="float32", quality="HQ")
        self._samples = self._nothing = with_channels(np.zeros((self.channels, 0), np.float32), self.channels)
        self._first = 0  # position in the recording of the first of _samples

    @property
    def end(self) -> int:
        """Position behind the last sample that is there."""
        return self._first + self._samples.shape[-1]

    def push(self, samples: np.ndarray) -> None:
        self._append(samples, last=False)

    def finish(self) -> None:
        self._append(self._nothing, last=True)

    def _append(self, samples: np.ndarray, *, last: bool) -> None:
        if self._resampler is not None:
            # soxr wants the channels last.
            samples = self._resampler.resample_chunk(np.ascontiguousarray(samples.T), last=last).T
        self._samples = np.concatenate([self._samples, samples], axis=-1)

    def window(self, start_s: float, policy: WindowPolicy) -> np.ndarray:
        first = round(start_s * self.rate) - self._first
        return policy.fit(self._samples[..., first : first + policy.length(self.rate)], self.rate).copy()

    def forget_before(self, start_s: float) -> None:
        surplus = round(start_s * self.rate) - self._first
        if surplus > 0:
            self._samples = self._samples[..., surplus:]
            self._first += surplus


def stream_windows(stream: AudioStream, policy: WindowPolicy, signals: Iterable[Signal]) -> Iterator[Window]:
    """Cuts a recording while it is being decoded; the same windows as `WindowPolicy.starts` on the whole of it.

    Args:
        stream: The open recording; see `tutti.audio.decode.with_channels` for how its channels become a signal's.
        policy: How it is cut.
        signals: The signals wanted.

    Yields:
        The windows in order. They count only once the iteration has ended without an error.

    Raises:
        AudioDecodeError: See `AudioStream.blocks`.
    """
    tracks = [_Track(stream.sample_rate, signal) for signal in sorted(set(signals))]
    done = 0

    def cut(start_s: float) -> Window:
        end_s = min(start_s + policy.length_s, stream.duration_s)
        return Window(start_s, end_s, {track.signal: track.window(start_s, policy) for track in tracks})

    for block in stream.blocks():
        sound = {channels: with_channels(block, channels) for channels in {track.channels for track in tracks}}
        for track in tracks:
            track.push(sound[track.channels])
        # How many windows end by now is counted as `starts` counts them; the resamplers lag a little behind.
        ended = int((stream.duration_s - policy.length_s) / policy.hop_s + 1e-9) + 1
        while done < ended and stream.duration_s >= policy.length_s:
            start_s = done * policy.hop_s
            if any(track.end < round(start_s * track.rate) + policy.length(track.rate) for track in tracks):
                break
            yield cut(start_s)
            # The last window may be moved back, but never before the one just cut.
            for track in tracks:
                track.forget_before(start_s)
            done += 1
    for track in tracks:
        track.finish()
    for start_s in policy.starts(stream.duration_s)[done:]:
        yield cut(start_s)
