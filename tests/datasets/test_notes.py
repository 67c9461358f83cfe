from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.corpus import csv_bytes, encode, make_notes, write_folder, write_zip
from tutti.errors import DataError
from tutti.labels import OPENMIC

NOTE = encode(0.1 * np.ones(2000, np.float32), 8000, "WAV", "PCM_16")


def folder(root: Path, counts: dict[str, dict[str, int]]) -> Path:
    """Folders of notes from numbers of notes by class and source."""
    for name, sources in counts.items():
        for source, count in sources.items():
            write_folder(root / "notes" / name, {f"{source}__{number}.wav": NOTE for number in range(count)})
    return root


def splits(rows: Any) -> dict[str, Counter[str]]:
    """Splits by source."""
    found: dict[str, Counter[str]] = {}
    for path, split in zip(rows["path"], rows["split"], strict=True):
        found.setdefault(Path(path).name.partition("__")[0], Counter())[split] += 1
    return found


def test_whole_sources_go_to_train_test_and_valid(tmp_path: Path, build: Any) -> None:
    folder(tmp_path, {"violin": {"hall": 9, "kitchen": 5, "phone": 3, "attic": 2}})
    found = build(tmp_path, notes="notes")
    assert splits(found.manifest) == {
        "hall": {"train": 9}, "kitchen": {"test": 5}, "phone": {"valid": 3}, "attic": {"train": 2},
    }  # fmt: skip
    assert set(found.manifest["group"]) == {f"notes/violin/{name}" for name in ("hall", "kitchen", "phone", "attic")}
    assert found.info["notes"]["single_source_classes"] == []
    assert (found.manifest["native_labels"] == "violin").all()


def test_with_two_sources_validation_is_a_share_of_the_training_files(tmp_path: Path, build: Any) -> None:
    folder(tmp_path, {"violin": {"hall": 10, "kitchen": 5}})
    found = build(tmp_path, notes="notes", valid_fraction=0.3)
    assert splits(found.manifest) == {"hall": {"train": 7, "valid": 3}, "kitchen": {"test": 5}}
    assert set(found.manifest["group"]) == {
        "notes/violin/hall#train", "notes/violin/hall#valid", "notes/violin/kitchen",
    }  # fmt: skip


def test_one_source_is_split_by_file_and_reported(tmp_path: Path, build: Any) -> None:
    folder(tmp_path, {"violin": {"hall": 10}, "piano": {"hall": 2, "studio": 1}})
    found = build(tmp_path, notes="notes")
    violin = found.manifest[found.manifest.native_labels == "violin"]
    assert violin["split"].value_counts().to_dict() == {"train": 6, "valid": 2, "test": 2}
    assert violin.groupby("group")["split"].nunique().eq(1).all()
    assert found.info["notes"]["single_source_classes"] == ["violin"]


@pytest.mark.parametrize(
    ("notes", "expected"),
    [(1, {"train": 1}), (2, {"train": 1, "test": 1}), (3, {"train": 1, "valid": 1, "test": 1})],
)
def test_few_notes_are_shared_out_as_far_as_they_go(
    tmp_path: Path, build: Any, notes: int, expected: dict[str, int]
) -> None:
    folder(tmp_path, {"violin": {"hall": notes}})
    assert build(tmp_path, notes="notes").manifest["split"].value_counts().to_dict() == expected


def test_the_split_depends_on_the_seed_alone(tmp_path: Path, build: Any) -> None:
    folder(tmp_path, {"violin": {"hall": 30}})
    first, again, other = (build(tmp_path, notes="notes", seed=seed).manifest["split"] for seed in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)


def test_without_a_mark_the_folder_is_one_source(tmp_path: Path, build: Any) -> None:
    write_folder(tmp_path / "notes/violin", {f"g_string_{number}.wav": NOTE for number in range(5)})
    assert build(tmp_path, notes="notes").info["notes"]["single_source_classes"] == ["violin"]


def test_the_manifest_tells_the_source(tmp_path: Path, build: Any) -> None:
    names = [f"violin/{number}.wav" for number in range(6)]
    table = csv_bytes(
        [
            ["seconds", "path", "instrument", "source"],
            *([1, name, "violin", "ab"[i > 3]] for i, name in enumerate(names)),
        ]
    )
    write_folder(tmp_path / "notes", {**dict.fromkeys(names, NOTE), "manifest.csv": table})
    found = build(tmp_path, notes="notes", valid_fraction=0.25)
    assert found.manifest["split"].to_list()[4:] == ["test", "test"]
    assert found.manifest["split"].value_counts().to_dict() == {"train": 3, "valid": 1, "test": 2}


def test_a_manifest_without_sources_means_one_source(tmp_path: Path, build: Any) -> None:
    names = [f"violin/{source}__1.wav" for source in "abc"]
    table = csv_bytes([["path", "instrument"], *([name, "violin"] for name in names)])
    write_folder(tmp_path / "notes", {**dict.fromkeys(names, NOTE), "manifest.csv": table})
    assert build(tmp_path, notes="notes").info["notes"]["single_source_classes"] == ["violin"]


def test_texts_among_the_recordings_are_ignored(tmp_path: Path, build: Any) -> None:
    folder(tmp_path, {"violin": {"hall": 3}})
    write_folder(tmp_path / "notes", {"README.md": b"mine", "violin/notes.txt": b"G3"})
    assert len(build(tmp_path, notes="notes").manifest) == 3


def test_an_archive_of_folders_is_read(tmp_path: Path, build: Any) -> None:
    write_zip(tmp_path / "mine.zip", {f"violin/hall__{number}.wav": NOTE for number in range(5)})
    assert build(tmp_path, notes="mine.zip").manifest["path"].iloc[0] == "mine.zip!violin/hall__0.wav"


def test_all_classes_of_the_corpus(tmp_path: Path, build: Any) -> None:
    make_notes(tmp_path / "notes", seconds=0.2)
    found = build(tmp_path, notes="notes")
    assert set(found.manifest["native_labels"]) == set(OPENMIC)
    assert found.manifest.groupby("native_labels")["split"].nunique().eq(3).all()
    assert len(found.info["notes"]["single_source_classes"]) == 10


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"violine/a.wav": NOTE}, "names no instrument"),
        ({"a.wav": NOTE}, "names no instrument"),
        ({"violin/readme.txt": b"soon"}, "holds no recordings"),
        ({"violin/a.wav": NOTE, "manifest.csv": b"path,instrument\n"}, "does not list"),
        ({"violin/a.wav": NOTE, "manifest.csv": b"path,instrument\nviolin/a.wav,viola\n"}, "not the folder's"),
        ({"violin/a.wav": NOTE, "manifest.csv": b"file,label\nviolin/a.wav,violin\n"}, "lacks columns"),
        (
            {"violin/a.wav": NOTE, "manifest.csv": b"path,instrument\nviolin/a.wav,violin\nviolin/b.wav,violin\n"},
            "that are not there",
        ),
    ],
)
def test_bad_folders_are_named(tmp_path: Path, build: Any, files: dict[str, bytes], message: str) -> None:
    write_folder(tmp_path / "notes", files)
    with pytest.raises(DataError, match=message):
        build(tmp_path, notes="notes")


def test_an_unknown_folder_is_told_the_vocabulary(tmp_path: Path, build: Any) -> None:
    write_folder(tmp_path / "notes", {"violine/a.wav": NOTE})
    with pytest.raises(DataError) as caught:
        build(tmp_path, notes="notes")
    assert caught.value.got == "violine/a.wav"
    assert all(name in str(caught.value.expected) for name in OPENMIC)
