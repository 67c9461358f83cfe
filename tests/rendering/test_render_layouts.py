"""The layouts' files, made of sounds that need no synthesizer."""

import csv
import io
import json
import random

import numpy as np
import pytest

from tutti.labels import IRMAS, NSYNTH, OPENMIC
from tutti.rendering import irmas, musicnet, nsynth, openmic
from tutti.rendering.composing import Note, Part, compose_part
from tutti.rendering.ensembles import form_artists
from tutti.rendering.instruments import INSTRUMENTS, TIM, TRAIN_FONTS
from tutti.rendering.mixing import AUDIBLE_DB, LOUDEST_DB, balance, draw_style, mix, rms_db
from tutti.rendering.notices import readme, rendered
from tutti.rendering.synth import RATE
from tutti.rendering.theory import STYLES, plan_song


def rows(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode())))


@pytest.fixture(scope="module")
def clips() -> list[openmic.Clip]:
    artists = form_artists(TRAIN_FONTS, 24, 1, random.Random(1))
    generator = np.random.default_rng(0)
    made = []
    for artist in artists:
        for piece, cast in enumerate(artist.casts):
            made.append(
                openmic.Clip(
                    key=f"{artist.number * 900 + piece:06d}_{96000 + piece}",
                    split="test" if artist.number % 4 == 0 else "train",
                    artist=artist,
                    title=", ".join(cast),
                    start_s=96,
                    sound=(0.1 * generator.standard_normal((2, 10 * RATE))).astype(np.float32),
                    audio=f"{artist.number} {piece}".encode(),
                    present=np.array([name in cast for name in OPENMIC]),
                    leading=np.array([name == cast[0] for name in OPENMIC]),
                    clear=np.ones(20, bool),
                )
            )
    return made


@pytest.fixture(scope="module")
def files(clips) -> dict[str, bytes]:
    return openmic.members(clips, seed=3)


def test_openmic_has_the_official_files(files, clips) -> None:
    key = clips[0].key
    assert {
        "openmic-2018.npz", "openmic-2018-aggregated-labels.csv", "openmic-2018-individual-responses.csv",
        "openmic-2018-metadata.csv", "class-map.json", "partitions/split01_train.csv", "partitions/split01_test.csv",
        "checksums/openmic-2018-audio.csv", "checksums/openmic-2018-vggish.csv", "acknowledgement.md",
        "license-cc-by.txt", f"audio/{key[:3]}/{key}.ogg", f"vggish/{key[:3]}/{key}.json", "RENDERED.json",
    } <= set(files)  # fmt: skip
    assert json.loads(files["class-map.json"]) == {name: index for index, name in enumerate(OPENMIC)}
    assert json.loads(files["RENDERED.json"])["synthetic"] is True
    assert np.shape(json.loads(files[f"vggish/{key[:3]}/{key}.json"])["features"]) == (10, 128)


def test_openmic_arrays_and_tables_agree(files, clips) -> None:
    arrays = np.load(io.BytesIO(files["openmic-2018.npz"]), allow_pickle=True)
    keys = arrays["sample_key"].tolist()
    assert keys == sorted(clip.key for clip in clips)
    assert arrays["X"].shape == (24, 10, 128)
    assert arrays["Y_mask"].dtype == bool
    assert (arrays["Y_true"][~arrays["Y_mask"]] == 0.5).all()
    table = rows(files["openmic-2018-aggregated-labels.csv"])
    assert table[0] == ["sample_key", "instrument", "relevance", "num_responses"]
    assert len(table) - 1 == arrays["Y_mask"].sum()
    for key, instrument, value, _ in table[1:]:
        cell = keys.index(key), OPENMIC.index(instrument)
        assert arrays["Y_mask"][cell]
        assert float(value) == arrays["Y_true"][cell]
        assert (float(value) >= 0.5) == clips[cell[0]].present[cell[1]]


def test_openmic_responses_have_the_majority_of_the_relevance(files) -> None:
    votes: dict[tuple[str, str], list[int]] = {}
    for key, _, _, _, instrument, response in rows(files["openmic-2018-individual-responses.csv"])[1:]:
        votes.setdefault((key, instrument), []).append(int(response))
    for key, instrument, value, count in rows(files["openmic-2018-aggregated-labels.csv"])[1:]:
        assert len(votes[key, instrument]) == int(count)
        assert (np.mean(votes[key, instrument]) > 0.5) == (float(value) >= 0.5)


