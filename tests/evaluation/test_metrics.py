import numpy as np
import pytest
from sklearn.metrics import f1_score

from tutti.errors import DataError
from tutti.evaluation.metrics import decide, f1_macro, masked_metrics, mean_average_precision
from tutti.labels import OPENMIC

# Precision, recall, positives, F1 of the positive class at 0.5, per class in OpenMIC's order, as published for PaSST
# trained on OpenMIC alone (tested on 2,000 clips) and with synthetic mixtures (2,220 clips).
OPENMIC_ONLY = [
    (0.804, 0.661, 56, 0.725), (0.816, 0.397, 78, 0.534), (1.0, 0.121, 66, 0.216), (0.671, 0.544, 90, 0.601),
    (0.571, 0.083, 48, 0.145), (0.703, 0.815, 119, 0.755), (0.797, 0.464, 110, 0.586), (0.909, 0.185, 54, 0.308),
    (0.673, 0.706, 102, 0.689), (0.750, 0.421, 57, 0.539), (0.727, 0.190, 84, 0.302), (0.711, 0.519, 52, 0.600),
    (0.907, 0.829, 117, 0.866), (0.822, 0.574, 129, 0.676), (0.814, 0.697, 119, 0.751), (0.685, 0.595, 84, 0.637),
    (0.681, 0.579, 107, 0.626), (0.955, 0.300, 70, 0.457), (0.651, 0.815, 135, 0.724), (0.785, 0.718, 71, 0.750),
]  # fmt: skip
WITH_SYNTHETIC = [
    (0.718, 0.583, 48, 0.644), (0.941, 0.229, 70, 0.368), (0.644, 0.714, 182, 0.677), (0.879, 0.341, 85, 0.492),
    (1.0, 0.021, 47, 0.042), (0.648, 0.817, 131, 0.723), (0.812, 0.704, 135, 0.754), (0.716, 0.751, 201, 0.733),
    (0.684, 0.783, 235, 0.730), (0.694, 0.806, 191, 0.746), (0.710, 0.512, 86, 0.595), (0.772, 0.772, 189, 0.772),
    (0.786, 0.838, 241, 0.811), (0.659, 0.583, 103, 0.619), (0.772, 0.792, 231, 0.782), (0.867, 0.153, 85, 0.260),
    (0.787, 0.385, 96, 0.517), (0.438, 0.767, 60, 0.558), (0.836, 0.719, 128, 0.773), (0.813, 0.665, 215, 0.731),
]  # fmt: skip
# OpenMIC-2018's random forests on the official test split: negatives, positives, F1 of the negatives, of the positives.
FORESTS = [
    (423, 115, 0.90, 0.45), (338, 140, 0.86, 0.59), (329, 134, 0.89, 0.61), (259, 226, 0.81, 0.78),
    (503, 137, 0.88, 0.16), (139, 297, 0.90, 0.96), (146, 278, 0.86, 0.93), (387, 175, 0.83, 0.46),
    (150, 286, 0.97, 0.98), (267, 211, 0.81, 0.73), (434, 193, 0.82, 0.58), (310, 121, 0.85, 0.36),
    (130, 285, 0.90, 0.96), (324, 305, 0.83, 0.83), (112, 268, 0.92, 0.97), (492, 228, 0.87, 0.63),
    (467, 318, 0.82, 0.69), (408, 182, 0.84, 0.60), (237, 394, 0.78, 0.89), (150, 224, 0.91, 0.94),
]  # fmt: skip


def predictions(counts, clips):
    """Cells with the wanted (tp, fp, fn, tn) per class; the clips beyond them were not asked."""
    prob, labels = np.full((clips, len(counts)), 0.9), np.ones((clips, len(counts)))
    mask = np.zeros((clips, len(counts)), bool)
    for c, (tp, fp, fn, tn) in enumerate(counts):
        ends = np.cumsum([tp, fp, fn, tn])
        prob[ends[1] : ends[3], c] = 0.1
        labels[ends[0] : ends[1], c] = labels[ends[2] : ends[3], c] = 0.0
        mask[: ends[3], c] = True
    return prob, labels, mask


def counts_of(rows, cells):
    for precision, recall, positives, _ in rows:
        tp = round(recall * positives)
        fp = round(tp * (1 - precision) / precision)
        yield tp, fp, positives - tp, cells - positives - fp


