import numpy as np
import pytest

from tests.evaluation_helpers import make_predictions
from tutti.errors import ConfigError, DataError
from tutti.evaluation.metrics import f1_macro
from tutti.evaluation.thresholds import choose_thresholds, shared_threshold, threshold_scores

CANDIDATES = (0.2, 0.3, 0.4, 0.5, 0.6)


def one_class(positive, negative):
    """One class's probabilities, the others nobody was asked about."""
    prob = np.full((len(positive) + len(negative), 20), 0.5)
    prob[:, 0] = [*positive, *negative]
    labels, mask = np.zeros_like(prob), np.zeros(prob.shape, bool)
    labels[: len(positive), 0] = 1.0
    mask[:, 0] = True
    return prob, labels, mask


def test_each_class_gets_the_candidate_that_separates_it():
    prob, labels, mask = one_class([0.35] * 6, [0.25] * 6)
    prob[:, 1], labels[:, 1], mask[:, 1] = [0.65] * 6 + [0.55] * 6, labels[:, 0], True
    found = choose_thresholds(prob, labels, mask, CANDIDATES)
    assert found[0] == 0.3
    assert found[1] == 0.6


def test_a_probability_at_the_threshold_counts_as_present():
    assert choose_thresholds(*one_class([0.4] * 5, [0.39] * 5), CANDIDATES)[0] == 0.4


def test_a_class_with_few_cells_takes_the_shared_threshold():
    prob, labels, mask = one_class([0.35] * 6, [0.25] * 6)
    prob[:, 1], labels[:, 1] = [0.65] * 6 + [0.55] * 6, labels[:, 0]
    mask[4:8, 1] = True  # two positives and two negatives would say 0.6
    found = choose_thresholds(prob, labels, mask, CANDIDATES)
    scores = threshold_scores(prob, labels, mask, CANDIDATES)
    shared, macro = shared_threshold(scores, CANDIDATES)
    assert found[1] == shared != 0.6
    assert macro == pytest.approx(f1_macro(prob, labels, mask, shared))
    assert choose_thresholds(prob, labels, mask, CANDIDATES, min_cells=2)[1] == 0.6


@pytest.mark.parametrize(("positive", "negative"), [([0.3] * 9, []), ([], [0.3] * 9)])
def test_a_class_of_one_polarity_has_no_threshold_of_its_own(positive, negative):
    found = choose_thresholds(*one_class(positive, negative), CANDIDATES)
    assert (found == found[0]).all()


def test_without_any_label_the_candidate_nearest_to_one_half_is_shared():
    nothing = np.zeros((4, 20))
    assert (choose_thresholds(nothing, nothing, nothing, (0.2, 0.45, 0.7)) == 0.45).all()


def test_equal_candidates_go_to_the_one_nearest_the_shared():
    # Between .05 and .95 every candidate separates the class.
    assert choose_thresholds(*one_class([0.95] * 6, [0.05] * 6), CANDIDATES)[0] == 0.5


def test_the_chosen_are_no_worse_than_any_shared_candidate():
    valid = make_predictions(100, skill=0.4)
    arrays = valid.probabilities, valid.labels, valid.mask
    best = f1_macro(*arrays, choose_thresholds(*arrays, CANDIDATES))
    assert all(best >= f1_macro(*arrays, candidate) for candidate in CANDIDATES)


@pytest.mark.parametrize("candidates", [(), (0.0, 0.5), (0.5, 1.0)])
def test_candidates_outside_the_open_interval_are_refused(candidates):
    with pytest.raises(ConfigError, match=r"select\.thresholds"):
        choose_thresholds(*one_class([0.9], [0.1]), candidates)


def test_nan_probabilities_are_refused():
    prob, labels, mask = one_class([0.9], [0.1])
    prob[0, 0] = np.nan
    with pytest.raises(DataError, match="no numbers"):
        choose_thresholds(prob, labels, mask, CANDIDATES)


def test_two_class_f1_does_not_reward_saying_present_to_everything():
    # 0.2 finds all positives and no negative; 0.5 gets two thirds of both right.
    arrays = one_class([0.9, 0.9, 0.9, 0.9, 0.3, 0.3], [0.3, 0.3, 0.3, 0.3, 0.9, 0.9])
    positive = threshold_scores(*arrays, (0.2, 0.5))[:, 0]
    both = threshold_scores(*arrays, (0.2, 0.5), metric="f1_macro_two_class")[:, 0]
    assert positive == pytest.approx([2 / 3, 2 / 3])
    assert both == pytest.approx([1 / 3, 2 / 3])
    assert choose_thresholds(*arrays, (0.2, 0.5), metric="f1_macro_two_class")[0] == 0.5
