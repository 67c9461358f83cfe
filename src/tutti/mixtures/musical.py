"""A generator for any pool of labelled notes: instruments that share key, chords, beat and room.

Looped notes that all start together give a model cues that music lacks: a period, a common onset, a bandwidth. Here the
instruments of a clip play several notes each on one beat and in one key, at levels, places and with tones of their own,
and the clip's band ends where a random draw says, whatever plays.
"""

from typing import Any

import numpy as np

from tutti.config import MixParams
from tutti.errors import DataError
from tutti.labels import OPENMIC_INDEX
from tutti.mixtures.deal import deal, polyphonies
from tutti.mixtures.plan import MixPlan, Note, Part, Place, Pool, Scene, make_plan
from tutti.mixtures.players import CLASSES, GROUPS, LOW, UNPITCHED, play
from tutti.mixtures.render import Ensemble
from tutti.mixtures.room import Room, Shelf
from tutti.mixtures.score import draw_score
from tutti.seeds import derive, numpy_generator

#: Fewest mixtures for each number of instruments in validation and test.
HELD_OUT_LEAST = 5

#: An instrument's level is drawn from a normal distribution that is cut at this many standard deviations.
LEVEL_CUT = 2.5

#: Share of the clips whose band ends before every instrument reaches its own end.
_NARROWED = 0.3
#: No recording is quite silent between its notes.
_NOISE_DB = (-80.0, -50.0)
_DISTANCE = (0.15, 1.2)
_DECAY_S = (0.2, 1.6)
_DELAY_S = (0.002, 0.03)
_DAMPING = (0.3, 0.8)
_LOW_CORNER_HZ = (80.0, 400.0)
_HIGH_CORNER_HZ = (1500.0, 6000.0)
#: Low instruments and percussion stand near the middle.
_PAN_SPREAD = {True: 0.15, False: 0.5}

#: Recording chains of a label, by dataset, each with the end of its band in Hz: a dataset is drawn first, then a chain,
#: then notes, so that nothing big drowns the rest.
_Chains = dict[str, list[tuple[float, list[Note]]]]


