from dataclasses import replace

import numpy as np
import pytest

from tests.evaluation_helpers import as_frames, join, make_predictions
from tutti.errors import ConfigError, DataError
from tutti.evaluation.ensemble import align, combine, search, simplex_grid
from tutti.evaluation.metrics import f1_macro, masked_metrics
from tutti.evaluation.thresholds import choose_thresholds
from tutti.labels import OPENMIC

CANDIDATES = (0.2, 0.3, 0.4, 0.5)
OPTIONS = {"step": 0.1, "thresholds": CANDIDATES, "objective": "map"}


def valid(noise_seed, skill=0.3):
    return make_predictions(80, split="valid", skill=skill, noise_seed=noise_seed)


def test_three_members_at_a_tenth_are_66_points():
    grid = simplex_grid(3, 0.1)
    assert grid.shape == (66, 3)
    assert len({tuple(row) for row in np.round(grid * 10).astype(int).tolist()}) == 66
    np.testing.assert_allclose(grid.sum(axis=1), 1, atol=1e-12)
    # The two points that adding up floats loses.
    for lost in ([0.0, 0.2, 0.8], [0.0, 0.1, 0.9]):
        assert (np.abs(grid - lost).max(axis=1) < 1e-12).sum() == 1


@pytest.mark.parametrize(("members", "step", "points"), [(1, 0.1, 1), (2, 0.5, 3), (4, 0.1, 286), (3, 0.05, 231)])
def test_other_grids(members, step, points):
    assert len(simplex_grid(members, step)) == points


@pytest.mark.parametrize("step", [0.3, 0.15, 0.4])
def test_a_step_that_does_not_divide_one_is_refused(step):
    with pytest.raises(ConfigError, match=r"select\.step"):
        simplex_grid(3, step)


def test_a_grid_too_large_to_search_is_refused_with_its_size():
    with pytest.raises(ConfigError, match=r"13 members at select.step 0\.1 are 646646 combinations"):
        simplex_grid(13, 0.1)


def test_degenerate_weights_reproduce_the_single_model_exactly():
    members = [valid(seed).probabilities for seed in range(3)]
    for index in range(3):
        weights = [float(other == index) for other in range(3)]
        np.testing.assert_array_equal(combine(members, weights), members[index])


def test_the_mean_is_weighted():
    parts = [np.full((2, 20), value, np.float32) for value in (0.2, 0.6, 1.0)]
    np.testing.assert_allclose(combine(parts, [0.5, 0.25, 0.25]), 0.5)


def test_independent_members_are_better_together_and_the_table_says_so():
    members = {name: valid(seed) for seed, name in enumerate(("a", "b", "c"))}
    found = search(members, **OPTIONS)
    table = found.table
    assert len(table) == 66
    assert table["selected"].sum() == 1
    row = table[table["selected"]].iloc[0]
    assert {name: row[f"weight_{name}"] for name in found.weights} == found.weights
    assert found.score == row["map"] == table["map"].max()
    singles = table[(table[["weight_a", "weight_b", "weight_c"]].max(axis=1) == 1)]
    assert found.score > singles["map"].max()
    assert singles.loc[singles["map"].idxmax(), f"weight_{found.best_single}"] == 1
    prob = combine([members[name].probabilities for name in found.weights], list(found.weights.values()))
    first = members["a"]
    assert masked_metrics(prob, first.labels, first.mask, 0.5, names=OPENMIC).map == pytest.approx(
        found.score, abs=1e-12
    )
    assert found.thresholds == tuple(choose_thresholds(prob, first.labels, first.mask, CANDIDATES))


def test_the_objective_f1_macro_takes_the_best_shared_threshold():
    members = {name: valid(seed) for seed, name in enumerate(("a", "b"))}
    found = search(members, **{**OPTIONS, "objective": "f1_macro"})
    row = found.table[found.table["selected"]].iloc[0]
    assert found.score == row["f1_macro"] == found.table["f1_macro"].max()
    prob = combine([members[name].probabilities for name in found.weights], list(found.weights.values()))
    values = [f1_macro(prob, members["a"].labels, members["a"].mask, t) for t in CANDIDATES]
    assert found.score == pytest.approx(max(values))
    assert row["threshold"] == CANDIDATES[int(np.argmax(values))]


def test_a_useless_member_is_left_out():
    good, useless = valid(1, skill=1.0), valid(2, skill=0.0)
    inverted = good.with_probabilities(1 - good.probabilities)
    found = search({"inverted": inverted, "good": good}, **OPTIONS)
    assert "good" in found.weights
    assert found.best_single == "good"
    # Below a weight of .5 the inverted member cannot turn any pair round: the tie goes to the most equal weights.
    assert found.weights == {"inverted": pytest.approx(0.4), "good": pytest.approx(0.6)}
    assert search({"good": good, "useless": useless}, **OPTIONS).score == 1.0


