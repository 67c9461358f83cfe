"""The musical generator: which mixtures there are and what they are made of, without any sound."""

from collections import Counter

import numpy as np
import pytest
from pydantic import ValidationError

from tutti.config import MixParams, MusicalParams
from tutti.errors import DataError
from tutti.labels import NSYNTH, NSYNTH_TO_OPENMIC, OPENMIC, OPENMIC_INDEX
from tutti.mixtures.musical import LEVEL_CUT, MusicalGenerator
from tutti.mixtures.plan import MixPlan, Note, Pool

PARAMS = MixParams(generator="musical", per_polyphony=8, max_polyphony=4, duration_s=4.0)
NAMES = ("cello", "drums", "flute", "piano", "violin", "voice")


def notes(split: str, name: str, *, chains: int = 2, rate: int = 16000, dataset: str = "notes") -> list[Note]:
    return [
        Note(f"{dataset}/{name}/{split}-{c}-{p}", f"{name}.wav", 0.0, 2.0, f"{dataset}/{name}/{split}{c}", rate, p)
        for c in range(chains)
        for p in range(55, 70, 5)
    ]


def pools(names: tuple[str, ...] = NAMES, **options: object) -> dict[str, Pool]:
    return {split: {name: notes(split, name, **options) for name in names} for split in ("train", "valid", "test")}


def changed(seed: int = 3, pool: dict[str, Pool] | None = None, **changes: object) -> MusicalGenerator:
    musical = {key: changes.pop(key) for key in list(changes) if key in MusicalParams.model_fields}
    params = MixParams(**{**PARAMS.model_dump(), **changes, "musical": MusicalParams(**musical)})
    return MusicalGenerator(pool or pools(), params, seed)


@pytest.fixture(scope="module")
def generator() -> MusicalGenerator:
    return changed()


@pytest.fixture(scope="module")
def planned(generator: MusicalGenerator) -> list[MixPlan]:
    return plans(generator)


def plans(generator: MusicalGenerator, split: str | None = None) -> list[MixPlan]:
    every = (generator.plan(index) for index in range(len(generator)))
    return [plan for plan in every if split in (None, plan.split)]


def test_held_out_splits_get_a_quarter_and_at_least_five(planned):
    sizes = Counter((plan.split, len(plan.parts)) for plan in planned)
    assert sizes == {(s, k): 8 if s == "train" else 5 for s in ("train", "valid", "test") for k in (1, 2, 3, 4)}
    assert Counter(plan.split for plan in plans(changed(per_polyphony=24))) == {"train": 96, "valid": 24, "test": 24}


def test_polyphonies_have_the_shares_that_were_asked_for():
    generator = changed(polyphony=(0.0, 3.0, 1.0))
    assert Counter(len(plan.parts) for plan in plans(generator, "train")) == {2: 18, 3: 6}


def test_no_note_crosses_splits(planned):
    for plan in planned:
        assert all(f"/{plan.split}-" in note.clip_id for note in plan.notes())


def test_a_part_plays_one_chain_of_its_label(planned):
    for plan in planned:
        for part in plan.parts:
            assert len({event.note.group for event in part.events}) == 1
            assert all(f"/{part.label}/" in event.note.clip_id for event in part.events)
            assert abs(part.gain_db) <= LEVEL_CUT * PARAMS.musical.part_spread_db
    several = [len(part.events) >= 2 for plan in planned for part in plan.parts]
    assert np.mean(several) > 0.95


def test_all_instruments_of_a_mixture_share_its_key(planned):
    keys = set()
    for plan in planned:
        keys.add((plan.scene.score.tonic, plan.scene.score.mode))
        for part in plan.parts:
            if part.label != "drums":
                assert all((e.note.pitch + e.shift) % 12 in plan.scene.score.scale for e in part.events)
    assert len(keys) > 10


@pytest.mark.parametrize("polyphony", [None, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0, 0.0, 1.0)])
def test_classes_have_nearly_the_same_number_of_mixtures(polyphony):
    generator = changed(per_polyphony=40, max_polyphony=5, polyphony=polyphony)
    train = plans(generator, "train")
    assert len(train) == (200 if polyphony is None else 40 * len(polyphony))
    counts = Counter(index for plan in train for index in plan.present)
    assert len(counts) == len(NAMES)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_every_class_of_the_pool_is_known_and_no_other(planned):
    known = {OPENMIC_INDEX[name] for name in NAMES}
    for plan in planned:
        assert set(plan.present) == {OPENMIC_INDEX[name] for name in plan.chosen}
        assert set(plan.present) | set(plan.absent) == known
        assert len(set(plan.chosen)) == len(plan.chosen)


def test_a_class_without_notes_in_a_split_is_unknown_there():
    some = pools()
    del some["test"]["piano"]
    piano = OPENMIC_INDEX["piano"]
    known = {plan.split: piano in (*plan.present, *plan.absent) for plan in plans(changed(pool=some))}
    assert known == {"train": True, "valid": True, "test": False}


def test_polyphony_stops_at_the_number_of_instruments():
    generator = changed(pool=pools(("cello", "flute")))
    assert {len(plan.parts) for plan in plans(generator)} == {1, 2}


