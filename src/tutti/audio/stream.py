"""A recording as windows at several sample rates, in one pass and with memory that does not depend on its length."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import soxr

from tutti.audio.decode import AudioStream, mono
from tutti.audio.windows import WindowPolicy


@dataclass(frozen=True)
class Window:
    """One window of a recording.

    Attributes:
        start_s: Where it begins, seconds.
        end_s: Where it ends, seconds; the recording's end when that comes first.
        samples: Mono float32 [policy.length(rate)] for each rate in Hz.
    """

    start_s: float
    end_s: float
    samples: dict[int, np.ndarray]


class _Track:
    """The part of the recording that is still needed, at one rate."""

    def __init__(self, from_hz: int, rate: int) -> None:
        self.rate = rate
        self._resampler = None
        if rate != from_hz:
            self._resampler = soxr.ResampleStream(from_hz, rate, 1, dtype="float32", quality="HQ")
        self._samples = np.zeros(0, np.float32)
        self._first = 0  # position of _samples[0] in the recording

    @property
    def end(self) -> int:
        """Position behind the last sample that is there."""
        return self._first + len(self._samples)

    def push(self, samples: np.ndarray, *, last: bool) -> None:
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples, last=last)
        self._samples = np.concatenate([self._samples, samples])

    def window(self, start_s: float, policy: WindowPolicy) -> np.ndarray:
        first = round(start_s * self.rate) - self._first
        return policy.fit(self._samples[first : first + policy.length(self.rate)], self.rate).copy()

    def forget_before(self, start_s: float) -> None:
        surplus = round(start_s * self.rate) - self._first
        if surplus > 0:
            self._samples = self._samples[surplus:]
            self._first += surplus


def stream_windows(stream: AudioStream, policy: WindowPolicy, rates: Iterable[int]) -> Iterator[Window]:
    """Cuts a recording while it is being decoded; the same windows as `WindowPolicy.starts` on the whole of it.

    Args:
        stream: The open recording; it is mixed to mono.
        policy: How it is cut.
        rates: The sample rates wanted, in Hz.

    Yields:
        The windows in order. They count only once the iteration has ended without an error.

    Raises:
        AudioDecodeError: See `AudioStream.blocks`.
    """
    tracks = [_Track(stream.sample_rate, rate) for rate in sorted(set(rates))]
    done = 0

    def cut(start_s: float) -> Window:
        end_s = min(start_s + policy.length_s, stream.duration_s)
        return Window(start_s, end_s, {track.rate: track.window(start_s, policy) for track in tracks})

    for block in stream.blocks():
        samples = mono(block)
        for track in tracks:
            track.push(samples, last=False)
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
        track.push(np.zeros(0, np.float32), last=True)
    for start_s in policy.starts(stream.duration_s)[done:]:
        yield cut(start_s)
