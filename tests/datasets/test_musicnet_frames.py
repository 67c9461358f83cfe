import numpy as np
import pytest

from tutti.datasets.musicnet_frames import (
    GROUPS,
    PUBLISHED_TEST_FRAMES,
    PUBLISHED_TEST_POSITIVES,
    frame_labels,
    group_of,
    notes_of,
)
from tutti.errors import DataError
from tutti.labels import MUSICNET, MUSICNET_FRAME_LABELS

HEADER = "start_time,end_time,instrument,note,start_beat,end_beat,note_value\n"

# The published table: group of each of the 128 programs, 0 where it has none; 101 was left out by a typing error.
TABLE = (
    [1] * 8 + [4] * 8 + [5] * 5 + [8] * 3 + [2] * 8 + [6] * 8 + [3] * 7 + [4] + [3] * 4 + [0] * 3 + [3]
    + [7] * 8 + [8] * 8 + [9] * 8 + [10] * 16 + [11] * 8 + [12] * 8 + [4] * 6 + [11] + [4] + [2] + [0] + [4] * 6
)  # fmt: skip


def notes(*rows: tuple[int, int, int]) -> np.ndarray:
    return np.array(rows, np.int64).reshape(-1, 3)


def test_the_group_of_every_program() -> None:
    assert [group_of(program) or 0 for program in range(1, 129)] == TABLE
    assert {group_of(program) for program in MUSICNET} == {1, 3, 7, 8, 9}
    by_name = {"harpsichord": 7, "harp": 47, "timpani": 48, "accordion": 22, "synth drum": 119}
    named = {name: GROUPS[group_of(program) or 0] for name, program in by_name.items()}
    assert named == {
        "harpsichord": "keyboard",
        "harp": "strings",
        "timpani": "percussion",
        "accordion": "woodwind",
        "synth drum": "synth",
    }


@pytest.mark.parametrize("program", [0, 129, -1])
def test_there_are_128_programs(program: int) -> None:
    with pytest.raises(DataError, match="no such General MIDI program"):
        group_of(program)


def test_groups_and_columns_agree() -> None:
    assert list(GROUPS) == list(range(1, 13))
    assert [GROUPS[column] for column in range(1, 12)] == list(MUSICNET_FRAME_LABELS[1:])


@pytest.mark.parametrize(("start", "end", "first", "last"), [(9182, 90078, 18, 176), (9182, 33758, 18, 66)])
def test_published_examples(start: int, end: int, first: int, last: int) -> None:
    labels = frame_labels(notes((start, end, 41)), 200)
    assert np.flatnonzero(labels[:, 3]).tolist() == list(range(first, last + 1))
    assert np.flatnonzero(labels[:, 0]).tolist() == [*range(first), *range(last + 1, 200)]
    assert labels.sum() == 200


def test_a_frame_belongs_to_a_note_from_its_first_to_its_last_sample() -> None:
    for start, end, frames in ((0, 510, [0]), (0, 511, [0, 1]), (509, 510, [0]), (510, 511, [1]), (510, 510, [])):
        assert np.flatnonzero(frame_labels(notes((start, end, 1)), 4)[:, 1]).tolist() == frames


def test_frames_have_every_group_that_sounds_and_notes_are_cut_off() -> None:
    labels = frame_labels(notes((0, 1020, 1), (510, 99_999, 7), (1020, 1530, 72), (700, 800, 74)), 4)
    assert [np.flatnonzero(row).tolist() for row in labels] == [[1], [1, 9], [1, 8], [1]]
    assert frame_labels(notes(), 3)[:, 0].all()
    assert not frame_labels(notes((10_000, 20_000, 1)), 3)[:, 1:].any()


def test_notes_without_a_column_end_the_silence_only() -> None:
    labels = frame_labels(notes((0, 510, 105), (510, 1020, 53)), 3)
    assert labels.tolist() == [[False] * 12, [False] * 12, [True] + [False] * 11]


def test_windows_of_a_recording_have_the_recordings_labels() -> None:
    generator = np.random.default_rng(0)
    starts = generator.integers(0, 100_000, 60)
    many = np.stack([starts, starts + generator.integers(1, 9000, 60), generator.choice(list(MUSICNET), 60)], axis=1)
    whole = frame_labels(many, 230)
    for first in (0, 50, 200):
        assert np.array_equal(frame_labels(many, 30, start=first * 510), whole[first : first + 30])
    # Half a frame earlier, each interval is centred where the front end's frame is.
    assert np.flatnonzero(frame_labels(notes((255, 765, 1)), 4, start=-255)[:, 1]).tolist() == [1]


def test_label_files_are_read_by_their_columns() -> None:
    text = "Instruments,end_time,start_time,instrument,Time Chunks\nx,90078,9182,43,19\ny,33758,9182,72,19\n"
    assert notes_of(text, "1727.csv").tolist() == [[9182, 90078, 43], [9182, 33758, 72]]
    assert notes_of(HEADER, "1727.csv").shape == (0, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("start_time,end_time\n0,1\n", "1727.csv lacks columns"),
        (HEADER + "0,9,1,60,0,1,Quarter\n0,9,piano,60,0,1,Quarter\n", "1727.csv, line 3 holds no note"),
        (HEADER + "0\n", "line 2 holds no note"),
        (HEADER + "-5,9,1,60,0,1,Quarter\n", "line 2 holds no note"),
        (HEADER + "9,5,1,60,0,1,Quarter\n", "line 2: a note ends before it starts"),
        (HEADER + "0,9,129,60,0,1,Quarter\n", "line 2 names no General MIDI program"),
        ("", "lacks columns"),
    ],
)
def test_bad_label_files_are_refused(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        notes_of(text, "1727.csv")


def test_published_counts_agree_with_each_other() -> None:
    frames = sum(PUBLISHED_TEST_FRAMES.values())
    assert frames == 128_076
    assert sum(PUBLISHED_TEST_POSITIVES.values()) / frames == pytest.approx(1.110, abs=5e-4)
