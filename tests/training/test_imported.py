"""Frame features that were computed elsewhere, imported as a feature set."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tutti.cli import app
from tutti.errors import ConfigError, DataError
from tutti.models.frame_network import FRONT_END, WINDOW_FRAMES
from tutti.training.feature_store import FeatureStore
from tutti.training.imported import TASK, Fold, import_frames, split_fold, split_recordings


def recording(frames: int, groups: tuple[int, ...], *, seed: int = 0) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = np.zeros((frames, 12), bool)
    for group in groups:
        labels[:, group] = generator.random(frames) < 0.7
    labels[:, 0] = ~labels.any(axis=1)
    return {"mfcc": generator.normal(-50, 60, (frames, 13)).astype(np.float16), "labels": labels}


def write(folder: Path, name: str, **arrays: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / f"{name}.npz", **arrays)
    return folder / f"{name}.npz"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four recordings: shorter than a window, exactly two windows, a frame more, and single precision."""
    for number, frames in enumerate((50, 2 * WINDOW_FRAMES, 2 * WINDOW_FRAMES + 1, 2 * WINDOW_FRAMES + 44)):
        arrays = recording(frames, (1, 3), seed=number)
        if number == 3:
            arrays["mfcc"] = arrays["mfcc"].astype(np.float32) + np.float32(1e-4)
        write(tmp_path / "frames", f"{1700 + number}", **arrays)
    return tmp_path / "frames"


def test_every_frame_arrives_once(folder: Path, tmp_path: Path) -> None:
    told = import_frames(folder, tmp_path / "features").set_index("recording")
    store = FeatureStore.open(tmp_path / "features", TASK)
    array = store.array(FRONT_END)
    assert array.dtype == store.labels.dtype == np.float32
    assert (store.mask.dtype, store.mask.shape) == (np.bool_, (9, WINDOW_FRAMES, 12))
    assert store.index["row"].tolist() == list(range(9))
    assert store.description["sets"][TASK]["rows"] == 9
    assert store.description["synthetic"] == []
    assert told["windows"].to_dict() == {"1700": 1, "1701": 2, "1702": 3, "1703": 3}
    for file in sorted(folder.glob("*.npz")):
        part = store.index[store.index["clip_id"] == f"musicnet/{file.stem}"]
        counted = store.mask[part["row"]].all(axis=2)
        with np.load(file) as source:
            assert np.array_equal(array[part["row"]][counted], source["mfcc"].astype(np.float32))
            assert np.array_equal(store.labels[part["row"]][counted], source["labels"])
        assert counted.sum() == told["frames"][file.stem]
        starts = [min(i * WINDOW_FRAMES, max(counted.sum() - WINDOW_FRAMES, 0)) for i in range(len(part))]
        assert part["start_s"].tolist() == pytest.approx([start * 255 / 22050 for start in starts])
        assert part["split"].unique().tolist() == [told["split"][file.stem]]
        assert part["group"].unique().tolist() == [f"recording-{file.stem}"]
    # A recording shorter than the window is looped; what stands there twice teaches once.
    first = store.index[store.index["clip_id"] == "musicnet/1700"]["row"].item()
    assert np.array_equal(array[first, 50:100], array[first, :50])
    assert not store.mask[first, 50:].any()
    # The last window of the third recording brings one new frame.
    last = store.index[store.index["clip_id"] == "musicnet/1702"]["row"].iloc[-1]
    assert np.flatnonzero(store.mask[last].all(axis=1)).tolist() == [WINDOW_FRAMES - 1]
    assert np.array_equal(array[last, :-1], array[last - 1, 1:])
    assert set(store.index["native_labels"]) <= {"keyboard;strings", "keyboard", "strings"}
    splits = [len(store.training_rows()), *(len(store.evaluation_rows(name)) for name in ("valid", "test"))]
    assert sum(splits) == 9
    assert min(splits) > 0


