"""The layered generator: what it draws, and how it places notes."""

from collections import Counter

import numpy as np
import pytest

from tutti.config import MixParams
from tutti.errors import DataError
from tutti.labels import NSYNTH, OPENMIC, OPENMIC_INDEX
from tutti.mixtures.layered import LayeredGenerator
from tutti.mixtures.plan import NSYNTH_CLASSES, OPENMIC_CLASSES, Note, Pool

PARAMS = MixParams(per_polyphony=20, max_polyphony=4, duration_s=4.0)
NAMES = ("cello", "drums", "flute", "piano", "violin", "voice")
RATE = PARAMS.sample_rate


def notes(split: str, name: str, *, chains: int = 2, count: int = 3, seconds: float = 2.0) -> list[Note]:
    return [
        Note(f"notes/{name}/{split}-{chain}-{n}", f"{name}.wav", 0.0, seconds, f"notes/{name}/{split}{chain}")
        for chain in range(chains)
        for n in range(count)
    ]


def pools(names: tuple[str, ...] = NAMES, **options: object) -> dict[str, Pool]:
    return {split: {name: notes(split, name, **options) for name in names} for split in ("train", "valid", "test")}


@pytest.fixture(scope="module")
def generator() -> LayeredGenerator:
    return LayeredGenerator(pools(), OPENMIC_CLASSES, PARAMS, seed=3)


def click(which: Note) -> np.ndarray:
    """A second of silence, then a decaying tone."""
    times = np.arange(RATE) / RATE
    return np.concatenate([np.zeros(RATE), 0.2 * np.sin(2 * np.pi * 500 * times) * np.exp(-5 * times)]).astype(
        np.float32
    )


def plans(generator: LayeredGenerator):
    return [generator.plan(index) for index in range(len(generator))]


def test_held_out_splits_get_a_quarter_and_at_least_five(generator):
    sizes = Counter((plan.split, len(plan.parts)) for plan in plans(generator))
    assert sizes == {(s, k): 20 if s == "train" else 5 for s in ("train", "valid", "test") for k in (1, 2, 3, 4)}
    large = LayeredGenerator(pools(), OPENMIC_CLASSES, PARAMS.model_copy(update={"per_polyphony": 40}), seed=3)
    assert Counter(plan.split for plan in plans(large)) == {"train": 160, "valid": 40, "test": 40}


def test_no_note_crosses_splits(generator):
    for plan in plans(generator):
        assert all(f"/{plan.split}-" in note.clip_id for note in plan.notes())


def test_a_part_plays_several_notes_of_one_chain_and_of_its_label(generator):
    for plan in plans(generator):
        for part in plan.parts:
            assert len(part.events) >= 2
            assert len({event.note.group for event in part.events}) == 1
            assert all(f"/{part.label}/" in event.note.clip_id for event in part.events)
            assert all(0 <= event.onset_s < PARAMS.duration_s for event in part.events)
            assert PARAMS.gain_db[0] <= part.gain_db <= PARAMS.gain_db[1]


def test_instruments_come_up_equally_often(generator):
    solo = Counter(plan.chosen[0] for plan in plans(generator) if plan.split == "train" and len(plan.parts) == 1)
    assert set(solo) == set(NAMES)
    assert max(solo.values()) - min(solo.values()) <= 1
    duets = Counter(
        name for plan in plans(generator) if plan.split == "train" and len(plan.parts) == 2 for name in plan.chosen
    )
    assert max(duets.values()) - min(duets.values()) <= 1


def test_every_class_of_the_pool_is_known_and_no_other(generator):
    known = {OPENMIC_INDEX[name] for name in NAMES}
    for plan in plans(generator):
        assert set(plan.present) == {OPENMIC_INDEX[name] for name in plan.chosen}
        assert set(plan.present) | set(plan.absent) == known
        assert len(set(plan.chosen)) == len(plan.chosen)


def test_a_class_without_notes_in_a_split_is_unknown_there():
    some = pools()
    del some["test"]["piano"]
    generator = LayeredGenerator(some, OPENMIC_CLASSES, PARAMS, seed=3)
    piano = OPENMIC_INDEX["piano"]
    known = {plan.split: piano in (*plan.present, *plan.absent) for plan in plans(generator)}
    assert known == {"train": True, "valid": True, "test": False}


def test_polyphony_stops_at_the_number_of_instruments():
    generator = LayeredGenerator(pools(("cello", "flute")), OPENMIC_CLASSES, PARAMS, seed=3)
    assert {len(plan.parts) for plan in plans(generator)} == {1, 2}


def test_a_mixture_can_be_made_alone():
    whole = LayeredGenerator(pools(), OPENMIC_CLASSES, PARAMS, seed=3)
    alone = LayeredGenerator(pools(), OPENMIC_CLASSES, PARAMS, seed=3)
    everything = plans(whole)
    assert alone.plan(57) == everything[57]
    # More mixtures in train leave those of the other splits as they were.
    more = LayeredGenerator(pools(), OPENMIC_CLASSES, PARAMS.model_copy(update={"per_polyphony": 22}), seed=3)
    assert [p for p in plans(more) if p.split == "valid"] == [p for p in everything if p.split == "valid"]
    other = LayeredGenerator(pools(), OPENMIC_CLASSES, PARAMS, seed=4)
    assert plans(other) != everything


def test_sound_has_its_length_peak_one_and_no_loop(generator):
    for index in range(0, len(generator), 9):
        samples = generator.render(generator.plan(index), click)
        assert samples.shape == (round(PARAMS.duration_s * RATE),)
        assert samples.dtype == np.float32
        assert np.abs(samples).max() == pytest.approx(1.0, abs=1e-6)


def test_notes_start_at_their_onset_whatever_silence_the_file_begins_with(generator):
    plan = generator.plan(0)
    (part,) = plan.parts
    samples = generator.render(plan, click)
    first = min(event.onset_s for event in part.events)
    heard = np.argmax(np.abs(samples) > 1e-3) / RATE
    assert heard == pytest.approx(first, abs=0.005)


def test_a_long_recording_is_used_from_many_places():
    generator = LayeredGenerator(pools(("cello",), count=1, seconds=60.0), OPENMIC_CLASSES, PARAMS, seed=3)
    offsets = {round(event.offset_s) for plan in plans(generator) for part in plan.parts for event in part.events}
    assert len(offsets) > 20
    assert max(offsets) > 40


def test_nsynth_groups_may_sound_but_never_without_a_class():
    pool = {family: notes("train", family) for family in NSYNTH}
    generator = LayeredGenerator({"train": pool}, NSYNTH_CLASSES, PARAMS, seed=3)
    assert {plan.split for plan in plans(generator)} == {"train"}
    heard = Counter(family for plan in plans(generator) for family in plan.chosen)
    assert {"brass", "reed", "string"} <= set(heard)
    for plan in plans(generator):
        assert plan.present
        assert len(plan.present) + len(plan.absent) == 8
        assert len(set(plan.chosen)) == len(plan.chosen)


def test_no_notes_at_all_is_an_error():
    with pytest.raises(DataError, match="no labelled notes"):
        LayeredGenerator({"train": {}, "valid": {}, "test": {}}, OPENMIC_CLASSES, PARAMS, seed=3)


def test_all_twenty_classes_can_be_mixed():
    generator = LayeredGenerator(pools(OPENMIC), OPENMIC_CLASSES, PARAMS.model_copy(update={"max_polyphony": 20}), 3)
    assert max(len(plan.parts) for plan in plans(generator)) == 20