class MusicalGenerator:
    """Mixtures of 1 to ``max_polyphony`` instruments, made within each split from that split's notes alone.

    Train has ``per_polyphony`` mixtures for each number of instruments up to ``max_polyphony``; valid and test a
    quarter of it, at least five. ``musical.polyphony`` says how that total is shared out. The classes of all
    instruments that have notes in the split are known in each of its mixtures, the others are unknown. What a mixture
    is made of follows from the seed and its index; which instruments it has, from their number of mixtures, too.

    Args:
        pools: Notes per label (an OpenMIC class, or one of `GROUPS`), by split; a split without notes gives no
            mixtures.
        params: Number, length, rate and manner of the mixtures.
        seed: The seed.

    Raises:
        DataError: No split has a note that stands for a class; or the weights of polyphony ask for more instruments
            than have notes.
    """

    name = "musical"

    def __init__(self, pools: dict[str, Pool], params: MixParams, seed: int) -> None:
        self._params = params
        self._seed = seed
        self.renderer = Ensemble(params)
        self._chains: dict[str, dict[str, _Chains]] = {}
        self._ceilings: dict[str, float] = {}
        self._slots: list[tuple[str, tuple[str, ...]]] = []
        self._counts = {
            split: {label: len(notes) for label, notes in sorted(pool.items()) if notes}
            for split, pool in pools.items()
        }
        held_out = max(HELD_OUT_LEAST, params.per_polyphony // 4)
        for split, pool in pools.items():
            labels = [label for label in CLASSES if pool.get(label)]
            supervised = frozenset(label for label in labels if CLASSES[label] is not None)
            if not supervised:
                continue
            self._chains[split] = {label: _by_chain(pool[label]) for label in labels}
            # Every label can be played up to here: beyond it, the band would tell which instruments play.
            widest = (max(end for d in chains.values() for end, _ in d) for chains in self._chains[split].values())
            self._ceilings[split] = min(params.sample_rate / 2, *widest)
            weights = _weights(params, len(labels), split)
            count = (params.per_polyphony if split == "train" else held_out) * len(weights)
            stream = numpy_generator(seed, "mixtures", "deal", split)
            dealt = deal(labels, supervised, polyphonies(count, weights, stream), stream)
            self._slots += [(split, hand) for hand in dealt]
        if not self._chains:
            raise DataError("there are no labelled notes to mix", expected="notes of at least one of the 20 classes")

    def __len__(self) -> int:
        return len(self._slots)

    def plan(self, index: int) -> MixPlan:
        """What mixture ``index`` is made of; train comes first, then valid and test."""
        split, labels = self._slots[index]
        stream = numpy_generator(self._seed, "mixtures", index)
        scene = self._scene(split, index, stream)
        # One instrument plays throughout; the labels are in random order, so it may be any.
        parts = tuple(self._part(split, name, scene, stream, throughout=name == labels[0]) for name in labels)
        unknown = {OPENMIC_INDEX[name] for label in labels for name in GROUPS.get(label, ())}
        if any(note.clip_id.startswith("irmas/") for part in parts for note in (e.note for e in part.events)):
            unknown = set(OPENMIC_INDEX.values())
        return make_plan(split, parts, CLASSES, self._chains[split], unknown=unknown, scene=scene)

    def _scene(self, split: str, index: int, stream: np.random.Generator) -> Scene:
        musical = self._params.musical
        score = draw_score(stream)
        room = None
        if stream.uniform() < musical.room:
            room = Room(
                _logarithmic(_DECAY_S, stream), float(stream.uniform(*_DELAY_S)), float(stream.uniform(*_DAMPING))
            )
        limit_hz = self._ceilings[split]
        narrowed = bool(stream.uniform() < _NARROWED)
        if narrowed and musical.min_limit_hz is not None and musical.min_limit_hz < limit_hz:
            limit_hz = _logarithmic((musical.min_limit_hz, limit_hz), stream)
        level = stream.normal(musical.level_dbfs, musical.level_spread_db)
        return Scene(
            score=score,
            room=room,
            shelves=_shelves(musical.equalise_db / 2, stream),
            limit_hz=limit_hz,
            level_dbfs=float(level),
            noise_db=float(stream.uniform(*_NOISE_DB)),
            stream=derive(self._seed, "mixtures", index, "sound"),
        )

    def _part(self, split: str, label: str, scene: Scene, stream: np.random.Generator, *, throughout: bool) -> Part:
        musical = self._params.musical
        datasets = {
            name: wide
            for name, chains in self._chains[split][label].items()
            if (wide := [chain for end, chain in chains if end >= scene.limit_hz])
        }
        chains = datasets[sorted(datasets)[int(stream.integers(len(datasets)))]]
        spread = LEVEL_CUT * musical.part_spread_db
        gain_db = float(np.clip(stream.normal(0.0, musical.part_spread_db), -spread, spread))
        pan = float(np.clip(stream.normal(0.0, _PAN_SPREAD[label in LOW | UNPITCHED]), -1.0, 1.0))
        place = Place(pan, _logarithmic(_DISTANCE, stream), _shelves(musical.equalise_db, stream))
        events = play(
            label,
            chains[int(stream.integers(len(chains)))],
            scene.score,
            self._params.duration_s,
            max_shift=musical.max_shift,
            limit_hz=scene.limit_hz,
            throughout=throughout,
            stream=stream,
        )
        return Part(label, gain_db, events, place)

    def describe(self) -> dict[str, Any]:
        """Notes per split and label."""
        return self._counts


def _weights(params: MixParams, labels: int, split: str) -> tuple[float, ...]:
    """Weights of 1, 2, ... instruments, no more of them than there are labels."""
    weights = params.musical.polyphony or (1.0,) * params.max_polyphony
    if not sum(weights[:labels]):
        raise DataError(
            f"mix.musical.polyphony asks for more instruments than have notes in {split}",
            got=f"notes of {labels} instruments",
            expected=f"notes of at least {next(i for i, w in enumerate(weights, 1) if w)}",
            hint="give a weight to fewer instruments, or add notes of more",
        )
    return weights[:labels]


def _by_chain(notes: list[Note]) -> _Chains:
    groups: dict[str, dict[str, list[Note]]] = {}
    for note in notes:
        groups.setdefault(note.clip_id.partition("/")[0], {}).setdefault(note.group, []).append(note)
    return {
        name: [(_nyquist(chains[group]), chains[group]) for group in sorted(chains)] for name, chains in groups.items()
    }


def _nyquist(chain: list[Note]) -> float:
    return min(note.sample_rate for note in chain) / 2


def _shelves(largest_db: float, stream: np.random.Generator) -> tuple[Shelf, ...]:
    low, high = (float(gain) for gain in stream.uniform(-largest_db, largest_db, 2))
    return (
        Shelf("low", low, _logarithmic(_LOW_CORNER_HZ, stream)),
        Shelf("high", high, _logarithmic(_HIGH_CORNER_HZ, stream)),
    )


def _logarithmic(bounds: tuple[float, float], stream: np.random.Generator) -> float:
    """Drawn evenly on a logarithmic scale."""
    return float(np.exp(stream.uniform(*np.log(bounds))))