def test_the_same_files_and_seed_give_the_same_features(folder: Path, tmp_path: Path) -> None:
    first, second = import_frames(folder, tmp_path / "one"), import_frames(folder, tmp_path / "two")
    assert first.equals(second)
    names = sorted(path.name for path in (tmp_path / "one" / TASK).iterdir())
    assert names == sorted([f"{FRONT_END.key}.npy", "index.parquet", "labels.npy", "mask.npy"])
    for name in names:
        assert (tmp_path / "one" / TASK / name).read_bytes() == (tmp_path / "two" / TASK / name).read_bytes()
    described = [json.loads((tmp_path / name / "features.json").read_text()) for name in ("one", "two")]
    assert described[0] == described[1]


@pytest.mark.parametrize("seed", range(8))
def test_every_group_and_ensemble_is_in_every_split(seed: int) -> None:
    ensembles = {(1,): 24, (3,): 17, (1, 3): 10, (7, 8, 9): 4, (1, 8): 2, (7, 8): 2, (9,): 1}
    groups = {f"{e}-{n}": frozenset(e) for e, count in ensembles.items() for n in range(count)}
    splits = split_recordings(groups, valid_fraction=8 / 60, test_fraction=10 / 60, seed=seed)
    sizes = {name: list(splits.values()).count(name) for name in ("train", "valid", "test")}
    assert sizes == {"train": 42, "valid": 8, "test": 10}
    for ensemble in ((1,), (3,), (1, 3), (7, 8, 9)):
        assert {splits[name] for name, found in groups.items() if found == frozenset(ensemble)} == set(sizes)
    for group in (1, 3, 7, 8, 9):
        assert {splits[name] for name, found in groups.items() if group in found} == set(sizes)


def test_another_seed_splits_otherwise() -> None:
    groups = {str(number): frozenset({1 + number % 2}) for number in range(30)}
    splits = [split_recordings(groups, valid_fraction=0.2, test_fraction=0.2, seed=seed) for seed in (1, 1, 2)]
    assert splits[0] == splits[1] != splits[2]


def test_three_recordings_are_one_for_each_split() -> None:
    groups: dict[str, frozenset[int]] = {"a": frozenset(), "b": frozenset({1}), "c": frozenset({3})}
    splits = split_recordings(groups, valid_fraction=0.1, test_fraction=0.1, seed=0)
    assert sorted(splits.values()) == ["test", "train", "valid"]
    with pytest.raises(DataError, match="too few recordings"):
        split_recordings({"a": frozenset()}, valid_fraction=0.1, test_fraction=0.1, seed=0)
    for valid, test in ((0.5, 0.5), (0, 0.2), (0.2, -0.1)):
        with pytest.raises(ConfigError, match="shares"):
            split_recordings(groups, valid_fraction=valid, test_fraction=test, seed=0)


@pytest.mark.parametrize("seed", range(4))
def test_folds_are_disjoint_cover_everything_and_hold_every_ensemble(seed: int) -> None:
    ensembles = {(1,): 26, (3,): 19, (1, 3): 7, (7, 8, 9): 6, (1, 8): 2, (9,): 1}
    groups = {f"{e}-{n}": frozenset(e) for e, count in ensembles.items() for n in range(count)}
    tested: list[str] = []
    for number in range(1, 7):
        splits = split_fold(groups, Fold(number, 6), valid_fraction=0.1, seed=seed)
        assert splits.keys() == groups.keys()
        parts = {part: [n for n in groups if splits[n] == part] for part in ("train", "valid", "test")}
        assert [len(parts[part]) for part in parts] == [55 - len(parts["test"]), 6, 11 if number == 1 else 10]
        for ensemble in ((1,), (3,), (1, 3), (7, 8, 9)):
            assert all(any(groups[n] == frozenset(ensemble) for n in names) for names in parts.values())
        # No fold has more of an ensemble than its share, rounded up.
        for ensemble, count in ensembles.items():
            assert sum(groups[n] == frozenset(ensemble) for n in parts["test"]) <= count // 6 + 1
        tested += parts["test"]
    assert sorted(tested) == sorted(groups)


