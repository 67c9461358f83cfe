"""Theory, textures, percussion and performance: what is written is playable music."""

import random
from itertools import pairwise

import pytest

from tutti.labels import MUSICNET, OPENMIC
from tutti.rendering import percussion
from tutti.rendering.composing import Manner, Note, apart, compose_part, perform
from tutti.rendering.instruments import FONTS, INSTRUMENTS, TEST_FONTS, TRAIN_FONTS
from tutti.rendering.textures import TEXTURES, voicing
from tutti.rendering.theory import STYLES, Chord, Song, Stroke, diatonic_chord, ladder, plan_song

C_MAJOR = (0, 2, 4, 5, 7, 9, 11)
MECHANICAL = Manner(looseness_s=0.0, length=1.0, low_velocity=30, high_velocity=110, arc=0.0)


def song(seconds: float = 8.0, *, beats_per_bar: int = 4, tempo: float = 120.0, swing: bool = False) -> Song:
    chords = tuple(diatonic_chord(C_MAJOR, degree, seventh=False, minor=False) for degree in (0, 5, 3, 4, 0))
    return Song(tempo, beats_per_bar, chords, C_MAJOR, swing, seconds)


def test_chords_are_the_ones_of_the_key() -> None:
    assert diatonic_chord(C_MAJOR, 4, seventh=True, minor=False).tones == (7, 11, 2, 5)  # G7
    a_minor = tuple((9 + step) % 12 for step in (0, 2, 3, 5, 7, 8, 10))
    assert diatonic_chord(a_minor, 4, seventh=False, minor=True).tones == (4, 8, 11)  # E major, with its leading tone


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_a_planned_song_is_long_enough_and_within_its_style(style) -> None:
    planned = plan_song(style, 13.0, random.Random(1))
    assert style.tempo[0] <= planned.tempo <= style.tempo[1]
    assert planned.beats * 60 / planned.tempo >= 13.0
    assert set(style.members) <= set(INSTRUMENTS)


def test_tempi_stay_between_60_and_180() -> None:
    assert min(style.tempo[0] for style in STYLES) >= 60
    assert max(style.tempo[1] for style in STYLES) <= 180


@pytest.mark.parametrize("name", TEXTURES)
@pytest.mark.parametrize("beats_per_bar", [3, 4])
@pytest.mark.parametrize(("low", "high"), [(28, 52), (40, 76), (60, 81)])
def test_textures_stay_in_range_and_in_time(name: str, beats_per_bar: int, low: int, high: int) -> None:
    plan = song(beats_per_bar=beats_per_bar)
    for seed in range(5):
        strokes = TEXTURES[name](plan, low, high, random.Random(seed))
        assert strokes
        # A power chord stands an octave above its root, wherever that is.
        assert all(low <= stroke.pitch <= high for stroke in strokes)
        assert all(0 <= stroke.beat < plan.beats + 0.5 and stroke.beats > 0 for stroke in strokes)
        assert all(0 < stroke.level < 1.2 for stroke in strokes)


@pytest.mark.parametrize("name", ["strum", "comping", "long_chords", "arpeggio", "ostinato"])
def test_accompaniment_plays_the_chord_of_its_bar(name: str) -> None:
    plan = song()
    for stroke in TEXTURES[name](plan, 40, 76, random.Random(3)):
        assert stroke.pitch % 12 in plan.chord_at(stroke.beat).tones


def test_melodies_stay_in_the_key_and_lean_on_chord_tones() -> None:
    plan = song()
    strokes = TEXTURES["melody"](plan, 60, 90, random.Random(4))
    assert all(stroke.pitch % 12 in plan.scale for stroke in strokes)
    heads = [stroke for stroke in strokes if stroke.beat % 4 == 0]
    assert heads
    assert all(stroke.pitch % 12 in plan.chord_at(stroke.beat).tones for stroke in heads)


def test_tremolo_repeats_the_notes_of_a_line() -> None:
    strokes = TEXTURES["tremolo"](song(tempo=90), 55, 88, random.Random(2))
    repeats = sum(a.pitch == b.pitch for a, b in pairwise(strokes))
    assert repeats / len(strokes) > 0.6


def test_voicing_lies_around_its_centre() -> None:
    assert voicing(Chord((0, 4, 7)), 40, 80, 3, 60) == [55, 60, 64]
    assert voicing(Chord((0, 4, 7)), 60, 62, 3, 60) == [60]


