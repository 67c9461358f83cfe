import itertools
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import torch

from tutti.datasets.irmas_two_stage import (
    PAIRS,
    Example,
    Part,
    four_examples,
    labels_of,
    legacy_order,
    legacy_split,
    mix_pair,
    pair_examples,
)
from tutti.errors import DataError
from tutti.frontends.stereo_waveform import StereoWaveform, StereoWaveformConfig
from tutti.labels import IRMAS_FOUR

COUNTS = {"gac": 637, "pia": 721, "tru": 577, "vio": 580}
SHARES = {"train": 0.6, "valid": 0.2, "test": 0.2}


def clips(counts: dict[str, int], per_song: int = 1) -> pd.DataFrame:
    """Manifest rows in no order; a song has up to ``per_song`` excerpts."""
    rows = [
        (f"irmas/{code}/[{code}]{number:04d}", code, f"irmas/song-{code}-{number // per_song}")
        for code, count in counts.items()
        for number in range(count)
    ]
    table = pd.DataFrame(rows, columns=["clip_id", "native_labels", "group"])
    return table.sample(frac=1, random_state=0).reset_index(drop=True)


def counts(examples: list[Example]) -> dict[str, list[int]]:
    """Examples of each set of labels in each split, in class order."""
    kinds = sorted({example.labels for example in examples}, reverse=True)
    found = Counter((example.split, example.labels) for example in examples)
    return {split: [found[split, kind] for kind in kinds] for split in SHARES}


@pytest.fixture(scope="module")
def real() -> pd.DataFrame:
    """As many clips as the published corpus had, several per song."""
    return clips(COUNTS, per_song=5)


def test_published_shuffle() -> None:
    assert legacy_order(2884)[:6].tolist() == [487, 943, 1808, 2026, 192, 632]
    assert legacy_order(4326)[:6].tolist() == [2906, 1217, 1333, 4004, 3276, 3466]
    assert Counter(legacy_split(2884)) == {"train": 1732, "valid": 576, "test": 576}
    assert Counter(legacy_split(4326)) == {"train": 2596, "valid": 865, "test": 865}


def test_published_counts_of_the_first_stage(real: pd.DataFrame) -> None:
    examples = four_examples(real, split="legacy", balance=True, seed=5)
    assert len(examples) == 2884
    copies = Counter(example.labels for example in examples if example.parts[0].polarity == -1)
    assert [copies[labels_of(code)] for code in IRMAS_FOUR] == [84, 0, 144, 141]
    assert counts(examples) == {
        "train": [430, 432, 448, 422],
        "valid": [139, 141, 142, 154],
        "test": [152, 148, 131, 145],
    }


def test_published_counts_of_the_second_stage(real: pd.DataFrame) -> None:
    examples = pair_examples(real, split="legacy", balance=True, pairs_per_class=None, seed=5)
    assert len(examples) == 6 * 721
    assert counts(examples) == {
        "train": [433, 433, 441, 422, 434, 433],
        "valid": [131, 147, 138, 161, 148, 140],
        "test": [157, 141, 142, 138, 139, 148],
    }


def test_copies_stand_behind_their_originals_and_the_seed_picks_them(real: pd.DataFrame) -> None:
    examples = four_examples(real, split="legacy", balance=True, seed=5)
    names = [example.example_id for example in examples]
    assert names == sorted(names)
    assert len(set(names)) == len(names)
    for before, example in itertools.pairwise(examples):
        if example.parts[0].polarity == -1:
            assert before.parts == (Part(example.parts[0].clip_id, 1),)
            assert before.group == example.group
    shuffled = real.sample(frac=1, random_state=1)
    assert four_examples(shuffled, split="legacy", balance=True, seed=5) == examples
    assert four_examples(real, split="legacy", balance=True, seed=6) != examples
    plain = four_examples(real, split="legacy", balance=False, seed=5)
    assert Counter(example.labels for example in plain) == {labels_of(code): n for code, n in COUNTS.items()}


def test_the_grouped_split_keeps_songs_together_and_classes_in_proportion(real: pd.DataFrame) -> None:
    examples = four_examples(real, split="grouped", balance=True, seed=5)
    splits: dict[str, set[str]] = {}
    for example in examples:
        splits.setdefault(example.group, set()).add(example.split)
    assert all(len(found) == 1 for found in splits.values())
    for split, found in counts(examples).items():
        np.testing.assert_allclose(found, 721 * SHARES[split], atol=8)
    assert four_examples(real.iloc[::-1], split="grouped", balance=True, seed=5) == examples
    other = four_examples(real, split="grouped", balance=True, seed=6)
    assert {e.group: e.split for e in other} != {e.group: e.split for e in examples}


def test_songs_of_several_instruments_and_of_any_size_are_divided() -> None:
    table = clips({"gac": 60, "pia": 50, "tru": 40, "vio": 45})
    generator = np.random.default_rng(0)
    table["group"] = [f"song-{int(number)}" for number in generator.exponential(12, len(table))]
    examples = four_examples(table, split="grouped", balance=False, seed=0)
    sides = {example.group: example.split for example in examples}
    assert all(sides[example.group] == example.split for example in examples)
    for split, found in counts(examples).items():
        np.testing.assert_allclose(found, np.array([60, 50, 40, 45]) * SHARES[split], atol=4)


