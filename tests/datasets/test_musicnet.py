from pathlib import Path
from typing import Any

import pytest

from tests.corpus import musicnet_members, write_folder, write_tar
from tutti.datasets.manifest import label_arrays
from tutti.errors import DataError
from tutti.labels import MUSICNET, OPENMIC

LABELS = "musicnet/train_labels/1727.csv"


@pytest.fixture
def members() -> dict[str, bytes]:
    return musicnet_members(seconds=0.3)


def test_recordings_with_their_codes_and_splits(built: Any) -> None:
    rows = built.manifest[built.manifest.dataset == "musicnet"].set_index("clip_id")
    assert rows["split"].to_dict() == {"musicnet/1727": "train", "musicnet/1728": "train", "musicnet/1759": "test"}
    assert rows.loc["musicnet/1727", "native_labels"] == "1;7;41;42"
    assert {int(code) for codes in rows["native_labels"] for code in codes.split(";")} == set(MUSICNET)
    assert rows["group"].is_unique
    labels, mask = label_arrays(rows)
    sounding = [{OPENMIC[index] for index in row.nonzero()[0]} for row in mask]
    assert sounding == [{"piano", "violin"}, {"cello", "flute"}, {"clarinet"}]  # harpsichord, viola ... have no class
    assert (labels[mask] == 1).all()


def test_the_doubled_folder_of_the_mirror_and_unknown_columns_are_read(
    tmp_path: Path, build: Any, members: dict[str, bytes]
) -> None:
    header, *rows = members[LABELS].decode().splitlines()
    more = "\n".join([header + ",Instrument Group,Time Chunks", *(row + ",Strings,7" for row in rows)])
    write_folder(tmp_path / "musicnet/musicnet", members | {LABELS: more.encode()})
    assert build(tmp_path, musicnet="musicnet").manifest["native_labels"].to_list()[0] == "1;7;41;42"


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        (LABELS, b"start_time,end_time,instrument\n0,9,1\n0,9,13\n", "line 3 names an unknown instrument code"),
        (LABELS, b"start_time,end_time,instrument\n0,9,violin\n", "line 2 names an unknown instrument code"),
        (LABELS, b"start_time,end_time,instrument\n", "labels no notes"),
        (LABELS, b"start_time,end_time\n0,9\n", "lacks columns"),
        (LABELS, None, "without a label file"),
        ("musicnet/train_data/1727.wav", None, "without a recording"),
        ("musicnet/outtakes/1.wav", b"x", "in no part of MusicNet"),
    ],
)
def test_bad_files_are_named(
    tmp_path: Path, build: Any, members: dict[str, bytes], name: str, data: bytes | None, message: str
) -> None:
    if data is None:
        del members[name]
    else:
        members[name] = data
    write_tar(tmp_path / "musicnet/musicnet.tar.gz", members)
    with pytest.raises(DataError, match=message):
        build(tmp_path, musicnet="musicnet")