def test_openmic_splits_cover_the_clips_and_part_the_artists(files, clips) -> None:
    splits = {name: {row[0] for row in rows(files[f"partitions/split01_{name}.csv"])} for name in ("train", "test")}
    assert not splits["train"] & splits["test"]
    assert splits["train"] | splits["test"] == {clip.key for clip in clips}
    metadata = rows(files["openmic-2018-metadata.csv"])
    assert metadata[0][-2] == "sample_key"
    artist_of = {row[-2]: row[metadata[0].index("artist_id")] for row in metadata[1:]}
    assert not {artist_of[key] for key in splits["train"]} & {artist_of[key] for key in splits["test"]}


def test_log_mel_summary_finds_the_band_of_a_tone() -> None:
    time = np.arange(10 * RATE) / RATE
    low, high = (
        openmic.log_mel_summary(np.tile(0.5 * np.sin(2 * np.pi * hertz * time), (2, 1)).astype(np.float32))
        for hertz in (200, 4000)
    )
    assert low.shape == (10, 128)
    assert low[5].argmax() + 30 < high[5].argmax()
    assert openmic.log_mel_summary(np.zeros((2, 10 * RATE), np.float32)).max() == 0


def test_a_clip_starts_where_everybody_is_heard() -> None:
    steady = np.full((2, 13 * RATE), 0.1, np.float32)
    late = np.zeros_like(steady)
    late[:, 12 * RATE + RATE // 2 :] = 0.1
    starts = [openmic.best_start([steady, late], random.Random(seed)) for seed in range(20)]
    assert all(0 <= start <= 3 * RATE for start in starts)
    assert np.mean([start > 2.5 * RATE for start in starts]) > 0.3  # chance alone: one in six


def _parts(count: int) -> list[Part]:
    violin = INSTRUMENTS["violin"]
    return [Part(violin, violin.patches[0], (), leads=index == 0) for index in range(count)]


def test_balance_buries_nobody() -> None:
    generator = np.random.default_rng(1)
    stems = [level * generator.standard_normal((2, 2 * RATE)).astype(np.float32) for level in (1, 1e-3, 1e-2, 1, 1)]
    stems[3][:, RATE // 5 :] = 0  # a short blow
    scaled = balance(stems, _parts(5), random.Random(0))
    whole = rms_db(np.sum(scaled, axis=0))
    assert all(rms_db(stem) > whole + AUDIBLE_DB for stem in scaled)
    assert rms_db(scaled[0]) > max(rms_db(stem) for stem in scaled[1:])


@pytest.mark.parametrize("seed", range(6))
def test_mixes_are_neither_clipped_nor_faint_and_repeat(seed: int) -> None:
    time = np.arange(4 * RATE) / RATE
    stems = [np.tile(np.sin(2 * np.pi * hertz * time), (2, 1)).astype(np.float32) for hertz in (220, 330)]
    stems[0][:, : RATE // 100] *= 20  # a stray peak
    one, two = (
        mix(stems, _parts(2), draw_style(random.Random(seed)), random.Random(2), np.random.default_rng(3))
        for _ in range(2)
    )
    assert np.array_equal(one, two)
    assert one.shape == (2, 4 * RATE)
    assert 20 * np.log10(np.abs(one).max()) < -2.5
    assert -27 < rms_db(one) <= LOUDEST_DB + 0.1


def test_irmas_names_follow_the_publisher() -> None:
    drum = Part(INSTRUMENTS["drums"], INSTRUMENTS["drums"].patches[0], (), leads=False)
    assert irmas.file_name("cel", "cla", [], 1, prefixed=False) == "[cel][cla]0001"
    assert irmas.file_name("cla", "cla", [], 393, prefixed=True) == "393__[cla][nod][cla]0393"
    assert irmas.file_name("sax", "jaz_blu", [drum], 7, prefixed=True) == "007__[sax][dru][jaz_blu]0007"


def test_every_irmas_code_can_lead_a_song_of_both_sides() -> None:
    for code, name in IRMAS.items():
        assert any(name in style.members for style in STYLES)
        for font in (*TRAIN_FONTS, TIM):
            assert INSTRUMENTS[name].patches_of(font, irmas._TAGS.get(code, ""))


def test_nsynth_instruments_are_disjoint_and_families_complete() -> None:
    splits = nsynth.instruments_of_splits(seed=42)
    names = {split: [sounding.name for sounding in soundings] for split, soundings in splits.items()}
    assert not set(names["train"]) & set(names["valid"])
    assert not (set(names["train"]) | set(names["valid"])) & set(names["test"])
    assert all({sounding.family for sounding in soundings} == set(NSYNTH) for soundings in splits.values())
    assert {sounding.font for sounding in splits["test"]} == {TIM}
    used = [(s.font.name, s.patch.program, s.patch.bank) for s in splits["train"] + splits["valid"]]
    assert len(used) == len(set(used))


def test_nsynth_examples_have_all_fields() -> None:
    sounding = nsynth.instruments_of_splits(seed=42)["test"][0]
    example = nsynth._example("bass_acoustic_000-040-100", 5, sounding, 2, 40, 100)
    assert set(example) == {
        "note", "note_str", "instrument", "instrument_str", "pitch", "velocity", "sample_rate", "qualities",
        "qualities_str", "instrument_family", "instrument_family_str", "instrument_source", "instrument_source_str",
    }  # fmt: skip
    assert len(example["qualities"]) == 10
    assert example["instrument_family"] == NSYNTH.index(sounding.family)


def test_nsynth_notes_share_the_range_out() -> None:
    for soundings in nsynth.instruments_of_splits(seed=42).values():
        for sounding in soundings:
            low, high = sounding.instrument.range_of(sounding.patch)
            chosen = nsynth._notes("train", sounding, soundings, seed=42)
            assert all(low <= pitch <= high for pitch, _ in chosen)


def test_musicnet_covers_all_codes_and_its_test_only_those_of_the_test_set() -> None:
    codes = {code for piece in musicnet._TRAIN for code, _ in piece.players}
    assert codes == {1, 7, 41, 42, 43, 44, 61, 69, 71, 72, 74}
    assert {code for piece in musicnet._TEST for code, _ in piece.players} <= {1, 41, 42, 43, 61, 71, 72}
    assert {piece.number for piece in musicnet._TEST} <= {1759, 1819, 2106, 2191, 2298, 2303, 2382, 2416, 2556, 2628}


def test_musicnet_labels_are_the_score_in_samples() -> None:
    viola = INSTRUMENTS["viola"]
    part = Part(viola, viola.patches[0], (Note(1.0, 1.5, 60, 80, 2.0, 1.0),), leads=True)
    piece = musicnet.Piece(1, "Solo Viola", ((42, "melody"),))
    header, row = musicnet.label_rows(piece, [part])
    assert header[:3] == ("start_time", "end_time", "instrument")
    start = round((1.0 + musicnet._PAUSE_S) * 44_100)
    assert row == (start, start + 22_050, 42, 60, 2.0, 1.0, "Quarter")


def test_musicnet_refuses_an_instrument_it_has_no_code_for() -> None:
    with pytest.raises(ValueError, match="57"):
        musicnet.label_rows(musicnet.Piece(1, "Solo Trumpet", ((57, "melody"),)), _parts(1))


def test_notices_name_fonts_and_licences() -> None:
    notice = rendered("irmas", 7, {"more": 1})
    assert notice["synthetic"] is True
    assert (notice["seed"], notice["more"]) == (7, 1)
    assert [font["name"] for font in notice["soundfonts"]["test"]] == ["TimGM6mb"]
    text = readme("Title", "Body.").decode()
    assert "derives in part from FluidR3" in text
    assert all(font.name in text for font in (*TRAIN_FONTS, TIM))


def test_pieces_of_one_song_share_its_plan() -> None:
    rng = random.Random(2)
    plan = plan_song(STYLES[0], 10, rng)
    part = compose_part(plan, INSTRUMENTS["flute"], INSTRUMENTS["flute"].patches[0], rng, leads=True)
    assert {note.pitch % 12 for note in part.notes} <= set(plan.scale) | {
        tone for chord in plan.chords for tone in chord.tones
    }
