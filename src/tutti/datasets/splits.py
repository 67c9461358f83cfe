"""Carving a validation split out of the training groups."""

import logging
from collections import Counter
from collections.abc import Hashable
from dataclasses import replace

from tutti.datasets.base import Clip
from tutti.seeds import numpy_generator

log = logging.getLogger(__name__)


def carve_valid(clips: list[Clip], fraction: float, seed: int) -> list[Clip]:
    """Moves a share of the training groups, whole, into the validation split; test is never touched.

    The groups are drawn at random, those that hold what validation still lacks first: each native label, and each
    class's positives and negatives, are kept in both splits wherever two or more groups hold them.

    Args:
        clips: All clips of one dataset.
        fraction: Share of the training groups to move, in (0, 1).
        seed: The run's seed.

    Returns:
        The clips in the same order, some with split ``valid``.
    """
    holds: dict[str, set[Hashable]] = {}
    for clip in clips:
        if clip.split == "train":
            holds.setdefault(clip.group, set()).update(_holdings(clip))
    if len(holds) < 2:
        log.warning("no validation split: the training clips form %d group(s)", len(holds))
        return clips
    names = sorted(holds)
    order = [names[i] for i in numpy_generator(seed, "valid split").permutation(len(names))]
    wanted = max(1, round(fraction * len(order)))
    left = Counter(holding for held in holds.values() for holding in held)
    lacking = {holding for holding, count in left.items() if count > 1}
    chosen: set[str] = set()
    # First groups that bring something validation lacks, then any; none that would leave training without something.
    for needed in (True, False):
        for group in order:
            if len(chosen) == wanted:
                break
            held = holds[group]
            if group in chosen or (needed and not held & lacking) or any(left[holding] == 1 for holding in held):
                continue
            chosen.add(group)
            left.subtract(held)
            lacking -= held
    if lacking:
        log.warning("%d label(s) could not be kept in both train and valid", len(lacking))
    return [replace(clip, split="valid") if clip.split == "train" and clip.group in chosen else clip for clip in clips]


def _holdings(clip: Clip) -> set[Hashable]:
    return {*clip.native, *((index, value >= 0.5) for index, value in clip.relevance.items())}
