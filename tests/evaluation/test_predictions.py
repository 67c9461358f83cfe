from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.evaluation_helpers import join, make_predictions
from tutti.errors import DataError
from tutti.evaluation.metrics import masked_metrics
from tutti.evaluation.predictions import load_predictions, per_class_table, save_csv, save_predictions


def test_saved_predictions_come_back_sorted_and_the_same_bytes(tmp_path):
    predictions = join(make_predictions(8), make_predictions(5, split="valid"))
    save_predictions(predictions, tmp_path / "a.parquet")
    save_predictions(load_predictions(tmp_path / "a.parquet"), tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    loaded = load_predictions(tmp_path / "a.parquet")
    assert list(loaded.split) == ["test"] * 8 + ["valid"] * 5
    assert loaded.difference(predictions) is None
    np.testing.assert_array_equal(loaded.in_order_of(predictions).probabilities, predictions.probabilities)
    assert (loaded.probabilities.dtype, loaded.mask.dtype) == (np.float32, bool)
    assert len(loaded.of("valid")) == 5
    assert loaded.data_name() == "openmic"


def test_a_missing_split_is_named():
    with pytest.raises(DataError, match="no valid clips"):
        make_predictions(3).of("valid")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"probabilities": np.full((4, 20), np.nan, np.float32)}, "4 clip"),
        ({"probabilities": np.full((4, 20), 1.5, np.float32)}, "no numbers in"),
        ({"clip_id": np.array(["a", "b", "b", "c"], object)}, "twice"),
        ({"split": np.array(["test", "valid", "train", "test"], object)}, "unknown splits"),
    ],
)
def test_bad_predictions_are_neither_written_nor_read(tmp_path, change, message):
    good = make_predictions(4)
    with pytest.raises(DataError, match=message):
        save_predictions(replace(good, **change), tmp_path / "p.parquet")
    assert not list(tmp_path.iterdir())
    save_predictions(good, tmp_path / "p.parquet")
    table = pd.read_parquet(tmp_path / "p.parquet")
    for name, values in change.items():
        table[name] = list(values)
    table.to_parquet(tmp_path / "p.parquet", index=False)
    with pytest.raises(DataError, match=message):
        load_predictions(tmp_path / "p.parquet")


def test_files_that_are_no_predictions_are_refused(tmp_path):
    path = tmp_path / "p.parquet"
    with pytest.raises(DataError, match="no predictions at"):
        load_predictions(path)
    path.write_bytes(b"PAR1 cut short")
    with pytest.raises(DataError, match="not a readable Parquet"):
        load_predictions(path)
    pd.DataFrame({"clip_id": ["a"]}).to_parquet(path)
    with pytest.raises(DataError, match="does not hold predictions"):
        load_predictions(path)
    save_predictions(make_predictions(2), path)
    table = pd.read_parquet(path)
    table["labels"] = [row[:9] for row in table["labels"]]
    table.to_parquet(path, index=False)
    with pytest.raises(DataError, match="labels of another width"):
        load_predictions(path)


def test_per_class_csv_has_the_promised_columns(tmp_path):
    clips = make_predictions(30)
    metrics = masked_metrics(clips.probabilities, clips.labels, clips.mask, 0.5)
    save_csv(per_class_table({"valid": metrics, "test": metrics}), tmp_path / "per_class.csv")
    table = pd.read_csv(tmp_path / "per_class.csv")
    assert (
        ",".join(table.columns) == "class,split,positives,negatives,ap,auroc,f1,f1_two_class,precision,recall,threshold"
    )
    assert len(table) == 40
    assert table["ap"].mean() == pytest.approx(metrics.map, abs=1e-6)
