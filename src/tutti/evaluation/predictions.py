"""What a model said about the evaluation clips, on disk: the only thing that selection and gates look at."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tutti.errors import DataError
from tutti.evaluation.metrics import Metrics, check_arrays
from tutti.files import atomic_path

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

#: The columns on disk, and the fields of `Predictions` that have one entry per row.
COLUMNS = ("clip_id", "frame", "group", "dataset", "split", "synthetic", "probabilities", "labels", "mask")
SPLITS = ("valid", "test")

_TEXTS = ("clip_id", "group", "dataset", "split")
_MATRICES = {"probabilities": np.float32, "labels": np.float32, "mask": bool}
#: Where the Parquet file keeps the names of the classes: in its schema's metadata, as JSON.
_NAMES = b"tutti.names"


@dataclass(frozen=True)
class Predictions:
    """One row per clip, or per frame of a clip where every frame has labels of its own.

    Attributes:
        names: The classes, in the order of the columns below.
        clip_id: Of the clip, object [rows].
        frame: Number of the frame within the clip, 0 where a clip is one row, int32 [rows]; no clip has one twice.
        group: What must not straddle splits (artist, song, recording), object [rows]: the rows of a group are not
            independent of each other, so resampling keeps them together.
        dataset: Object [rows].
        split: ``valid`` or ``test``, object [rows].
        synthetic: Whether the sound is rendered or mixed, bool [rows].
        probabilities: float32 [rows, classes].
        labels: Relevance float32 [rows, classes].
        mask: Whether the cell was asked, bool [rows, classes].
    """

    names: tuple[str, ...]
    clip_id: np.ndarray
    frame: np.ndarray
    group: np.ndarray
    dataset: np.ndarray
    split: np.ndarray
    synthetic: np.ndarray
    probabilities: np.ndarray
    labels: np.ndarray
    mask: np.ndarray

    def __len__(self) -> int:
        return len(self.clip_id)

    def take(self, rows: np.ndarray) -> "Predictions":
        """Some of the rows, by number (int [n]) or by choice (bool [rows])."""
        return replace(self, **{name: getattr(self, name)[rows] for name in COLUMNS})

    def of(self, split: str) -> "Predictions":
        """The clips of one split.

        Raises:
            DataError: There are none.
        """
        rows = self.split == split
        if not rows.any():
            raise DataError(
                f"there are no {split} clips to evaluate on",
                got=f"{len(self)} clip(s) of {', '.join(sorted(set(self.split))) or 'no split'}",
                hint="the data must hold clips of this split with the task's labels; see the validation report",
            )
        return self.take(rows)

    def with_probabilities(self, probabilities: np.ndarray) -> "Predictions":
        """The same clips with another model's probabilities, float [rows, classes]."""
        return replace(self, probabilities=np.asarray(probabilities, np.float32))

    def data_name(self) -> str:
        """The datasets the clips come from, such as ``openmic``."""
        return "+".join(sorted(set(self.dataset)))

    def difference(self, other: "Predictions") -> str | None:
        """Why the two were not judged on the same clips with the same labels; None when they were.

        Rows may stand in another order.
        """
        if self.names != other.names:
            return "their classes differ"
        ours, theirs = _keys(self, other)
        missing, extra = ~np.isin(ours, theirs), ~np.isin(theirs, ours)
        if missing.any() or extra.any():
            example = min(self.clip_id[missing]) if missing.any() else min(other.clip_id[extra])
            rows = "frame(s)" if self.frame.any() or other.frame.any() else "clip(s)"
            return f"{missing.sum()} {rows} are missing and {extra.sum()} are others, such as {example}"
        aligned = other.in_order_of(self)
        if not np.array_equal(self.mask, aligned.mask):
            return "other cells were asked"
        if not np.array_equal(self.labels[self.mask], aligned.labels[aligned.mask]):
            return "their labels differ"
        return None

    def in_order_of(self, other: "Predictions") -> "Predictions":
        """These rows in the order of ``other``, which must hold the same ones."""
        ours, theirs = _keys(self, other)
        order = np.argsort(ours, kind="stable")
        return self.take(order[np.searchsorted(ours, theirs, sorter=order)])


