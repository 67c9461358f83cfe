"""What all instruments of a clip share: key, chords and beat."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

#: Semitones above the tonic: the major and the natural minor scale.
SCALES: dict[str, tuple[int, ...]] = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}

#: Scale degrees of the chords, one a bar: common successions of four.
_PROGRESSIONS: dict[str, tuple[tuple[int, ...], ...]] = {
    "major": ((0, 4, 5, 3), (0, 3, 4, 0), (0, 5, 3, 4), (1, 4, 0, 0), (0, 3, 0, 4), (5, 3, 0, 4)),
    "minor": ((0, 5, 2, 6), (0, 3, 4, 0), (0, 6, 5, 6), (0, 3, 6, 2), (0, 5, 3, 4), (0, 0, 3, 4)),
}

#: Beats a minute; drawn evenly on a logarithmic scale.
_TEMPO = (66.0, 160.0)
#: Shares of three and four beats a bar.
_METRE = {3: 0.25, 4: 0.75}


@dataclass(frozen=True)
class Score:
    """Key, chords and beat of a clip.

    Attributes:
        tonic: Pitch class of the tonic, 0 for C to 11 for B.
        mode: Which of the `SCALES`.
        tempo_bpm: Beats a minute.
        beats: Beats in a bar.
        first_bar_s: When the bar begins in which the clip begins, seconds, not above 0.
        progression: Scale degrees (0 to 6) of the chords, one a bar, repeated.
    """

    tonic: int
    mode: Literal["major", "minor"]
    tempo_bpm: float
    beats: int
    first_bar_s: float
    progression: tuple[int, ...]

    @property
    def beat_s(self) -> float:
        """Length of a beat."""
        return 60.0 / self.tempo_bpm

    @property
    def bar_s(self) -> float:
        """Length of a bar."""
        return self.beats * self.beat_s

    @property
    def scale(self) -> frozenset[int]:
        """Pitch classes of the key."""
        return frozenset((self.tonic + step) % 12 for step in SCALES[self.mode])

    def chord(self, at_s: float) -> tuple[int, int, int]:
        """Pitch classes of the triad that sounds at a time; the root comes first."""
        bar = int(np.floor((at_s - self.first_bar_s) / self.bar_s + 1e-6))
        degree = self.progression[bar % len(self.progression)]
        steps = SCALES[self.mode]
        root, third, fifth = ((self.tonic + steps[(degree + third) % 7]) % 12 for third in (0, 2, 4))
        return root, third, fifth

    def grid(self, step: float, start_s: float, end_s: float, shift: float = 0.0) -> np.ndarray:
        """Times on the beat grid.

        Args:
            step: Beats between neighbouring times.
            start_s: Earliest time.
            end_s: The times are before it.
            shift: Beats by which the grid is shifted.

        Returns:
            float64 [n], ascending.
        """
        period, origin = step * self.beat_s, self.first_bar_s + shift * self.beat_s
        first, last = np.ceil((start_s - origin) / period - 1e-9), np.ceil((end_s - origin) / period - 1e-9)
        return origin + period * np.arange(first, last)

    def is_downbeat(self, at_s: float) -> bool:
        """Whether a time on the grid begins a bar."""
        bars = (at_s - self.first_bar_s) / self.bar_s
        return bool(abs(bars - np.round(bars)) * self.bar_s < 1e-3)


def draw_score(stream: np.random.Generator) -> Score:
    """A score: any of the 24 keys, a tempo from 66 to 160 beats a minute, a place within a bar to begin at."""
    mode: Literal["major", "minor"] = "major" if stream.uniform() < 0.5 else "minor"
    tempo = float(np.exp(stream.uniform(*np.log(_TEMPO))))
    beats = int(stream.choice(list(_METRE), p=list(_METRE.values())))
    progressions = _PROGRESSIONS[mode]
    return Score(
        tonic=int(stream.integers(12)),
        mode=mode,
        tempo_bpm=tempo,
        beats=beats,
        first_bar_s=-float(stream.uniform()) * beats * 60.0 / tempo,
        progression=progressions[int(stream.integers(len(progressions)))],
    )
