import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from tutti.errors import DataError
from tutti.evaluation import counts, ranking
from tutti.evaluation.bootstrap import draw, intervals, memberships, paired_differences, resampled
from tutti.evaluation.metrics import masked_metrics
from tutti.evaluation.task_metrics import f1_macro_present, micro_f1
from tutti.labels import OPENMIC


def cells(clips=110, classes=20, seed=0, density=0.4):
    generator = np.random.default_rng(seed)
    labels = generator.random((clips, classes))
    prob = np.clip(0.5 * labels + 0.5 * generator.random((clips, classes)), 0, 1)
    return prob, labels, generator.random((clips, classes)) < density


@pytest.mark.parametrize("levels", [3, 10, 100_000], ids=["many ties", "some ties", "no ties"])
def test_weighted_scores_equal_scikit_learn_on_the_repeated_rows(levels):
    generator = np.random.default_rng(levels)
    for _ in range(20):
        prob = generator.integers(0, levels, 40) / levels
        present = generator.random(40) < 0.4
        weights = generator.multinomial(40, np.full(40, 1 / 40), size=4)
        ap, area = ranking.average_precision(prob, present, weights), ranking.auroc(prob, present, weights)
        for row, drawn in enumerate(weights):
            truth, scores = np.repeat(present, drawn), np.repeat(prob, drawn)
            assert ap[row] == pytest.approx(average_precision_score(truth, scores), abs=1e-12)
            assert area[row] == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)


def test_without_weight_on_a_polarity_the_scores_are_undefined():
    prob, present = np.array([0.9, 0.1]), np.array([True, False])
    weights = np.array([[0, 1], [1, 0], [0, 0]])
    assert np.isnan(ranking.average_precision(prob, present, weights))[[0, 2]].all()
    assert np.isnan(ranking.auroc(prob, present, weights)).all()


@pytest.mark.parametrize("levels", [3, 10, 100_000], ids=["many ties", "some ties", "no ties"])
def test_unweighted_scores_equal_scikit_learn(levels):
    generator = np.random.default_rng(levels)
    prob = (generator.integers(0, levels, 500) / levels).astype(np.float32)
    present = generator.random(500) < 0.3
    ap, area = ranking.unweighted(prob, present)
    assert ap == pytest.approx(average_precision_score(present, prob), abs=1e-12)
    assert area == pytest.approx(roc_auc_score(present, prob), abs=1e-12)


def test_weights_of_one_give_the_metrics_themselves():
    prob, labels, mask = cells()
    mask[:, 3] = False  # a class nobody was asked about
    labels[:, 4] = 0.0  # one that is never there
    labels[:, 5] = 1.0  # one that always is
    thresholds = np.linspace(0.3, 0.7, 20)
    whole = resampled(prob, labels, mask, thresholds, np.ones((1, len(prob))))
    metrics = masked_metrics(prob, labels, mask, thresholds, names=OPENMIC)
    for name, values in whole.items():
        assert values[0] == pytest.approx(getattr(metrics, name), abs=1e-12), name


def singly(prob):
    """Every clip a group of its own."""
    return [f"clip {row:06d}" for row in range(len(prob))]


def test_draws_follow_the_seed_and_groups_are_numbered_by_name():
    weights = draw(5, 200, 7)
    assert (weights.sum(axis=1) == 5).all()
    assert (weights == draw(5, 200, 7)).all()
    assert (weights != draw(5, 200, 8)).any()
    assert memberships(["b", "a", "b", "c"]).tolist() == [1, 0, 1, 2]


def test_groups_are_drawn_whole():
    # Three artists whose clips are alike: a resample knows an artist wholly or not at all.
    prob = np.repeat([[0.9], [0.6], [0.2]], 8, axis=0)
    labels = np.repeat([[1.0], [0.0], [0.0]], 8, axis=0)
    mask, groups = np.ones(prob.shape, bool), np.repeat(["x", "y", "z"], 8)
    found = intervals(
        prob,
        labels,
        mask,
        0.5,
        groups=groups,
        resamples=400,
        confidence=0.999,
        seed=1,
        means={"right": ((prob >= 0.5) == labels)[:, 0]},
    )
    possible = {0.0, 1 / 3, 2 / 3, 1.0}
    assert {min(possible, key=lambda value: abs(value - end)) for end in (found["right"].low, found["right"].high)} == {
        0.0,
        1.0,
    }
    assert found["right"].value == pytest.approx(2 / 3)


