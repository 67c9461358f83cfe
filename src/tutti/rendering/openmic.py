"""OpenMIC-2018's layout, filled with rendered clips (specification: the dataset's README and its loaders)."""

import hashlib
import io
import json
import logging
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tutti.labels import OPENMIC, OPENMIC_INDEX
from tutti.progress import track
from tutti.rendering import packing
from tutti.rendering.asking import choose_cells, relevance
from tutti.rendering.ensembles import Artist, form_artists, play_piece, presence
from tutti.rendering.instruments import TEST_FONTS, TRAIN_FONTS
from tutti.rendering.mixing import mix, rms_db
from tutti.rendering.notices import readme, rendered
from tutti.rendering.synth import RATE, render
from tutti.seeds import numpy_generator, python_random

log = logging.getLogger(__name__)

CLIP_S = 10.0
#: What is composed, so that a clip can begin anywhere in the music, as an excerpt does.
_PIECE_S = 13.0
#: A stem below this in the clip's ten seconds is not heard, and the clip begins elsewhere; dB of RMS.
_SILENT_DB = -70.0
_TOP = "openmic-2018"
_TRAIN_CLIPS, _TEST_CLIPS = 312, 104
_CELLS_PER_CLIP = {"train": 2.4, "test": 2.8}
_WINDOW_S = 0.96
#: Spreads the six-digit ids over several folders, as the original's are.
_IDS_PER_ARTIST = 900


@dataclass(frozen=True)
class Clip:
    """A finished clip.

    Attributes:
        key: Sample key: six digits, "_", offset.
        split: train or test.
        artist: Who plays.
        title: Instruments of the score.
        sound: float32 [2, 441000], before encoding.
        audio: Ogg Vorbis.
        present: bool [20].
        leading: bool [20].
        clear: bool [20].
    """

    key: str
    split: str
    artist: Artist
    title: str
    start_s: int
    sound: np.ndarray
    audio: bytes
    present: np.ndarray
    leading: np.ndarray
    clear: np.ndarray


def write(root: Path, seed: int, *, clips: tuple[int, int] = (_TRAIN_CLIPS, _TEST_CLIPS)) -> Path:
    """Renders the clips and writes ``openmic/openmic-2018-v1.0.0.tgz`` below ``root``.

    Args:
        root: The data folder.
        seed: Decides everything.
        clips: Numbers of train and test clips.

    Returns:
        The archive.
    """
    artists: list[tuple[str, Artist]] = []
    for split, fonts, count in (("train", TRAIN_FONTS, clips[0]), ("test", TEST_FONTS, clips[1])):
        formed = form_artists(fonts, count, len(artists) + 1, python_random(seed, "openmic", split))
        artists += [(split, artist) for artist in formed]
    made = [clip for split, artist in track(artists, "openmic", unit="artists") for clip in _play(split, artist, seed)]
    made.sort(key=lambda clip: clip.key)
    target = root / "openmic" / "openmic-2018-v1.0.0.tgz"
    packing.write_tar_gz(target, {f"{_TOP}/{name}": data for name, data in members(made, seed).items()})
    log.info("openmic: %d clips in %s, %.1f MB", len(made), target, target.stat().st_size / 1e6)
    return target


def _play(split: str, artist: Artist, seed: int) -> Iterator[Clip]:
    """All clips of one artist, played in one run of the synthesizer."""
    patches = {
        name: artist.patch(name, python_random(seed, "openmic", "patch", artist.number, name))
        for name in sorted({name for cast in artist.casts for name in cast})
    }
    pieces = []
    for piece, cast in enumerate(artist.casts):
        rng = python_random(seed, "openmic", "piece", artist.number, piece)
        pieces.append((rng, play_piece(artist, cast, patches, _PIECE_S, rng)))
    stems = iter(render([part for _, parts in pieces for part in parts], artist.font, _PIECE_S))
    for piece, (rng, parts) in enumerate(pieces):
        own = [next(stems) for _ in parts]
        first = best_start(own, rng)
        window = [stem[:, first : first + round(CLIP_S * RATE)] for stem in own]
        sound = mix(window, parts, artist.mix, rng, numpy_generator(seed, "openmic", "mix", artist.number, piece))
        track_id = artist.number * _IDS_PER_ARTIST + piece
        start_ms = rng.randrange(10, 180) * 960
        present, leading, clear = presence(parts)
        yield Clip(
            key=f"{track_id:06d}_{start_ms}",
            split=split,
            artist=artist,
            title=", ".join(part.instrument.name.replace("_", " ") for part in parts),
            start_s=start_ms // 1000,
            sound=sound,
            audio=packing.encode_vorbis(sound, RATE, serial=track_id),
            present=present,
            leading=leading,
            clear=clear,
        )


