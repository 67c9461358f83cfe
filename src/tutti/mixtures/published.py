"""The generator of the published system: one looped note per NSynth family, all from the first sample on.

References:
    "Multi-label instrument recognition with real + synthetic audio" (2025). Its 2,200 choices of families are
    reproduced exactly when the pools have the sizes of NSynth's train split: the SHA-256 of the choices, one per line,
    is ccbd61eae072fdbefdf4fbea56d47e142b85fde1961d451f4e76fb37cdb6ab93.
"""

import random
from dataclasses import dataclass
from typing import Any

import numpy as np

from tutti.config import MixParams
from tutti.errors import ConfigError, DataError
from tutti.labels import NSYNTH_TO_OPENMIC, OPENMIC_INDEX
from tutti.mixtures.plan import (
    Event,
    LabelClasses,
    MixPlan,
    Part,
    Pool,
    Rendered,
    Sounds,
    amplitude,
    make_plan,
    peak_normalised,
)

#: The families in the order they are drawn from.
FAMILIES: tuple[str, ...] = (
    "bass", "brass", "flute", "guitar", "keyboard", "mallet", "organ", "reed", "string", "vocal", "synth_lead",
)  # fmt: skip

#: The families that stand for a class, in the order the first one of a mixture is drawn from.
SUPERVISED: tuple[str, ...] = ("bass", "flute", "guitar", "keyboard", "mallet", "organ", "vocal", "synth_lead")

#: The class of each family, None for those that set no label.
CLASSES: LabelClasses = {
    family: OPENMIC_INDEX[NSYNTH_TO_OPENMIC[family]] if family in SUPERVISED else None for family in FAMILIES
}


@dataclass(frozen=True)
class LoopedNotes:
    """The published way to make the sound.

    Attributes:
        length: Samples in a mixture.
    """

    length: int

    def __call__(self, plan: MixPlan, sounds: Sounds) -> Rendered:
        """Loops or cuts each note to the mixture's length, levels and adds them; mono, with peak 1."""
        mixture = np.zeros(self.length, np.float32)
        for part in plan.parts:
            looped = np.resize(sounds(part.events[0].note), self.length)
            mixture += peak_normalised(looped) * amplitude(part.gain_db)
        return Rendered(peak_normalised(mixture), plan.chosen, plan.present, plan.absent)


class PublishedGenerator:
    """Mixtures of 1 to ``max_polyphony`` families, ``per_polyphony`` of each.

    A mixture has at least one of the eight families that stand for a class; brass, reed and string may sound beside it
    and set no label. Those eight classes are known in every mixture, the other twelve are unknown.

    Args:
        pool: Notes per NSynth family, in the order of examples.json for the published choice of notes.
        params: Number, length, rate and gains of the mixtures.
        seed: The seed.

    Raises:
        ConfigError: More polyphony is asked for than there are families.
        DataError: A family has no notes.
    """

    name = "published"

    def __init__(self, pool: Pool, params: MixParams, seed: int) -> None:
        if params.max_polyphony > len(FAMILIES):
            raise ConfigError(
                "mix.max_polyphony is larger than the number of NSynth families",
                got=params.max_polyphony,
                expected=f"at most {len(FAMILIES)} with mix.generator: published",
            )
        missing = [family for family in FAMILIES if not pool.get(family)]
        if missing:
            raise DataError(
                "NSynth's train split has no notes of some families",
                got=f"none of {', '.join(missing)}",
                expected=f"notes of each of {', '.join(FAMILIES)}",
                hint="complete the NSynth train archive, or choose mix.generator: musical, which uses what there is",
            )
        self._pool = pool
        self._params = params
        self.renderer = LoopedNotes(round(params.duration_s * params.sample_rate))
        # The one place that takes the plain seed instead of a named stream of tutti.seeds: the published program
        # called random.seed(42), and only the same stream draws the same mixtures. Each draw depends on those before
        # it, so all are planned here, without sound; that takes a moment.
        stream = random.Random(seed)
        self._plans = [
            self._draw(stream, polyphony)
            for polyphony in range(1, params.max_polyphony + 1)
            for _ in range(params.per_polyphony)
        ]

    def _draw(self, stream: random.Random, polyphony: int) -> MixPlan:
        """The next mixture; the order of the draws is part of the published recipe."""
        chosen = [stream.choice(SUPERVISED)]
        if polyphony > 1:
            chosen += stream.sample([family for family in FAMILIES if family != chosen[0]], polyphony - 1)
            stream.shuffle(chosen)
        parts = []
        for family in chosen:
            note = stream.choice(self._pool[family])
            gain_db = stream.uniform(*self._params.gain_db)
            event = Event(note, onset_s=0.0, offset_s=0.0, length_s=self._params.duration_s)
            parts.append(Part(family, gain_db, (event,)))
        return make_plan("train", tuple(parts), CLASSES, FAMILIES)

    def __len__(self) -> int:
        return len(self._plans)

    def plan(self, index: int) -> MixPlan:
        """What mixture ``index`` is made of."""
        return self._plans[index]

    def describe(self) -> dict[str, Any]:
        """Notes per family of the train split."""
        return {"train": {family: len(self._pool[family]) for family in FAMILIES}}
