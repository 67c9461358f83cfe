"""What instruments play: in the key, on the beat, within the clip."""

import numpy as np
import pytest

from tutti.mixtures.plan import Event, Note
from tutti.mixtures.players import DYNAMICS_DB, play
from tutti.mixtures.score import Score, draw_score

DURATION_S = 10.0
RATE = 16000


def note(name: str, pitch: int | None, *, seconds: float = 3.0, phrase: bool = False) -> Note:
    return Note(f"notes/x/{name}", f"{name}.wav", 0.0, seconds, "notes/x", RATE, pitch, phrase)


CHROMATIC = [note(str(pitch), pitch) for pitch in range(36, 96)]


def scores(count: int = 40) -> list[Score]:
    stream = np.random.default_rng(1)
    return [draw_score(stream) for _ in range(count)]


def played(label: str, notes: list[Note], score: Score, seed: int = 0, **options: float) -> tuple[Event, ...]:
    settings = {"max_shift": 2, "limit_hz": 7000.0, "throughout": False, **options}
    return play(label, notes, score, DURATION_S, stream=np.random.default_rng(seed), **settings)


def sounding(event: Event) -> int:
    return event.note.pitch + event.shift


def beats_off(event: Event, score: Score, step: float) -> float:
    """Distance from the grid, seconds."""
    beats = (event.onset_s - score.first_bar_s) / score.beat_s / step
    return abs(beats - round(beats)) * score.beat_s * step


@pytest.mark.parametrize("label", ["violin", "piano", "bass", "voice"])
def test_notes_of_known_pitch_are_in_the_key(label):
    for seed, score in enumerate(scores()):
        events = played(label, CHROMATIC, score, seed)
        assert len(events) >= 2
        assert all(sounding(event) % 12 in score.scale for event in events)
        for event in events:
            assert beats_off(event, score, 0.5) < 0.05
            assert event.onset_s < DURATION_S
            assert event.onset_s + event.length_s > 0
            assert DYNAMICS_DB[0] <= event.gain_db <= DYNAMICS_DB[1]


def test_one_note_alone_is_shifted_into_every_key():
    shifted = 0
    for seed, score in enumerate(scores()):
        events = played("violin", [note("a4", 69)], score, seed)
        assert all(sounding(event) % 12 in score.scale for event in events)
        assert all(abs(event.shift) <= 2 for event in events)
        shifted += any(event.shift for event in events)
    assert shifted > 10


def test_unchanged_notes_are_preferred():
    events = [event for seed, score in enumerate(scores()) for event in played("violin", CHROMATIC, score, seed)]
    assert np.mean([event.shift == 0 for event in events]) > 0.9


def test_melodies_of_few_notes_move_all_the_same():
    for seed, score in enumerate(scores()):
        events = played("violin", [note("a4", 69), note("e4", 64)], score, seed)
        if len(events) > 8:
            assert len({sounding(event) for event in events}) >= 3


def test_rhythms_repeat():
    """A bar's onsets come again two bars later, most of the time."""
    again = []
    for seed, score in enumerate(scores()):
        onsets = np.array([event.onset_s for event in played("violin", CHROMATIC, score, seed)])
        first = onsets[onsets < onsets[-1] - 2 * score.bar_s]
        again += [np.abs(onsets - onset - 2 * score.bar_s).min() < 0.08 for onset in first]
    assert np.mean(again) > 0.85


def test_without_shifts_a_note_outside_of_the_key_is_played_as_it_is():
    score = next(score for score in scores() if 69 % 12 not in score.scale)
    events = played("violin", [note("a4", 69)], score, max_shift=0)
    assert events
    assert all(event.shift == 0 for event in events)


def test_no_note_is_shifted_down_below_the_end_of_the_band():
    for seed, score in enumerate(scores()):
        assert all(event.shift >= 0 for event in played("violin", [note("a4", 69)], score, seed, limit_hz=RATE / 2))
        # A whole tone and a little more is to spare.
        free = played("violin", [note("a4", 69)], score, seed, limit_hz=RATE / 2 / 2 ** (2.1 / 12))
        assert all(sounding(event) % 12 in score.scale for event in free)


