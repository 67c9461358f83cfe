"""Shares of polyphonies, and labels that come up equally often."""

from collections import Counter

import numpy as np
import pytest

from tutti.mixtures.deal import deal, polyphonies

LABELS = ("cello", "drums", "flute", "piano", "violin", "voice", "brass")
SUPERVISED = frozenset(LABELS) - {"brass"}


def stream() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.mark.parametrize(
    ("count", "weights", "expected"),
    [
        (30, (1, 1, 1), {1: 10, 2: 10, 3: 10}),
        (10, (0, 3, 1), {2: 8, 3: 2}),
        (10, (1, 1, 1), {1: 4, 2: 3, 3: 3}),
        (1, (0.1, 0.9), {2: 1}),
        (0, (1,), {}),
    ],
)
def test_polyphonies_have_the_shares_of_their_weights(count, weights, expected):
    sizes = polyphonies(count, weights, stream())
    assert len(sizes) == count
    assert Counter(sizes) == expected


def test_polyphonies_are_in_random_order():
    sizes = polyphonies(60, (1, 1, 1), stream())
    assert sizes != sorted(sizes)
    assert sizes == polyphonies(60, (1, 1, 1), stream())


def test_labels_come_up_equally_often_and_once_in_a_clip():
    sizes = polyphonies(200, (1, 1, 1, 1, 1), stream())
    hands = deal(LABELS, SUPERVISED, sizes, stream())
    assert [len(hand) for hand in hands] == sizes
    assert all(len(set(hand)) == len(hand) for hand in hands)
    counts = Counter(name for hand in hands for name in hand)
    assert set(counts) == set(LABELS)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_every_clip_has_a_label_that_stands_for_a_class():
    hands = deal(("brass", "reed", "flute"), {"flute"}, [1, 2] * 50, stream())
    assert all("flute" in hand for hand in hands)
    hands = deal(LABELS, SUPERVISED, [1, 2] * 50, stream())
    assert ("brass",) not in hands
    counts = Counter(name for hand in hands for name in hand)
    assert max(counts.values()) - min(counts.values()) <= 1, "an exchange leaves the numbers as they are"


def test_all_labels_at_once():
    hands = deal(LABELS, SUPERVISED, [len(LABELS)] * 3, stream())
    assert all(sorted(hand) == sorted(LABELS) for hand in hands)


def test_other_streams_deal_otherwise():
    assert deal(LABELS, SUPERVISED, [3] * 9, stream()) == deal(LABELS, SUPERVISED, [3] * 9, stream())
    assert deal(LABELS, SUPERVISED, [3] * 9, stream()) != deal(LABELS, SUPERVISED, [3] * 9, np.random.default_rng(4))
