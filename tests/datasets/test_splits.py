from dataclasses import replace

import numpy as np
import pytest

from tutti.datasets.base import Clip
from tutti.datasets.splits import carve_valid


def clip(number: int, group: str, relevance: dict[int, float], split: str = "train") -> Clip:
    return Clip(f"{number:05d}", f"{number}.wav", split, group, (), relevance)


def many(clips: int, groups: int, seed: int = 0) -> list[Clip]:
    generator = np.random.default_rng(seed)
    return [
        clip(number, f"g{generator.integers(groups)}", {int(generator.integers(20)): float(generator.random())})
        for number in range(clips)
    ]


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.5])
def test_the_share_is_of_groups_and_groups_stay_whole(fraction: float) -> None:
    clips = carve_valid(many(4000, 300), fraction, seed=1)
    splits: dict[str, set[str]] = {}
    for found in clips:
        splits.setdefault(found.group, set()).add(found.split)
    assert all(len(found) == 1 for found in splits.values())
    assert sum(found == {"valid"} for found in splits.values()) == round(fraction * len(splits))


def test_test_clips_and_everything_else_stay_as_they_were() -> None:
    before = [*many(100, 30), clip(900, "only test", {0: 1.0}, "test")]
    after = carve_valid(before, 0.3, seed=1)
    assert after[-1] == before[-1]
    assert [replace(found, split="train") for found in after[:-1]] == before[:-1]


def test_the_seed_decides_and_the_order_of_the_clips_does_not() -> None:
    clips = many(500, 60)
    first = {found.key: found.split for found in carve_valid(clips, 0.2, seed=7)}
    again = {found.key: found.split for found in carve_valid(clips[::-1], 0.2, seed=7)}
    other = {found.key: found.split for found in carve_valid(clips, 0.2, seed=8)}
    assert first == again
    assert first != other


@pytest.mark.parametrize("seed", range(10))
def test_scarce_answers_are_kept_in_both_splits(seed: int) -> None:
    """Class 3 is present in two groups of forty; a plain draw of 10 % would mostly miss validation."""
    clips = [clip(number, f"g{number}", {0: float(number % 2)}) for number in range(40)]
    clips[11] = clip(11, "g11", {3: 1.0})
    clips[23] = clip(23, "g23", {3: 0.9})
    after = carve_valid(clips, 0.1, seed)
    assert {after[11].split, after[23].split} == {"train", "valid"}


@pytest.mark.parametrize("seed", range(10))
def test_the_only_group_with_an_answer_stays_in_train(seed: int) -> None:
    clips = [clip(number, f"g{number}", {0: float(number % 2)}) for number in range(10)]
    clips[4] = clip(4, "g4", {5: 1.0})
    after = carve_valid(clips, 0.5, seed)
    assert after[4].split == "train"


def test_a_single_group_cannot_be_divided(caplog: pytest.LogCaptureFixture) -> None:
    clips = [clip(number, "same", {0: 1.0}) for number in range(5)]
    assert carve_valid(clips, 0.2, seed=0) == clips
    assert "no validation split" in caplog.text
