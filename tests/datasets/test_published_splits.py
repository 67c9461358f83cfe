"""The random splits that were published for OpenMIC-2018 with and without mixtures, replayed.

They divide clips, not artists, and one run's test clips are another run's training clips. Nothing trains on them: they
say what the published numbers were measured on. The published table has the 2,200 mixtures first, then OpenMIC-2018's
20,000 clips by key.
"""

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

MIXTURES, CLIPS, SEED = 2_200, 20_000, 42


def shuffled_split(rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """80, 10 and 10 per cent of a shuffle: the split of PaSST and MS-CRNN, and (the clips alone) of CBAM-CNN."""
    order = np.arange(rows)
    np.random.default_rng(SEED).shuffle(order)
    train, valid = int(0.8 * rows), int(0.1 * rows)
    return order[:train], order[train : train + valid], order[train + valid :]


def ensemble_split() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The ensemble's clips: scikit-learn's split, its test part halved; all mixtures join the training rows."""
    train, rest = train_test_split(np.arange(CLIPS), test_size=0.2, random_state=SEED)
    valid, test = train_test_split(rest, test_size=0.5, random_state=SEED)
    return train, valid, test


def test_with_mixtures_each_part_has_the_published_number_of_them() -> None:
    parts = shuffled_split(MIXTURES + CLIPS)
    assert [len(part) for part in parts] == [17_760, 2_220, 2_220]
    assert [int((part < MIXTURES).sum()) for part in parts] == [1_781, 202, 217]
    train, _, test = parts
    assert train[:5].tolist() == [3135, 2362, 15612, 13032, 15658]
    assert test[:3].tolist() == [21564, 17424, 12848]


def test_without_mixtures_the_first_clips_are_the_published_ones() -> None:
    train, valid, test = shuffled_split(CLIPS)
    assert [len(train), len(valid), len(test)] == [16_000, 2_000, 2_000]
    assert train[:5].tolist() == [12534, 16210, 11174, 11799, 17466]
    assert test[:5].tolist() == [15974, 6232, 15103, 13888, 744]


def test_the_ensemble_has_another_split() -> None:
    train, valid, test = ensemble_split()
    assert [len(train) + MIXTURES, len(valid), len(test)] == [18_200, 2_000, 2_000]


@pytest.mark.parametrize("parts", [shuffled_split(MIXTURES + CLIPS), shuffled_split(CLIPS), ensemble_split()])
def test_every_row_is_in_one_part(parts: tuple[np.ndarray, ...]) -> None:
    rows = np.sort(np.concatenate(parts))
    np.testing.assert_array_equal(rows, np.arange(len(rows)))


def test_the_ensembles_test_clips_were_its_members_training_clips() -> None:
    _, _, test = ensemble_split()
    with_mixtures, _, _ = shuffled_split(MIXTURES + CLIPS)
    alone, _, _ = shuffled_split(CLIPS)
    assert len(np.intersect1d(test, with_mixtures - MIXTURES)) == 1_573
    assert len(np.intersect1d(test, alone)) == 1_595
