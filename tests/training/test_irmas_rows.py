"""The four-instrument sets, from clips on disk to rows."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tests.corpus import encode, timbre, write_zip
from tests.training.studio import row
from tutti.audio.decode import resample
from tutti.audio.windows import WindowPolicy
from tutti.config import Config, FeatureParams
from tutti.datasets.irmas_two_stage import Example, labels_of, mix_pair
from tutti.errors import DataError
from tutti.frontends import create_front_end
from tutti.frontends.htk_mel import HtkMelConfig
from tutti.frontends.stereo_waveform import StereoWaveformConfig
from tutti.labels import IRMAS, IRMAS_FOUR
from tutti.training.feature_store import FeatureStore
from tutti.training.irmas_rows import RATE, Spool, four_instrument_clips, irmas_examples, irmas_rows
from tutti.training.plans import Plan
from tutti.training.set_writer import write_set

WAVE, MEL = StereoWaveformConfig(sample_rate=8000), HtkMelConfig(n_mels=8, hop_length=800)
PLAN = Plan(WindowPolicy(length_s=0.25, hop_s=0.25), (WAVE, MEL))
#: A class with more clips than the others, so that these get inverted copies.
CLIPS = {"gac": 6, "pia": 7, "tru": 5, "vio": 6}


@dataclass(frozen=True)
class Four:
    """Clips on disk, their sound at 44.1 kHz, and the sets made of them."""

    data: Path
    clips: pd.DataFrame
    sounds: dict[str, np.ndarray]
    examples: dict[str, list[Example]]
    stores: dict[str, FeatureStore]


@pytest.fixture(scope="module")
def four(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Four:
    root, generator = tmp_path_factory.mktemp("four"), np.random.default_rng(0)
    rows, members, sounds = [], {}, {}
    for code, count in {**CLIPS, "cel": 1}.items():
        for number in range(count):
            # Another length for each, one clip that is mono and at another rate, two excerpts of one song.
            rate, seconds = (22050, 0.2) if number == 1 else (44100, 0.15 + 0.01 * number)
            mono = timbre(IRMAS[code], seconds, rate, generator)
            sound = mono[:, None] if number == 1 else mono[:, None] * np.array([0.9, 0.4], np.float32)
            name = f"{code}/{number}.wav"
            members[name] = encode(sound, rate, "WAV", "FLOAT")
            song = f"{code}-{0 if number < 2 else number}"
            rows.append(
                row(f"irmas/t.zip!{name}", "irmas", "train", b"", seconds, rate, clip_id=f"irmas/{code}/{number}")
                | {"native_labels": code, "group": song}
            )
            sounds[f"irmas/{code}/{number}"] = np.broadcast_to(
                resample(sound.T, rate, RATE), (2, len(mono) * RATE // rate)
            )
    write_zip(root / "irmas/t.zip", dict(reversed(members.items())))
    rows.append(row("irmas/x.zip!x.wav", "irmas", "test", b"", 9.0, 44100, native_labels="gac", clip_id="test"))
    clips = four_instrument_clips(pd.DataFrame(rows))
    spool = Spool(root / "spool.npy", clips, root)
    examples = {task: irmas_examples(task, clips, config) for task in ("irmas-4", "irmas-pairs")}
    stores = {}
    for task, listed in examples.items():
        write_set(root / task, irmas_rows(listed, clips, spool, PLAN), PLAN, FeatureParams(dtype="float32", batch=5))
        stores[task] = FeatureStore(root / task, pd.read_parquet(root / task / "index.parquet"), {})
    return Four(root, clips, sounds, examples, stores)


def test_only_training_excerpts_of_the_four_are_taken(four: Four) -> None:
    assert four.clips["native_labels"].value_counts().to_dict() == CLIPS


def test_rows_are_the_examples(four: Four) -> None:
    for task, count in (("irmas-4", 4 * 7), ("irmas-pairs", 6 * 7)):
        store, examples = four.stores[task], four.examples[task]
        assert len(examples) == count
        for column, field in (("clip_id", "example_id"), ("split", "split"), ("group", "group")):
            assert list(store.index[column]) == [getattr(example, field) for example in examples]
        assert store.labels.tolist() == [list(example.labels) for example in examples]
        assert store.mask.all()
        assert not store.index["synthetic"].any()
        for label, codes in zip(store.labels, store.index["native_labels"], strict=True):
            assert tuple(label) == labels_of(codes.replace(";", "+"))
    assert (four.stores["irmas-4"].labels.sum(axis=1) == 1).all()
    assert (four.stores["irmas-pairs"].labels.sum(axis=1) == 2).all()


def test_a_song_stays_on_one_side_in_both_sets(four: Four) -> None:
    sides: dict[str, set[str]] = {}
    for store in four.stores.values():
        for group, split in zip(store.index["group"], store.index["split"], strict=True):
            for song in group.split("+"):
                sides.setdefault(song, set()).add(split)
    assert len(sides) == sum(CLIPS.values()) - len(IRMAS_FOUR)
    assert {len(splits) for splits in sides.values()} == {1}
    assert set.union(*sides.values()) == {"train", "valid", "test"}


def test_a_row_is_the_front_end_of_its_clip(four: Four) -> None:
    waves, mels = four.stores["irmas-4"].array(WAVE), four.stores["irmas-4"].array(MEL)
    assert waves.shape == (28, 2, 2000)
    for number, example in enumerate(four.examples["irmas-4"]):
        if example.parts[0].polarity == 1:
            sound = four.sounds[example.parts[0].clip_id]
            check(waves[number], mels[number], sound)


def check(wave: np.ndarray, mel: np.ndarray, sound: np.ndarray) -> None:
    """Holds two arrays' rows against the front ends of a sound [2, n] at 44.1 kHz."""
    for found, config, samples in ((wave, WAVE, sound), (mel, MEL, sound.mean(axis=0))):
        fitted = PLAN.window.fit(resample(np.ascontiguousarray(samples), RATE, config.sample_rate), config.sample_rate)
        expected = create_front_end(config)(torch.from_numpy(fitted)[None])[0].numpy()
        np.testing.assert_allclose(found, expected, atol=2e-3)


