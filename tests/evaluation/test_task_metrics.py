"""The numbers of a kind of task, against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn import metrics

from tests.evaluation_helpers import as_frames, make_predictions
from tutti.config import EvaluateParams
from tutti.errors import DataError
from tutti.evaluation.metrics import f1_macro_two_class, masked_metrics
from tutti.evaluation.predictions import Predictions
from tutti.evaluation.summary import summarise
from tutti.evaluation.task_metrics import (
    accuracy,
    f1_macro_present,
    label_accuracy,
    micro_f1,
    summary_numbers,
    task_metrics,
)
from tutti.tasks import get_task

EVALUATE = EvaluateParams(bootstrap=50, confidence=0.9)


def cells(rows=80, classes=4, seed=0):
    generator = np.random.default_rng(seed)
    return generator.random((rows, classes)), (generator.random((rows, classes)) < 0.4).astype(float)


def one_hot(rows=80, classes=4, seed=0):
    generator = np.random.default_rng(seed)
    prob = generator.random((rows, classes))
    return prob / prob.sum(axis=1, keepdims=True), np.eye(classes)[generator.integers(0, classes, rows)]


def summary(name, predictions):
    task = get_task(name)
    return summarise(predictions, (0.5,) * len(task.labels), task, EVALUATE, 1)[1]


def of_task(name, prob, labels):
    task = get_task(name)
    made = make_predictions(len(prob), names=task.labels)
    return Predictions(**{**vars(made), "probabilities": prob.astype(np.float32), "labels": labels.astype(np.float32)})


def test_they_equal_scikit_learn():
    prob, labels = cells()
    mask, decided = np.ones(prob.shape, bool), prob >= 0.5
    assert micro_f1(prob, labels, mask) == pytest.approx(metrics.f1_score(labels, decided, average="micro"))
    assert label_accuracy(prob, labels, mask) == pytest.approx(1 - metrics.hamming_loss(labels, decided))
    found = task_metrics(get_task("irmas-pairs"), prob, labels, mask, 0.5)
    assert found["exact_accuracy"] == pytest.approx(metrics.accuracy_score(labels, decided))
    assert found["label_accuracy"] == pytest.approx(label_accuracy(prob, labels, mask))
    assert f1_macro_present(prob, labels, mask) == pytest.approx(metrics.f1_score(labels, decided, average="macro"))
    prob, labels = one_hot()
    assert accuracy(prob, labels) == metrics.accuracy_score(labels.argmax(axis=1), prob.argmax(axis=1))
    whole = masked_metrics(prob, labels, mask, 0.3, names="abcd")
    assert f1_macro_two_class(prob, labels, mask, 0.3) == pytest.approx(whole.f1_macro_two_class)


def test_cells_nobody_was_asked_about_change_nothing():
    prob, labels = cells()
    mask = np.random.default_rng(1).random(prob.shape) < 0.5
    for metric in (micro_f1, label_accuracy, f1_macro_present, accuracy):
        # The most probable class among unasked ones would move accuracy, which is for rows known as a whole.
        asked = mask if metric is not accuracy else np.repeat(mask[:, :1], 4, axis=1)
        flipped = np.where(asked, labels, 1 - labels)
        assert metric(prob, flipped, asked) == metric(prob, labels, asked)
        assert metric(prob, 1 - labels, asked) != metric(prob, labels, asked)
        assert np.isnan(metric(prob, labels, np.zeros_like(mask)))


def test_frames_are_flattened_and_classes_that_never_occur_do_not_count():
    prob, labels = cells(classes=12)
    labels[:, 5:] = 0.0
    mask = np.ones(prob.shape, bool)
    framed = [array.reshape(8, 10, 12) for array in (prob, labels, mask)]
    assert micro_f1(*framed) == micro_f1(prob, labels, mask)
    assert label_accuracy(*framed) == label_accuracy(prob, labels, mask)
    expected = metrics.f1_score(labels[:, :5], prob[:, :5] >= 0.5, average="macro")
    assert f1_macro_present(*framed) == pytest.approx(expected)
    numbers = summary_numbers(get_task("musicnet-frames"), *framed, 0.5)
    assert numbers["micro_f1"] == micro_f1(prob, labels, mask)
    assert numbers["clips"] == 80
    assert all(isinstance(value, int | float) for value in numbers.values())


def test_which_numbers_a_task_has():
    found = {}
    for name in ("openmic-20", "irmas-4", "irmas-pairs", "musicnet-frames"):
        classes = len(get_task(name).labels)
        prob, labels = one_hot(classes=classes)
        found[name] = task_metrics(get_task(name), prob, labels, np.ones(prob.shape, bool), 0.5)
    assert {name: list(numbers) for name, numbers in found.items()} == {
        "openmic-20": ["label_accuracy", "exact_accuracy"],
        "irmas-4": ["accuracy"],
        "irmas-pairs": ["label_accuracy", "exact_accuracy"],
        "musicnet-frames": ["micro_f1", "f1_macro_present"],
    }
    prob, labels = cells(classes=20)
    mask = np.ones(prob.shape, bool)
    mask[3, 3] = False
    assert task_metrics(get_task("openmic-20"), prob, labels, mask, 0.5) == {}


def test_the_document_of_an_exclusive_task_has_accuracy_with_its_interval():
    prob, labels = one_hot()
    document = summary("irmas-4", of_task("irmas-4", prob, labels))
    assert document["accuracy"] == pytest.approx(accuracy(prob, labels), abs=1e-6)
    assert document["accuracy_low"] < document["accuracy"] < document["accuracy_high"]
    assert document["map_low"] < document["map_high"]


def test_the_document_of_frames_counts_clips_and_frames_and_has_intervals_of_counts_only():
    predictions = as_frames(make_predictions(80, names=get_task("musicnet-frames").labels, skill=0.3), 8)
    document = summary("musicnet-frames", predictions)
    assert (document["clips"], document["frames"], document["cells"]) == (10, 80, 960)
    assert document["micro_f1_low"] < document["micro_f1"] < document["micro_f1_high"]
    assert document["hamming_low"] < document["hamming_high"]
    assert document["map"] is not None
    assert "map_low" not in document


def test_arrays_that_do_not_fit_are_refused():
    prob, labels = cells()
    with pytest.raises(DataError, match="same shape"):
        micro_f1(prob, labels[:, :3], np.ones(prob.shape))
    with pytest.raises(DataError, match="no numbers"):
        accuracy(prob * np.nan, labels)
