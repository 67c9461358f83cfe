"""The words all mixture generators share: notes, plans and the generator itself."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from tutti.mixtures.room import Room, Shelf
from tutti.mixtures.score import Score

#: A sound whose peak is below this is left at its level: dividing by it would only raise noise.
SILENT_PEAK = 1e-8

#: Class in ``range(20)`` per label of a pool; None for a label that sounds without being evidence for any class.
LabelClasses = dict[str, int | None]


@dataclass(frozen=True)
class Note:
    """A recorded note or phrase of one instrument.

    Attributes:
        clip_id: Its clip in the manifest.
        path: Its file below the data root.
        start_s: Where it begins in the file, seconds.
        duration_s: Its length, seconds.
        group: The instrument or recording chain it comes from.
        sample_rate: Rate of its file, Hz.
        pitch: Its MIDI pitch where its name tells, else None.
        phrase: Whether it is a phrase rather than a note: any part of it may sound.
    """

    clip_id: str
    path: str
    start_s: float
    duration_s: float
    group: str
    sample_rate: int
    pitch: int | None = None
    phrase: bool = False


#: Notes by label.
Pool = dict[str, list[Note]]

#: Gives a note's samples: float32 [n], mono, at the mixtures' rate.
Sounds = Callable[[Note], np.ndarray]


@dataclass(frozen=True)
class Event:
    """One sounding of a note.

    Attributes:
        note: The note.
        onset_s: When it starts in the mixture; before 0 when it sounds already as the mixture begins.
        offset_s: How far into the note it starts.
        length_s: How long it sounds at most.
        gain_db: Level among the events of its part.
        shift: Semitones by which resampling changes its pitch.
    """

    note: Note
    onset_s: float
    offset_s: float
    length_s: float
    gain_db: float = 0.0
    shift: int = 0


@dataclass(frozen=True)
class Place:
    """Where an instrument stands, and its tone.

    Attributes:
        pan: -1 for left, 0 for the middle, 1 for right.
        distance: In critical distances: at 1 the room's reverberation is as strong as the direct sound.
        shelves: Its equalisers.
    """

    pan: float
    distance: float
    shelves: tuple[Shelf, ...]


@dataclass(frozen=True)
class Scene:
    """What all instruments of a clip share.

    Attributes:
        score: Key, chords and beat.
        room: The reverberation, None for none.
        shelves: Equalisers of the whole clip.
        limit_hz: Nothing sounds above this frequency.
        level_dbfs: The level wanted of the clip.
        noise_db: Level of the noise below everything, relative to the instruments.
        stream: Seed of what is random in the sound itself: the room and the noise.
    """

    score: Score
    room: Room | None
    shelves: tuple[Shelf, ...]
    limit_hz: float
    level_dbfs: float
    noise_db: float
    stream: int


@dataclass(frozen=True)
class Part:
    """What one instrument plays.

    Attributes:
        label: Its label in the pool.
        gain_db: Level of the part among the parts of the mixture.
        events: Its notes.
        place: Where it stands, None where the generator has no room.
    """

    label: str
    gain_db: float
    events: tuple[Event, ...]
    place: Place | None = None


@dataclass(frozen=True)
class MixPlan:
    """Everything that decides a mixture, before any sound is read.

    Attributes:
        split: Split of the mixture and of all its notes.
        parts: One per instrument.
        present: Class indices that sound, ascending.
        absent: Class indices known not to sound, ascending; the rest is unknown.
        scene: What the parts share, None where the generator has nothing of the kind.
    """

    split: str
    parts: tuple[Part, ...]
    present: tuple[int, ...]
    absent: tuple[int, ...]
    scene: Scene | None = None

    @property
    def chosen(self) -> tuple[str, ...]:
        """Labels of the parts, in the order they were drawn."""
        return tuple(part.label for part in self.parts)

    def notes(self) -> Iterable[Note]:
        """Every note that sounds."""
        return (event.note for part in self.parts for event in part.events)


@dataclass(frozen=True)
class Rendered:
    """A mixture's sound, and what is to be heard in it.

    Attributes:
        samples: float32 [n], or [2, n] for stereo, within [-1, 1].
        sounding: Labels of the parts that sound, in the plan's order.
        present: Class indices that sound, ascending.
        absent: Class indices known not to sound, ascending; the rest is unknown.
    """

    samples: np.ndarray
    sounding: tuple[str, ...]
    present: tuple[int, ...]
    absent: tuple[int, ...]


#: Makes a plan's sound. It is small and can be sent to another process, unlike a generator with its pools.
Renderer = Callable[[MixPlan, Sounds], Rendered]


class Generator(Protocol):
    """Makes mixtures, each from its index alone."""

    name: str

    @property
    def renderer(self) -> Renderer:
        """Makes the sound of its plans."""

    def __len__(self) -> int:
        """Number of mixtures."""

    def plan(self, index: int) -> MixPlan:
        """What mixture ``index`` is made of; the same for the same parameters, pools and seed."""

    def describe(self) -> dict[str, Any]:
        """JSON-able facts about the pools: notes per split and label."""


def make_plan(
    split: str,
    parts: tuple[Part, ...],
    classes: LabelClasses,
    known: Iterable[str],
    *,
    unknown: Collection[int] = (),
    scene: Scene | None = None,
) -> MixPlan:
    """A plan whose classes follow from its labels.

    Args:
        split: Split of the mixture.
        parts: One per instrument.
        classes: Class per label.
        known: Labels that could have sounded: their classes are absent when they do not.
        unknown: Classes that stay unknown unless they are present.
        scene: What the parts share.
    """
    present = {index for part in parts if (index := classes[part.label]) is not None}
    could = {index for label in known if (index := classes[label]) is not None}
    return MixPlan(split, parts, tuple(sorted(present)), tuple(sorted(could - present - set(unknown))), scene)


def peak_normalised(samples: np.ndarray) -> np.ndarray:
    """Samples divided by their largest magnitude; untouched when that is below `SILENT_PEAK`."""
    peak = float(np.abs(samples).max(initial=0.0))
    return samples if peak < SILENT_PEAK else samples / np.float32(peak)


def amplitude(gain_db: float) -> np.float32:
    """The factor for a gain in dB."""
    return np.float32(10.0 ** (gain_db / 20.0))