def test_ladder_includes_both_ends() -> None:
    assert ladder((0,), 48, 72) == [48, 60, 72]


def test_drums_and_cymbals_share_no_key() -> None:
    drums = {stroke.pitch for seed in range(40) for stroke in percussion.drums(song(), random.Random(seed))}
    cymbals = {stroke.pitch for seed in range(40) for stroke in percussion.cymbals(song(), random.Random(seed))}
    assert not drums & cymbals
    assert percussion.KICK in drums
    assert {percussion.HAT_CLOSED, percussion.RIDE, percussion.CRASH} <= cymbals


def test_patterns_fill_their_bars() -> None:
    for patterns, steps in (
        (percussion._DRUMS_IN_FOUR, 16), (percussion._CYMBALS_IN_FOUR, 16),
        (percussion._DRUMS_IN_THREE, 12), (percussion._CYMBALS_IN_THREE, 12),
    ):  # fmt: skip
        assert all(len(row) == steps for pattern in patterns for row in pattern.values())


def test_performance_follows_the_tempo() -> None:
    notes = perform([Stroke(2.0, 1.0, 60, 0.5)], song(tempo=120), MECHANICAL, random.Random(0))
    assert notes[0].start_s == pytest.approx(1.0)
    assert notes[0].end_s == pytest.approx(1.5)


def test_swing_delays_the_second_eighth_only() -> None:
    strokes = [Stroke(beat, 0.25, 60, 0.5) for beat in (0.0, 0.5, 1.0)]
    notes = perform(strokes, song(tempo=60, swing=True), MECHANICAL, random.Random(0))
    assert [note.start_s for note in notes] == pytest.approx([0.0, 2 / 3, 1.0])


def test_louder_strokes_have_higher_velocities_and_notes_end_with_the_song() -> None:
    strokes = [Stroke(0.0, 99.0, 60, 0.1), Stroke(0.0, 1.0, 72, 1.0), Stroke(98.0, 1.0, 60, 1.0)]
    notes = perform(strokes, song(), MECHANICAL, random.Random(0))
    soft, loud = sorted(notes, key=lambda note: note.pitch)
    assert soft.velocity + 40 < loud.velocity <= 127
    assert soft.end_s == 8.0


def test_a_key_is_released_before_it_is_struck_again() -> None:
    notes = (Note(0.0, 2.0, 60, 80, 0, 4), Note(1.0, 3.0, 60, 80, 2, 4), Note(1.0, 3.0, 64, 80, 2, 4))
    ends = [note.end_s for note in apart(notes)]
    assert ends[0] < 1.0
    assert ends[1:] == [3.0, 3.0]


@pytest.mark.parametrize("name", INSTRUMENTS)
@pytest.mark.parametrize("font", FONTS, ids=lambda font: font.name)
def test_every_instrument_has_a_sound_in_every_font_and_plays_within_its_range(name: str, font) -> None:
    instrument = INSTRUMENTS[name]
    patches = instrument.patches_of(font)
    assert patches
    assert font.variations or all(patch.bank == 0 for patch in patches)
    for patch in patches:
        low, high = instrument.range_of(patch)
        for leads in (True, False):
            part = compose_part(song(), instrument, patch, random.Random(5), leads=leads)
            assert part.notes
            assert all(low <= note.pitch <= high and 0 <= note.start_s < note.end_s <= 8.0 for note in part.notes)
            assert all(1 <= note.velocity <= 127 for note in part.notes)


def test_composing_is_repeatable() -> None:
    violin = INSTRUMENTS["violin"]
    first, second = (compose_part(song(), violin, violin.patches[0], random.Random(9), leads=True) for _ in range(2))
    assert first == second


def test_every_label_can_be_played() -> None:
    assert set(OPENMIC) <= set(INSTRUMENTS)
    programs = {(patch.program, patch.bank) for instrument in INSTRUMENTS.values() for patch in instrument.patches}
    assert all((code - 1, 0) in programs for code in MUSICNET)
    assert {font.tag for font in INSTRUMENTS["guitar"].patches_of(TEST_FONTS[0])} == {"acoustic", "electric"}
    assert not set(TEST_FONTS) & set(TRAIN_FONTS)
