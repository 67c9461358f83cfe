"""Two versions of a dataset that differ in known ways."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.validation.frames import probes_of, row
from tutti.datasets.manifest import COLUMNS, label_row, save_manifest
from tutti.errors import DataError
from tutti.files import write_json
from tutti.labels import OPENMIC
from tutti.validation.drift import Drift, Move, compare, load_version, write_drift

Frames = tuple[pd.DataFrame, pd.DataFrame]


def frames(clips: int = 200) -> Frames:
    """Clips that are asked about two classes each, and notes; levels and spectra spread over all classes alike."""
    rows = []
    for index in range(clips):
        split = ("train", "train", "train", "valid", "test")[index % 5]
        present = (index + index // 20) % 20
        absent = (present + 7) % 20
        rows.append(row("openmic", f"{index:03d}", split, f"artist{index}", OPENMIC[present], [present], [absent]))
    rows += [row("nsynth", f"{index:03d}", "train", "bass_000", ("bass", "reed")[index % 2]) for index in range(60)]
    manifest = pd.DataFrame(rows, columns=list(COLUMNS))
    manifest["duration_s"] = np.where(manifest.index % 3 == 0, 10.0, 10.01)
    probes = probes_of(manifest)
    order = np.random.default_rng(1).permutation(len(manifest))
    for column in ("rms_dbfs", "centroid_hz", "rolloff_hz"):
        probes[column] = probes[column].to_numpy()[order]
    return manifest, probes


def write(folder: Path, manifest: pd.DataFrame, probes: pd.DataFrame) -> Path:
    save_manifest(manifest, folder / "manifest.parquet")
    probes.to_parquet(folder / "probes.parquet", index=False)
    write_json(folder / "datasets.json", {"openmic": {"synthetic": False}, "nsynth": {"synthetic": False}})
    return folder


def drift(folder: Path, new: Frames, old: Frames | None = None) -> Drift:
    versions = (write(folder / name, *made) for name, made in (("old", old or frames()), ("new", new)))
    return compare(*map(load_version, versions))


def moved(found: Drift) -> set[tuple[str, str]]:
    return {(move.dataset, move.what) for move in found.moved}


def changed_clips(found: Drift) -> dict[tuple[str, str], int]:
    return {(name, kind): len(ids) for name, kinds in found.clips.items() for kind, ids in kinds.items() if ids}


def test_equal_versions_have_nothing_to_say(tmp_path: Path) -> None:
    found = drift(tmp_path, frames())
    assert found.same
    assert not found.words()
    assert all(move.effect == 0 for move in found.moves)
    assert {"level", "duration", "spectral centroid", "share of the classes", "share of the sample rates"} <= {
        move.what for move in found.moves
    }
    write_drift(found, tmp_path / "page")
    assert "Nothing moved" in (tmp_path / "page/index.html").read_text()
    assert json.loads((tmp_path / "page/drift.json").read_text())["same"] is True


def test_the_order_of_the_rows_is_no_difference(tmp_path: Path) -> None:
    manifest, probes = frames()
    assert drift(tmp_path, (manifest, probes.iloc[::-1])).same


def openmic(manifest: pd.DataFrame) -> pd.Series:
    return manifest["dataset"] == "openmic"


def louder(manifest: pd.DataFrame, probes: pd.DataFrame) -> None:
    probes.loc[openmic(manifest), "rms_dbfs"] += 6.0


def shorter(manifest: pd.DataFrame, probes: pd.DataFrame) -> None:
    manifest.loc[openmic(manifest), "duration_s"] = 5.0


def duller(manifest: pd.DataFrame, probes: pd.DataFrame) -> None:
    probes.loc[openmic(manifest), "centroid_hz"] *= 0.5
    probes.loc[openmic(manifest), "rolloff_hz"] *= 0.5


def other_rate(manifest: pd.DataFrame, probes: pd.DataFrame) -> None:
    manifest.loc[openmic(manifest) & (manifest.index % 2 == 0), "sample_rate"] = 44100


def stereo(manifest: pd.DataFrame, probes: pd.DataFrame) -> None:
    manifest.loc[~openmic(manifest), "channels"] = 2


def clipped(manifest: pd.DataFrame, probes: pd.DataFrame) -> None:
    probes.loc[manifest.index % 2 == 0, "clipped_share"] = 0.01


NUMBERS: list[tuple[Callable[[pd.DataFrame, pd.DataFrame], None], set[tuple[str, str]], str]] = [
    (louder, {("openmic", "level")}, r"level is higher: median -\S+ dBFS before, -\S+ dBFS after"),
    (shorter, {("openmic", "duration")}, "duration is lower: median 10.01 s before, 5 s after"),
    (duller, {("openmic", "spectral centroid"), ("openmic", "spectral rolloff")}, "spectral centroid is lower"),
    (other_rate, {("openmic", "share of the sample rates")}, r"differs by 50.0%: 16000 from 100.0% to 50.0%"),
    (stereo, {("nsynth", "share of the channels")}, r"1 from 100.0% to 0.0%, 2 from 0.0% to 100.0%"),
    (
        clipped,
        {("openmic", "share of clipped samples"), ("nsynth", "share of clipped samples")},
        "median 0 before, 0.005 after",
    ),
]


@pytest.mark.parametrize(("change", "expected", "said"), NUMBERS, ids=[change.__name__ for change, *_ in NUMBERS])
def test_what_moved_is_named_and_nothing_else(
    tmp_path: Path, change: Callable[..., None], expected: set[tuple[str, str]], said: str
) -> None:
    manifest, probes = frames()
    change(manifest, probes)
    found = drift(tmp_path, (manifest, probes))
    assert moved(found) == expected
    assert not changed_clips(found)
    assert re.search(said, "\n".join(found.words()))


def test_effects_are_those_of_the_definitions(tmp_path: Path) -> None:
    manifest, probes = frames()
    other_rate(manifest, probes)
    shorter(manifest, probes)
    effects = {(move.dataset, move.what): move.effect for move in drift(tmp_path, (manifest, probes)).moves}
    assert effects["openmic", "share of the sample rates"] == 0.5
    assert effects["openmic", "duration"] == 1.0
    assert effects["openmic", "level"] == 0.0


def test_answers_that_shifted_move_classes_and_masks(tmp_path: Path) -> None:
    manifest, probes = frames()
    answer = [OPENMIC.index("mandolin")], [OPENMIC.index("organ")]
    for at in range(60):
        manifest.at[at, "labels"], manifest.at[at, "mask"] = label_row(*answer)
        manifest.at[at, "native_labels"] = "mandolin"
    found = drift(tmp_path, (manifest, probes))
    assert moved(found) == {("openmic", "share of the classes"), ("openmic", "share of the classes asked about")}
    assert set(changed_clips(found)) == {("openmic", "labels")}
    assert "mandolin from 5.0% to" in "\n".join(found.words())


def test_more_answers_per_clip_are_told(tmp_path: Path) -> None:
    manifest, probes = frames()
    for at in range(200):
        manifest.at[at, "mask"] = np.ones(20, bool)
        manifest.at[at, "labels"] = np.where(manifest.at[at, "labels"] == 0.5, 0.0, manifest.at[at, "labels"])
    found = drift(tmp_path, (manifest, probes))
    assert moved(found) == {("openmic", "classes asked about per clip")}


def test_added_removed_and_changed_clips_are_listed(tmp_path: Path) -> None:
    manifest, probes = frames()
    old = frames()
    probes.loc[1, "content_sha256"] = "a" * 64
    manifest.loc[1, "sha256"] = "b" * 64
    manifest.loc[2, "sha256"] = "c" * 64
    manifest.loc[3, "split"] = "train"
    manifest.loc[0, "clip_id"] = probes.loc[0, "clip_id"] = "openmic/new"
    found = drift(tmp_path, (manifest, probes), old)
    assert found.clips["openmic"] == {
        "added": ["openmic/new"],
        "removed": ["openmic/000"],
        "sound": ["openmic/001"],
        "container": ["openmic/002"],
        "labels": [],
        "split": ["openmic/003"],
    }
    assert not found.moved
    assert not found.same
    assert "openmic: 1 clip in another split, such as openmic/003" in found.words()


def test_a_dataset_that_came_is_told_without_comparing_it(tmp_path: Path) -> None:
    manifest, probes = frames()
    kept = openmic(manifest)
    found = drift(tmp_path, (manifest, probes), (manifest[kept].reset_index(drop=True), probes[kept]))
    assert moved(found) == {("all", "share of the datasets")}
    assert changed_clips(found) == {("nsynth", "added"): 60}


def test_a_few_clips_prove_nothing(tmp_path: Path) -> None:
    def few(seed: int) -> Frames:
        manifest = pd.DataFrame([row("openmic", f"{n}", "train", "a", "flute", [7]) for n in range(6)])
        probes = probes_of(manifest)
        probes["rms_dbfs"] = np.random.default_rng(seed).uniform(-30, -10, 6)
        return manifest[list(COLUMNS)], probes

    found = drift(tmp_path, few(1), few(2))
    level = next(move for move in found.moves if move.what == "level")
    assert level.effect > found.min_effect
    assert not level.moved


def test_the_page_needs_no_network_and_shows_what_moved(tmp_path: Path) -> None:
    manifest, probes = frames()
    louder(manifest, probes)
    other_rate(manifest, probes)
    write_drift(drift(tmp_path, (manifest, probes)), tmp_path / "page")
    page = (tmp_path / "page/index.html").read_text()
    assert not re.findall(r"https?://|<script|<link|@import|url\(|src=", page)
    assert page.count("<svg viewBox") == 2
    assert "2 things moved" in page
    told = json.loads((tmp_path / "page/drift.json").read_text())
    assert {Move(**move).what for move in told["moves"] if move["moved"]} == {"level", "share of the sample rates"}


@pytest.mark.parametrize("spoil", ["no manifest", "no probes", "old probes", "no facts", "cut probes", "other clips"])
def test_a_folder_that_is_no_version_is_one_clear_error(tmp_path: Path, spoil: str) -> None:
    folder = write(tmp_path / "v", *frames())
    probes = pd.read_parquet(folder / "probes.parquet")
    if spoil == "no manifest":
        (folder / "manifest.parquet").unlink()
    elif spoil == "no probes":
        (folder / "probes.parquet").unlink()
    elif spoil == "old probes":
        probes.drop(columns="centroid_hz").to_parquet(folder / "probes.parquet")
    elif spoil == "no facts":
        (folder / "datasets.json").unlink()
    elif spoil == "cut probes":
        (folder / "probes.parquet").write_bytes((folder / "probes.parquet").read_bytes()[:500])
    else:
        probes.iloc[:-1].to_parquet(folder / "probes.parquet")
    with pytest.raises(DataError, match="validate"):
        load_version(folder)


def test_the_command_tells_writes_and_fails_when_asked(tmp_path: Path) -> None:
    manifest, probes = frames()
    old = write(tmp_path / "old", *frames())
    louder(manifest, probes)
    new = write(tmp_path / "new", manifest, probes)

    def tutti(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tutti.cli", "data", "drift", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, env=dict(os.environ))

    told = tutti(old, new, "--out", tmp_path / "page")
    assert told.returncode == 0, told.stderr
    assert "openmic: level is higher" in told.stdout
    assert (tmp_path / "page/index.html").is_file()
    again = tutti(old, new, "--out", tmp_path / "page")
    assert again.returncode == 2
    assert "--force" in again.stderr
    failed = tutti(old, new, "--out", tmp_path / "page", "--force", "--fail")
    assert failed.returncode == 3
    assert "level is higher" in failed.stderr
    assert "Traceback" not in failed.stderr
    equal = tutti(old, old, "--out", tmp_path / "same", "--fail")
    assert equal.returncode == 0, equal.stderr
    assert "nothing moved" in equal.stdout
    kept = tutti(old, new, "--out", old, "--force")
    assert kept.returncode == 2
    assert (old / "manifest.parquet").is_file()