def test_a_mirrored_copy_is_the_negative_of_its_original(four: Four) -> None:
    store = four.stores["irmas-4"]
    names = list(store.index["clip_id"])
    copies = [name for name in names if name.endswith("~inverted")]
    assert sorted(name.split("/")[1] for name in copies) == ["gac", "tru", "tru", "vio"]
    for name in copies:
        copy, original = names.index(name), names.index(name.removesuffix("~inverted"))
        assert np.array_equal(store.array(WAVE)[copy], -store.array(WAVE)[original])
        np.testing.assert_allclose(store.array(MEL)[copy], store.array(MEL)[original], atol=1e-5)  # power has no sign
        assert store.index["group"][copy] == store.index["group"][original]


def test_a_pair_is_the_front_end_of_the_mixture_of_its_parts(four: Four) -> None:
    store = four.stores["irmas-pairs"]
    inverted = 0
    for number, example in enumerate(four.examples["irmas-pairs"]):
        inverted += -1 in [part.polarity for part in example.parts]
        sounds = [part.polarity * four.sounds[part.clip_id] for part in example.parts]
        shortest = min(sound.shape[1] for sound in sounds)
        mixture = mix_pair(*(sound[:, :shortest] for sound in sounds))
        check(store.array(WAVE)[number], store.array(MEL)[number], mixture)
    assert inverted


def test_a_missing_recording_is_named(four: Four, tmp_path: Path) -> None:
    clips = four.clips.assign(path=four.clips["path"].str.replace("pia/0", "pia/gone"))
    with pytest.raises(DataError, match=r"pia/gone\.wav"):
        Spool(tmp_path / "spool.npy", clips, four.data)
