"""The two corpora of the four-instrument system, both made from IRMAS' training excerpts.

The first has one instrument per example: the excerpts themselves and polarity-inverted copies that bring every class to
the size of the largest. The second has exactly two: mixtures of those, for each of the six pairs.

The published split is a shuffle over the class-sorted list of examples, so that a copy, another excerpt of the song or
another mixture of the clip may stand on the other side; it can be replayed here. The grouped split keeps a song
with everything made of it on one side.

References:
    APS360 Musical Instrument Classification, University of Toronto course project, 2020. Its pairs' targets were looked
    up by the sorted position of the folders' names, which is right for one order of the folders only; here they are
    parsed from the names.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from tutti.datasets.manifest import SPLITS
from tutti.errors import DataError
from tutti.labels import IRMAS_FOUR
from tutti.seeds import numpy_generator

Split = Literal["grouped", "legacy"]

#: The pairs in class order, each in the order of the codes.
PAIRS: tuple[str, ...] = tuple("+".join(pair) for pair in itertools.combinations(IRMAS_FOUR, 2))

#: The published seed of the legacy split.
LEGACY_SEED = 1
#: Peak of each channel of a clip before mixing, and of the mixture.
PEAK = 0.5
_SILENCE = 1e-8
_HELD_OUT = 0.2  # for validation and as much for test


@dataclass(frozen=True)
class Part:
    """One clip of an example.

    Attributes:
        clip_id: The clip in the manifest.
        polarity: 1, or -1 where the samples are inverted.
    """

    clip_id: str
    polarity: int


@dataclass(frozen=True)
class Example:
    """What a model is shown at a time.

    Attributes:
        example_id: Unique within its task.
        parts: The clips that are mixed, one or two.
        split: ``train``, ``valid`` or ``test``.
        group: The song, or the two songs joined by ``+``.
        labels: 0 or 1 for each code of ``IRMAS_FOUR``.
    """

    example_id: str
    parts: tuple[Part, ...]
    split: str
    group: str
    labels: tuple[int, ...]


def labels_of(name: str) -> tuple[int, ...]:
    """The labels that a code, or codes joined by ``+`` in any order, stand for.

    Returns:
        0 or 1 for each code of ``IRMAS_FOUR``.

    Raises:
        DataError: A code is not one of the four, or occurs twice.
    """
    codes = name.split("+")
    if not set(codes) <= set(IRMAS_FOUR) or len(set(codes)) != len(codes):
        raise DataError(
            "an example is named after other instruments", got=repr(name), expected=f"some of {', '.join(IRMAS_FOUR)}"
        )
    return tuple(int(code in codes) for code in IRMAS_FOUR)


def four_examples(clips: pd.DataFrame, *, split: Split, balance: bool, seed: int) -> list[Example]:
    """The examples with one instrument, sorted by class, then by name; a copy follows its original.

    Args:
        clips: Manifest rows of IRMAS' training part with the four codes, in any order.
        split: ``grouped`` by song, or ``legacy`` as published.
        balance: Whether inverted copies bring every class to the size of the largest.
        seed: Seed of the choice of copies and of the grouped split.

    Raises:
        DataError: A row has another code, clips repeat, a class has none, or a split would be empty.
    """
    examples = [example for listed in _by_class(clips, balance, seed).values() for example in listed]
    if split == "legacy":
        return _legacy(examples)
    splits = grouped_split([example.group for example in examples], [example.labels for example in examples], seed)
    return [replace(example, split=splits[example.group]) for example in examples]


def pair_examples(
    clips: pd.DataFrame, *, split: Split, balance: bool, pairs_per_class: int | None, seed: int
) -> list[Example]:
    """The mixtures of two instruments, sorted by pair.

    The i-th clip of one class is mixed with the i-th of the other, as published; in the grouped split within each
    split, of which train gets three fifths of the mixtures. When more mixtures are wanted than there are clips, the
    lists are gone through again, shifted, so that no two clips meet twice.

    Args:
        clips: As for `four_examples`.
        split: ``grouped`` by song, or ``legacy`` as published.
        balance: Whether inverted copies bring every class to the size of the largest before mixing.
        pairs_per_class: Mixtures of each pair; None for as many as the smallest class has clips after balancing.
        seed: As for `four_examples`.

    Raises:
        DataError: See `four_examples`; also when there are not enough clips for that many mixtures.
    """
    listed = _by_class(clips, balance, seed)
    count = pairs_per_class or min(map(len, listed.values()))
    if split == "legacy":
        examples = [example for pair in PAIRS for example in _mixtures(pair, listed, count)]
        return _legacy(examples)
    single = four_examples(clips, split=split, balance=balance, seed=seed)
    sides = {
        name: {code: [one for one in single if (one.split, one.labels) == (name, labels_of(code))] for code in listed}
        for name in SPLITS
    }
    held_out = math.floor(_HELD_OUT * count)
    wanted = {"train": count - 2 * held_out, "valid": held_out, "test": held_out}
    mixtures: list[Example] = []
    for pair in PAIRS:
        first = 0
        for name in SPLITS:
            mixtures += _mixtures(pair, sides[name], wanted[name], split=name, first=first)
            first += wanted[name]
    return mixtures


def mix_pair(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The mixture of two clips: each channel brought to a peak of 0.5, added, and brought to 0.5 again.

    Args:
        a: float32 [2, n].
        b: float32 [2, n].

    Returns:
        float32 [2, n]; a channel that is silent stays so.

    Raises:
        DataError: Their shapes differ.
    """
    if a.shape != b.shape:
        raise DataError("two clips of different shapes cannot be mixed", got=f"{a.shape} and {b.shape}")
    return _levelled(_levelled(a) + _levelled(b))


