"""MusicNet's layout, filled with rendered chamber music whose labels are the score itself."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tutti.files import write_text
from tutti.labels import MUSICNET
from tutti.progress import track
from tutti.rendering import packing
from tutti.rendering.composing import Part, compose_part
from tutti.rendering.instruments import INSTRUMENTS, TEST_FONTS, TRAIN_FONTS, Patch
from tutti.rendering.mixing import draw_style, mix
from tutti.rendering.notices import readme, rendered
from tutti.rendering.synth import RATE, render
from tutti.rendering.theory import STYLES, Song, plan_song
from tutti.seeds import numpy_generator, python_random

log = logging.getLogger(__name__)

_SECONDS = 15.0
#: Silence at both ends, so that frames without any instrument exist.
_PAUSE_S = 0.75


@dataclass(frozen=True)
class Piece:
    """A recording to make.

    Attributes:
        number: Its id; the test ids are among the publisher's test ids.
        ensemble: The publisher's words for who plays.
        players: MusicNet code and texture of each, the leader first.
    """

    number: int
    ensemble: str
    players: tuple[tuple[int, str], ...]


_TRAIN = (
    Piece(1727, "Piano Quartet", ((41, "melody"), (42, "counter"), (43, "bass_roots"), (1, "arpeggio"))),
    Piece(1750, "Solo Piano", ((1, "melody_and_chords"),)),
    Piece(
        1788, "Wind Quintet", ((74, "melody"), (69, "counter"), (72, "harmony"), (61, "long_notes"), (71, "bass_roots"))
    ),
    Piece(1812, "String Quartet", ((41, "melody"), (41, "counter"), (42, "harmony"), (43, "bass_roots"))),
    Piece(1919, "Pairs Clarinet-Horn-Bassoon", ((72, "melody"), (61, "counter"), (71, "bass_roots"))),
    Piece(2075, "Violin and Harpsichord", ((41, "busy_melody"), (7, "comping"))),
    Piece(2138, "Solo Harpsichord", ((7, "busy_melody"), (7, "waltz_chords"))),
    Piece(2219, "Solo Cello", ((43, "busy_melody"),)),
    Piece(2292, "String Sextet", ((41, "melody"), (42, "harmony"), (43, "counter"), (44, "bass_roots"))),
    Piece(2366, "Solo Flute", ((74, "busy_melody"),)),
    Piece(2444, "Clarinet-Cello-Piano Trio", ((72, "melody"), (43, "counter"), (1, "arpeggio"))),
    Piece(2509, "Oboe and Bass", ((69, "melody"), (44, "bass_roots"))),
)
_TEST = (
    Piece(1819, "Pairs Clarinet-Horn-Bassoon", ((72, "melody"), (61, "counter"), (71, "bass_roots"))),
    Piece(2106, "String Quartet", ((41, "melody"), (42, "harmony"), (43, "bass_roots"))),
    Piece(2303, "Solo Piano", ((1, "melody_and_chords"),)),
)
_NOTE_VALUES = (
    (0.25, "Sixteenth"), (1 / 3, "Triplet"), (0.5, "Eighth"), (0.75, "Dotted Eighth"), (1.0, "Quarter"),
    (1.5, "Dotted Quarter"), (2.0, "Half"), (3.0, "Dotted Half"), (4.0, "Whole"),
)  # fmt: skip


def write(root: Path, seed: int) -> list[Path]:
    """Renders the recordings and writes ``musicnet.tar.gz`` and its metadata below ``root``/musicnet.

    Args:
        root: The data folder.
        seed: Decides everything.

    Returns:
        The archive and the metadata file.
    """
    members: dict[str, bytes] = {}
    metadata: list[tuple[object, ...]] = [
        ("id", "composer", "composition", "movement", "ensemble", "source", "transcriber", "catalog_name", "seconds")
    ]
    pieces = [("train", piece) for piece in _TRAIN] + [("test", piece) for piece in _TEST]
    for split, piece in track(pieces, "musicnet", unit="recordings"):
        sound, song, parts = _perform(split, piece, seed)
        members[f"{split}_data/{piece.number}.ogg"] = packing.encode_vorbis(
            sound, RATE, compression=1.0, serial=piece.number
        )
        members[f"{split}_labels/{piece.number}.csv"] = packing.csv_bytes(label_rows(piece, parts))
        metadata.append(
            (piece.number, "Tutti", f"Rendered piece in {song.beats_per_bar}/4", f"{song.tempo:g} bpm", piece.ensemble,
             "FluidSynth", "score", "", round(_SECONDS))
        )  # fmt: skip
    notes = {
        "recordings": {"train": len(_TRAIN), "test": len(_TEST)},
        "labels": "the score, exact to a few milliseconds",
    }
    members["RENDERED.json"] = packing.json_bytes(rendered("musicnet", seed, notes))
    members["README.txt"] = readme(
        "MusicNet's layout, rendered",
        "Mono, 44.1 kHz; Ogg Vorbis in place of WAV, to be small. Labels are the played notes. Ids are within the "
        "publisher's\nrange; the recordings have nothing else to do with those of the same id.",
    )
    archive, table = root / "musicnet" / "musicnet.tar.gz", root / "musicnet" / "musicnet_metadata.csv"
    packing.write_tar_gz(archive, {f"musicnet/{name}": data for name, data in members.items()})
    write_text(table, packing.csv_bytes(metadata).decode())
    log.info("musicnet: %.1f MB in %s", archive.stat().st_size / 1e6, archive)
    return [archive, table]


def _perform(split: str, piece: Piece, seed: int) -> tuple[np.ndarray, Song, list[Part]]:
    """Sound float32 [1, n], the song, and the parts, whose time starts after the first pause."""
    rng = python_random(seed, "musicnet", piece.number)
    style = next(style for style in STYLES if style.name == "classical")
    song = plan_song(style, _SECONDS - 2 * _PAUSE_S, rng)
    parts = []
    for place, (code, texture) in enumerate(piece.players):
        program = code - 1
        instrument = next(
            one for one in INSTRUMENTS.values() if any((p.program, p.bank) == (program, 0) for p in one.patches)
        )
        patch = Patch(program)
        parts.append(compose_part(song, instrument, patch, rng, leads=place == 0, texture=texture))
    fonts = TRAIN_FONTS if split == "train" else TEST_FONTS
    stems = render(parts, rng.choice(fonts), _SECONDS - _PAUSE_S)
    pause = np.zeros((2, round(_PAUSE_S * RATE)), np.float32)
    stems = [np.concatenate([pause, stem], axis=1) for stem in stems]
    noise = numpy_generator(seed, "musicnet", "mix", piece.number)
    sound = mix(stems, parts, draw_style(rng), rng, noise)
    return sound.mean(axis=0, keepdims=True), song, parts


def label_rows(piece: Piece, parts: list[Part]) -> list[tuple[object, ...]]:
    """The label file of a recording, header first, by onset.

    Args:
        piece: Gives the codes of the parts.
        parts: What was played, from the end of the first pause on.
    """
    rows = []
    for (code, _), part in zip(piece.players, parts, strict=True):
        if code not in MUSICNET:
            raise ValueError(f"{code} is not a MusicNet instrument")
        for note in part.notes:
            start, end = (round((_PAUSE_S + seconds) * RATE) for seconds in (note.start_s, note.end_s))
            value = min(_NOTE_VALUES, key=lambda known: abs(known[0] - note.beats))[1]
            rows.append((start, end, code, note.pitch, round(note.beat, 4), round(note.beats, 4), value))
    header = ("start_time", "end_time", "instrument", "note", "start_beat", "end_beat", "note_value")
    return [header, *sorted(rows)]
