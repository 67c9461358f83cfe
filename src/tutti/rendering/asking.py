"""Which cells of the truth are asked about, as OpenMIC asked its crowd: few, mostly likely ones, balanced by class.

OpenMIC asked about 2.06 of 20 instruments per clip, chosen by a model's guess, so that wrong guesses are instruments
that sound alike. Here the guess is the truth itself for the positives and its look-alikes for most negatives.
"""

import random

import numpy as np

from tutti.labels import OPENMIC
from tutti.rendering.instruments import INSTRUMENTS

#: Share of positives among the answers of OpenMIC-2018, per class in `OPENMIC` order.
_ORIGINAL_SHARE = (
    489 / 2071, 732 / 2218, 549 / 1888, 824 / 1949, 533 / 2385, 1111 / 1735, 1106 / 1747, 647 / 2084, 1138 / 1650,
    733 / 1802, 845 / 2464, 603 / 1890, 1170 / 1720, 1135 / 2365, 1091 / 1602, 863 / 2760, 1146 / 2916, 738 / 2425,
    1173 / 2033, 988 / 1564,
)  # fmt: skip


def choose_cells(
    present: np.ndarray,
    leading: np.ndarray,
    clear: np.ndarray,
    per_clip: float,
    rng: random.Random,
    *,
    at_least: int = 6,
) -> np.ndarray:
    """Chooses the cells that are asked about.

    Args:
        present: bool [clips, 20], the truth.
        leading: bool [clips, 20], who has the tune.
        clear: bool [clips, 20], False where the truth is a matter of opinion; never asked.
        per_clip: Cells per clip, in the mean.
        rng: Breaks ties.
        at_least: Fewest positives and fewest negatives per class, where there are as many.

    Returns:
        bool [clips, 20]; every clip that has a clear cell is asked about one or more.
    """
    clips = len(present)
    asked = np.zeros_like(present, dtype=bool)
    per_class = clips * per_clip / len(OPENMIC)
    wanted: list[tuple[int, bool]] = []
    for index, share in enumerate(_ORIGINAL_SHARE):
        share = 0.5 * share + 0.225  # half way to 0.45, which a corpus this small needs to keep both answers
        positives = max(at_least, round(per_class * share))
        negatives = max(at_least, round(per_class) - positives)
        wanted += [(index, True)] * positives + [(index, False)] * negatives
    rng.shuffle(wanted)
    alike = _look_alikes(present)
    for index, answer in wanted:
        fit = clear[:, index] & ~asked[:, index] & (present[:, index] == answer)
        candidates = np.flatnonzero(fit)
        if not len(candidates):
            continue
        # Clips asked least come first. Six times out of ten a "yes" is about who leads, as a guess would be, and a "no"
        # about something that sounds like what plays.
        guess = leading[:, index] if answer else alike[:, index]
        favoured = guess if rng.random() < 0.6 else np.zeros(clips, bool)
        best = min(candidates.tolist(), key=lambda clip: (asked[clip].sum() - 0.9 * favoured[clip], rng.random()))
        asked[best, index] = True
    for clip in np.flatnonzero(~asked.any(axis=1)):
        index = rng.choice(np.flatnonzero(clear[clip]).tolist())
        asked[clip, index] = True
    return asked


def _look_alikes(present: np.ndarray) -> np.ndarray:
    """Where an instrument of the same family plays, bool [clips, 20]."""
    families = [INSTRUMENTS[name].family for name in OPENMIC]
    same = np.array([[a == b for b in families] for a in families])
    return (present.astype(int) @ same) > 0


def relevance(present: np.ndarray, asked: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Crowd-like confidence in the truth.

    Args:
        present: bool [clips, 20].
        asked: bool [clips, 20].
        generator: Draws how sure the crowd was.

    Returns:
        float64 [clips, 20]: 0.7 to 1 where present, 0 to 0.3 where absent, 0.5 where nobody was asked; four decimals.
    """
    doubt = np.round(0.3 * generator.beta(0.8, 2.0, size=present.shape), 4)
    return np.where(asked, np.where(present, 1 - doubt, doubt), 0.5)
