"""The VGGish embeddings that come with OpenMIC, for models that take them as they are."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from tutti.datasets.archives import iter_members
from tutti.datasets.openmic import embedding_location
from tutti.errors import DataError
from tutti.frontends.vggish import SHAPE

_DATASET = "openmic"
_AGAIN = "the embeddings are in the folder vggish beside audio: fetch OpenMIC-2018 again, whole"


def require_embeddings(windows: pd.DataFrame) -> None:
    """Checks that every window is of a dataset that has embeddings.

    Raises:
        DataError: Some are of another dataset.
    """
    others = windows["dataset"][windows["dataset"] != _DATASET]
    if len(others):
        raise DataError(
            "only OpenMIC's clips have VGGish embeddings",
            got=", ".join(f"{count} window(s) of {name}" for name, count in others.value_counts().items()),
            hint="`mix.per_polyphony: 0` leaves the mixtures out; or use a preset whose input is computed from samples",
        )


def read_embeddings(windows: pd.DataFrame, data: Path) -> Iterator[tuple[int, np.ndarray]]:
    """Every window's embedding, in one pass over the archive.

    It is that of the clip: where a clip has several windows, all of them get it.

    Args:
        windows: OpenMIC's, see `tutti.training.recordings.list_windows`; the index is the row.
        data: The data root.

    Yields:
        Row, and float32 [10, 128] of whole numbers from 0 to 255.

    Raises:
        DataError: An embedding is missing, or is none.
    """
    rows: dict[str, list[int]] = {}
    for row, path in zip(windows.index, windows["path"], strict=True):
        rows.setdefault(embedding_location(str(path)), []).append(int(row))
    for location, content in _contents(data, rows):
        embedding = _embedding(content, location)
        for row in rows[location]:
            yield row, embedding


def _contents(data: Path, locations: dict[str, list[int]]) -> Iterator[tuple[str, bytes]]:
    try:
        yield from iter_members(data, locations)
    except DataError as error:
        raise DataError("OpenMIC's embeddings cannot be read", got=f"{error.what}: {error.got}", hint=_AGAIN) from error


def _embedding(content: bytes, location: str) -> np.ndarray:
    try:
        found = json.loads(content)
    except ValueError as error:
        raise DataError(f"{location} is not valid JSON", got=error, hint=_AGAIN) from error
    if not isinstance(found, dict):
        raise DataError(f"{location} must hold a JSON object", got=type(found).__name__, hint=_AGAIN)
    try:
        values = np.asarray(found.get("features"))
    except ValueError:  # rows of different lengths
        values = np.empty(0)
    if values.shape != SHAPE or values.dtype.kind not in "iuf":
        raise _wrong(location, f"shape {list(values.shape)} of {values.dtype}")
    fit = (values == np.rint(values)) & (values >= 0) & (values <= 255)
    if not fit.all():
        raise _wrong(location, values[~fit][0])
    return values.astype(np.float32)


def _wrong(location: str, got: object) -> DataError:
    return DataError(
        f"the features of {location} are no VGGish embedding",
        got=got,
        expected=f"{SHAPE[0]} x {SHAPE[1]} whole numbers from 0 to 255",
        hint=_AGAIN,
    )
