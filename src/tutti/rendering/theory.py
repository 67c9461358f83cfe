"""Keys, chords, progressions and the song plan that all parts of one piece share."""

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType

_MAJOR = (0, 2, 4, 5, 7, 9, 11)
_SCALES = MappingProxyType(
    {
        "major": _MAJOR,
        "minor": (0, 2, 3, 5, 7, 8, 10),
        "dorian": (0, 2, 3, 5, 7, 9, 10),
        "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    }
)


@dataclass(frozen=True)
class Chord:
    """A root and its tones, as pitch classes 0 (C) to 11 (B); ``tones[0]`` is the root."""

    tones: tuple[int, ...]

    @property
    def root(self) -> int:
        """The root's pitch class."""
        return self.tones[0]

    @property
    def fifth(self) -> int:
        """The pitch class of the fifth."""
        return self.tones[2]


@dataclass(frozen=True)
class Style:
    """What a kind of music sounds like: who plays it, how fast, on which changes.

    Attributes:
        name: Its name.
        tempo: Lowest and highest tempo, quarter notes per minute.
        members: Instruments that belong to it, by their names in `tutti.rendering.instruments`.
        progressions: Scale degrees from 0, one chord a bar.
        modes: Scales to choose from.
        sevenths: Share of its songs whose chords carry the seventh.
        swing: Share of its songs with swung eighths.
        waltz: Share of its songs in three.
    """

    name: str
    tempo: tuple[int, int]
    members: tuple[str, ...]
    progressions: tuple[tuple[int, ...], ...]
    modes: tuple[str, ...]
    sevenths: float = 0.0
    swing: float = 0.0
    waltz: float = 0.1


_POP = ((0, 4, 5, 3), (5, 3, 0, 4), (0, 5, 3, 4), (0, 3, 0, 4), (0, 2, 3, 4))
_MODAL = ((0, 6, 3, 0), (0, 3, 6, 0), (0, 6, 5, 6), (0, 0, 3, 3))
_JAZZ = ((1, 4, 0, 5), (0, 5, 1, 4), (2, 5, 1, 4), (0, 3, 2, 5), (3, 6, 2, 5))
_CLASSICAL = ((0, 3, 4, 0), (0, 4, 5, 2), (0, 1, 4, 0), (5, 1, 4, 0), (0, 4, 0, 3))
_BLUES = ((0, 0, 3, 0), (0, 3, 0, 4), (4, 3, 0, 0))

STYLES: tuple[Style, ...] = (
    Style(
        "folk",
        (72, 150),
        ("guitar", "banjo", "mandolin", "ukulele", "violin", "accordion", "voice", "bass", "flute"),
        _POP + _CLASSICAL[:2],
        ("major", "major", "dorian", "mixolydian", "minor"),
        waltz=0.25,
    ),
    Style(
        "jazz",
        (80, 180),
        ("saxophone", "trumpet", "trombone", "clarinet", "piano", "guitar", "bass", "drums", "cymbals",
         "mallet_percussion", "organ", "voice"),
        _JAZZ + _BLUES,
        ("major", "dorian", "mixolydian"),
        sevenths=1.0,
        swing=0.7,
        waltz=0.12,
    ),
    Style(
        "classical",
        (60, 132),
        ("violin", "cello", "flute", "clarinet", "piano", "oboe", "bassoon", "french_horn", "trumpet", "trombone",
         "mallet_percussion", "organ", "voice", "harpsichord"),
        _CLASSICAL,
        ("major", "minor"),
        sevenths=0.15,
        waltz=0.35,
    ),
    Style(
        "rock",
        (84, 168),
        ("guitar", "bass", "drums", "cymbals", "organ", "synthesizer", "voice", "piano", "saxophone"),
        _POP + _MODAL + _BLUES,
        ("major", "minor", "mixolydian", "dorian"),
        sevenths=0.1,
        swing=0.1,
        waltz=0.03,
    ),
    Style(
        "electronic",
        (84, 150),
        ("synthesizer", "drums", "cymbals", "bass", "voice", "mallet_percussion", "piano"),
        _MODAL + _POP,
        ("minor", "dorian", "major"),
        sevenths=0.35,
        waltz=0.0,
    ),
    Style(
        "latin",
        (80, 140),
        ("guitar", "flute", "trumpet", "trombone", "mallet_percussion", "bass", "drums", "cymbals", "accordion",
         "clarinet", "ukulele", "voice", "piano"),
        _JAZZ[:3] + _POP[:3],
        ("minor", "major", "dorian"),
        sevenths=0.6,
        waltz=0.05,
    ),
    Style(
        "band",
        (76, 144),
        ("trumpet", "trombone", "saxophone", "clarinet", "flute", "french_horn", "drums", "cymbals",
         "mallet_percussion", "banjo", "bass"),
        _CLASSICAL + _POP[:2],
        ("major", "major", "minor"),
        sevenths=0.2,
        swing=0.2,
        waltz=0.15,
    ),
    Style(
        "salon",
        (66, 138),
        ("accordion", "violin", "cello", "piano", "clarinet", "mandolin", "guitar", "bass", "ukulele", "banjo",
         "organ"),
        _CLASSICAL + _JAZZ[:2],
        ("minor", "major"),
        sevenths=0.3,
        waltz=0.4,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Song:
    """The plan that every part of one piece follows.

    Attributes:
        tempo: Quarter notes per minute.
        beats_per_bar: 3 or 4.
        chords: One chord per bar.
        scale: Pitch classes of the key, tonic first.
        swing: Whether eighths are swung.
        seconds: Length, seconds; parts end there.
    """

    tempo: float
    beats_per_bar: int
    chords: tuple[Chord, ...]
    scale: tuple[int, ...]
    swing: bool
    seconds: float

    @property
    def beats(self) -> float:
        """Length in beats, up to the last bar line."""
        return float(len(self.chords) * self.beats_per_bar)

    def chord_at(self, beat: float) -> Chord:
        """The chord that sounds at ``beat``; the last one after the end."""
        return self.chords[min(int(beat // self.beats_per_bar), len(self.chords) - 1)]


def diatonic_chord(scale: tuple[int, ...], degree: int, *, seventh: bool, minor: bool) -> Chord:
    """The chord of stacked thirds on a scale degree.

    Args:
        scale: Seven pitch classes, tonic first.
        degree: 0 (tonic) to 6.
        seventh: Four tones in place of three.
        minor: Raise the third of the dominant, as harmonic minor does.
    """
    tones = [scale[(degree + step) % 7] for step in (0, 2, 4, 6)[: 4 if seventh else 3]]
    if minor and degree == 4:
        tones[1] = (tones[0] + 4) % 12
    return Chord(tuple(tones))


def plan_song(style: Style, seconds: float, rng: random.Random) -> Song:
    """Draws key, tempo, metre and changes for a piece of at least ``seconds``."""
    tempo = round(rng.uniform(*style.tempo), 1)
    beats_per_bar = 3 if rng.random() < style.waltz else 4
    mode = rng.choice(style.modes)
    tonic = rng.randrange(12)
    scale = tuple((tonic + step) % 12 for step in _SCALES[mode])
    seventh = rng.random() < style.sevenths
    bars = math.ceil(seconds * tempo / 60 / beats_per_bar) + 1
    degrees: list[int] = []
    while len(degrees) < bars:
        degrees += rng.choice(style.progressions) * rng.choice((1, 2))
    chords = tuple(diatonic_chord(scale, degree, seventh=seventh, minor=mode == "minor") for degree in degrees[:bars])
    return Song(tempo, beats_per_bar, chords, scale, rng.random() < style.swing, seconds)


def ladder(pitch_classes: Iterable[int], low: int, high: int) -> list[int]:
    """All MIDI pitches of the given classes from ``low`` to ``high``, both included, ascending."""
    wanted = set(pitch_classes)
    return [pitch for pitch in range(low, high + 1) if pitch % 12 in wanted]


def nearest(pitches: list[int], target: float) -> int:
    """The pitch closest to ``target``; the lower of two equally close ones."""
    return min(pitches, key=lambda pitch: (abs(pitch - target), pitch))


@dataclass(frozen=True)
class Stroke:
    """One written note.

    Attributes:
        beat: Where it starts, quarter notes from the beginning.
        beats: How long it is held, quarter notes.
        pitch: MIDI pitch, or the General MIDI drum key.
        level: Accent, 0 (ghost) to 1 (strongest).
    """

    beat: float
    beats: float
    pitch: int
    level: float