def test_a_mixture_can_be_planned_alone(generator):
    alone = changed()
    assert alone.plan(57) == generator.plan(57)
    assert alone.plan(3) == generator.plan(3)
    assert plans(changed(seed=4)) != plans(generator)


def test_the_band_ends_anywhere_up_to_where_every_label_reaches():
    wide, narrow = notes("train", "violin", rate=44100), notes("train", "cello", rate=22050, chains=1)
    narrow += [Note(f"{n.clip_id}-x", n.path, 0.0, 2.0, "notes/cello/old", 11025, n.pitch) for n in narrow]
    generator = changed(pool={"train": {"violin": wide, "cello": narrow}}, sample_rate=44100, per_polyphony=40)
    limits = {plan.parts[0].label: [] for plan in plans(generator)}
    for plan in plans(generator):
        assert 4000 <= plan.scene.limit_hz <= 22050 / 2
        for note in plan.notes():
            assert note.sample_rate / 2 >= plan.scene.limit_hz
        for part in plan.parts:
            limits[part.label].append(plan.scene.limit_hz)
    assert abs(np.mean(limits["violin"]) - np.mean(limits["cello"])) < 1500, "the band does not tell the instrument"
    assert {note.sample_rate for plan in plans(generator) for note in plan.notes()} == {44100, 22050, 11025}
    fixed = changed(pool={"train": {"violin": wide, "cello": narrow}}, sample_rate=44100, min_limit_hz=None)
    assert {plan.scene.limit_hz for plan in plans(fixed)} == {22050 / 2}


def test_rooms_and_tones_are_as_often_and_as_strong_as_asked():
    assert all(plan.scene.room is None for plan in plans(changed(room=0.0)))
    assert all(plan.scene.room is not None for plan in plans(changed(room=1.0)))
    for plan in plans(changed(equalise_db=3.0)):
        assert all(abs(shelf.gain_db) <= 1.5 for shelf in plan.scene.shelves)
        assert all(abs(shelf.gain_db) <= 3.0 for part in plan.parts for shelf in part.place.shelves)
        assert len({part.place.pan for part in plan.parts}) == len(plan.parts)


def test_groups_of_instruments_leave_their_classes_unknown():
    names = {NSYNTH_TO_OPENMIC.get(family, family) for family in NSYNTH} | {"trumpet", "violin"}
    generator = changed(pool={"train": {name: notes("train", name, dataset="nsynth") for name in names}})
    assert {plan.split for plan in plans(generator)} == {"train"}
    heard = Counter(name for plan in plans(generator) for name in plan.chosen)
    assert {"brass", "reed", "string"} <= set(heard)
    trumpet, violin = OPENMIC_INDEX["trumpet"], OPENMIC_INDEX["violin"]
    for plan in plans(generator):
        assert plan.present
        assert not ("brass" in plan.chosen and trumpet in plan.absent)
        assert not ("string" in plan.chosen and violin in plan.absent)
        if not {"brass", "reed", "string"} & set(plan.chosen):
            assert len(plan.present) + len(plan.absent) == 10


def test_datasets_of_a_label_come_up_equally_often():
    many = notes("train", "violin", chains=60, dataset="irmas") + notes("train", "violin", chains=1)
    generator = changed(pool={"train": {"violin": many}}, per_polyphony=60, max_polyphony=1)
    counts = Counter(next(iter(plan.notes())).clip_id.partition("/")[0] for plan in plans(generator))
    assert min(counts.values()) > 18


def test_all_twenty_classes_can_be_mixed():
    generator = changed(pool=pools(OPENMIC), max_polyphony=20, per_polyphony=2)
    assert max(len(plan.parts) for plan in plans(generator)) == 20


def test_no_notes_at_all_is_an_error():
    with pytest.raises(DataError, match="no labelled notes"):
        changed(pool={"train": {}, "valid": {}, "test": {}})
    with pytest.raises(DataError, match="no labelled notes"):
        changed(pool={"train": {"brass": notes("train", "brass")}})


def test_more_instruments_than_there_are_is_an_error():
    with pytest.raises(DataError, match="more instruments than have notes in train"):
        changed(pool=pools(("cello", "flute")), polyphony=(0.0, 0.0, 1.0))


def test_a_mixture_too_short_for_anything_to_be_heard_is_refused():
    with pytest.raises(ValidationError, match=r"musical\.heard_s = 0\.25"):
        MixParams(generator="musical", duration_s=0.2)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"polyphony": (1.0, -1.0)}, "must not be negative"),
        ({"polyphony": (0.0, 0.0)}, "not all 0"),
        ({"polyphony": ()}, "not all 0"),
        ({"polyphony": (1.0,) * 5}, "5 weights, max_polyphony is 4"),
        ({"channels": 3}, "Input should be 1 or 2"),
        ({"level_dbfs": 3.0}, "less than or equal to 0"),
        ({"room": 1.5}, "less than or equal to 1"),
        ({"max_shift": 12}, "less than or equal to 2"),
        ({"min_limit_hz": 10.0}, "greater than or equal to 1000"),
        ({"reverb": 0.5}, "Extra inputs are not permitted"),
    ],
)
def test_wrong_parameters_are_refused_with_a_reason(wrong, reason):
    with pytest.raises(ValidationError, match=reason):
        MixParams(max_polyphony=4, musical=MusicalParams(**wrong))