def save_predictions(predictions: Predictions, path: Path) -> None:
    """Writes predictions.parquet, atomically, rows sorted by split, clip and frame.

    Raises:
        DataError: Rows repeat, or see `tutti.evaluation.metrics.check_arrays`.
    """
    import pandas as pd
    import pyarrow as pa
    from pyarrow import parquet

    _check(predictions, path)
    codes = [pd.factorize(getattr(predictions, name), sort=True)[0] for name in ("split", "clip_id")]
    ordered = predictions.take(np.lexsort((predictions.frame, codes[1], codes[0])))
    columns: dict[str, Any] = {name: pa.array(getattr(ordered, name), pa.string()) for name in _TEXTS}
    columns["frame"] = pa.array(ordered.frame.astype(np.int32))
    columns["synthetic"] = pa.array(ordered.synthetic.astype(bool))
    for name, dtype in _MATRICES.items():
        values = np.ascontiguousarray(getattr(ordered, name), dtype)
        columns[name] = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])
    table = pa.table({name: columns[name] for name in COLUMNS}, metadata={_NAMES: json.dumps(predictions.names)})
    with atomic_path(path) as temporary:
        parquet.write_table(table, temporary)


def load_predictions(path: Path) -> Predictions:
    """Reads a file written by `save_predictions`.

    Raises:
        DataError: The file is missing or is no such file, rows repeat, or a probability is no number in [0, 1].
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(path, read_dictionary=list(_TEXTS))
    except FileNotFoundError as error:
        raise DataError(f"there are no predictions at {path}", hint="run the evaluate and select steps") from error
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path} is not a readable Parquet file", got=error, hint="run its step again") from error
    names = (table.schema.metadata or {}).get(_NAMES)
    if table.column_names != list(COLUMNS) or names is None:
        got = table.column_names if names is not None else "no names of the classes"
        raise DataError(f"{path} does not hold predictions", got=got, expected=COLUMNS, hint="run its step again")
    classes = tuple(json.loads(names))
    predictions = Predictions(
        names=classes,
        frame=table["frame"].to_numpy(),
        synthetic=table["synthetic"].to_numpy(),
        **{name: _texts(table[name].combine_chunks()) for name in _TEXTS},
        **{name: _matrix(table, name, len(classes), path) for name in _MATRICES},
    )
    _check(predictions, path)
    return predictions


def per_class_table(metrics: dict[str, Metrics]) -> "pd.DataFrame":
    """The rows of per_class.csv from the metrics of each split."""
    import pandas as pd

    rows = []
    for split, of_split in metrics.items():
        for row in of_split.per_class:
            values = row.to_dict()
            rows.append({"class": values.pop("class"), "split": split, **values})
    return pd.DataFrame(rows)


def save_csv(table: "pd.DataFrame", path: Path) -> None:
    """Writes a table as CSV with six decimals, atomically."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6f", lineterminator="\n")


def _texts(column: "pa.DictionaryArray") -> np.ndarray:
    """The texts as objects, one object for all rows that share a text."""
    texts: np.ndarray = np.array(column.dictionary.to_pylist(), object)[column.indices.to_numpy()]
    return texts


def _matrix(table: "pa.Table", column: str, classes: int, path: Path) -> np.ndarray:
    from pyarrow import compute

    widths = compute.unique(compute.list_value_length(table[column])).to_pylist()
    if set(widths) - {classes}:
        raise DataError(f"{path} has {column} of another width", got=widths, expected=f"{classes}, one per class")
    flat = table[column].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return flat.astype(_MATRICES[column]).reshape(-1, classes)


def _keys(*parts: Predictions) -> list[np.ndarray]:
    """A number for every row: equal ones, over all parts, for the same frame of the same clip; int64 [rows] each."""
    import pandas as pd

    codes, _ = pd.factorize(np.concatenate([part.clip_id for part in parts]))
    frames = np.concatenate([part.frame for part in parts]).astype(np.int64)
    keys = codes.astype(np.int64) * (frames.max(initial=0) + 1) + frames
    return np.split(keys, np.cumsum([len(part) for part in parts])[:-1])


def _check(predictions: Predictions, path: Path) -> None:
    try:
        prob, _, _ = check_arrays(predictions.probabilities, predictions.labels, predictions.mask)
    except DataError as error:
        raise DataError(f"{path}: {error.what}", got=error.got, expected=error.expected, hint=error.hint) from error
    if len(set(predictions.names)) != prob.shape[1]:
        raise DataError(f"{path} has {prob.shape[1]} classes under other names", got=", ".join(predictions.names))
    (keys,) = _keys(predictions)
    if len(np.unique(keys)) != len(keys):
        raise DataError(f"{path} names a clip, or a frame of one, twice", hint="run its step again")
    strange = set(predictions.split) - set(SPLITS)
    if strange:
        raise DataError(f"{path} has unknown splits", got=sorted(map(str, strange)), expected=SPLITS)