def best_start(stems: list[np.ndarray], rng: random.Random) -> int:
    """A sample from which on all stems are heard for ten seconds: a random one, or the one that helps the quietest.

    Args:
        stems: float32 [2, n] each, longer than ten seconds.
        rng: Draws the starts that are tried.
    """
    length = round(CLIP_S * RATE)
    starts = [rng.randrange(stems[0].shape[1] - length) for _ in range(4)]
    quietest = [min(rms_db(stem[:, first : first + length]) for stem in stems) for first in starts]
    for first, level in zip(starts, quietest, strict=True):
        if level > _SILENT_DB:
            return first
    return starts[int(np.argmax(quietest))]


def members(clips: list[Clip], seed: int) -> dict[str, bytes]:
    """Every file of the layout, named relative to its top folder.

    Args:
        clips: Sorted by key.
        seed: The seed they were rendered with.
    """
    present, leading, clear = (
        np.stack([getattr(clip, name) for clip in clips]) for name in ("present", "leading", "clear")
    )
    asked = np.zeros_like(present)
    for split, per_clip in _CELLS_PER_CLIP.items():
        rows = np.array([clip.split == split for clip in clips])
        if rows.any():
            rng = python_random(seed, "openmic", "asking", split)
            asked[rows] = choose_cells(present[rows], leading[rows], clear[rows], per_clip, rng)
    truth = relevance(present, asked, numpy_generator(seed, "openmic", "relevance"))
    features = np.stack([log_mel_summary(clip.sound) for clip in clips])
    files = {
        "openmic-2018.npz": _npz(features, truth, asked, [clip.key for clip in clips]),
        "openmic-2018-metadata.csv": packing.csv_bytes(_metadata(clips)),
        "class-map.json": (json.dumps(dict(OPENMIC_INDEX)) + "\n").encode(),
        "acknowledgement.md": b"Rendered in the layout of OpenMIC-2018 (Humphrey, Durand, McFee, ISMIR 2018).\n",
        "license-cc-by.txt": b"The labels of the published dataset are CC BY 4.0. This rendering: see README.txt.\n",
        "README.txt": readme("OpenMIC-2018's layout, rendered", _BODY),
        "RENDERED.json": packing.json_bytes(rendered("openmic", seed, _notes(clips, asked, present))),
    }
    files |= _label_files(clips, truth, asked, seed)
    for split in ("train", "test"):
        keys = [[clip.key] for clip in clips if clip.split == split]
        files[f"partitions/split01_{split}.csv"] = packing.csv_bytes(keys)
    audio = {f"audio/{clip.key[:3]}/{clip.key}.ogg": clip.audio for clip in clips}
    vggish = {
        f"vggish/{clip.key[:3]}/{clip.key}.json": json.dumps(
            {"time_points": [round(i * _WINDOW_S, 2) for i in range(10)], "features": row.tolist()}
        ).encode()
        for clip, row in zip(clips, features, strict=True)
    }
    for name, group in (("audio", audio), ("vggish", vggish)):
        sums = [(Path(path).stem, hashlib.md5(data).hexdigest()) for path, data in group.items()]
        files[f"checksums/openmic-2018-{name}.csv"] = packing.csv_bytes([("", "md5"), *sums])
    return files | audio | vggish


_BODY = """X in openmic-2018.npz and vggish/ holds no VGGish embedding: it is a log-mel summary, 128 bands (60 to
16000 Hz) of each of ten windows of 0.96 s, -100 to 0 dB mapped to 0..255.

Labels come from the score, so an asked cell is always right; relevance imitates a crowd's confidence. About seven
cells in eight were not asked about and are unknown, not negative. "drums" are kick, snare and toms, "cymbals" are
hi-hat, ride, crash and splash: a full kit is both. A synthesised bass or voice leaves "synthesizer" unasked. TimGM6mb
has no mandolin and no ukulele: there, and in a part of the training clips, a guitar tuned up so that its body sounds as
small plays their idiom in their range."""


def _notes(clips: list[Clip], asked: np.ndarray, present: np.ndarray) -> dict[str, object]:
    cells = {}
    for split in ("train", "test"):
        rows = np.array([clip.split == split for clip in clips])
        cells[split] = {
            name: {
                "present": int((asked[rows, index] & present[rows, index]).sum()),
                "absent": int((asked[rows, index] & ~present[rows, index]).sum()),
            }
            for index, name in enumerate(OPENMIC)
        }
    return {
        "clips": {split: sum(clip.split == split for clip in clips) for split in ("train", "test")},
        "asked_cells": cells,
        "features": "X and vggish/ hold a log-mel summary, not VGGish embeddings",
        "truth": "openmic-2018.npz and the label files hold asked cells only; labels come from the score",
    }


