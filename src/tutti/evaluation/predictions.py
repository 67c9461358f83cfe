"""What a model said about the evaluation clips, on disk: the only thing that selection and gates look at."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tutti.errors import DataError
from tutti.evaluation.metrics import Metrics, check_arrays
from tutti.files import atomic_path
from tutti.labels import OPENMIC

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("clip_id", "dataset", "split", "synthetic", "probabilities", "labels", "mask")
SPLITS = ("valid", "test")


@dataclass(frozen=True)
class Predictions:
    """One row per clip.

    Attributes:
        clip_id: Unique, object [clips].
        dataset: Object [clips].
        split: ``valid`` or ``test``, object [clips].
        synthetic: Whether the sound is rendered or mixed, bool [clips].
        probabilities: float32 [clips, 20].
        labels: Relevance float32 [clips, 20].
        mask: Whether the cell was asked, bool [clips, 20].
    """

    clip_id: np.ndarray
    dataset: np.ndarray
    split: np.ndarray
    synthetic: np.ndarray
    probabilities: np.ndarray
    labels: np.ndarray
    mask: np.ndarray

    def __len__(self) -> int:
        return len(self.clip_id)

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
        return Predictions(**{name: getattr(self, name)[rows] for name in COLUMNS})

    def with_probabilities(self, probabilities: np.ndarray) -> "Predictions":
        """The same clips with another model's probabilities, float [clips, 20]."""
        return Predictions(
            **{name: getattr(self, name) for name in COLUMNS if name != "probabilities"},
            probabilities=np.asarray(probabilities, np.float32),
        )

    def data_name(self) -> str:
        """The datasets the clips come from, such as ``openmic``."""
        return "+".join(sorted(set(self.dataset)))

    def difference(self, other: "Predictions") -> str | None:
        """Why the two were not judged on the same clips with the same labels; None when they were.

        Rows may stand in another order.
        """
        missing, extra = set(self.clip_id) - set(other.clip_id), set(other.clip_id) - set(self.clip_id)
        if missing or extra:
            example = min(missing or extra)
            return f"{len(missing)} clip(s) are missing and {len(extra)} are others, such as {example}"
        theirs = other.in_order_of(self)
        if not np.array_equal(self.mask, theirs.mask):
            return "other cells were asked"
        if not np.array_equal(self.labels[self.mask], theirs.labels[theirs.mask]):
            return "their labels differ"
        return None

    def in_order_of(self, other: "Predictions") -> "Predictions":
        """These clips in the order of ``other``, which must hold the same ones."""
        position = {clip: row for row, clip in enumerate(self.clip_id)}
        rows = np.array([position[clip] for clip in other.clip_id], int)
        return Predictions(**{name: getattr(self, name)[rows] for name in COLUMNS})


def save_predictions(predictions: Predictions, path: Path) -> None:
    """Writes predictions.parquet, atomically, rows sorted by split and clip.

    Raises:
        DataError: Clips repeat, or see `tutti.evaluation.metrics.check_arrays`.
    """
    import pandas as pd

    _check(predictions, path)
    table = pd.DataFrame(
        {
            "clip_id": predictions.clip_id,
            "dataset": predictions.dataset,
            "split": predictions.split,
            "synthetic": predictions.synthetic.astype(bool),
            "probabilities": list(predictions.probabilities.astype(np.float32)),
            "labels": list(predictions.labels.astype(np.float32)),
            "mask": list(predictions.mask.astype(bool)),
        }
    )
    with atomic_path(path) as temporary:
        table.sort_values(["split", "clip_id"]).reset_index(drop=True).to_parquet(temporary, index=False)


def load_predictions(path: Path) -> Predictions:
    """Reads a file written by `save_predictions`.

    Raises:
        DataError: The file is missing or is no such file, clips repeat, or a probability is no number in [0, 1].
    """
    import pandas as pd

    try:
        table = pd.read_parquet(path)
    except FileNotFoundError as error:
        raise DataError(f"there are no predictions at {path}", hint="run the evaluate and select steps") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is not a readable Parquet file", got=error, hint="run its step again") from error
    if list(table.columns) != list(COLUMNS):
        raise DataError(f"{path} does not hold predictions", got=list(table.columns), expected=COLUMNS)
    predictions = Predictions(
        clip_id=table["clip_id"].to_numpy(object),
        dataset=table["dataset"].to_numpy(object),
        split=table["split"].to_numpy(object),
        synthetic=table["synthetic"].to_numpy(bool),
        probabilities=_matrix(table, "probabilities", np.float32, path),
        labels=_matrix(table, "labels", np.float32, path),
        mask=_matrix(table, "mask", bool, path),
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


def _matrix(table: "pd.DataFrame", column: str, dtype: Any, path: Path) -> np.ndarray:
    widths = {len(row) for row in table[column]}
    if widths - {len(OPENMIC)}:
        raise DataError(
            f"{path} has {column} of another width", got=sorted(widths), expected=f"{len(OPENMIC)}, one per class"
        )
    if not len(table):
        return np.zeros((0, len(OPENMIC)), dtype)
    return np.stack(table[column].to_list()).astype(dtype)


def _check(predictions: Predictions, path: Path) -> None:
    try:
        check_arrays(predictions.probabilities, predictions.labels, predictions.mask)
    except DataError as error:
        raise DataError(f"{path}: {error.what}", got=error.got, expected=error.expected, hint=error.hint) from error
    if len(set(predictions.clip_id)) != len(predictions):
        raise DataError(f"{path} names a clip twice", hint="run its step again")
    strange = set(predictions.split) - set(SPLITS)
    if strange:
        raise DataError(f"{path} has unknown splits", got=sorted(map(str, strange)), expected=SPLITS)