def test_clips_of_one_artist_are_less_sure_than_as_many_of_different_ones():
    """Ten copies of each of twelve clips say no more than the twelve."""
    prob, labels, mask = (np.repeat(array, 10, axis=0) for array in cells(clips=12, classes=5, density=1.0))
    artists = np.repeat([f"artist {number}" for number in range(12)], 10)
    options = {"resamples": 300, "confidence": 0.9, "seed": 1}
    by_artist = intervals(prob, labels, mask, 0.5, groups=artists, **options)
    by_clip = intervals(prob, labels, mask, 0.5, groups=singly(prob), **options)
    of_twelve = intervals(*cells(clips=12, classes=5, density=1.0), 0.5, groups=singly(prob[:12]), **options)
    for name, row in by_artist.items():
        assert row.high - row.low > 1.5 * (by_clip[name].high - by_clip[name].low), name
    assert by_artist["f1_macro"].high - by_artist["f1_macro"].low == pytest.approx(
        of_twelve["f1_macro"].high - of_twelve["f1_macro"].low, rel=0.35
    )


def test_a_single_group_has_no_interval():
    prob, labels, mask = cells()
    for frames in (False, True):
        found = intervals(
            prob, labels, mask, 0.5, groups=["x"] * len(prob), resamples=50, confidence=0.9, seed=1, frames=frames
        )
        for row in found.values():
            assert not np.isnan(row.value)
            assert np.isnan([row.low, row.high]).all()


def test_counts_of_groups_give_the_metrics_of_the_rows():
    prob, labels, mask = cells(clips=300, classes=12)
    labels[:, 4], labels[:, 5], mask[:, 6] = 0.0, 1.0, False
    numbers, thresholds = np.random.default_rng(1).permutation(np.arange(300) % 7), np.linspace(0.3, 0.7, 12)
    grouped = counts.grouped(prob, labels, mask, thresholds, numbers)
    assert grouped.sum() == mask.sum()
    whole = {name: values[0] for name, values in counts.resampled(grouped, np.ones((1, 7))).items()}
    metrics = masked_metrics(prob, labels, mask, thresholds, names=[str(c) for c in range(12)])
    for name in ("f1_macro", "f1_macro_two_class", "hamming"):
        assert whole[name] == pytest.approx(getattr(metrics, name), abs=1e-12), name
    assert whole["micro_f1"] == pytest.approx(micro_f1(prob, labels, mask, thresholds))
    assert whole["f1_macro_present"] == pytest.approx(f1_macro_present(prob, labels, mask, thresholds))
    # Any weighting is that of the repeated rows.
    weights = np.array([[3, 0, 1, 1, 0, 2, 0]])
    by_row = weights[:, numbers]
    found, expected = counts.resampled(grouped, weights), resampled(prob, labels, mask, thresholds, by_row)
    for name in ("f1_macro", "f1_macro_two_class"):
        assert found[name] == pytest.approx(expected[name], abs=1e-12)
    rows = np.repeat(np.arange(300), by_row[0])
    assert found["micro_f1"][0] == pytest.approx(micro_f1(prob[rows], labels[rows], mask[rows], thresholds))