def legacy_split(count: int) -> list[str]:
    """The published split of a class-sorted list: a shuffle, a fifth each for validation and test, not stratified.

    Args:
        count: Length of the list.

    Returns:
        The split of each position. In the shuffled order train comes first, then validation, then test.

    Raises:
        DataError: There are too few for a fifth.
    """
    held_out = math.floor(_HELD_OUT * count)
    if held_out < 1:
        raise DataError(f"{count} examples cannot be split into train, validation and test", expected="at least 5")
    order = legacy_order(count)
    splits = ["train"] * count
    for position in order[count - 2 * held_out : count - held_out]:
        splits[position] = "valid"
    for position in order[count - held_out :]:
        splits[position] = "test"
    return splits


def legacy_order(count: int) -> np.ndarray:
    """The published shuffle of ``range(count)``, int64 [count]."""
    order = np.arange(count)
    np.random.RandomState(LEGACY_SEED).shuffle(order)
    return order


def grouped_split(groups: Sequence[str], labels: Sequence[tuple[int, ...]], seed: int) -> dict[str, str]:
    """Gives every group one split, so that each label is divided 60 to 20 to 20 as well as its groups allow.

    The groups are taken in order of size, equal ones at random, and each goes where it brings the labels' counts
    nearest to those shares.

    Args:
        groups: The group of each example.
        labels: Its labels.
        seed: Decides among groups of equal size.

    Returns:
        Split by group.

    Raises:
        DataError: A split would be empty.
    """
    held: dict[str, np.ndarray] = {}
    for group, row in zip(groups, labels, strict=True):
        held[group] = held.get(group, np.zeros(len(row))) + row
    names = sorted(held)
    names = [names[index] for index in numpy_generator(seed, "irmas two-stage", "split").permutation(len(names))]
    share = np.array([1 - 2 * _HELD_OUT, _HELD_OUT, _HELD_OUT])[:, None]
    wanted = share * np.sum(list(held.values()), axis=0)
    got = np.zeros_like(wanted)
    splits: dict[str, str] = {}
    for name in sorted(names, key=lambda name: -held[name].sum()):
        # What the weighted squared distance from the wanted counts grows by, for each of the three splits.
        growth = (held[name] * (2 * (got - wanted) + held[name]) / np.maximum(wanted, 1e-9)).sum(axis=1)
        chosen = int(growth.argmin())
        got[chosen] += held[name]
        splits[name] = SPLITS[chosen]
    if set(splits.values()) != set(SPLITS):
        raise DataError(
            "the songs cannot be split into train, validation and test",
            got=f"{len(splits)} song(s)",
            hint="add recordings, or set irmas.split to legacy in params.yaml",
        )
    return splits