def test_folds_depend_on_the_seed_alone() -> None:
    groups = {str(number): frozenset({1 + number % 2}) for number in range(30)}

    def tested(seed: int, valid: float) -> list[str]:
        splits = split_fold(groups, Fold(2, 5), valid_fraction=valid, seed=seed)
        return [name for name in groups if splits[name] == "test"]

    assert tested(1, 0.1) == tested(1, 0.3) != tested(2, 0.1)


@pytest.mark.parametrize("fold", [Fold(0, 3), Fold(4, 3), Fold(-1, 3), Fold(1, 1), Fold(1, 0)])
def test_wrong_folds_are_refused(fold: Fold) -> None:
    groups = {str(number): frozenset({1}) for number in range(6)}
    with pytest.raises(ConfigError, match="no such fold"):
        split_fold(groups, fold, valid_fraction=0.1, seed=0)


def test_folds_leave_something_to_train_on() -> None:
    groups = {str(number): frozenset({1}) for number in range(4)}
    for share in (0, -0.1, 0.5):
        with pytest.raises(ConfigError, match="share of validation"):
            split_fold(groups, Fold(1, 2), valid_fraction=share, seed=0)
    for number, fold in ((4, Fold(1, 5)), (3, Fold(2, 2)), (2, Fold(1, 2))):
        with pytest.raises(DataError, match="too few recordings for the folds"):
            split_fold({n: groups[n] for n in list(groups)[:number]}, fold, valid_fraction=0.1, seed=0)
    for share in (0.01, 0.49):
        splits = split_fold(groups, Fold(1, 2), valid_fraction=share, seed=0)
        assert sorted(splits.values()) == ["test", "test", "train", "valid"]


def test_a_fold_is_imported(folder: Path, tmp_path: Path) -> None:
    tested = []
    for number in (1, 2):
        out = tmp_path / str(number)
        told = import_frames(folder, out, valid_fraction=0.25, fold=Fold(number, 2))
        assert sorted(told["split"]) == ["test", "test", "train", "valid"]
        tested += told[told["split"] == "test"]["recording"].tolist()
        provenance = FeatureStore.open(out, TASK).description["provenance"]
        assert len(provenance["data"]["manifest"]) == 64  # evaluation says by it on which data it was
        assert provenance["params"] == {"valid_fraction": 0.25, "folds": 2, "fold": number, "frames": WINDOW_FRAMES}
    assert sorted(tested) == ["1700", "1701", "1702", "1703"]


def _good() -> dict[str, np.ndarray]:
    return recording(40, (1,))


def _broken(value: float) -> np.ndarray:
    mfcc = _good()["mfcc"]
    mfcc[7, 3] = value
    return mfcc


def _both() -> np.ndarray:
    labels = _good()["labels"]
    labels[5] = False
    labels[5, [0, 1]] = True
    return labels


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mfcc": np.zeros((40, 12), np.float16)}, r"bad\.npz: mfcc has the wrong shape"),
        ({"mfcc": np.zeros((13,), np.float16)}, "mfcc has the wrong shape"),
        ({"mfcc": np.zeros((0, 13), np.float16), "labels": np.zeros((0, 12), bool)}, "not empty"),
        ({"mfcc": np.zeros((40, 13))}, "mfcc has the wrong type"),
        ({"mfcc": np.zeros((40, 13), np.int16)}, "mfcc has the wrong type"),
        ({"mfcc": _broken(np.nan)}, r"mfcc holds values that are no numbers[\s\S]*frame 7"),
        ({"mfcc": _broken(np.inf)}, "mfcc holds values that are no numbers"),
        ({"mfcc": np.zeros((41, 13), np.float16)}, r"different numbers of frames[\s\S]*41 and 40"),
        ({"labels": np.zeros((40, 13), bool)}, "labels has the wrong shape"),
        ({"labels": np.zeros((40, 12), np.uint8)}, "labels has the wrong type"),
        ({"labels": _both()}, r"labels says both silence and an instrument[\s\S]*frame 5"),
        ({"labels": np.array([[None] * 12] * 40)}, r"bad\.npz is no readable \.npz file"),
        ({"labels": None}, "holds other arrays than expected"),
        ({"notes": np.zeros(3)}, "holds other arrays than expected"),
    ],
)
def test_what_does_not_fit_is_refused(
    folder: Path, tmp_path: Path, changes: dict[str, np.ndarray | None], message: str
) -> None:
    arrays = {name: array for name, array in {**_good(), **changes}.items() if array is not None}
    write(folder, "bad", **arrays)
    with pytest.raises(DataError, match=message):
        import_frames(folder, tmp_path / "features")
    assert [path.name for path in tmp_path.iterdir()] == ["frames"]


