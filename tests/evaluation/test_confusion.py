import csv
from importlib.resources import files

import numpy as np
import pytest

from tutti.errors import DataError
from tutti.evaluation.confusion import OTHER, class_scores, confusion_matrix, matrix_accuracy, pair_names, pairs_matrix
from tutti.evaluation.task_metrics import label_accuracy, task_metrics
from tutti.labels import IRMAS_FOUR
from tutti.tasks import get_task

PAIR_LABELS = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1], [0, 1, 1, 0], [0, 1, 0, 1], [0, 0, 1, 1]])


def published(name: str) -> tuple[tuple[str, ...], tuple[str, ...], np.ndarray]:
    """Row names, column names and counts of a published matrix."""
    text = (files("tutti.reports") / "published" / f"{name}.csv").read_text(encoding="utf-8")
    header, *rows = csv.reader(text.splitlines())
    return tuple(row[0] for row in rows), tuple(header[1:]), np.array([[int(cell) for cell in row[1:]] for row in rows])


def clips_of(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The row and the column of every clip that a matrix counts."""
    cells = np.repeat(np.arange(matrix.size), matrix.ravel())
    return cells // matrix.shape[1], cells % matrix.shape[1]


def test_the_published_first_stage() -> None:
    rows, columns, matrix = published("irmas_stage1_confusion")
    assert rows == columns == IRMAS_FOUR
    assert matrix.sum(axis=1).tolist() == [152, 148, 131, 145]
    truth, decided = clips_of(matrix)
    assert (confusion_matrix(truth, decided, 4) == matrix).all()
    assert matrix_accuracy(matrix) == pytest.approx(407 / 576)
    assert f"{matrix_accuracy(matrix):.2%}" == "70.66%"
    scores = class_scores(matrix)
    assert scores.recall.round(3).tolist() == [0.743, 0.547, 0.885, 0.669]
    assert scores.precision.round(3).tolist() == [0.568, 0.659, 0.853, 0.822]
    assert scores.false_positive_rate.round(3).tolist() == [0.203, 0.098, 0.045, 0.049]
    assert scores.f1.round(3).tolist() == [0.644, 0.598, 0.869, 0.738]
    assert scores.f1.mean().round(3) == 0.712


def test_the_published_second_stage() -> None:
    rows, columns, matrix = published("irmas_stage2_confusion")
    assert rows == pair_names(IRMAS_FOUR)
    assert columns == (*rows, OTHER)
    assert matrix.sum(axis=1).tolist() == [157, 141, 142, 138, 139, 148]
    truth, decided = clips_of(matrix)
    said = np.concatenate([PAIR_LABELS, [[1, 1, 1, 0]]])[decided]
    assert (pairs_matrix(PAIR_LABELS[truth], said) == matrix).all()
    assert f"{matrix_accuracy(matrix):.2%}" == "22.20%"
    numbers = task_metrics(get_task("irmas-pairs"), said, PAIR_LABELS[truth], np.ones(said.shape), 0.5)
    assert numbers["exact_accuracy"] == pytest.approx(matrix_accuracy(matrix))
    assert matrix[:, -1].sum() / matrix.sum() == pytest.approx(0.457, abs=5e-4)
    scores = class_scores(matrix)
    assert scores.recall[2] == pytest.approx(70 / 142)
    assert scores.precision[2] == pytest.approx(70 / 151)


@pytest.mark.parametrize("answer", [0, 1])
def test_one_answer_to_everything_is_right_about_half_of_the_labels(answer: int) -> None:
    said = np.full_like(PAIR_LABELS, answer)
    assert label_accuracy(said, PAIR_LABELS, np.ones(said.shape)) == 0.5
    assert pairs_matrix(PAIR_LABELS, said)[:, -1].tolist() == [1] * 6
    assert matrix_accuracy(pairs_matrix(PAIR_LABELS, said)) == 0


@pytest.mark.parametrize("said", [(0, 0, 0, 0), (1, 0, 0, 0), (0, 0, 0, 1), (1, 0, 1, 1), (1, 1, 1, 1)])
def test_anything_but_two_labels_is_other(said: tuple[int, ...]) -> None:
    matrix = pairs_matrix([(1, 0, 0, 1)], [said])
    assert matrix.sum() == matrix[2, -1] == 1


def test_a_random_pair_is_right_in_a_sixth_of_the_clips() -> None:
    every = np.array([(truth, said) for truth in PAIR_LABELS for said in PAIR_LABELS])
    matrix = pairs_matrix(every[:, 0], every[:, 1])
    assert (matrix[:, :6] == 1).all()
    assert matrix_accuracy(matrix) == pytest.approx(1 / 6)
    assert label_accuracy(every[:, 1], every[:, 0], np.ones(every[:, 0].shape)) == 0.5


def test_what_never_occurs() -> None:
    matrix = confusion_matrix([0, 0, 1], [0, 1, 1], 3)
    scores = class_scores(matrix)
    assert scores.recall.tolist() == [0.5, 1, 0]
    assert scores.precision.tolist() == [1, 0.5, 0]
    assert scores.f1[2] == 0
    assert np.isnan(matrix_accuracy(np.zeros((2, 2))))


def test_what_does_not_match_is_refused() -> None:
    with pytest.raises(DataError, match="do not match"):
        confusion_matrix([0, 1], [0], 2)
    with pytest.raises(DataError, match=r"decided class is unknown[\s\S]*0 to 1"):
        confusion_matrix([0, 1], [0, 2], 2)
    with pytest.raises(DataError, match="true class is unknown"):
        confusion_matrix([-1], [0], 2)
    with pytest.raises(DataError, match="do not match"):
        pairs_matrix(PAIR_LABELS, PAIR_LABELS[:, :3])
    with pytest.raises(DataError, match="exactly two labels"):
        pairs_matrix([[1, 0, 0, 0]], [[1, 1, 0, 0]])


def test_the_published_tables_name_registered_models() -> None:
    from tutti.models import get_model

    for table in ("irmas_results", "irmas_cost"):
        text = (files("tutti.reports") / "published" / f"{table}.csv").read_text(encoding="utf-8")
        rows = list(csv.DictReader(text.splitlines()))
        assert rows
        for row in rows:
            assert get_model(row["model"]).system == "irmas-two-stage"
            for split in ("val", "test"):
                value = row.get(split)
                assert not value or 0 < float(value) < 1