def test_unknown_pitches_are_played_as_they_are():
    unknown = [note(name, None) for name in "abcdef"]
    for seed, score in enumerate(scores()):
        events = played("violin", unknown, score, seed)
        assert len(events) >= 2
        assert all(event.shift == 0 for event in events)
        assert len({event.note.clip_id for event in events}) <= 2
        assert all(beats_off(event, score, 0.5) < 0.05 for event in events)


@pytest.mark.parametrize("label", ["drums", "cymbals"])
def test_percussion_keeps_the_beat_whatever_the_key(label):
    kit = [note(name, 61) for name in ("kick", "snare", "hat", "tom", "ride")]
    different = set()
    for seed, score in enumerate(scores()):
        events = played(label, kit, score, seed)
        assert events
        assert all(event.shift == 0 for event in events)
        inside = [event for event in events if event.onset_s >= 0]
        assert inside
        different.add(len({event.note.clip_id for event in events}))
    assert different == {1, 2, 3, 4}


def test_low_instruments_play_roots():
    at_root = [
        sounding(event) % 12 == score.chord(round(event.onset_s, 1))[0]
        for seed, score in enumerate(scores())
        for event in played("bass", CHROMATIC, score, seed)
    ]
    assert np.mean(at_root) > 0.5


def test_chords_of_instruments_that_can():
    def together(label: str) -> int:
        most = 0
        for seed, score in enumerate(scores()):
            onsets = [event.onset_s for event in played(label, CHROMATIC, score, seed)]
            most = max(most, max(onsets.count(onset) for onset in onsets))
        return most

    assert together("piano") == 3
    assert together("flute") == 1


@pytest.mark.parametrize("label", ["violin", "drums"])
def test_who_plays_throughout_begins_at_once(label):
    def latest_start(throughout: bool) -> float:
        return max(
            played(label, CHROMATIC, score, n, throughout=throughout)[0].onset_s for n, score in enumerate(scores())
        )

    assert latest_start(throughout=True) < 4.0 < latest_start(throughout=False)


def test_a_note_shorter_than_needed_sounds_as_long_as_it_is():
    short = [note(str(pitch), pitch, seconds=0.3) for pitch in range(60, 72)]
    for seed, score in enumerate(scores()):
        for event in played("violin", short, score, seed):
            assert event.offset_s == 0
            assert event.length_s <= 0.3 / 2 ** (event.shift / 12) + 1e-9


def test_phrases_are_played_as_excerpts():
    phrase = note("solo", None, seconds=30.0, phrase=True)
    offsets = set()
    for seed, score in enumerate(scores()):
        events = played("violin", [phrase], score, seed)
        assert events
        ends = [event.onset_s + event.length_s for event in events]
        assert all(later.onset_s >= end - 0.01 for later, end in zip(events[1:], ends, strict=False))
        for event in events:
            assert event.shift == 0
            assert event.offset_s + event.length_s <= 30.0 + 1e-9
            assert -1 <= event.onset_s < DURATION_S
            assert event.onset_s + event.length_s > 0
            offsets.add(round(event.offset_s))
    assert len(offsets) > 15


@pytest.mark.parametrize("seconds", [0.12, 0.5])
def test_phrases_that_are_no_longer_than_a_note(seconds):
    for seed, score in enumerate(scores()):
        events = played("violin", [note("lick", None, seconds=seconds, phrase=True)], score, seed)
        assert events
        assert all(event.onset_s + event.length_s > 0 for event in events)


def test_phrases_and_notes_of_a_chain_do_not_mix():
    chain = [*CHROMATIC[:10], *(note(f"p{n}", 60, seconds=9.0, phrase=True) for n in range(10))]
    kinds = [{event.note.phrase for event in played("violin", chain, score, n)} for n, score in enumerate(scores())]
    assert all(len(kind) == 1 for kind in kinds)
    assert {kind.pop() for kind in kinds} == {True, False}


@pytest.mark.parametrize("label", ["drums", "violin", "piano", "bass"])
@pytest.mark.parametrize("seconds", [0.4, 1.0, 60.0])
def test_clips_of_any_length(label, seconds):
    for seed, score in enumerate(scores(12)):
        events = play(
            label,
            CHROMATIC,
            score,
            seconds,
            max_shift=2,
            limit_hz=7000.0,
            throughout=False,
            stream=np.random.default_rng(seed),
        )
        assert any(event.onset_s + 0.05 >= 0 and event.onset_s < seconds for event in events)
        if seconds == 60.0:
            assert max(event.onset_s for event in events) > 20
