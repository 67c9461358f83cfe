"""Which instruments play in which clip: exact shares of polyphonies, and all labels equally often."""

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np


def polyphonies(count: int, weights: Sequence[float], stream: np.random.Generator) -> list[int]:
    """The number of instruments of each clip, in random order, in shares as close to the weights as whole clips allow.

    Args:
        count: Number of clips.
        weights: Relative share of 1, 2, ... instruments; not negative, not all 0.
        stream: Decides the order.

    Returns:
        ``count`` numbers from 1 to ``len(weights)``.
    """
    shares = np.asarray(weights, float) / sum(weights) * count
    each = np.floor(shares).astype(int)
    # Largest remainder: the clips that are left go to the polyphonies that rounding wronged most.
    for index in np.argsort(each - shares, kind="stable")[: count - int(each.sum())]:
        each[index] += 1
    ordered = np.repeat(np.arange(1, len(each) + 1), each)
    return [int(size) for size in stream.permutation(ordered)]


def deal(
    labels: Sequence[str], supervised: Collection[str], sizes: Sequence[int], stream: np.random.Generator
) -> list[tuple[str, ...]]:
    """Deals the labels to clips from shuffled decks, so that their numbers of clips differ by one at most.

    A clip never has a label twice, and always one that stands for a class. Where that takes an exchange between two
    clips, the numbers stay as they are; only where no clip can give one (clips of a single instrument alone), another
    label takes the place.

    Args:
        labels: All labels.
        supervised: Those that stand for a class; at least one.
        sizes: Number of labels of each clip, at most ``len(labels)``.
        stream: Decides the order.

    Returns:
        The labels of each clip.
    """
    hands: list[list[str]] = []
    deck: list[str] = []
    for size in sizes:
        hand = deck[:size]
        deck = deck[size:]
        if len(hand) < size:
            fresh = [labels[index] for index in stream.permutation(len(labels))]
            # What the hand has already goes to the bottom.
            deck = [name for name in fresh if name not in hand] + [name for name in fresh if name in hand]
            missing = size - len(hand)
            hand, deck = hand + deck[:missing], deck[missing:]
        hands.append(hand)
    for hand in hands:
        if not any(name in supervised for name in hand):
            _make_supervised(hand, hands, supervised)
    return [tuple(hand) for hand in hands]


def _make_supervised(hand: list[str], hands: list[list[str]], supervised: Collection[str]) -> None:
    """Gives the hand a label that stands for a class, in place."""
    for other in hands:
        gifts = [place for place, name in enumerate(other) if name in supervised]
        takes = [place for place, name in enumerate(hand) if name not in other]
        if len(gifts) > 1 and takes:
            hand[takes[0]], other[gifts[0]] = other[gifts[0]], hand[takes[0]]
            return
    counts = Counter(name for each in hands for name in each)
    hand[0] = min(sorted(supervised), key=lambda name: counts[name])
