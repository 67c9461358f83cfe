"""A generator for any pool of labelled notes: each instrument plays several notes at times of its own.

Looped notes that all start together give a model cues that real music lacks (a period of the note's length, a common
onset). Here every instrument plays notes of one recording chain with random onsets, lengths and dynamics.
"""

from typing import Any

import numpy as np

from tutti.config import MixParams
from tutti.errors import DataError
from tutti.mixtures.plan import (
    Event,
    LabelClasses,
    MixPlan,
    Note,
    Part,
    Pool,
    Sounds,
    amplitude,
    make_plan,
    peak_normalised,
)
from tutti.seeds import numpy_generator

#: Fewest mixtures of a polyphony in validation and test.
HELD_OUT_LEAST = 5
#: Shortest and longest time a note sounds, seconds.
NOTE_SECONDS = (0.3, 4.0)
#: Softest note of a part relative to its loudest possible one, dB.
DYNAMICS_DB = -9.0
#: A note that is cut fades out over this time, so that no click marks the cut.
RELEASE_S = 0.03
#: What precedes the first sample this far below a note's peak is not part of the note.
LEADING_SILENCE_DB = -50.0


class LayeredGenerator:
    """Mixtures of 1 to ``max_polyphony`` instruments, made within each split from that split's notes alone.

    Train has ``per_polyphony`` mixtures of each polyphony; valid and test a quarter of it, at least five. The classes
    of all instruments that have notes in the split are known in each of its mixtures, the others are unknown. Each
    mixture depends on the seed, its split and its number there, on nothing else, and can be made alone.

    Args:
        pools: Notes per label, by split; a split without notes gives no mixtures.
        classes: Class of each label, None for instruments that may sound but are evidence for no class.
        params: Number, length, rate and gains of the mixtures.
        seed: The seed.

    Raises:
        DataError: No split has a note that stands for a class.
    """

    name = "layered"

    def __init__(self, pools: dict[str, Pool], classes: LabelClasses, params: MixParams, seed: int) -> None:
        self._classes = classes
        self._params = params
        self._seed = seed
        self._samples = round(params.duration_s * params.sample_rate)
        # Notes by label and recording chain: a chain is drawn first, so that a big one does not drown the others.
        self._chains: dict[str, dict[str, list[list[Note]]]] = {}
        self._slots: list[tuple[str, int, int]] = []  # split, polyphony, number among those
        self._counts = {
            split: {label: len(notes) for label, notes in sorted(pool.items()) if notes}
            for split, pool in pools.items()
        }
        held_out = max(HELD_OUT_LEAST, params.per_polyphony // 4) if params.per_polyphony else 0
        for split, pool in pools.items():
            labels = [label for label in classes if pool.get(label)]
            if all(classes[label] is None for label in labels):
                continue
            self._chains[split] = {label: _by_group(pool[label]) for label in labels}
            each = params.per_polyphony if split == "train" else held_out
            most = min(params.max_polyphony, len(labels))
            self._slots += [(split, polyphony, number) for polyphony in range(1, most + 1) for number in range(each)]
        if not self._chains:
            raise DataError("there are no labelled notes to mix", expected="notes of at least one of the 20 classes")

    def __len__(self) -> int:
        return len(self._slots)

    def plan(self, index: int) -> MixPlan:
        """What mixture ``index`` is made of; train comes first, then valid and test."""
        split, polyphony, number = self._slots[index]
        stream = numpy_generator(self._seed, "mixtures", "layered", split, polyphony, number)
        parts = tuple(self._part(split, label, stream) for label in self._choose(split, polyphony, number, stream))
        return make_plan(split, parts, self._classes, self._chains[split])

    def _choose(self, split: str, polyphony: int, number: int, stream: np.random.Generator) -> list[str]:
        """Labels of a mixture; neighbouring mixtures share out a shuffled deck, so that all labels come up equally."""
        labels = list(self._chains[split])
        per_deck = len(labels) // polyphony
        deck_number, place = divmod(number, per_deck)
        deck = numpy_generator(self._seed, "mixtures", "deck", split, polyphony, deck_number).permutation(len(labels))
        chosen = [labels[at] for at in deck[place * polyphony : (place + 1) * polyphony]]
        if all(self._classes[label] is None for label in chosen):
            supervised = [label for label in labels if self._classes[label] is not None]
            chosen[0] = supervised[int(stream.integers(len(supervised)))]
        return chosen

    def _part(self, split: str, label: str, stream: np.random.Generator) -> Part:
        chains = self._chains[split][label]
        notes = chains[int(stream.integers(len(chains)))]
        duration = self._params.duration_s
        count = int(stream.integers(2, max(3, round(duration)), endpoint=True))
        picks = stream.choice(len(notes), size=count, replace=len(notes) < count)
        latest = max(0.0, duration - NOTE_SECONDS[0])
        events = []
        for place, pick in enumerate(picks):
            note = notes[int(pick)]
            length = min(float(stream.uniform(*NOTE_SECONDS)), note.duration_s)
            # Something longer than a mixture is a performance rather than a note: any part of it may sound.
            performance = note.duration_s > duration
            offset = float(stream.uniform(0.0, note.duration_s - length)) if performance else 0.0
            # One onset in each of `count` equal stretches: spread over the mixture without a common beat.
            onset = (place + float(stream.uniform())) * latest / count
            events.append(Event(note, onset, offset, length, float(stream.uniform(DYNAMICS_DB, 0.0))))
        return Part(label, float(stream.uniform(*self._params.gain_db)), tuple(events))

    def render(self, plan: MixPlan, sounds: Sounds) -> np.ndarray:
        """Places, levels and adds the notes; float32 [n] with peak 1."""
        mixture = np.zeros(self._samples, np.float32)
        for part in plan.parts:
            track = np.zeros(self._samples, np.float32)
            for event in part.events:
                self._place(track, event, sounds(event.note))
            mixture += peak_normalised(track) * amplitude(part.gain_db)
        return peak_normalised(mixture)

    def _place(self, track: np.ndarray, event: Event, samples: np.ndarray) -> None:
        """Adds an event to its part's track, in place."""
        rate = self._params.sample_rate
        samples = samples[round(event.offset_s * rate) :]
        samples = _without_leading_silence(samples)[: round(event.length_s * rate)]
        start = round(event.onset_s * rate)
        sound = peak_normalised(samples[: len(track) - start]) * amplitude(event.gain_db)
        release = min(round(RELEASE_S * rate), len(sound))
        sound[len(sound) - release :] *= np.linspace(1.0, 0.0, release, dtype=np.float32)
        track[start : start + len(sound)] += sound

    def describe(self) -> dict[str, Any]:
        """Notes per split and label."""
        return self._counts


def _by_group(notes: list[Note]) -> list[list[Note]]:
    groups: dict[str, list[Note]] = {}
    for note in notes:
        groups.setdefault(note.group, []).append(note)
    return [groups[name] for name in sorted(groups)]


def _without_leading_silence(samples: np.ndarray) -> np.ndarray:
    level = np.abs(samples)
    return samples[int(np.argmax(level >= level.max(initial=0.0) * amplitude(LEADING_SILENCE_DB))) :]