def test_ties_go_to_more_equal_weights():
    same = valid(1)
    found = search({"a": same, "b": same, "c": same}, **OPTIONS)
    assert sorted(found.weights.values()) == pytest.approx([0.3, 0.3, 0.4])


def test_a_single_member_is_its_own_ensemble():
    found = search({"only": valid(1)}, **OPTIONS)
    assert found.weights == {"only": 1.0}
    assert found.best_single == "only"
    assert len(found.table) == 1


def test_members_in_another_row_order_are_aligned_by_clip():
    first, second = valid(1), valid(2)
    order = np.random.default_rng(0).permutation(len(second))
    shuffled = second.take(order)
    np.testing.assert_array_equal(align({"a": first, "b": shuffled})["b"].probabilities, second.probabilities)
    assert (
        search({"a": first, "b": shuffled}, **OPTIONS).weights == search({"a": first, "b": second}, **OPTIONS).weights
    )


def test_test_clips_cannot_take_part():
    both = join(valid(1), make_predictions(10))
    with pytest.raises(DataError, match="validation clips only"):
        search({"a": both}, **OPTIONS)


def test_members_on_other_clips_or_labels_are_refused():
    first = valid(1)
    fewer = first.take(np.arange(1, len(first)))
    with pytest.raises(DataError, match="1 clip"):
        search({"a": first, "b": fewer}, **OPTIONS)
    with pytest.raises(DataError, match="labels differ"):
        search({"a": first, "b": replace(first, labels=1 - first.labels)}, **OPTIONS)
    with pytest.raises(DataError, match="cells were asked"):
        search({"a": first, "b": replace(first, mask=~first.mask)}, **OPTIONS)


def test_no_members_and_validation_without_both_kinds_are_refused():
    with pytest.raises(DataError, match="no model"):
        search({}, **OPTIONS)
    first = valid(1)
    with pytest.raises(DataError, match="both positive and negative"):
        search({"a": replace(first, labels=np.ones_like(first.labels))}, **OPTIONS)


def test_within_a_standard_error_the_more_equal_weights_are_taken():
    # Three models of the same skill on few clips: the best point is partly luck.
    few = {"split": "valid", "skill": 0.3, "density": 0.3}
    members = {name: make_predictions(40, noise_seed=seed, **few) for seed, name in enumerate(("a", "b", "c"))}
    best, equal = search(members, **OPTIONS), search(members, **OPTIONS, standard_errors=1.0, seed=1)
    assert sum(w**2 for w in equal.weights.values()) < sum(w**2 for w in best.weights.values())
    assert equal.score <= best.score
    assert equal.table["selected"].sum() == 1
    assert search(members, **OPTIONS, standard_errors=1.0, seed=1).weights == equal.weights


def test_a_standard_error_does_not_excuse_a_bad_member():
    members = {"good": valid(1, skill=0.6), "noise": valid(2, skill=0.0), "inverse": valid(3, skill=0.0)}
    members["inverse"] = members["good"].with_probabilities(1 - members["good"].probabilities)
    found = search(members, **OPTIONS, standard_errors=1.0, seed=1)
    assert found.weights["good"] > 0.5


def test_frames_are_searched_by_the_counts_of_their_groups():
    few = {"split": "valid", "skill": 0.3, "density": 0.3}
    members = {name: as_frames(make_predictions(60, noise_seed=seed, **few), 6) for seed, name in enumerate("abc")}
    options = {**OPTIONS, "objective": "f1_macro", "frames": True}
    best, equal = search(members, **options), search(members, **options, standard_errors=1.0, seed=1)
    assert sum(w**2 for w in equal.weights.values()) <= sum(w**2 for w in best.weights.values())
    assert search(members, **{**OPTIONS, "frames": True}).score > 0
    with pytest.raises(ConfigError, match="cannot be chosen by map"):
        search(members, **OPTIONS, frames=True, standard_errors=1.0)
    # A single model has no weights to choose.
    assert search({"a": members["a"]}, **OPTIONS, frames=True, standard_errors=1.0).weights == {"a": 1.0}


def test_the_standard_error_is_that_of_groups():
    # The same recording ten times over is one: what ten copies seem to prove, one does not.
    models = {"a": (0.3, 6), "b": (0.1, 7)}
    once = {
        name: make_predictions(30, split="valid", skill=skill, noise_seed=seed)
        for name, (skill, seed) in models.items()
    }
    copies = {}
    for name, predictions in once.items():
        many = predictions.take(np.repeat(np.arange(30), 10))
        clip_id = np.array([f"clip{row:04d}" for row in range(300)], object)
        copies[name] = replace(many, clip_id=clip_id)
    options = {**OPTIONS, "standard_errors": 1.0, "seed": 1}
    one, grouped = search(once, **options), search(copies, **options)
    alone = search({name: replace(many, group=many.clip_id) for name, many in copies.items()}, **options)
    assert grouped.weights == one.weights
    assert sum(w**2 for w in alone.weights.values()) > sum(w**2 for w in grouped.weights.values())
