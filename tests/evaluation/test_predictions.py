from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.evaluation_helpers import as_frames, join, make_predictions
from tutti.errors import DataError
from tutti.evaluation.metrics import masked_metrics
from tutti.evaluation.predictions import (
    COLUMNS,
    load_predictions,
    per_class_table,
    save_csv,
    save_predictions,
)
from tutti.labels import OPENMIC
from tutti.tasks import get_task


def rewrite(path, **columns):
    """Exchanges columns of a file and keeps its names of the classes."""
    table = pd.read_parquet(path)
    for name, values in columns.items():
        table[name] = list(values)
    made = pa.Table.from_pandas(table, preserve_index=False)
    parquet.write_table(made.replace_schema_metadata(parquet.read_schema(path).metadata), path)


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


@pytest.mark.parametrize(("task", "frames"), [("irmas-4", 1), ("musicnet-frames", 1), ("musicnet-frames", 5)])
def test_any_task_comes_back(tmp_path, task, frames):
    names = get_task(task).labels
    predictions = as_frames(make_predictions(60, names=names, density=0.7), frames)
    shuffled = predictions.take(np.random.default_rng(0).permutation(60))
    save_predictions(shuffled, tmp_path / "p.parquet")
    loaded = load_predictions(tmp_path / "p.parquet")
    assert loaded.names == names
    assert (loaded.frame.dtype, loaded.frame.max()) == (np.int32, frames - 1)
    for column in COLUMNS:
        np.testing.assert_array_equal(getattr(loaded, column), getattr(predictions, column))
    assert predictions.difference(shuffled) is None
    assert "classes differ" in predictions.difference(make_predictions(60))
    fewer, rows = predictions.take(np.arange(1, 60)), "frame(s)" if frames > 1 else "clip(s)"
    assert predictions.difference(fewer) == f"1 {rows} are missing and 0 are others, such as musicnet/0000"
    assert fewer.difference(predictions) == f"0 {rows} are missing and 1 are others, such as musicnet/0000"


def test_a_frame_that_repeats_is_refused_and_a_clip_of_several_frames_is_not(tmp_path):
    frames = as_frames(make_predictions(6), 3)
    save_predictions(frames, tmp_path / "p.parquet")
    with pytest.raises(DataError, match="twice"):
        save_predictions(replace(frames, frame=np.array([0, 1, 1, 0, 1, 2], np.int32)), tmp_path / "q.parquet")


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
    rewrite(tmp_path / "p.parquet", **change)
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
    rewrite(path, labels=np.zeros((2, 9), np.float32))
    with pytest.raises(DataError, match="labels of another width"):
        load_predictions(path)
    save_predictions(make_predictions(2), path)
    pd.read_parquet(path).to_parquet(path, index=False)
    with pytest.raises(DataError, match="does not hold predictions") as caught:
        load_predictions(path)
    assert "no names" in caught.value.got


def test_per_class_csv_has_the_promised_columns(tmp_path):
    clips = make_predictions(30)
    metrics = masked_metrics(clips.probabilities, clips.labels, clips.mask, 0.5, names=OPENMIC)
    save_csv(per_class_table({"valid": metrics, "test": metrics}), tmp_path / "per_class.csv")
    table = pd.read_csv(tmp_path / "per_class.csv")
    assert (
        ",".join(table.columns) == "class,split,positives,negatives,ap,auroc,f1,f1_two_class,precision,recall,threshold"
    )
    assert len(table) == 40
    assert table["ap"].mean() == pytest.approx(metrics.map, abs=1e-6)
