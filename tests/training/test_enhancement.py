import numpy as np
import pytest

from tutti.errors import ConfigError, DataError
from tutti.training.enhancement import enhance_labels, unasked_as_absent

LABELS = np.array([[1.0, 0.5], [0.5, 0.5], [0.5, 0.2], [0.5, 0.5], [0.5, 0.5], [0.7, 0.5]], np.float32)
MASK = np.array([[1, 0], [0, 0], [0, 1], [0, 0], [0, 0], [1, 0]], bool)
#: Unasked in column 0: rows 1 to 4; in column 1: all but row 2.
PROBABILITIES = np.array([[0.0, 0.5], [0.9, 0.4], [0.1, 1.0], [0.8, 0.3], [0.2, 0.2], [0.0, 0.1]])


def test_unasked_cells_become_absences() -> None:
    labels, mask = unasked_as_absent(LABELS, MASK)
    np.testing.assert_array_equal(labels, np.where(MASK, LABELS, 0))
    assert labels.dtype == np.float32
    assert mask.all()
    assert LABELS[1, 0] == 0.5  # the arguments stay


def test_what_stands_in_an_unasked_cell_does_not_matter() -> None:
    labels, _ = unasked_as_absent(np.where(MASK, LABELS, np.nan), MASK)
    np.testing.assert_array_equal(labels, np.where(MASK, LABELS, 0))


def test_the_most_confident_unasked_cells_of_each_class_become_unknown() -> None:
    labels, mask = enhance_labels(PROBABILITIES, LABELS, MASK, confident_share=0.5)
    np.testing.assert_array_equal(labels, np.where(MASK, LABELS, 0))
    # Of four the two above 0.5; of five, half is 2 (0.5 and 0.4).
    assert mask.T.astype(int).tolist() == [[1, 0, 1, 0, 1, 1], [0, 0, 1, 1, 1, 1]]


def test_the_published_share_keeps_a_tenth() -> None:
    generator = np.random.default_rng(0)
    probabilities, labels = generator.random((1000, 3)), generator.random((1000, 3))
    asked = np.zeros((1000, 3), bool)
    asked[:100] = True
    _, mask = enhance_labels(probabilities, labels, asked)
    assert mask[:100].all()
    kept = mask[100:]
    assert kept.sum(axis=0).tolist() == [90, 90, 90]
    for index in range(3):
        assert probabilities[100:][kept[:, index], index].max() < probabilities[100:][~kept[:, index], index].min()


@pytest.mark.parametrize(("share", "known"), [(0.0, 12), (1.0, 3)])
def test_the_ends_are_all_absent_and_masked(share: float, known: int) -> None:
    _, mask = enhance_labels(PROBABILITIES, LABELS, MASK, confident_share=share)
    assert mask.sum() == known


def test_equal_confidence_goes_by_row() -> None:
    _, mask = enhance_labels(np.full((4, 1), 0.3), np.zeros((4, 1)), np.zeros((4, 1), bool), confident_share=0.5)
    assert mask[:, 0].tolist() == [False, False, True, True]


def test_a_class_that_everybody_was_asked_about_stays() -> None:
    labels, mask = enhance_labels(np.ones((3, 1)), np.ones((3, 1)), np.ones((3, 1), bool))
    assert labels.all()
    assert mask.all()


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_outside_0_to_1_is_refused(share: float) -> None:
    with pytest.raises(ConfigError, match="confident_share"):
        enhance_labels(PROBABILITIES, LABELS, MASK, confident_share=share)


def test_probabilities_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="same shape"):
        enhance_labels(PROBABILITIES[:3], LABELS, MASK)
    with pytest.raises(DataError, match="no numbers"):
        enhance_labels(np.where(MASK, np.nan, PROBABILITIES), LABELS, MASK)
