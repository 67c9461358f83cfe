"""The published tables of labels by frame, from the counts of the test recordings' labels.

The published evaluation took the mean over all twelve columns, most of which are never positive there: a perfect answer
scores 5/12 in it.
"""

import csv
from importlib.resources import files

import numpy as np
import pytest

from tutti.datasets.musicnet_frames import PUBLISHED_TEST_FRAMES, PUBLISHED_TEST_POSITIVES
from tutti.evaluation.metrics import Metrics, masked_metrics
from tutti.evaluation.task_metrics import f1_macro_present, micro_f1
from tutti.labels import MUSICNET_FRAME_LABELS as NAMES

FRAMES = sum(PUBLISHED_TEST_FRAMES.values())


def published(name: str) -> list[dict[str, str]]:
    text = (files("tutti") / "reports" / "published" / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    """bool [frames, 12] with each column's published number of positive frames.

    Which frames they are makes no difference to metrics of a constant answer.
    """
    positives = np.array([PUBLISHED_TEST_POSITIVES.get(column, 0) for column in range(len(NAMES))])
    return np.arange(FRAMES)[:, None] < positives


def always(columns: range | tuple[int, ...], shape: tuple[int, ...]) -> np.ndarray:
    """Probabilities of a predictor that answers ``columns`` to everything."""
    return np.broadcast_to(np.isin(np.arange(shape[1]), list(columns)).astype(np.float32), shape)


def judged(prob: np.ndarray, labels: np.ndarray) -> Metrics:
    return masked_metrics(prob, labels, np.ones(labels.shape, bool), names=NAMES)


def macro(metrics: Metrics, name: str, *, present: bool = False) -> float:
    """The mean over all columns, or over those with positives."""
    return float(np.mean([getattr(row, name) for row in metrics.per_class if row.positives or not present]))


def macro_f1_bound(precision: float, recall: float) -> float:
    """The largest macro F1 that macro precision and recall allow.

    The harmonic mean is concave, so the mean of the columns' F1 is at most the harmonic mean of the columns' means.
    """
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def test_the_published_cnn_answered_the_same_to_everything(labels: np.ndarray) -> None:
    ours = judged(always((0, 1, 3, 7, 8, 9), labels.shape), labels)
    row = published("musicnet_heatmap.csv")[0]
    stated = [float(row[name]) for name in ("one_minus_hamming", "precision", "recall", "f1")]
    assert stated == [0.5925, 0.0925, 0.4167, 0.1423]
    found = [1 - ours.hamming, macro(ours, "precision"), macro(ours, "recall"), ours.f1_macro]
    assert found == pytest.approx(stated, abs=5e-5)


@pytest.mark.parametrize(("name", "columns"), [("all zeros", ()), ("all ones", range(12))])
def test_the_published_baselines(name: str, columns: range, labels: np.ndarray) -> None:
    row = next(row for row in published("musicnet_reference.csv") if row["checkpoint"] == name)
    prob, mask = always(columns, labels.shape), np.ones(labels.shape, bool)
    ours = judged(prob, labels)
    assert ours.hamming == pytest.approx(float(row["hl"]), abs=5e-5)
    for column, value in (
        ("macro12_precision", macro(ours, "precision")),
        ("macro12_recall", macro(ours, "recall")),
        ("macro12_f1", ours.f1_macro),
        ("macro5_precision", macro(ours, "precision", present=True)),
        ("macro5_recall", macro(ours, "recall", present=True)),
        ("macro5_f1", f1_macro_present(prob, labels, mask)),
        ("micro_f1", micro_f1(prob, labels, mask)),
    ):
        assert value == pytest.approx(float(row[column]), abs=1e-3), column


def test_a_perfect_answer_scores_five_twelfths_by_the_published_mean(labels: np.ndarray) -> None:
    perfect = labels.astype(np.float32)
    assert judged(perfect, labels).f1_macro == pytest.approx(5 / 12)
    assert f1_macro_present(perfect, labels, np.ones(labels.shape, bool)) == 1


@pytest.mark.parametrize("seed", range(10))
def test_macro_f1_is_bounded_by_macro_precision_and_recall(seed: int) -> None:
    generator = np.random.default_rng(seed)
    truth = generator.random((400, 12)) < generator.random(12)
    ours = judged(np.clip(0.5 * truth + 0.7 * generator.random(truth.shape), 0, 1), truth)
    assert ours.f1_macro <= macro_f1_bound(macro(ours, "precision"), macro(ours, "recall")) + 1e-12


def test_the_published_transformer_row_is_impossible() -> None:
    rows = {
        row["row"]: [float(row[name]) for name in ("precision", "recall", "f1")]
        for row in published("musicnet_heatmap.csv")
    }
    impossible = [name for name, (precision, recall, f1) in rows.items() if f1 > macro_f1_bound(precision, recall)]
    assert impossible == ["Transformer Model"]
    assert rows["Transformer Model"][2] == 0.2810
    assert macro_f1_bound(0.1515, 0.4105) == pytest.approx(0.2213, abs=5e-5)


def test_published_areas_are_of_the_columns_that_are_present() -> None:
    rows = published("musicnet_auc.csv")
    assert [name for name in rows[0] if name in NAMES] == [NAMES[column] for column in PUBLISHED_TEST_POSITIVES]
    assert all(0.5 < float(row[NAMES[column]]) < 1 for row in rows for column in PUBLISHED_TEST_POSITIVES)
