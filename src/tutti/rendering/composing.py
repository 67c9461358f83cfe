"""From a song plan to what each instrument plays, in seconds and MIDI velocities."""

import math
import random
from dataclasses import dataclass, replace

from tutti.rendering import percussion
from tutti.rendering.instruments import Instrument, Patch
from tutti.rendering.textures import TEXTURES
from tutti.rendering.theory import Song, Stroke


@dataclass(frozen=True)
class Note:
    """One played note.

    Attributes:
        start_s: Onset, seconds.
        end_s: Release, seconds.
        pitch: MIDI pitch, or the General MIDI drum key.
        velocity: 1 to 127.
        beat: Written onset, quarter notes.
        beats: Written length, quarter notes.
    """

    start_s: float
    end_s: float
    pitch: int
    velocity: int
    beat: float
    beats: float


@dataclass(frozen=True)
class Part:
    """What one player plays.

    Attributes:
        instrument: The instrument.
        patch: Its sound.
        notes: In the order of their onsets.
        leads: Whether it has the tune.
        vibrato: Modulation wheel, 0 to 127.
        swells: Whether held notes swell and fade.
    """

    instrument: Instrument
    patch: Patch
    notes: tuple[Note, ...]
    leads: bool
    vibrato: int = 0
    swells: bool = False

    @property
    def percussion(self) -> bool:
        """Whether pitches are drum keys."""
        return self.instrument.family == "percussion"


@dataclass(frozen=True)
class Manner:
    """How a player plays.

    Attributes:
        looseness_s: Standard deviation of the onsets, seconds.
        length: Held share of a written length.
        low_velocity: Velocity of level 0.
        high_velocity: Velocity of level 1.
        arc: Depth of the swell over four bars, 0 to 1.
    """

    looseness_s: float
    length: float
    low_velocity: int
    high_velocity: int
    arc: float


def draw_manner(instrument: Instrument, rng: random.Random) -> Manner:
    """A manner that suits the instrument."""
    length = rng.choice((1.0, 0.98, 0.9, 0.9, 0.65) if instrument.sustained else (0.98, 0.95, 0.85))
    low = rng.randint(28, 45)
    return Manner(rng.uniform(0.003, 0.012), length, low, rng.randint(100, 122), rng.uniform(0.05, 0.3))


def perform(strokes: list[Stroke], song: Song, manner: Manner, rng: random.Random) -> tuple[Note, ...]:
    """Plays written notes: swing, loose timing, accents, phrasing; notes past the song's end are cut or left out.

    Args:
        strokes: In any order.
        song: Gives tempo, swing and length.
        manner: How it is played.
        rng: Draws timing and small accents.

    Returns:
        Notes within ``0..song.seconds``, by onset.
    """
    per_beat = 60 / song.tempo
    notes = []
    for stroke in sorted(strokes, key=lambda stroke: (stroke.beat, stroke.pitch)):
        start = _swung(stroke.beat, swing=song.swing) * per_beat + rng.gauss(0, manner.looseness_s)
        end = _swung(stroke.beat + stroke.beats, swing=song.swing) * per_beat
        start = max(0.0, start)
        end = min(start + max(0.05, (end - start) * manner.length), song.seconds)
        if end - start < 0.04:
            continue
        phrase = math.sin(math.pi * (stroke.beat / (4 * song.beats_per_bar) % 1))
        level = stroke.level * (1 - manner.arc * (1 - phrase)) + rng.gauss(0, 0.03)
        velocity = manner.low_velocity + level * (manner.high_velocity - manner.low_velocity)
        notes.append(Note(start, end, stroke.pitch, max(12, min(127, round(velocity))), stroke.beat, stroke.beats))
    return tuple(sorted(notes, key=lambda note: note.start_s))


def _swung(beat: float, *, swing: bool) -> float:
    """Moves the second eighth of a beat to where swing puts it, two thirds in; what lies between moves along."""
    whole, part = divmod(beat, 1.0)
    if not swing:
        return beat
    return whole + (part * 4 / 3 if part <= 0.5 else 2 / 3 + (part - 0.5) * 2 / 3)


def apart(notes: tuple[Note, ...], gap_s: float = 0.004) -> tuple[Note, ...]:
    """Ends every note before its pitch sounds again, because a synthesizer cannot hold one key twice."""
    following: dict[int, float] = {}
    kept = []
    for note in reversed(notes):
        end = min(note.end_s, following.get(note.pitch, math.inf) - gap_s)
        if end - note.start_s > 0.02:
            kept.append(replace(note, end_s=end))
            following[note.pitch] = note.start_s
    return tuple(reversed(kept))


def compose_part(
    song: Song, instrument: Instrument, patch: Patch, rng: random.Random, *, leads: bool, texture: str | None = None
) -> Part:
    """Writes and plays one part.

    Args:
        song: The plan.
        instrument: Who plays.
        patch: Its sound.
        rng: Draws texture, register and manner.
        leads: Whether it has the tune.
        texture: A texture's name, in place of a drawn one.
    """
    manner = draw_manner(instrument, rng)
    if instrument.name == "drums":
        strokes = percussion.drums(song, rng)
    elif instrument.name == "cymbals":
        strokes = percussion.cymbals(song, rng)
    else:
        low, high = instrument.range_of(patch)
        name = texture or rng.choice(patch.textures or (instrument.lead if leads else instrument.backing))
        strokes = TEXTURES[name](song, low, high, rng)
    vibrato = rng.choice((0, 20, 45, 70)) if instrument.sustained and leads else 0
    swells = instrument.sustained and rng.random() < 0.6
    return Part(instrument, patch, apart(perform(strokes, song, manner, rng)), leads, vibrato, swells)