@pytest.mark.parametrize("data", [b"", b"no archive at all", b"PK\x03\x04 cut short"])
def test_files_that_are_no_archives_are_refused(folder: Path, tmp_path: Path, data: bytes) -> None:
    (folder / "bad.npz").write_bytes(data)
    with pytest.raises(DataError, match=r"bad\.npz is no readable"):
        import_frames(folder, tmp_path / "features")


def test_a_cut_archive_is_refused(folder: Path, tmp_path: Path) -> None:
    whole = (folder / "1703.npz").read_bytes()
    (folder / "1703.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"1703\.npz is no readable"):
        import_frames(folder, tmp_path / "features")


def test_ids_are_unique_and_folders_hold_something(folder: Path, tmp_path: Path) -> None:
    write(folder / "again", "1700", **_good())
    with pytest.raises(DataError, match="two files have the recording id '1700'"):
        import_frames(folder, tmp_path / "features")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"holds no \.npz files"):
        import_frames(tmp_path / "empty", tmp_path / "features")
    with pytest.raises(DataError, match="there is no folder"):
        import_frames(tmp_path / "nowhere", tmp_path / "features")


def test_command(folder: Path, tmp_path: Path) -> None:
    def call(*arguments: object) -> Any:
        return CliRunner().invoke(app, ["import-frames", *map(str, arguments)], env={"COLUMNS": "120"})

    out = tmp_path / "features"
    done = call(folder, "--out", out)
    assert done.exit_code == 0, done.output
    assert "4 recordings" in done.stdout
    assert "keyboard" in done.stdout
    again = call(folder, "--out", out)
    assert again.exit_code == 2
    assert "exists already" in again.stderr
    assert call(folder, "--out", out, "--force", "--seed", 1).exit_code == 0
    assert json.loads((out / "features.json").read_text())["provenance"]["seed"] == 1
    folded = call(folder, "--out", tmp_path / "fold", "--folds", 2, "--fold", 2, "--valid", 0.25)
    assert folded.exit_code == 0, folded.output
    for arguments in (("--folds", 2), ("--fold", 1), ("--folds", 2, "--fold", 1, "--test", 0.2)):
        wrong = call(folder, "--out", tmp_path / "more", *arguments)
        assert wrong.exit_code == 2
        assert "--fold" in wrong.stderr
    # --force replaces features, nothing else that may be at that place.
    other = call(folder, "--out", folder, "--force")
    assert other.exit_code == 2
    assert "no features folder" in other.stderr
    write(folder, "bad", mfcc=np.zeros((3, 13)))
    refused = call(folder, "--out", tmp_path / "more")
    assert refused.exit_code == 3
    assert "bad.npz" in refused.stderr
    assert not (tmp_path / "more").exists()


def test_help_answers_at_once() -> None:
    code = (
        "import sys, tutti.cli\n"
        "try:\n    tutti.cli.app(['import-frames', '--help'])\nexcept SystemExit:\n    pass\n"
        "assert not {'torch', 'numpy', 'pandas', 'sklearn'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--force" in done.stdout