@pytest.mark.parametrize(
    ("tp", "fp", "fn", "expected"),
    [(202, 55, 39, 0.811245), (1, 0, 46, 0.041667), (97, 10, 20, 0.866071), (0, 0, 5, 0.0), (0, 5, 0, 0.0)],
)
def test_f1_of_published_confusions(tp, fp, fn, expected):
    prob, labels, mask = predictions([(tp, fp, fn, 40)], 2000)
    assert f1_macro(prob, labels, mask, 0.5) == pytest.approx(expected, abs=5e-7)


@pytest.mark.parametrize(
    ("rows", "cells", "macro"), [(OPENMIC_ONLY, 2000, 0.5744), (WITH_SYNTHETIC, 2003, 0.6163)], ids=["OM", "SY"]
)
def test_every_row_and_the_macro_of_the_published_tables(rows, cells, macro):
    metrics = masked_metrics(*predictions(list(counts_of(rows, cells)), 2220), 0.5, names=OPENMIC)
    for row, (precision, recall, positives, f1) in zip(metrics.per_class, rows, strict=True):
        assert row.positives == positives
        got, published = (row.precision, row.recall, row.f1), (precision, recall, f1)
        assert got == pytest.approx(published, abs=0.00051), row.name
    assert round(metrics.f1_macro, 4) == macro


def test_two_class_macro_of_the_published_forests():
    """The counts behind the published, rounded F1 pairs give .784 two-class and .705 positive-only."""
    counts = []
    for negatives, positives, f1_negative, f1_positive in FORESTS:

        def distance(pair, n=negatives, p=positives, wanted=(f1_negative, f1_positive)):
            tp, fp = pair
            got = 2 * (n - fp) / (2 * (n - fp) + fp + p - tp), 2 * tp / (2 * tp + fp + p - tp)
            return abs(got[0] - wanted[0]) + abs(got[1] - wanted[1])

        tp, fp = min(((t, f) for t in range(positives + 1) for f in range(negatives + 1)), key=distance)
        assert distance((tp, fp)) < 0.011
        counts.append((tp, fp, positives - tp, negatives - fp))
    metrics = masked_metrics(*predictions(counts, 1000), 0.5, names=OPENMIC)
    assert metrics.f1_macro_two_class == pytest.approx(0.7837, abs=0.0005)
    assert metrics.f1_macro == pytest.approx(0.705, abs=0.001)
    assert np.mean([row[2:] for row in FORESTS]) == pytest.approx(0.78375)


def test_two_class_f1_equals_scikit_learn():
    generator = np.random.default_rng(0)
    prob, labels = generator.random((200, 20)), generator.random((200, 20))
    metrics = masked_metrics(prob, labels, np.ones((200, 20), bool), 0.4, names=OPENMIC)
    for c, row in enumerate(metrics.per_class):
        assert row.f1_two_class == pytest.approx(f1_score(labels[:, c] >= 0.5, prob[:, c] >= 0.4, average="macro"))


def test_all_positive_predictor():
    positives, negatives = 30, 70
    prob, labels, mask = predictions([(positives, negatives, 0, 0)] * 20, 150)
    metrics = masked_metrics(prob, labels, mask, 0.5, names=OPENMIC)
    assert metrics.f1_macro_two_class == pytest.approx(positives / (2 * positives + negatives))
    assert metrics.f1_macro == pytest.approx(2 * positives / (2 * positives + negatives))
    assert metrics.map == pytest.approx(0.3)
    assert metrics.auroc == 0.5
    assert metrics.hamming == pytest.approx(0.7)


def test_a_perfect_predictor_scores_one():
    labels = np.random.default_rng(1).random((60, 20))
    metrics = masked_metrics((labels >= 0.5).astype(float), labels, np.ones((60, 20), bool), 0.5, names=OPENMIC)
    assert [metrics.map, metrics.f1_macro, metrics.f1_macro_two_class, metrics.auroc] == [1.0] * 4
    assert metrics.hamming == 0.0
    assert (metrics.clips, metrics.cells, metrics.skipped) == (60, 1200, ())


def test_cells_nobody_was_asked_about_change_nothing_and_inputs_stay_as_they_are():
    generator = np.random.default_rng(2)
    prob, labels, mask = generator.random((80, 20)), generator.random((80, 20)), generator.random((80, 20)) < 0.3
    flipped_labels, flipped_prob = np.where(mask, labels, 1 - labels), np.where(mask, prob, 1 - prob)
    copies = prob.copy(), labels.copy(), mask.copy()
    assert masked_metrics(flipped_prob, flipped_labels, mask, 0.5, names=OPENMIC) == masked_metrics(
        prob, labels, mask, 0.5, names=OPENMIC
    )
    # Sanity: asked cells do matter.
    assert (
        masked_metrics(prob, 1 - labels, mask, 0.5, names=OPENMIC).map
        != masked_metrics(prob, labels, mask, 0.5, names=OPENMIC).map
    )
    assert mean_average_precision(prob, labels, mask) == masked_metrics(prob, labels, mask, 0.5, names=OPENMIC).map
    for now, before in zip((prob, labels, mask), copies, strict=True):
        np.testing.assert_array_equal(now, before)