def test_mixtures_of_the_grouped_split_never_cross_it(real: pd.DataFrame) -> None:
    single = four_examples(real, split="grouped", balance=True, seed=5)
    side = {example.parts[0].clip_id: example.split for example in single}
    mixtures = pair_examples(real, split="grouped", balance=True, pairs_per_class=None, seed=5)
    # As large as published, and every pair as often.
    assert counts(mixtures) == {"train": [433] * 6, "valid": [144] * 6, "test": [144] * 6}
    assert all(side[part.clip_id] == example.split for example in mixtures for part in example.parts)
    assert len({example.parts for example in mixtures}) == len(mixtures)
    assert len({example.example_id for example in mixtures}) == len(mixtures)


def test_the_ith_clip_meets_the_ith(real: pd.DataFrame) -> None:
    single = four_examples(real, split="legacy", balance=True, seed=5)
    listed = {code: [e for e in single if e.labels == labels_of(code)] for code in IRMAS_FOUR}
    mixtures = pair_examples(real, split="legacy", balance=True, pairs_per_class=None, seed=5)
    codes = [pair.split("+") for pair in PAIRS]
    assert PAIRS == ("gac+pia", "gac+tru", "gac+vio", "pia+tru", "pia+vio", "tru+vio")
    for number, mixture in enumerate(mixtures):
        one, other = (listed[code][number % 721] for code in codes[number // 721])
        assert mixture.parts == one.parts + other.parts
        assert mixture.labels == tuple(map(max, one.labels, other.labels))
        assert mixture.group == f"{one.group}+{other.group}"


def test_more_mixtures_than_clips_are_all_different() -> None:
    table = clips(dict.fromkeys(IRMAS_FOUR, 10))
    mixtures = pair_examples(table, split="legacy", balance=True, pairs_per_class=100, seed=0)
    assert len({frozenset(example.parts) for example in mixtures}) == len(mixtures) == 600
    few = pair_examples(table, split="grouped", balance=True, pairs_per_class=20, seed=0)
    assert counts(few) == {"train": [12] * 6, "valid": [4] * 6, "test": [4] * 6}
    with pytest.raises(DataError, match="cannot have 101 mixtures"):
        pair_examples(table, split="legacy", balance=True, pairs_per_class=101, seed=0)
    with pytest.raises(DataError, match="valid cannot have 0 mixtures"):
        pair_examples(table, split="grouped", balance=True, pairs_per_class=4, seed=0)


@pytest.mark.parametrize("order", list(itertools.permutations(IRMAS_FOUR)))
def test_targets_do_not_depend_on_the_order_of_the_folders(order: tuple[str, ...]) -> None:
    """The published loader looked them up by sorted position, right for one of the 24 orders only."""
    folders = sorted("+".join(pair) for pair in itertools.combinations(order, 2))
    targets = {frozenset(folder.split("+")): labels_of(folder) for folder in folders}
    assert targets == {
        frozenset(("gac", "pia")): (1, 1, 0, 0),
        frozenset(("gac", "tru")): (1, 0, 1, 0),
        frozenset(("gac", "vio")): (1, 0, 0, 1),
        frozenset(("pia", "tru")): (0, 1, 1, 0),
        frozenset(("pia", "vio")): (0, 1, 0, 1),
        frozenset(("tru", "vio")): (0, 0, 1, 1),
    }


@pytest.mark.parametrize("name", ["gac+gac", "gac+cel", "", "gac,pia"])
def test_other_names_have_no_target(name: str) -> None:
    with pytest.raises(DataError, match="other instruments"):
        labels_of(name)


def test_a_mixture_is_the_levelled_sum_of_levelled_clips() -> None:
    generator = np.random.default_rng(0)
    a, b = (generator.standard_normal((2, 500)).astype(np.float32) for _ in range(2))
    mixed = mix_pair(a, b)
    assert mixed.dtype == np.float32
    np.testing.assert_allclose(np.abs(mixed).max(axis=1), 0.5)
    # The level of a clip does not matter, and the front end would do the same.
    np.testing.assert_allclose(mix_pair(0.01 * a, 7 * b), mixed, atol=1e-6)
    level = StereoWaveform(StereoWaveformConfig())
    first, second = (level(torch.from_numpy(x)[None]) for x in (a, b))
    np.testing.assert_allclose(mixed, level(first + second)[0].numpy(), atol=1e-6)
    np.testing.assert_allclose(mix_pair(-a, -b), -mixed)


def test_silence_in_a_mixture() -> None:
    a = np.ones((2, 10), np.float32)
    b = np.stack([np.zeros(10), -np.ones(10)]).astype(np.float32)
    mixed = mix_pair(a, b)
    assert mixed.tolist() == [[0.5] * 10, [0.0] * 10]
    with pytest.raises(DataError, match="different shapes"):
        mix_pair(a, b[:, :5])


def test_bad_corpora_are_refused() -> None:
    table = clips(dict.fromkeys(IRMAS_FOUR, 10))
    with pytest.raises(DataError, match=r"of another class[\s\S]*cel"):
        four_examples(table.assign(native_labels="cel"), split="legacy", balance=False, seed=0)
    with pytest.raises(DataError, match="clips repeat"):
        four_examples(pd.concat([table, table[:1]]), split="legacy", balance=False, seed=0)
    with pytest.raises(DataError, match=r"no clip of tru"):
        four_examples(table[table.native_labels != "tru"], split="legacy", balance=False, seed=0)
    with pytest.raises(DataError, match="cannot be split"):
        four_examples(table.assign(group="one song"), split="grouped", balance=False, seed=0)
    with pytest.raises(DataError, match="cannot be split"):
        four_examples(clips(dict.fromkeys(IRMAS_FOUR, 1)), split="legacy", balance=False, seed=0)
    with pytest.raises(DataError, match="cannot balance the class vio"):
        four_examples(clips({**COUNTS, "vio": 300}), split="legacy", balance=True, seed=0)
