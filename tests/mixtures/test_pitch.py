"""What file names say of pitches and phrases."""

import pytest

from tutti.mixtures.pitch import is_phrase, pitch_of


@pytest.mark.parametrize(
    ("name", "pitch"),
    [
        ("guitar_acoustic_010-060-100", 60),
        ("keyboard_synthetic_004-108-025", 108),
        ("violin_A4.wav", 69),
        ("As3.flac", 58),
        ("c#5.wav", 73),
        ("C♯5.wav", 73),
        ("Gb7.mp3", 102),
        ("bb2.ogg", 46),
        ("Csharp4.wav", 61),
        ("Aflat4.wav", 68),
        ("C0", 12),
        ("A3v16.flac", 57),
        ("studio__cello_Gs3_1_pianissimo.mp3", 56),
        ("A4studio__piano_C4.wav", 60),  # what comes before __ names the recording chain
        ("spitfluteA3-2.flac", 57),  # a capital ends the word
        ("overblown_e3-1.flac", 52),
        ("4-Gb5.flac", 78),
        ("midi60.wav", 60),
        ("pitch_072.wav", 72),
        ("katy__note072-do.flac", 72),
        ("KEY-021.wav", 21),
        # What is no pitch:
        ("violin_0.flac", None),
        ("note_1.wav", None),
        ("note12.wav", None),  # a counter rather than a pitch
        ("midi200.wav", None),
        ("conga3.wav", None),  # a small letter must begin a word
        ("C414_take.wav", None),  # a microphone
        ("A440.wav", None),
        ("hihat_op_rh_08.flac", None),
        ("H2.wav", None),
        ("e2_to_e4.wav", None),  # two pitches
        ("71_f.flac", None),
        ("take.b.wav", None),
        ("", None),
    ],
)
def test_pitches_of_names(name: str, pitch: int | None) -> None:
    assert pitch_of(name) == pitch


@pytest.mark.parametrize(
    ("name", "pitch", "seconds", "phrase"),
    [
        ("trumpet_Ds5_phrase_mezzo-forte.mp3", 75, 2.0, True),
        ("glock_gliss_up_02.flac", None, 2.0, True),
        ("improvisation.wav", None, 40.0, True),
        ("salamander__A0.mp3", 21, 22.0, False),  # a long note
        ("hit.wav", None, 1.0, False),
        ("phrase__A4.wav", 69, 1.0, False),  # the name of the chain
    ],
)
def test_phrases_by_name_and_length(name: str, pitch: int | None, seconds: float, phrase: bool) -> None:
    assert is_phrase(name, pitch, seconds) is phrase