def test_classes_without_both_polarities_are_named_and_skipped():
    labels = np.tile([[1.0], [0.0], [1.0], [0.0]], (1, 20))
    prob, mask = labels * 0.8 + 0.1, np.ones((4, 20), bool)
    mask[:, 0] = False  # nobody was asked about accordion
    mask[1::2, 1] = False  # banjo has positives only
    mask[0::2, 2] = False  # bass has negatives only
    metrics = masked_metrics(prob, labels, mask, 0.5, names=OPENMIC)
    assert metrics.skipped == ("accordion", "banjo", "bass")
    assert (metrics.map, metrics.auroc, metrics.f1_macro_two_class) == (1.0, 1.0, 1.0)
    assert np.isnan([metrics.per_class[c].ap for c in range(3)]).all()
    # F1 of bass is undefined and counts as 0; accordion, with no cell at all, does not count.
    assert [metrics.per_class[1].f1, metrics.per_class[2].f1] == [1.0, 0.0]
    assert metrics.f1_macro == pytest.approx(18 / 19)


def test_nothing_asked_is_undefined_not_zero():
    zeros = np.zeros((3, 20))
    metrics = masked_metrics(zeros, zeros, zeros, 0.5, names=OPENMIC)
    assert metrics.to_dict() == {
        "map": None, "f1_macro": None, "f1_macro_two_class": None, "auroc": None, "hamming": None,
        "clips": 0, "cells": 0, "skipped": list(OPENMIC),
    }  # fmt: skip
    assert np.isnan(mean_average_precision(zeros, zeros, zeros))


@pytest.mark.parametrize("threshold", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_probability_equal_to_the_threshold_is_present(threshold, dtype):
    at = np.full((1, 20), threshold, dtype)
    assert decide(at, threshold).all()
    assert decide(at, np.full(20, threshold)).all()
    assert not decide(np.nextafter(at.astype(np.float32), np.float32(0)), threshold).any()


def test_a_relevance_of_one_half_is_present():
    metrics = masked_metrics(np.ones((1, 20)), np.full((1, 20), 0.5), np.ones((1, 20), bool), 0.5, names=OPENMIC)
    assert metrics.per_class[0].positives == 1


def test_per_class_rows_carry_the_columns_of_the_csv():
    row = masked_metrics(
        np.ones((1, 20)), np.ones((1, 20)), np.ones((1, 20)), np.linspace(0, 1, 20), names=OPENMIC
    ).per_class[19]
    assert list(row.to_dict()) == [
        "class", "positives", "negatives", "ap", "auroc", "f1", "f1_two_class", "precision", "recall", "threshold",
    ]  # fmt: skip
    assert (row.to_dict()["class"], row.threshold) == ("voice", 1.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.1, 1.1])
def test_probabilities_that_are_none_are_refused_with_their_place(bad):
    prob, labels = np.full((5, 20), 0.5), np.ones((5, 20))
    prob[3, 2] = bad
    with pytest.raises(DataError, match="row 3, class 2"):
        masked_metrics(prob, labels, labels, 0.5, names=OPENMIC)


def test_arrays_that_do_not_fit_are_refused():
    ok = np.ones((5, 20))
    with pytest.raises(DataError, match="same shape"):
        mean_average_precision(ok[:4], ok, ok)
    with pytest.raises(DataError, match="same shape"):
        f1_macro(ok[0], ok[0], ok[0], 0.5)
    with pytest.raises(DataError, match="number of classes"):
        masked_metrics(ok[:, :9], ok[:, :9], ok[:, :9], 0.5, names=OPENMIC)
    with pytest.raises(DataError, match="number of classes"):
        masked_metrics(ok, ok, ok, [0.5] * 19, names=OPENMIC)
    with pytest.raises(DataError, match="asked label"):
        masked_metrics(ok, ok * np.nan, ok, 0.5, names=OPENMIC)
    masked_metrics(ok, ok * np.nan, ok * 0, 0.5, names=OPENMIC)  # nobody asked about those
