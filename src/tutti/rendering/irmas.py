"""IRMAS' layout, filled with rendered excerpts."""

import logging
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tutti.labels import IRMAS
from tutti.progress import track
from tutti.rendering import packing
from tutti.rendering.composing import Part, compose_part
from tutti.rendering.instruments import INSTRUMENTS, TEST_FONTS, TRAIN_FONTS, Font
from tutti.rendering.mixing import draw_style, mix
from tutti.rendering.notices import readme, rendered
from tutti.rendering.synth import RATE, render
from tutti.rendering.theory import STYLES, plan_song
from tutti.seeds import numpy_generator, python_random

log = logging.getLogger(__name__)

_EXCERPT_S = 3.0
_SONGS_PER_CODE = 7
_EXCERPTS_PER_SONG = 2
_TEST_SONGS_PER_PART = 6
_EXCERPTS_PER_TEST_SONG = 2
#: The publisher's folders inside the three test archives; the second is odd.
_PARTS = ("Part1", "IRTestingData-Part2", "Part3")
#: IRMAS' genre tag of each style.
_GENRES = {
    "folk": "cou_fol", "jazz": "jaz_blu", "classical": "cla", "rock": "pop_roc", "electronic": "pop_roc",
    "latin": "lat_sou", "band": "jaz_blu", "salon": "cla",
}  # fmt: skip
_TAGS = {"gac": "acoustic", "gel": "electric"}
_BACKINGS = ("piano", "guitar", "bass", "drums", "cymbals", "organ", "cello", "synthesizer")


def write(root: Path, seed: int) -> list[Path]:
    """Renders ``IRMAS-TrainingData.zip`` and the three testing archives below ``root``/irmas.

    Args:
        root: The data folder.
        seed: Decides everything.

    Returns:
        The archives.
    """
    notice = {
        "RENDERED.json": packing.json_bytes(
            rendered(
                "irmas",
                seed,
                {"predominant": "the lead stands at least 6 dB above each accompanying instrument"},
            )
        ),
        "README.txt": readme(
            "IRMAS' layout, rendered",
            "One predominant instrument per training excerpt, alone or over quiet accompaniment. Excerpts __1 and __2\n"
            "of one number come from one song. Testing excerpts list every instrument of the score that has a code.\n"
            "Sound is Ogg Vorbis in place of WAV, to be small.",
        ),
    }
    folder = root / "irmas"
    written = [folder / "IRMAS-TrainingData.zip"]
    top = "IRMAS-TrainingData"
    members = {f"{top}/{name}": data for name, data in {**notice, **dict(_training(seed))}.items()}
    packing.write_zip(written[0], members)
    for number, inner in enumerate(_PARTS, start=1):
        top = f"IRMAS-TestingData-Part{number}"
        members = {f"{top}/{name}": data for name, data in notice.items()}
        members |= {f"{top}/{inner}/{name}": data for name, data in _testing(number, seed)}
        written.append(folder / f"{top}.zip")
        packing.write_zip(written[-1], members)
    log.info("irmas: %.1f MB in %s", sum(path.stat().st_size for path in written) / 1e6, folder)
    return written


def _training(seed: int) -> Iterator[tuple[str, bytes]]:
    songs = [(code, song) for code in IRMAS for song in range(_SONGS_PER_CODE)]
    for code, song in track(songs, "irmas training", unit="songs"):
        rng = python_random(seed, "irmas", code, song)
        font = TRAIN_FONTS[song % len(TRAIN_FONTS)]
        seconds = _EXCERPT_S * _EXCERPTS_PER_SONG + 1
        codes = [code, *([] if rng.random() < 0.3 else _accompaniment(code, rng))]
        sound, genre, parts = _song(codes, font, seconds, rng, numpy_generator(seed, "irmas", "mix", code, song))
        number = 1 + list(IRMAS).index(code) * 100 + song
        name = file_name(code, genre, parts, number, prefixed=song % 2 == 1)
        for excerpt in range(_EXCERPTS_PER_SONG):
            first = round((0.5 + excerpt * _EXCERPT_S) * RATE)
            piece = sound[:, first : first + round(_EXCERPT_S * RATE)]
            yield (
                f"{code}/{name}__{excerpt + 1}.ogg",
                packing.encode_vorbis(piece, RATE, serial=number * 10 + excerpt),
            )


def file_name(code: str, genre: str, parts: list[Part], number: int, *, prefixed: bool) -> str:
    """The publisher's file name up to the excerpt number, in either of its two patterns.

    Args:
        code: Predominant instrument.
        genre: Genre tag.
        parts: Who plays; decides the drums tag.
        number: The song.
        prefixed: The pattern with a leading number and a drums tag; the other leaves drums unsaid.
    """
    if not prefixed:
        return f"[{code}][{genre}]{number:04d}"
    drums = "dru" if any(part.percussion for part in parts) else "nod"
    return f"{number % 1000:03d}__[{code}][{drums}][{genre}]{number:04d}"


def _testing(part: int, seed: int) -> Iterator[tuple[str, bytes]]:
    for song in range(_TEST_SONGS_PER_PART):
        rng = python_random(seed, "irmas", "test", part, song)
        # The songs of the three parts walk through all codes as leaders.
        code = list(IRMAS)[((part - 1) * _TEST_SONGS_PER_PART + song) % len(IRMAS)]
        others = [name for name in IRMAS if IRMAS[name] != IRMAS[code]]
        codes = [code, *rng.sample(others, rng.choice((0, 1, 1, 2))), *rng.sample(("bass", "drums", "cymbals"), 1)]
        length = rng.uniform(5, 8)
        sound, _, _ = _song(
            codes,
            TEST_FONTS[0],
            length * _EXCERPTS_PER_TEST_SONG,
            rng,
            numpy_generator(seed, "irmas", "test", part, song),
        )
        listed = [name for name in codes if name in IRMAS]
        title = f"{part:02d} - Rendered song {song + 1}"
        for excerpt in range(_EXCERPTS_PER_TEST_SONG):
            piece = sound[:, round(excerpt * length * RATE) : round((excerpt + 1) * length * RATE)]
            serial = 5000 + part * 100 + song * 10 + excerpt
            yield f"{title}-{excerpt + 1}.ogg", packing.encode_vorbis(piece, RATE, serial=serial)
            yield f"{title}-{excerpt + 1}.txt", "".join(f"{name}\t\n" for name in listed).encode()


def _accompaniment(code: str, rng: random.Random) -> list[str]:
    names = [name for name in _BACKINGS if name != IRMAS[code]]
    return rng.sample(names, rng.choice((1, 1, 2)))


def _song(
    codes: list[str], font: Font, seconds: float, rng: random.Random, noise: np.random.Generator
) -> tuple[np.ndarray, str, list[Part]]:
    """Plays one song.

    Args:
        codes: IRMAS codes or instrument names, the leader first.
        font: The SoundFont.
        seconds: Length.
        rng: Draws the music.
        noise: Draws room and hiss.

    Returns:
        Sound float32 [2, n], genre tag, and the parts.
    """
    name = IRMAS[codes[0]]
    style = rng.choice([style for style in STYLES if name in style.members])
    song = plan_song(style, seconds, rng)
    parts = []
    for place, code in enumerate(codes):
        instrument = INSTRUMENTS[IRMAS.get(code, code)]
        patch = rng.choice(instrument.patches_of(font, _TAGS.get(code, "")))
        parts.append(compose_part(song, instrument, patch, rng, leads=place == 0))
    stems = render(parts, font, seconds)
    return mix(stems, parts, draw_style(rng), rng, noise, backing_db=(-13, -6)), _GENRES[style.name], parts
