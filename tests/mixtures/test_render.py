"""From musical plans to sound: levels, bands, rooms, channels, and labels of what is heard."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import signal

from tests.mixtures.test_musical import changed, notes
from tutti.labels import OPENMIC_INDEX
from tutti.mixtures.plan import Event, MixPlan, Note, Part, Place, Scene, make_plan
from tutti.mixtures.players import CLASSES
from tutti.mixtures.render import Ensemble
from tutti.mixtures.room import Room
from tutti.mixtures.score import Score

RATE = 16000
SECONDS = 4.0
SCORE = Score(0, "major", 120.0, 4, 0.0, (0,))
PLACE = Place(pan=0.0, distance=0.5, shelves=())
DRY = Scene(SCORE, room=None, shelves=(), limit_hz=8000.0, level_dbfs=-20.0, noise_db=-90.0, stream=1)


def tone(note: Note, seconds: float = 2.0) -> np.ndarray:
    """A decaying tone with overtones of its pitch."""
    times = np.arange(round(seconds * RATE)) / RATE
    pitch = 440.0 * 2 ** ((note.pitch - 69) / 12)
    partials = sum(np.sin(2 * np.pi * pitch * k * times) / k for k in range(1, 30) if pitch * k < 7900)
    return (0.2 * partials * np.exp(-times)).astype(np.float32)


def ensemble(**changes: object) -> Ensemble:
    return Ensemble(changed(**changes)._params)


def plan_of(*parts: Part, scene: Scene = DRY) -> MixPlan:
    return make_plan("train", parts, CLASSES, ("cello", "flute", "violin"), scene=scene)


def part(label: str, *onsets: float, gain_db: float = 0.0, pitch: int = 69, place: Place = PLACE, **event: float):
    note = Note(f"notes/{label}/{pitch}", f"{label}.wav", 0.0, 2.0, "notes/x", RATE, pitch)
    events = [
        Event(note, onset, event.get("offset_s", 0.0), event.get("length_s", 1.0), 0.0, event.get("shift", 0))
        for onset in onsets
    ]
    return Part(label, gain_db, tuple(events), place)


def rms_db(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(samples.astype(float) ** 2)))


def peak_hz(samples: np.ndarray) -> float:
    frequencies, power = signal.welch(samples, RATE, nperseg=min(16384, len(samples)))
    return float(frequencies[np.argmax(power)])


def test_a_mixture_made_alone_has_the_same_samples():
    first, again = changed(), changed()
    whole = [first.renderer(first.plan(index), tone).samples for index in range(8)]
    np.testing.assert_array_equal(again.renderer(again.plan(5), tone).samples, whole[5])
    other = changed(seed=4)
    assert not np.array_equal(other.renderer(other.plan(5), tone).samples, whole[5])


@pytest.mark.parametrize("channels", [1, 2])
def test_levels_are_as_drawn_and_nothing_clips(channels):
    generator = changed(channels=channels, level_dbfs=-14.0, peak_dbfs=-1.0, level_spread_db=6.0)
    reached = 0
    for index in range(0, len(generator), 8):
        plan = generator.plan(index)
        samples = generator.renderer(plan, tone).samples
        assert samples.dtype == np.float32
        assert samples.shape == ((64000,) if channels == 1 else (2, 64000))
        peak = 20 * np.log10(np.abs(samples).max())
        assert peak <= -1.0 + 1e-4
        assert rms_db(samples) < plan.scene.level_dbfs + 0.5
        reached += peak < -1.01
    assert reached > 3, "some have their level rather than the highest peak"


def test_a_mixture_without_pauses_has_its_level_exactly():
    steady = lambda note: tone(note) * np.exp(np.arange(2 * RATE) / RATE).astype(np.float32)  # noqa: E731
    rendered = ensemble()(plan_of(part("flute", 0.0, 1.0, 2.0, 3.0)), steady)
    assert rms_db(rendered.samples) == pytest.approx(-20.0, abs=0.2)


def test_gains_set_the_levels_of_instruments():
    low, high = part("cello", 0.0, 1.0, pitch=45), part("flute", 2.0, 3.0, pitch=81, gain_db=-9.0)
    samples = ensemble()(plan_of(low, high), tone).samples
    assert rms_db(samples[:32000]) - rms_db(samples[32000:]) == pytest.approx(9.0, abs=1.5)


def test_notes_sound_from_onset_to_end_without_clicks():
    samples = ensemble()(plan_of(part("flute", 1.0, length_s=0.5)), tone).samples
    assert np.abs(samples[: RATE - 200]).max() < 1e-4
    assert rms_db(samples[RATE : RATE + 4000]) > -25
    assert np.abs(samples[round(1.51 * RATE) :]).max() < 1e-4
    step = np.abs(np.diff(samples[round(1.4 * RATE) :])).max()
    assert step < np.abs(np.diff(samples[RATE : RATE + 4000])).max()


def test_what_precedes_the_attack_is_left_out():
    late = lambda note: np.concatenate([np.zeros(RATE // 2, np.float32), tone(note)])  # noqa: E731
    samples = ensemble()(plan_of(part("flute", 1.0)), late).samples
    assert rms_db(samples[RATE : RATE + 1000]) > -30


def test_the_room_still_rings_from_before_the_clip():
    scene = replace(DRY, room=Room(1.5, 0.01, 0.8))
    place = replace(PLACE, distance=1.2)
    early, late = part("flute", -0.95, length_s=1.0, place=place), part("flute", 0.0, length_s=0.05, place=place)
    hiss = np.random.default_rng(0).uniform(-0.5, 0.5, 2 * RATE).astype(np.float32)

    def echo_db(first: Part) -> float:
        """Level of what follows the note, relative to its own."""
        samples = ensemble()(plan_of(first, scene=scene), lambda _: hiss).samples
        return rms_db(samples[round(0.06 * RATE) :][: RATE // 20]) - rms_db(samples[: RATE // 20])

    assert echo_db(early) > echo_db(late) + 1


def test_a_note_that_sounds_before_the_clip_begins_is_cut():
    samples = ensemble()(plan_of(part("flute", -0.5, length_s=1.0)), tone).samples
    assert rms_db(samples[:1000]) > -30
    assert np.abs(samples[round(0.52 * RATE) :]).max() < 1e-4


def test_a_note_shorter_than_its_event_is_not_looped():
    short = lambda note: tone(note, seconds=0.4)  # noqa: E731
    samples = ensemble()(plan_of(part("flute", 1.0, length_s=2.0)), short).samples
    assert np.abs(samples[round(1.42 * RATE) :]).max() < 1e-4


@pytest.mark.parametrize("shift", [-2, 1])
def test_shifts_change_the_pitch(shift):
    samples = ensemble()(plan_of(part("flute", 0.0, length_s=2.0, shift=shift)), tone).samples
    assert peak_hz(samples) == pytest.approx(440 * 2 ** (shift / 12), abs=2)


def test_excerpts_of_phrases_fade_in_and_out():
    note = Note("irmas/vio/x", "x.wav", 0.0, 3.0, "irmas/x", RATE, None, phrase=True)
    event = Event(note, 1.0, 1.0, 1.0)
    glide = lambda _: signal.chirp(np.arange(3 * RATE) / RATE, 200, 3, 3200).astype(np.float32)  # noqa: E731
    samples = ensemble()(plan_of(Part("violin", 0.0, (event,), PLACE)), glide).samples
    middle = samples[round(1.2 * RATE) : round(1.8 * RATE)]
    assert 1300 < peak_hz(middle) < 2300, "the second second of the phrase"
    for edge in (samples[RATE : RATE + 200], samples[2 * RATE - 200 : 2 * RATE]):
        assert rms_db(edge) < rms_db(middle) - 15


@pytest.mark.parametrize("limit", [2000.0, 5000.0])
def test_nothing_sounds_above_the_limit(limit):
    scene = replace(DRY, limit_hz=limit, room=Room(0.6, 0.01, 0.5))
    hiss = lambda note: np.random.default_rng(note.pitch).standard_normal(2 * RATE).astype(np.float32)  # noqa: E731
    samples = ensemble()(plan_of(part("flute", 0.0, 2.0), part("cello", 1.0, pitch=45), scene=scene), hiss).samples
    pcm = np.round(samples * 32767) / 32767
    spectrum = np.abs(np.fft.rfft(pcm * signal.get_window("blackmanharris", len(pcm)))) ** 2
    frequencies = np.fft.rfftfreq(len(pcm), 1 / RATE)
    assert 10 * np.log10(spectrum[frequencies > limit].sum() / spectrum.sum()) < -60
    assert spectrum[(frequencies > 0.8 * limit) & (frequencies < 0.9 * limit)].sum() > 0.01 * spectrum.sum()


def test_a_room_goes_on_after_the_notes():
    dry = ensemble()(plan_of(part("flute", 0.0)), tone).samples
    scene = replace(DRY, room=Room(1.5, 0.01, 0.8))
    wet = ensemble()(plan_of(part("flute", 0.0), scene=scene), tone).samples
    far = ensemble()(plan_of(part("flute", 0.0, place=replace(PLACE, distance=1.2)), scene=scene), tone).samples
    after = slice(round(1.1 * RATE), round(1.4 * RATE))
    assert rms_db(dry[after]) < -100
    assert -60 < rms_db(wet[after]) < rms_db(far[after])


def test_nothing_is_quite_silent_between_the_notes():
    noisy = ensemble(channels=2)(plan_of(part("flute", 0.0), scene=replace(DRY, noise_db=-50.0)), tone).samples
    after = noisy[:, 2 * RATE :]
    assert rms_db(after) == pytest.approx(-20 - 50, abs=1)
    assert abs(np.corrcoef(after)[0, 1]) < 0.2
    low, high = (
        rms_db(signal.sosfilt(signal.butter(6, band, "band", output="sos", fs=RATE), after))
        for band in ((200, 400), (3200, 6400))
    )
    assert low == pytest.approx(high, abs=1), "as much in each octave"


def test_panning():
    left, right = replace(PLACE, pan=-0.8), replace(PLACE, pan=0.8)
    plan = plan_of(part("cello", 0.0, pitch=45, place=left), part("flute", 2.0, pitch=81, place=right))
    samples = ensemble(channels=2)(plan, tone).samples
    first, second = samples[:, :RATE], samples[:, 2 * RATE : 3 * RATE]
    assert rms_db(first[0]) > rms_db(first[1]) + 10
    assert rms_db(second[1]) > rms_db(second[0]) + 10


def test_labels_say_what_is_heard():
    loud, faint, brief = (
        part("cello", 0.0, 1.0, 2.0),
        part("flute", 1.0, gain_db=-45.0),
        part("violin", 0.0, length_s=0.1),
    )
    rendered = ensemble()(plan_of(loud, faint, brief), tone)
    assert rendered.sounding == ("cello",)
    assert rendered.present == (OPENMIC_INDEX["cello"],)
    assert rendered.absent == (), "what is too faint or too short is unknown, not absent"
    rendered = ensemble(heard_db=-60.0, heard_s=0.05)(plan_of(loud, faint, brief), tone)
    assert rendered.sounding == ("cello", "flute", "violin")


@pytest.mark.parametrize("level", [0.0, 1e-5])
def test_a_silent_source_is_not_present_and_not_raised_to_noise(level):
    hiss = np.random.default_rng(0).uniform(-level, level, 2 * RATE).astype(np.float32)
    sounds = lambda note: hiss if "flute" in note.clip_id else tone(note)  # noqa: E731
    alone = ensemble()(plan_of(part("flute", 0.0, 1.0)), sounds)
    assert (alone.present, alone.sounding) == ((), ())
    assert not alone.samples.any()
    both = ensemble()(plan_of(part("flute", 0.0, 1.0), part("cello", 2.0)), sounds)
    assert both.present == (OPENMIC_INDEX["cello"],)
    assert both.absent == (OPENMIC_INDEX["violin"],)
    assert np.abs(both.samples[: 2 * RATE - 500]).max() < 1e-4


def test_a_source_above_the_limit_is_not_present():
    whistle = lambda note: signal.chirp(np.arange(2 * RATE) / RATE, 5000, 2, 6000).astype(np.float32)  # noqa: E731
    sounds = lambda note: whistle(note) if "flute" in note.clip_id else tone(note)  # noqa: E731
    plan = plan_of(part("flute", 0.0, 1.0), part("cello", 0.0, 2.0), scene=replace(DRY, limit_hz=3000.0))
    assert ensemble()(plan, sounds).sounding == ("cello",)


def test_a_plan_of_another_generator_is_refused():
    plan = MixPlan("train", (), (), ())
    with pytest.raises(ValueError, match="no scene"):
        ensemble()(plan, tone)


def test_every_planned_instrument_is_usually_heard():
    generator = changed(pool={"train": {name: notes("train", name) for name in ("cello", "flute", "violin", "piano")}})
    planned = heard = 0
    for index in range(0, len(generator), 3):
        plan = generator.plan(index)
        planned += len(plan.parts)
        heard += len(generator.renderer(plan, tone).sounding)
    assert heard > 0.95 * planned