def _legacy(examples: Sequence[Example]) -> list[Example]:
    return [replace(example, split=name) for example, name in zip(examples, legacy_split(len(examples)), strict=True)]


def _by_class(clips: pd.DataFrame, balance: bool, seed: int) -> Mapping[str, list[Example]]:
    """The examples of each class without a split, by name, with the inverted copies that were picked."""
    repeated = clips["clip_id"][clips["clip_id"].duplicated()]
    if len(repeated):
        raise DataError("clips repeat", got=", ".join(repeated.head(5)))
    listed: dict[str, list[Example]] = {code: [] for code in IRMAS_FOUR}
    rows = zip(clips["clip_id"], clips["native_labels"], clips["group"], strict=True)
    for clip_id, code, group in sorted(rows):
        if code not in listed:
            raise DataError(f"{clip_id} is of another class", got=code, expected=", ".join(IRMAS_FOUR))
        listed[code].append(Example(clip_id, (Part(clip_id, 1),), "", group, labels_of(code)))
    missing = [code for code, examples in listed.items() if not examples]
    if missing:
        raise DataError(
            "the four-instrument corpus lacks instruments",
            got=f"no clip of {', '.join(missing)}",
            expected=", ".join(IRMAS_FOUR),
            hint="fetch IRMAS-TrainingData.zip again, whole",
        )
    if balance:
        largest = max(map(len, listed.values()))
        listed = {code: _filled_up(examples, largest, code, seed) for code, examples in listed.items()}
    return listed


def _filled_up(examples: list[Example], wanted: int, code: str, seed: int) -> list[Example]:
    """The examples with inverted copies of some, each at most once, so that there are ``wanted``."""
    lacking = wanted - len(examples)
    if lacking > len(examples):
        raise DataError(
            f"inverted copies cannot balance the class {code}",
            got=f"{len(examples)} clips, the largest class has {wanted}",
            expected=f"at least {math.ceil(wanted / 2)}",
            hint="set irmas.balance to false in params.yaml, or add recordings",
        )
    generator = numpy_generator(seed, "irmas two-stage", "copies", code)
    picked = set(generator.choice(len(examples), size=lacking, replace=False).tolist())
    filled = []
    for index, example in enumerate(examples):
        filled.append(example)
        if index in picked:
            inverted = (Part(example.parts[0].clip_id, -1),)
            filled.append(replace(example, example_id=f"{example.example_id}~inverted", parts=inverted))
    return filled


def _mixtures(
    pair: str, listed: Mapping[str, Sequence[Example]], count: int, *, split: str = "", first: int = 0
) -> list[Example]:
    """``count`` mixtures of a pair, numbered from ``first``: the i-th of one class with the i-th of the other."""
    one, other = (listed[code] for code in pair.split("+"))
    if not 0 < count <= len(one) * len(other):
        raise DataError(
            f"{split or 'the corpus'} cannot have {count} mixtures of {pair}",
            got=f"{len(one)} and {len(other)} clips",
            hint="change irmas.pairs_per_class in params.yaml (at least 5), or add recordings",
        )
    mixtures = []
    for index in range(count):
        a = one[index % len(one)]
        # Behind the least common multiple the same clips would meet again.
        b = other[(index + index // math.lcm(len(one), len(other))) % len(other)]
        group = "+".join(dict.fromkeys((a.group, b.group)))
        name = f"irmas-pairs/{pair}/{first + index:04d}"
        mixtures.append(Example(name, (*a.parts, *b.parts), split, group, labels_of(pair)))
    return mixtures


def _levelled(samples: np.ndarray) -> np.ndarray:
    peak = np.maximum(np.abs(samples).max(axis=-1, keepdims=True), _SILENCE)
    return (samples / peak * PEAK).astype(np.float32)
