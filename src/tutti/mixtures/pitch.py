"""What the name of a source says of it: its pitch, and whether it is a note or a whole phrase."""

import re

#: Semitones above C.
_STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_ACCIDENTALS = {"": 0, "#": 1, "s": 1, "sharp": 1, "♯": 1, "b": -1, "flat": -1, "♭": -1}

#: NSynth's note_str: instrument, MIDI pitch, velocity.
_NSYNTH = re.compile(r"-(\d{3})-(\d{3})$")
# A4, As3, c#5, Gb7, spitfluteA3: a capital may end a word in small letters, a small letter must begin one. No digit
# follows (C414 is a microphone, A440 a tuning).
_NAMED = re.compile(r"(?:(?<![A-Za-z])([A-Ga-g])|(?<=[a-z])([A-G]))(sharp|flat|[#♯♭sb]?)(\d)(?!\d)")
# "midi60", "pitch_072", "note072": a counter rarely has three digits and leading zeros, so the vaguer words need them.
_MARKED = re.compile(r"(?:(?:midi|pitch)[-_ ]?(\d{1,3})|(?:note|key)[-_ ]?(\d{3}))(?!\d)", re.IGNORECASE)
_PHRASE = re.compile(r"phrase|melody|gliss|(?<![a-z])(?:riff|lick|loop|scale|arpeggio)", re.IGNORECASE)

#: The range of MIDI pitches.
MIDI = range(128)
#: A recording of unknown pitch that is longer than this is taken for a phrase, seconds.
LONGEST_NOTE_S = 6.0


def pitch_of(name: str) -> int | None:
    """The pitch that a file name states.

    Understood are NSynth's ``<instrument>-<pitch>-<velocity>``, a MIDI number behind ``midi``, ``pitch``, ``note`` or
    ``key`` (three digits behind the last two), and note names with an octave, in which C4 is middle C: ``A4``, ``As3``,
    ``c#5``, ``Gb7``. A name that states several pitches states none.

    Args:
        name: A file's name without folders, with or without its suffix; what stands before the first ``__`` names the
            recording chain and is left out.

    Returns:
        A MIDI pitch in ``range(128)``, or None.
    """
    stem = _inner(name)
    match = _NSYNTH.search(stem)
    if match:
        return _in_range(int(match[1]))
    found = {int(first or second) for first, second in _MARKED.findall(stem)}
    if not found:
        found = {
            12 * (int(octave) + 1) + _STEPS[(small or capital).lower()] + _ACCIDENTALS[accidental]
            for small, capital, accidental, octave in _NAMED.findall(stem)
        }
    return _in_range(found.pop()) if len(found) == 1 else None


def is_phrase(name: str, pitch: int | None, duration_s: float) -> bool:
    """Whether a recording is taken for a phrase: its name says so, or it has no known pitch and is long for a note.

    Args:
        name: As for `pitch_of`.
        pitch: What `pitch_of` found.
        duration_s: The recording's length.
    """
    return _PHRASE.search(_inner(name)) is not None or (pitch is None and duration_s > LONGEST_NOTE_S)


def _inner(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    stem = stem if dot and suffix.isalnum() and not suffix.isdigit() else name
    return stem.partition("__")[2] or stem


def _in_range(pitch: int) -> int | None:
    return pitch if pitch in MIDI else None
