from pathlib import Path
from typing import Any

import pytest

from tests.corpus import irmas_members, write_folder, write_zip
from tutti.datasets.irmas import song_of
from tutti.datasets.manifest import label_arrays
from tutti.errors import DataError
from tutti.labels import IRMAS, OPENMIC


@pytest.fixture
def archives() -> dict[str, dict[str, bytes]]:
    return irmas_members(seconds=0.2)


def write(root: Path, archives: dict[str, dict[str, bytes]]) -> Path:
    for name, members in archives.items():
        write_zip(root / "irmas" / name, members)
    return root


def test_the_folder_names_the_instrument(built: Any) -> None:
    rows = built.manifest[(built.manifest.dataset == "irmas") & (built.manifest.split != "test")]
    assert rows["native_labels"].value_counts().to_dict() == dict.fromkeys(IRMAS, 2)
    labels, mask = label_arrays(rows)
    for code, label, asked in zip(rows["native_labels"], labels, mask, strict=True):
        # One predominant instrument: nothing is said about the others.
        assert [OPENMIC[index] for index in asked.nonzero()[0]] == [IRMAS[code]]
        assert label[asked].tolist() == [1.0]


def test_validation_is_carved_out_of_the_songs(built: Any) -> None:
    rows = built.manifest[built.manifest.dataset == "irmas"]
    assert rows["split"].value_counts().to_dict() == {"train": 15, "valid": 7, "test": 6}
    assert rows.groupby("group")["split"].nunique().eq(1).all()


def test_the_test_parts_are_read_with_odd_folders_and_trailing_tabs(built: Any) -> None:
    rows = built.manifest[(built.manifest.dataset == "irmas") & (built.manifest.split == "test")]
    assert sorted({Path(path.split("!")[1]).parts[0] for path in rows["path"]}) == [
        "IRTestingData-Part2", "Part1", "Part3",
    ]  # fmt: skip
    assert {code for codes in rows["native_labels"] for code in codes.split(";")} <= set(IRMAS)
    assert rows["native_labels"].str.contains(";").sum() == 3
    # Excerpts -1 and -2 of a song share its group.
    assert rows["group"].nunique() == 3


@pytest.mark.parametrize(
    ("stem", "song"),
    [
        ("[cel][cla]0001__1", "0001"),
        ("008__[flu][nod][cla]0393__1", "0393"),
        ("[cla][dru][jaz_blu]1234__3", "1234"),
        ("recorded at home", "recorded at home"),
    ],
)
def test_the_song_stands_behind_the_tags(stem: str, song: str) -> None:
    assert song_of(stem) == song


def test_unpacked_folders_read_like_the_archives(tmp_path: Path, build: Any, archives: Any) -> None:
    write(tmp_path / "packed", archives)
    for name, members in archives.items():
        inside = "" if name == "IRMAS-TrainingData.zip" else name.removesuffix(".zip")
        write_folder(tmp_path / "unpacked/irmas" / inside, members)
    packed, unpacked = (build(tmp_path / kind, irmas="irmas").manifest for kind in ("packed", "unpacked"))
    assert packed.drop(columns="path").equals(unpacked.drop(columns="path"))


def test_the_training_part_alone_is_enough(tmp_path: Path, build: Any, archives: Any) -> None:
    write(tmp_path, {"IRMAS-TrainingData.zip": archives["IRMAS-TrainingData.zip"]})
    assert set(build(tmp_path, irmas="irmas").manifest["split"]) == {"train", "valid"}


PART = "IRMAS-TestingData-Part1.zip"
STEM = "Part1/(01) Some Song (live)-1"


@pytest.mark.parametrize(
    ("archive", "name", "data", "message"),
    [
        ("IRMAS-TrainingData.zip", "IRMAS-TrainingData/tub/[tub][cla]0001__1.wav", b"x", "outside the vocabulary"),
        (PART, f"{STEM}.txt", b"tub\t\n", "outside the vocabulary"),
        (PART, f"{STEM}.txt", b"\n", "outside the vocabulary"),
        (PART, "Part1/no labels-1.wav", b"x", "no .txt"),
        (PART, "Part1/no sound-1.txt", b"pia\t\n", "without a recording"),
        ("Other.zip", "pia/x.wav", b"x", "neither the training nor the testing part"),
    ],
)
def test_bad_files_are_named(
    tmp_path: Path, build: Any, archives: Any, archive: str, name: str, data: bytes, message: str
) -> None:
    archives.setdefault(archive, {})[name] = data
    write(tmp_path, archives)
    with pytest.raises(DataError, match=message):
        build(tmp_path, irmas="irmas")


def test_a_truncated_archive_is_named(tmp_path: Path, build: Any, archives: Any) -> None:
    write(tmp_path, archives)
    path = tmp_path / "irmas/IRMAS-TrainingData.zip"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(DataError, match=r"IRMAS-TrainingData\.zip is cut short"):
        build(tmp_path, irmas="irmas")
