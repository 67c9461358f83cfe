"""The exclusion list: recordings that no step may use, each with the reason why.

A CSV file with the columns ``clip`` and ``reason``. A ``clip`` is a clip_id such as ``openmic/000046_3840``, a path as
the manifest gives it, or a pattern of either, where ``*`` stands for any characters and ``?`` for one. Brackets stand
for themselves, since IRMAS has them in its names.
"""

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tutti.errors import DataError

_COLUMNS = ["clip", "reason"]


@dataclass(frozen=True)
class Exclusion:
    """An entry of the list.

    Attributes:
        line: Its line in the file, from 1.
        clip: The clip_id, path or pattern.
        reason: Why nobody may use what it names.
    """

    line: int
    clip: str
    reason: str


def read_exclusions(path: Path) -> list[Exclusion]:
    """The entries of an exclusion list.

    Raises:
        DataError: The file is missing or no such CSV, or an entry names no clip or gives no reason.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            rows = [(reader.line_num, row) for row in reader]
    except OSError as error:
        raise DataError(
            f"cannot read the exclusion list {path}",
            got=error.strerror,
            hint="validate.exclude of params.yaml names a file below the data folder; null for none",
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"the exclusion list {path} is no CSV in UTF-8", got=error) from error
    header = [name.strip() for name in rows[0][1]] if rows else []
    if header != _COLUMNS:
        raise DataError(f"the exclusion list {path} has the wrong columns", got=header, expected=",".join(_COLUMNS))
    entries = []
    for line, row in rows[1:]:
        if not row:
            continue
        cells = [cell.strip() for cell in row]
        if len(cells) != 2 or not all(cells):
            raise DataError(
                f"{path}, line {line}: an entry needs a clip and a reason",
                got=",".join(row),
                hint="put quotes around a reason that holds a comma",
            )
        entries.append(Exclusion(line, *cells))
    return entries


def exclude(manifest: pd.DataFrame, path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Takes the clips on the exclusion list out of a manifest. The splits of the others stay as they are.

    Args:
        manifest: One row per clip, see `tutti.datasets.manifest.COLUMNS`.
        path: The exclusion list.

    Returns:
        The rows that are left, and those that are not, the latter with the columns ``reason`` and ``line`` of the first
        entry that names them.

    Raises:
        DataError: The list cannot be read, or an entry names no clip of the manifest.
    """
    ids, paths = manifest["clip_id"], manifest["path"]
    reasons = pd.Series("", index=manifest.index, dtype=object)
    lines = pd.Series(0, index=manifest.index)
    for entry in read_exclusions(path):
        if set(entry.clip) & set("*?"):
            pattern = re.escape(entry.clip).replace(r"\*", ".*").replace(r"\?", ".")
            named = ids.str.fullmatch(pattern) | paths.str.fullmatch(pattern)
        else:
            named = (ids == entry.clip) | (paths == entry.clip)
        if not named.any():
            raise DataError(
                f"{path}, line {entry.line}: no clip has this name",
                got=entry.clip,
                expected="a clip_id or path of the manifest, or a pattern with * and ?",
                hint="correct the entry, or take it out when the clip has gone",
            )
        new = named & (lines == 0)
        reasons[new], lines[new] = entry.reason, entry.line
    gone = lines > 0
    excluded = manifest[gone].assign(reason=reasons[gone], line=lines[gone])
    return manifest[~gone].reset_index(drop=True), excluded.reset_index(drop=True)


def without(datasets: dict[str, dict[str, Any]], excluded: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Facts per dataset with clips and hours of what is left, and ``excluded``, the number of clips that are not."""
    left = dict(datasets)
    for name in excluded["dataset"].unique():
        rows, facts = excluded[excluded["dataset"] == name], datasets[name]
        left[name] = {
            **facts,
            "clips": facts["clips"] - len(rows),
            "hours": round(facts["hours"] - rows["duration_s"].sum() / 3600, 4),
            "excluded": len(rows),
        }
    return left