def _npz(features: np.ndarray, truth: np.ndarray, asked: np.ndarray, keys: list[str]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, X=features.astype(np.int64), Y_true=truth, Y_mask=asked, sample_key=np.array(keys, dtype=object)
    )
    return buffer.getvalue()


def _label_files(clips: list[Clip], truth: np.ndarray, asked: np.ndarray, seed: int) -> dict[str, bytes]:
    """Aggregated labels, and as many single responses as they claim."""
    rng = python_random(seed, "openmic", "crowd")
    aggregated: list[tuple[object, ...]] = [("sample_key", "instrument", "relevance", "num_responses")]
    single: list[tuple[object, ...]] = [
        ("sample_key", "worker_id", "worker_trust", "channel", "instrument", "response")
    ]
    for row, clip in enumerate(clips):
        for index in np.flatnonzero(asked[row]):
            value = float(truth[row, index])
            sure = abs(value - 0.5) > 0.35
            responses = rng.choice((3, 4, 5)) if sure else rng.choice((5, 6, 7))
            aggregated.append((clip.key, OPENMIC[index], value, responses))
            astray = 0 if sure else 1
            for response in range(responses):
                answer = int(value >= 0.5) ^ int(response < astray)
                worker = rng.randrange(1, 400)
                single.append((clip.key, worker, round(0.8 + worker % 20 / 100, 2), "rendered", OPENMIC[index], answer))
    return {
        "openmic-2018-aggregated-labels.csv": packing.csv_bytes(aggregated),
        "openmic-2018-individual-responses.csv": packing.csv_bytes(single),
    }


def _metadata(clips: list[Clip]) -> Iterator[tuple[object, ...]]:
    yield (
        "track_id", "album_id", "album_title", "album_url", "artist_id", "artist_name", "artist_url", "license_title",
        "license_url", "tags", "track_bit_rate", "track_date_created", "track_duration", "track_genres", "track_number",
        "track_title", "track_url", "start_time", "sample_key", "end_time",
    )  # fmt: skip
    for clip in clips:
        artist = clip.artist
        genres = f"[{{'genre_id': '{1 + len(artist.style.name)}', 'genre_title': '{artist.style.name.title()}'}}]"
        yield (
            int(clip.key[:6]), artist.number, f"Rendered {artist.number}", "", artist.number,
            f"{artist.font.name} {artist.style.name} {artist.number}", "", "CC0 1.0",
            "https://creativecommons.org/publicdomain/zero/1.0/", "[]", 64000, "", "00:03:00", genres,
            int(clip.key[:6]) % _IDS_PER_ARTIST + 1, clip.title, "", clip.start_s, clip.key, clip.start_s + 10,
        )  # fmt: skip


def log_mel_summary(sound: np.ndarray) -> np.ndarray:
    """Mean log-mel spectrum of each of ten 0.96 s windows.

    Args:
        sound: float32 [2, 441000] at 44.1 kHz.

    Returns:
        uint8 [10, 128]: -100 to 0 dB, mapped to 0..255.
    """
    size = 2048
    mono = sound.mean(axis=0)
    window = np.hanning(size)
    edges = np.interp(np.linspace(_mel(60.0), _mel(16000.0), 130), _mel(_GRID), _GRID)
    frequency = np.fft.rfftfreq(size, 1 / RATE)
    rise = (frequency - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - frequency) / np.diff(edges)[1:, None]
    bank = np.clip(np.minimum(rise, fall), 0, None)
    bank = np.where(bank.sum(axis=1, keepdims=True) > 0, bank, np.abs(frequency - edges[1:-1, None]) < RATE / size)
    rows = []
    for index in range(10):
        piece = mono[round(index * _WINDOW_S * RATE) : round((index + 1) * _WINDOW_S * RATE)]
        frames = np.lib.stride_tricks.sliding_window_view(piece, size)[:: size // 2] * window
        power = np.mean(np.abs(np.fft.rfft(frames, axis=1)) ** 2, axis=0) / np.sum(window) ** 2
        rows.append(10 * np.log10(bank @ power + 1e-10))
    return np.clip(np.round((np.array(rows) + 100) * 2.55), 0, 255).astype(np.uint8)


_GRID = np.linspace(20.0, 20000.0, 20000)


def _mel(hertz: float | np.ndarray) -> np.ndarray:
    return 2595 * np.log10(1 + np.asarray(hertz) / 700)
