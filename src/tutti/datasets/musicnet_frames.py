"""Which groups of instruments sound in each frame of a MusicNet recording, from its note labels.

References:
    github.com/ofargally/instrument-classifier (2024): group table, rule of the frames and counts. Its table leaves
    program 101 out by a typing error; here it belongs to its neighbours' group.
"""

import csv
import io
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from tutti.errors import DataError
from tutti.labels import MUSICNET_FRAME_LABELS

#: Samples of a frame at MusicNet's 44.1 kHz: two hops of 255 samples at 22.05 kHz, 11.565 ms.
FRAME_SAMPLES = 510

#: Rate in Hz in which MusicNet counts the samples of its notes.
SAMPLE_RATE = 44100

#: The twelve groups of General MIDI programs. The first eleven are the columns 1 to 11 of the frame labels.
GROUPS: Mapping[int, str] = MappingProxyType(
    {**dict(enumerate(MUSICNET_FRAME_LABELS[1:], start=1)), 12: "world_instrument"}
)

# First and last program of each run of programs with one group; 53 to 55 and 122 are voices and breath: no group.
_RANGES = (
    (1, 8, "keyboard"),
    (9, 16, "percussion"),
    (17, 21, "organ"),
    (22, 24, "woodwind"),  # accordion, harmonica, bandoneon
    (25, 32, "guitar"),
    (33, 40, "bass"),
    (41, 47, "strings"),  # the harp among them
    (48, 48, "percussion"),  # timpani
    (49, 52, "strings"),
    (56, 56, "strings"),  # orchestra hit
    (57, 64, "brass"),
    (65, 72, "woodwind"),
    (73, 80, "flute"),
    (81, 96, "synth_lead_pad"),
    (97, 104, "synth"),
    (105, 112, "world_instrument"),
    (113, 118, "percussion"),
    (119, 119, "synth"),  # synth drum
    (120, 120, "percussion"),
    (121, 121, "guitar"),  # fret noise
    (123, 128, "percussion"),
)

_IDS = {name: number for number, name in GROUPS.items()}
_GROUP_OF = {program: _IDS[name] for first, last, name in _RANGES for program in range(first, last + 1)}

#: Frames of each of the ten recordings of the published test set.
PUBLISHED_TEST_FRAMES: Mapping[int, int] = MappingProxyType(
    {
        1759: 16_833,
        1819: 15_347,
        2106: 19_600,
        2191: 8_893,
        2298: 13_276,
        2303: 8_013,
        2382: 10_204,
        2416: 12_031,
        2556: 13_097,
        2628: 10_782,
    }
)

#: Positive frames of each column of the published test set; the other columns have none.
PUBLISHED_TEST_POSITIVES: Mapping[int, int] = MappingProxyType({0: 12_716, 1: 44_616, 3: 55_471, 7: 9_078, 8: 20_283})

_COLUMNS = ("start_time", "end_time", "instrument")


def group_of(program: int) -> int | None:
    """The group of a General MIDI program.

    Args:
        program: Counted from 1, as MusicNet does.

    Returns:
        A key of ``GROUPS``; None for the voices and the breath noise, which have no group.

    Raises:
        DataError: There is no such program.
    """
    if not 1 <= program <= 128:
        raise DataError("there is no such General MIDI program", got=program, expected="1 to 128")
    return _GROUP_OF.get(program)


def notes_of(text: str, where: str) -> np.ndarray:
    """The notes of one of MusicNet's label files.

    Args:
        text: CSV with a header; of its columns ``start_time``, ``end_time`` (44.1 kHz samples) and ``instrument``
            (a program) are read, all others ignored.
        where: What it was read from, for the error message.

    Returns:
        int64 [notes, 3]: start, end, program, in the file's order.

    Raises:
        DataError: A column is missing, or a line holds no such numbers.
    """
    reader = csv.DictReader(io.StringIO(text, newline=""))
    missing = [column for column in _COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise DataError(f"{where} lacks columns", got=reader.fieldnames, expected=", ".join(_COLUMNS))
    notes = []
    for row in reader:
        line = f"{where}, line {reader.line_num}"
        values = [(row[column] or "").strip() for column in _COLUMNS]
        if not all(value.isdecimal() for value in values):
            raise DataError(
                f"{line} holds no note", got=", ".join(values), expected=f"whole numbers for {', '.join(_COLUMNS)}"
            )
        start, end, program = map(int, values)
        if end < start:
            raise DataError(f"{line}: a note ends before it starts", got=f"{start} to {end}")
        if not 1 <= program <= 128:
            raise DataError(f"{line} names no General MIDI program", got=program, expected="1 to 128")
        notes.append((start, end, program))
    return np.array(notes, np.int64).reshape(-1, len(_COLUMNS))


def frame_labels(notes: np.ndarray, frames: int, *, start: int = 0) -> np.ndarray:
    """The labels of every frame.

    A note from sample s up to e marks the frames floor(s / 510) to floor((e - 1) / 510); what lies outside the frames
    is cut off. The frame t of the front end is centred where the interval t begins, half a frame early, as published;
    ``start=-255`` moves the intervals so that they are centred, too.

    Args:
        notes: int [n, 3]: start and end in 44.1 kHz samples, and program, as `notes_of` gives them.
        frames: Number of frames.
        start: Sample at which the first frame's interval begins, for a window of a recording.

    Returns:
        bool [frames, 12], columns as in `MUSICNET_FRAME_LABELS`. Column 0 marks the frames without any note. A note
        whose program has no column (voices, world instruments) only ends the silence.

    Raises:
        DataError: A note's program does not exist.
    """
    labels = np.zeros((frames, len(MUSICNET_FRAME_LABELS)), bool)
    silent = np.ones(frames, bool)
    first = np.clip((notes[:, 0] - start) // FRAME_SAMPLES, 0, frames)
    end = np.clip((notes[:, 1] - 1 - start) // FRAME_SAMPLES + 1, 0, frames)
    for program in np.unique(notes[:, 2]):
        group = group_of(int(program))
        for low, high in zip(first[notes[:, 2] == program], end[notes[:, 2] == program], strict=True):
            silent[low:high] = False
            if group is not None and group < labels.shape[1]:
                labels[low:high, group] = True
    labels[:, 0] = silent
    return labels