def test_frames_have_intervals_of_thresholded_metrics_alone():
    prob, labels, mask = cells(clips=300, classes=12)
    options = {"groups": np.arange(300) // 10, "resamples": 200, "confidence": 0.9, "seed": 1}
    frames = intervals(prob, labels, mask, 0.5, frames=True, **options)
    assert set(frames) == {"f1_macro", "f1_macro_two_class", "hamming", "micro_f1", "f1_macro_present"}
    clips = intervals(prob, labels, mask, 0.5, **options)
    assert frames["f1_macro"].low == pytest.approx(clips["f1_macro"].low, abs=1e-12)
    assert frames["hamming"].low < frames["hamming"].value < frames["hamming"].high
    same = paired_differences(prob, prob, labels, mask, thresholds=0.5, other_thresholds=0.5, frames=True, **options)
    assert all((row.value, row.low, row.high) == (0, 0, 0) for row in same.values())


def test_the_interval_holds_the_value_and_narrows_with_more_clips():
    few, many = (
        intervals(*cells(clips), 0.5, groups=singly(range(clips)), resamples=300, confidence=0.95, seed=1)["map"]
        for clips in (60, 1500)
    )
    assert few.low < few.value < few.high
    assert many.low < many.value < many.high
    assert many.high - many.low < 0.5 * (few.high - few.low)


def test_a_higher_confidence_widens_the_interval():
    narrow, wide = (
        intervals(*cells(), 0.5, groups=singly(range(110)), resamples=300, confidence=level, seed=1)[
            "f1_macro_two_class"
        ]
        for level in (0.5, 0.95)
    )
    assert wide.low < narrow.low < narrow.high < wide.high


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    generator = np.random.default_rng(3)
    covered = 0
    for run in range(100):
        labels = (generator.random((120, 2)) < 0.5).astype(float)
        prob = np.clip(labels * 0.2 + 0.8 * generator.random((120, 2)), 0, 1)
        mask = np.ones((120, 2), bool)
        interval = intervals(prob, labels, mask, 0.5, groups=singly(prob), resamples=200, confidence=0.9, seed=run)
        # AUROC of U(.2, 1) against U(0, .8): 1 - P(positive < negative) = 1 - (.6 / .8)^2 / 2.
        covered += interval["auroc"].low <= 1 - (0.6 / 0.8) ** 2 / 2 <= interval["auroc"].high
    assert 80 <= covered <= 98


def test_a_model_never_differs_from_itself():
    prob, labels, mask = cells()
    same = paired_differences(
        prob,
        prob,
        labels,
        mask,
        thresholds=0.5,
        other_thresholds=0.5,
        groups=singly(prob),
        resamples=50,
        confidence=0.95,
        seed=1,
    )
    assert all((row.value, row.low, row.high) == (0, 0, 0) for row in same.values())


def test_pairing_finds_a_difference_that_separate_intervals_hide():
    prob, labels, mask = cells(clips=200)
    worse = np.clip(prob + np.random.default_rng(5).normal(0, 0.12, prob.shape), 0, 1)
    options = {"groups": singly(prob), "resamples": 300, "confidence": 0.95, "seed": 1}
    better_alone, worse_alone = (intervals(p, labels, mask, 0.5, **options)["map"] for p in (prob, worse))
    paired = paired_differences(prob, worse, labels, mask, thresholds=0.5, other_thresholds=0.5, **options)["map"]
    assert paired.value == pytest.approx(better_alone.value - worse_alone.value)
    assert paired.low > 0
    assert paired.high - paired.low < better_alone.high - better_alone.low


def test_thresholds_of_each_model_are_its_own():
    prob, labels, mask = cells()
    shifted = prob / 2
    result = paired_differences(
        prob,
        shifted,
        labels,
        mask,
        thresholds=0.6,
        other_thresholds=0.3,
        groups=singly(prob),
        resamples=20,
        confidence=0.95,
        seed=1,
    )
    assert result["f1_macro"].value == 0


def test_different_clips_cannot_be_paired():
    prob, labels, mask = cells()
    with pytest.raises(DataError, match="different clips"):
        paired_differences(
            prob,
            prob[:-1],
            labels,
            mask,
            thresholds=0.5,
            other_thresholds=0.5,
            groups=singly(prob),
            resamples=5,
            confidence=0.9,
            seed=1,
        )


def test_no_clips_give_no_interval():
    empty = np.zeros((0, 20))
    result = intervals(empty, empty, empty.astype(bool), 0.5, groups=[], resamples=5, confidence=0.9, seed=1)
    assert all(np.isnan([row.value, row.low, row.high]).all() for row in result.values())


def test_the_interval_of_average_precision_is_not_biased_upwards():
    # With few clips plain percentiles of average precision lie too high: the value would sit at their low end.
    random = np.random.default_rng(3)
    labels = (random.random((60, 20)) < 0.45).astype(np.float32)
    mask = random.random((60, 20)) < 0.25
    prob = np.clip(0.5 + 0.08 * (labels - 0.5) + 0.2 * random.standard_normal((60, 20)), 0, 1)
    found = intervals(prob, labels, mask, 0.5, groups=singly(prob), resamples=300, confidence=0.95, seed=1)["map"]
    weights = draw(60, 300, 1)
    plain = np.quantile(resampled(prob, labels, mask, 0.5, weights)["map"], [0.025, 0.975])
    assert found.value < plain.mean() - 0.1 * np.ptp(plain), "the case is not the one that is meant"
    assert abs((found.low + found.high) / 2 - found.value) < abs(plain.mean() - found.value)
