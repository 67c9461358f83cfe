"""The published generator: its draws, its sound, its labels."""

import hashlib
from collections import Counter

import numpy as np
import pytest

from tutti.config import MixParams
from tutti.errors import ConfigError, DataError
from tutti.labels import NSYNTH, NSYNTH_TO_OPENMIC, OPENMIC
from tutti.mixtures.plan import Note
from tutti.mixtures.published import FAMILIES, SUPERVISED, PublishedGenerator

# Notes per family of NSynth's train split: with these the published draws come out again.
TRUE_SIZES = {
    "bass": 65474,
    "brass": 12675,
    "flute": 8773,
    "guitar": 32690,
    "keyboard": 51821,
    "mallet": 34201,
    "organ": 34477,
    "reed": 13911,
    "string": 19474,
    "vocal": 10208,
    "synth_lead": 5501,
}


def note(name: str, seconds: float = 4.0) -> Note:
    return Note(f"nsynth/{name}", f"nsynth/{name}.wav", 0.0, seconds, f"nsynth/{name}", 16000)


@pytest.fixture(scope="module")
def published() -> PublishedGenerator:
    pool = {family: [note(family)] * size for family, size in TRUE_SIZES.items()}
    return PublishedGenerator(pool, MixParams(), seed=42)


def small(**changes: object) -> PublishedGenerator:
    params = MixParams(per_polyphony=3, **changes)
    return PublishedGenerator({family: [note(f"{family}-{n}") for n in "abc"] for family in NSYNTH}, params, seed=1)


def tone(which: Note, seconds: float = 0.5, rate: int = 16000) -> np.ndarray:
    frequency = 200.0 + sum(which.clip_id.encode()) % 97 * 10
    times = np.arange(round(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * frequency * times) * np.exp(-3 * times)).astype(np.float32)


def test_the_published_choices_come_out_again(published):
    chosen = [",".join(published.plan(index).chosen) for index in range(len(published))]
    assert len(chosen) == 2200
    assert chosen[:3] == ["flute", "keyboard", "flute"]
    assert chosen[200:203] == ["mallet,synth_lead", "keyboard,brass", "mallet,vocal"]
    assert chosen[400] == "guitar,keyboard,synth_lead"
    digest = hashlib.sha256("\n".join(chosen).encode()).hexdigest()
    assert digest == "ccbd61eae072fdbefdf4fbea56d47e142b85fde1961d451f4e76fb37cdb6ab93"


def test_the_published_counts_come_out_again(published):
    plans = [published.plan(index) for index in range(len(published))]
    assert Counter(family for plan in plans for family in plan.chosen) == {
        "flute": 1262,
        "mallet": 1239,
        "keyboard": 1236,
        "bass": 1236,
        "vocal": 1234,
        "guitar": 1221,
        "organ": 1216,
        "synth_lead": 1211,
        "brass": 1132,
        "reed": 1113,
        "string": 1100,
    }
    assert Counter(plan.chosen[0] for plan in plans[:200]) == {
        "keyboard": 37,
        "flute": 34,
        "vocal": 26,
        "bass": 23,
        "mallet": 23,
        "organ": 21,
        "guitar": 19,
        "synth_lead": 17,
    }


def test_families_differ_within_a_mixture_and_one_of_them_is_supervised(published):
    for index in range(len(published)):
        plan = published.plan(index)
        assert len(set(plan.chosen)) == len(plan.chosen) == index // 200 + 1
        assert set(plan.chosen) & set(SUPERVISED)
        assert all(-10 <= part.gain_db <= 0 for part in plan.parts)
    assert not {"brass", "reed", "string"} & {published.plan(index).chosen[0] for index in range(200)}


def test_labels_follow_the_families_and_eight_classes_are_known(published):
    known = {OPENMIC.index(name) for name in NSYNTH_TO_OPENMIC.values()}
    for index in range(0, len(published), 7):
        plan = published.plan(index)
        assert set(plan.present) | set(plan.absent) == known
        assert not set(plan.present) & set(plan.absent)
        expected = {NSYNTH_TO_OPENMIC[family] for family in plan.chosen if family in NSYNTH_TO_OPENMIC}
        assert {OPENMIC[at] for at in plan.present} == expected


def test_a_mixture_has_its_length_and_peak_one():
    generator = small()
    for index in range(len(generator)):
        samples = generator.renderer(generator.plan(index), tone).samples
        assert samples.shape == (160000,)
        assert samples.dtype == np.float32
        assert np.abs(samples).max() == pytest.approx(1.0, abs=1e-6)


def test_short_notes_are_looped_and_long_ones_cut():
    generator = small(duration_s=1.2)
    plan = generator.plan(0)
    looped = generator.renderer(plan, tone).samples
    period = len(tone(plan.parts[0].events[0].note))
    np.testing.assert_array_equal(looped[:period], looped[period : 2 * period])
    np.testing.assert_array_equal(looped[: len(looped) - 2 * period], looped[2 * period :])
    cut = generator.renderer(plan, lambda which: tone(which, seconds=5.0)).samples
    assert len(cut) == 19200
    assert not np.array_equal(cut[:period], cut[period : 2 * period])


def test_gains_set_the_levels_of_the_parts():
    generator = small(gain_db=(-6.0, -6.0))
    plan = generator.plan(len(generator) - 1)
    alone = {part.label: tone(part.events[0].note) for part in plan.parts}
    expected = sum(np.resize(sound / np.abs(sound).max(), 160000) for sound in alone.values())
    # Equal gains cancel in the final peak normalisation.
    np.testing.assert_allclose(generator.renderer(plan, tone).samples, expected / np.abs(expected).max(), atol=1e-5)


def test_a_silent_note_does_not_become_noise():
    generator = small()
    plan = generator.plan(0)
    silent = generator.renderer(plan, lambda which: np.full(8000, 1e-9, np.float32)).samples
    assert np.abs(silent).max() < 1e-8


def test_other_seeds_give_other_mixtures():
    pool = {family: [note(family)] * 5 for family in NSYNTH}
    first, second = (PublishedGenerator(pool, MixParams(per_polyphony=5), seed) for seed in (1, 2))
    assert [first.plan(i).chosen for i in range(55)] != [second.plan(i).chosen for i in range(55)]


def test_a_family_without_notes_is_named():
    pool = {family: [note(family)] for family in FAMILIES if family not in ("reed", "organ")}
    with pytest.raises(DataError, match="none of organ, reed"):
        PublishedGenerator(pool, MixParams(), seed=42)


def test_more_polyphony_than_families_is_refused():
    with pytest.raises(ConfigError, match="max_polyphony"):
        PublishedGenerator({family: [note(family)] for family in NSYNTH}, MixParams(max_polyphony=12), seed=42)
