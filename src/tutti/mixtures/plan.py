"""The words all mixture generators share: notes, plans and the generator itself."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from tutti.labels import NSYNTH, NSYNTH_TO_OPENMIC, OPENMIC, OPENMIC_INDEX

#: A sound whose peak is below this is left at its level: dividing by it would only raise noise.
SILENT_PEAK = 1e-8

#: Class in ``range(20)`` per label of a pool; None for a label that sounds without being evidence for any class.
LabelClasses = dict[str, int | None]

NSYNTH_CLASSES: LabelClasses = {
    family: OPENMIC_INDEX[NSYNTH_TO_OPENMIC[family]] if family in NSYNTH_TO_OPENMIC else None for family in NSYNTH
}
OPENMIC_CLASSES: LabelClasses = dict(OPENMIC_INDEX)


@dataclass(frozen=True)
class Note:
    """A recorded note or phrase of one instrument.

    Attributes:
        clip_id: Its clip in the manifest.
        path: Its file below the data root.
        start_s: Where it begins in the file, seconds.
        duration_s: Its length, seconds.
        group: The instrument or recording chain it comes from.
    """

    clip_id: str
    path: str
    start_s: float
    duration_s: float
    group: str


#: Notes by label.
Pool = dict[str, list[Note]]

#: Gives a note's samples: float32 [n], mono, at the mixtures' rate.
Sounds = Callable[[Note], np.ndarray]


@dataclass(frozen=True)
class Event:
    """One sounding of a note.

    Attributes:
        note: The note.
        onset_s: When it starts in the mixture.
        offset_s: How far into the note it starts.
        length_s: How long it sounds at most.
        gain_db: Level among the events of its part.
    """

    note: Note
    onset_s: float
    offset_s: float
    length_s: float
    gain_db: float = 0.0


@dataclass(frozen=True)
class Part:
    """What one instrument plays.

    Attributes:
        label: Its label in the pool.
        gain_db: Level of the part, whose own peak is 1.
        events: Its notes.
    """

    label: str
    gain_db: float
    events: tuple[Event, ...]


@dataclass(frozen=True)
class MixPlan:
    """Everything that decides a mixture, before any sound is read.

    Attributes:
        split: Split of the mixture and of all its notes.
        parts: One per instrument.
        present: Class indices that sound, ascending.
        absent: Class indices known not to sound, ascending; the rest is unknown.
    """

    split: str
    parts: tuple[Part, ...]
    present: tuple[int, ...]
    absent: tuple[int, ...]

    @property
    def chosen(self) -> tuple[str, ...]:
        """Labels of the parts, in the order they were drawn."""
        return tuple(part.label for part in self.parts)

    def notes(self) -> Iterable[Note]:
        """Every note that sounds."""
        return (event.note for part in self.parts for event in part.events)


class Generator(Protocol):
    """Makes mixtures, each from its index alone."""

    name: str

    def __len__(self) -> int:
        """Number of mixtures."""

    def plan(self, index: int) -> MixPlan:
        """What mixture ``index`` is made of; the same for the same parameters, pools and seed."""

    def render(self, plan: MixPlan, sounds: Sounds) -> np.ndarray:
        """The mixture's samples: float32 [duration_s * sample_rate] with peak 1."""

    def describe(self) -> dict[str, Any]:
        """JSON-able facts about the pools: notes per split and label."""


def make_plan(split: str, parts: tuple[Part, ...], classes: LabelClasses, known: Iterable[str]) -> MixPlan:
    """A plan whose classes follow from its labels.

    Args:
        split: Split of the mixture.
        parts: One per instrument.
        classes: Class per label.
        known: Labels that could have sounded: their classes are absent when they do not.
    """
    present = {index for part in parts if (index := classes[part.label]) is not None}
    could = {index for label in known if (index := classes[label]) is not None}
    return MixPlan(split, parts, tuple(sorted(present)), tuple(sorted(could - present)))


def notes_by_label(rows: pd.DataFrame, labels: Iterable[str]) -> Pool:
    """Notes of manifest rows by label, in the manifest's order.

    Args:
        rows: Manifest rows.
        labels: Label of each row.
    """
    pool: Pool = {}
    columns = ("clip_id", "path", "start_s", "duration_s", "group")
    for label, *values in zip(labels, *(rows[column] for column in columns), strict=True):
        pool.setdefault(label, []).append(Note(*values))
    return pool


def class_names(rows: pd.DataFrame) -> list[str]:
    """The class that each labelled note is certain to have: the first whose relevance is largest and was asked."""
    return [
        OPENMIC[int(np.argmax(np.where(mask, labels, -1.0)))]
        for labels, mask in zip(rows["labels"], rows["mask"], strict=True)
    ]


def peak_normalised(samples: np.ndarray) -> np.ndarray:
    """Samples divided by their largest magnitude; untouched when that is below `SILENT_PEAK`."""
    peak = float(np.abs(samples).max(initial=0.0))
    return samples if peak < SILENT_PEAK else samples / np.float32(peak)


def amplitude(gain_db: float) -> np.float32:
    """The factor for a gain in dB."""
    return np.float32(10.0 ** (gain_db / 20.0))
