"""Windows of whole MusicNet recordings, and a network that is trained on them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.corpus import csv_bytes, encode, write_tar
from tests.training.studio import optimiser, row, save, with_models
from tutti.bundle import read_bundle
from tutti.config import Config, ModelParams
from tutti.datasets.musicnet_frames import FRAME_SAMPLES, SAMPLE_RATE, frame_labels
from tutti.files import write_json
from tutti.models.frame_network import FRONT_END, WINDOW_FRAMES
from tutti.training.feature_store import FeatureStore
from tutti.training.features import extract_features
from tutti.training.fitting import input_scale
from tutti.training.train import train_model

TASK = "musicnet-frames"
_WINDOW = WINDOW_FRAMES * FRAME_SAMPLES / SAMPLE_RATE

#: Seconds and split of each recording: shorter than a window, two windows and a moved-back third, and whole ones.
RECORDINGS = {"1": (5.0, "train"), "2": (60.0, "train"), "3": (2 * _WINDOW, "valid"), "4": (2.2 * _WINDOW, "test")}


@dataclass(frozen=True)
class Frames:
    """A features folder, and what it was made of."""

    features: Path
    config: Config
    notes: dict[str, np.ndarray]

    @property
    def store(self) -> FeatureStore:
        return FeatureStore.open(self.features, TASK)

    def windows(self, recording: str) -> list[tuple[int, int]]:
        """Row and first sample (at 44.1 kHz) of each window."""
        part = self.store.index[self.store.index["clip_id"] == f"musicnet/{recording}"]
        return [(int(r), round(s * SAMPLE_RATE)) for r, s in zip(part["row"], part["start_s"], strict=True)]


@pytest.fixture(scope="module")
def frames(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Frames:
    root, generator = tmp_path_factory.mktemp("musicnet"), np.random.default_rng(0)
    members, rows, notes = {}, [], {}
    for number, (seconds, split) in RECORDINGS.items():
        starts = np.sort(generator.integers(0, round(seconds * SAMPLE_RATE), 40))
        lengths, programs = generator.integers(1000, 40000, 40), generator.choice([1, 41, 61, 72, 74], 40)
        notes[number] = np.stack([starts, starts + lengths, programs], axis=1)
        folder = f"musicnet/{'test' if split == 'test' else 'train'}"
        sound = generator.normal(0, 0.1, round(seconds * 22050)).astype(np.float32)
        members[f"{folder}_data/{number}.wav"] = encode(sound, 22050, "WAV", "PCM_16")
        members[f"{folder}_labels/{number}.csv"] = csv_bytes(
            [["start_time", "end_time", "instrument"], *notes[number].tolist()]
        )
        path = f"musicnet/m.tar!{folder}_data/{number}.wav"
        rows.append(row(path, "musicnet", split, b"", len(sound) / 22050, 22050))
    write_tar(root / "data/musicnet/m.tar", members)
    save(rows, root / "manifest/manifest.parquet")
    save([], root / "mixtures/manifest.parquet")
    write_json(root / "manifest/datasets.json", {"musicnet": {"synthetic": False}})
    params = ModelParams(train=optimiser(epochs=2, select_by="micro_f1", augment=False))
    chosen = with_models(config, mfcc_cnn=params)
    extract_features(root / "data", root / "manifest", root / "mixtures", root / "features", chosen)
    return Frames(root / "features", chosen, notes)


def test_windows_stand_side_by_side_and_the_last_ends_with_the_recording(frames: Frames) -> None:
    step = WINDOW_FRAMES * FRAME_SAMPLES
    starts = {number: [start for _, start in frames.windows(number)] for number in RECORDINGS}
    assert starts["1"] == [0]
    assert starts["2"][:2] == [0, step]
    assert starts["2"][2] == 60 * SAMPLE_RATE - (WINDOW_FRAMES - 1) * FRAME_SAMPLES
    assert starts["3"] == [0, step]
    assert starts["4"] == [0, step]  # a fifth of a window is not worth another
    assert frames.store.array(FRONT_END).shape == (8, WINDOW_FRAMES, 13)


@pytest.mark.parametrize("number", RECORDINGS)
def test_labels_are_those_of_the_whole_recording(frames: Frames, number: str) -> None:
    total = round(RECORDINGS[number][0] * SAMPLE_RATE) // FRAME_SAMPLES
    whole = frame_labels(frames.notes[number], total)
    aligned = [(r, start // FRAME_SAMPLES) for r, start in frames.windows(number) if start % FRAME_SAMPLES == 0]
    assert aligned
    for r, first in aligned:
        count = min(total - first, WINDOW_FRAMES)
        assert np.array_equal(frames.store.labels[r, :count], whole[first : first + count])
        assert frames.store.mask[r, :count].all()
        assert not frames.store.mask[r, count:].any()  # what was looped to fill the window


def test_the_window_that_was_moved_back_counts_only_what_is_new(frames: Frames) -> None:
    (_, second), (r, start) = frames.windows("2")[1:]
    store, done = frames.store, second + WINDOW_FRAMES * FRAME_SAMPLES
    counted = store.mask[r].any(axis=1)
    begins = start + FRAME_SAMPLES * np.arange(WINDOW_FRAMES)
    inside = begins + FRAME_SAMPLES <= 60 * SAMPLE_RATE
    assert np.array_equal(counted, (begins >= done) & inside)
    expected = frame_labels(frames.notes["2"], int(inside.sum()), start=start)
    assert np.array_equal(store.labels[r][inside], expected)


@pytest.mark.parametrize("number", RECORDINGS)
def test_every_frame_counts_at_most_once(frames: Frames, number: str) -> None:
    begins = np.concatenate(
        [s + FRAME_SAMPLES * np.flatnonzero(frames.store.mask[r].any(axis=1)) for r, s in frames.windows(number)]
    )
    assert (np.diff(begins) >= FRAME_SAMPLES).all()
    assert (np.diff(begins) < 2 * FRAME_SAMPLES).all()  # and none is left out between two


def test_the_scale_is_that_of_the_training_frames(frames: Frames, tmp_path: Path) -> None:
    metrics = train_model("mfcc_cnn", frames.features, tmp_path / "bundle", frames.config)
    assert 0 <= metrics["micro_f1"] <= 1
    store = frames.store
    rows = np.flatnonzero(store.index["split"] == "train")
    assert len(rows) == 4
    counted = store.array(FRONT_END)[rows].astype(np.float64)[store.mask[rows].any(axis=2)]
    model = read_bundle(tmp_path / "bundle").model
    np.testing.assert_allclose(model.get_buffer("mean").numpy(), counted.mean(axis=0), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(model.get_buffer("std").numpy(), counted.std(axis=0), rtol=1e-4)


def test_padding_and_other_rows_do_not_scale() -> None:
    features = np.random.default_rng(0).normal(3, 2, (700, 4, 5)).astype(np.float16)
    mask = np.ones((700, 4, 2), bool)
    mask[:, 3] = False
    rows = np.arange(1, 700, 2)
    expected = features[rows, :3].reshape(-1, 5).astype(np.float64)
    features[:, 3], features[::2] = 9e3, -9e3
    mean, std = input_scale(features, mask, rows)
    np.testing.assert_allclose(mean.numpy(), expected.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(std.numpy(), expected.std(axis=0), rtol=1e-5)
    assert mean.dtype == std.dtype


def test_a_row_is_in_the_split_of_its_recording(frames: Frames) -> None:
    index = frames.store.index
    assert isinstance(index, pd.DataFrame)
    splits = {clip.partition("/")[2]: set(part["split"]) for clip, part in index.groupby("clip_id")}
    assert splits == {number: {split} for number, (_, split) in RECORDINGS.items()}
