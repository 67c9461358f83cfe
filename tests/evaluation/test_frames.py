import csv
from importlib.resources import files

import numpy as np
import pytest
from sklearn.metrics import f1_score, hamming_loss, precision_score, recall_score, roc_auc_score

from tutti.datasets.musicnet_frames import PUBLISHED_TEST_FRAMES, PUBLISHED_TEST_POSITIVES
from tutti.errors import DataError
from tutti.evaluation.frames import constant_scores, frame_metrics, macro_f1_bound
from tutti.labels import MUSICNET_FRAME_LABELS as NAMES

FRAMES = sum(PUBLISHED_TEST_FRAMES.values())


def published(name: str) -> list[dict[str, str]]:
    text = (files("tutti") / "reports" / "published" / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def example(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Windows [5, 40, 12] whose columns 2 and 4 are never positive, the last window half padding."""
    generator = np.random.default_rng(seed)
    labels = generator.random((5, 40, 12)) < 0.3
    labels[..., [2, 4]] = False
    prob = np.clip(0.6 * labels + 0.6 * generator.random(labels.shape), 0, 1)
    mask = np.ones(labels.shape, bool)
    mask[-1, 20:] = False
    return prob, labels, mask


def test_agrees_with_scikit_learn_on_the_frames_that_count() -> None:
    prob, labels, mask = example()
    prob[~mask] = np.nan  # whatever stands in the padding
    metrics = frame_metrics(prob, labels, mask, names=NAMES)
    flat, truth = prob[mask].reshape(-1, 12), labels[mask].reshape(-1, 12)
    decided, scores = flat >= 0.5, metrics.scores
    assert (metrics.frames, metrics.cells) == (180, 180 * 12)
    assert scores.hamming == pytest.approx(hamming_loss(truth, decided))
    assert scores.micro_f1 == pytest.approx(f1_score(truth, decided, average="micro"))
    here = [c for c in range(12) if c not in (2, 4)]
    for name, function in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
        each = function(truth, decided, average=None, zero_division=0)
        assert getattr(scores, f"macro_{name}") == pytest.approx(each.mean())
        assert getattr(scores, f"present_{name}") == pytest.approx(each[here].mean())
        assert [getattr(column, name) for column in metrics.per_column] == pytest.approx(each)
    areas = [roc_auc_score(truth[:, c], flat[:, c]) for c in here]
    assert metrics.auroc == pytest.approx(np.mean(areas))
    assert [np.isnan(column.auroc) for column in metrics.per_column] == [c in (2, 4) for c in range(12)]
    assert metrics.per_column[2].to_dict()["auroc"] is None


def test_thresholds_of_each_label() -> None:
    prob, labels, mask = example()
    cuts = np.linspace(0.3, 0.7, 12)
    tuned = frame_metrics(prob, labels, mask, names=NAMES, thresholds=cuts)
    assert tuned.scores.micro_f1 == pytest.approx(
        f1_score(labels[mask].reshape(-1, 12), (prob >= cuts)[mask].reshape(-1, 12), average="micro")
    )
    assert [column.threshold for column in tuned.per_column] == pytest.approx(cuts)


def test_perfect_and_empty_answers() -> None:
    _, labels, mask = example()
    perfect = frame_metrics(labels.astype(float), labels, mask, names=NAMES)
    assert perfect.auroc == perfect.scores.micro_f1 == perfect.scores.present_f1 == 1
    assert perfect.scores.macro_f1 == pytest.approx(10 / 12)
    silent = frame_metrics(np.zeros(labels.shape), np.zeros(labels.shape), mask, names=NAMES)
    assert (silent.scores.hamming, silent.scores.micro_f1) == (0, 0)
    assert silent.to_dict()["auroc"] is None
    assert silent.to_dict()["present_f1"] is None


def test_the_published_constant_predictor() -> None:
    always = constant_scores(PUBLISHED_TEST_POSITIVES, FRAMES, (0, 1, 3, 7, 8, 9), width=12)
    row = published("musicnet_heatmap.csv")[0]
    ours = (1 - always.hamming, always.macro_precision, always.macro_recall, always.macro_f1)
    stated = [float(row[name]) for name in ("one_minus_hamming", "precision", "recall", "f1")]
    assert ours == pytest.approx(stated, abs=5e-5)
    assert (always.hamming, stated) == (pytest.approx(0.4075, abs=5e-5), [0.5925, 0.0925, 0.4167, 0.1423])


@pytest.mark.parametrize(("name", "columns"), [("all zeros", ()), ("all ones", range(12))])
def test_the_published_baselines(name: str, columns: range) -> None:
    row = next(row for row in published("musicnet_reference.csv") if row["checkpoint"] == name)
    ours = constant_scores(PUBLISHED_TEST_POSITIVES, FRAMES, columns, width=12)
    assert ours.hamming == pytest.approx(float(row["hl"]), abs=5e-5)
    for column, value in (
        ("macro12_precision", ours.macro_precision),
        ("macro12_recall", ours.macro_recall),
        ("macro12_f1", ours.macro_f1),
        ("macro5_precision", ours.present_precision),
        ("macro5_recall", ours.present_recall),
        ("macro5_f1", ours.present_f1),
        ("micro_f1", ours.micro_f1),
    ):
        assert value == pytest.approx(float(row[column]), abs=1e-3), column


def test_a_constant_answer_scores_the_same_from_counts_and_from_frames() -> None:
    _, labels, mask = example()
    prob = np.zeros(labels.shape)
    prob[..., [0, 2]] = 1
    held = {c: int(labels[mask].reshape(-1, 12)[:, c].sum()) for c in range(12)}
    assert frame_metrics(prob, labels, mask, names=NAMES).scores == constant_scores(held, 180, (0, 2), width=12)


def test_macro_f1_is_bounded_by_macro_precision_and_recall() -> None:
    for seed in range(20):
        scores = frame_metrics(*example(seed), names=NAMES, thresholds=0.3 + 0.03 * seed).scores
        assert scores.macro_f1 <= macro_f1_bound(scores.macro_precision, scores.macro_recall) + 1e-12
    rows = {row["row"]: [float(row[name]) for name in ("precision", "recall", "f1")] for row in published(
        "musicnet_heatmap.csv"
    )}  # fmt: skip
    impossible = [name for name, (precision, recall, f1) in rows.items() if f1 > macro_f1_bound(precision, recall)]
    assert impossible == ["Transformer Model"]
    assert macro_f1_bound(0.1515, 0.4105) == pytest.approx(0.2213, abs=5e-5)
    assert macro_f1_bound(0, 0) == 0


def test_published_areas_are_of_the_columns_that_are_present() -> None:
    rows = published("musicnet_auc.csv")
    assert [name for name in rows[0] if name in NAMES] == [NAMES[column] for column in PUBLISHED_TEST_POSITIVES]
    assert all(0.5 < float(row[NAMES[column]]) < 1 for row in rows for column in PUBLISHED_TEST_POSITIVES)


def test_what_cannot_be_judged_is_refused() -> None:
    prob, labels, mask = example()
    with pytest.raises(DataError, match="one shape"):
        frame_metrics(prob[:, :-1], labels, mask, names=NAMES)
    with pytest.raises(DataError, match="one shape"):
        frame_metrics(prob, labels, mask, names=NAMES[:-1])
    with pytest.raises(DataError, match="no frame"):
        frame_metrics(prob, labels, np.zeros_like(mask), names=NAMES)
    prob[0, 0, 0] = np.nan
    with pytest.raises(DataError, match=r"not in \[0, 1\]"):
        frame_metrics(prob, labels, mask, names=NAMES)
