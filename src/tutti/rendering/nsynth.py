"""NSynth's layout, filled with rendered notes."""

import json
import logging
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import soxr

from tutti.labels import NSYNTH
from tutti.progress import track
from tutti.rendering import packing
from tutti.rendering.composing import Note, Part
from tutti.rendering.instruments import FLUID, INSTRUMENTS, MUSESCORE, TIM, Font, Instrument, Patch
from tutti.rendering.notices import readme, rendered
from tutti.rendering.synth import RATE, render
from tutti.seeds import python_random

log = logging.getLogger(__name__)

_NOTE_RATE = 16_000
_HELD_S, _NOTE_S = 3.0, 4.0
_VELOCITIES = (25, 50, 75, 100, 127)
_SOURCES = ("acoustic", "electronic", "synthetic")
_QUALITIES = (
    "bright", "dark", "distortion", "fast_decay", "long_release", "multiphonic", "nonlinear_env", "percussive",
    "reverb", "tempo-synced",
)  # fmt: skip
#: Notes per family, and the fonts, of each split. No instrument of one split is in another.
_SPLITS: dict[str, tuple[int, tuple[Font, ...]]] = {
    "train": (16, (FLUID, MUSESCORE)),
    "valid": (4, (FLUID, MUSESCORE)),
    "test": (4, (TIM,)),
}
_FAMILIES: dict[str, tuple[str, ...]] = {
    "bass": ("bass",),
    "brass": ("trumpet", "trombone", "french_horn"),
    "flute": ("flute",),
    "guitar": ("guitar",),
    "keyboard": ("piano", "harpsichord", "electric_piano"),
    "mallet": ("mallet_percussion",),
    "organ": ("organ",),
    "reed": ("clarinet", "saxophone", "oboe", "bassoon"),
    "string": ("violin", "cello", "viola", "contrabass"),
    "synth_lead": ("synthesizer",),
    "vocal": ("voice",),
}
_DISTORTED, _PLUCKED = (29, 30), ("plucked", "struck", "bass")
#: Peak of a note at velocity 127, and how much a velocity of 1 would be softer, dB.
_PEAK_DB, _VELOCITY_DB = -2.0, 14.0


@dataclass(frozen=True)
class Sounding:
    """One NSynth instrument: a patch of one font.

    Attributes:
        family: NSynth family.
        number: Its number among the instruments of its family and source.
        font: The SoundFont.
        instrument: The instrument.
        patch: The sound.
    """

    family: str
    number: int
    font: Font
    instrument: Instrument
    patch: Patch

    @property
    def name(self) -> str:
        """NSynth's ``instrument_str``."""
        return f"{self.family}_{self.patch.source}_{self.number:03d}"


def write(root: Path, seed: int) -> list[Path]:
    """Renders the three splits and writes ``nsynth/nsynth-<split>.jsonwav.tar.gz`` below ``root``.

    Args:
        root: The data folder.
        seed: Decides everything.

    Returns:
        The archives.
    """
    written = []
    splits = instruments_of_splits(seed)
    ids = {(sounding.name, sounding.font.name): i for i, sounding in enumerate(chain(*splits.values()))}
    for split, soundings in splits.items():
        examples: dict[str, dict[str, object]] = {}
        members: dict[str, bytes] = {}
        by_font = {font: [s for s in soundings if s.font == font] for font in {s.font: None for s in soundings}}
        for font, own in track(by_font.items(), f"nsynth {split}", unit="fonts"):
            chosen = [(s, pitch, velocity) for s in own for pitch, velocity in _notes(split, s, soundings, seed)]
            stems = render([_part(*note) for note in chosen], font, _NOTE_S, tail_s=1.0)
            for (sounding, pitch, velocity), stem in zip(chosen, stems, strict=True):
                name = f"{sounding.name}-{pitch:03d}-{velocity:03d}"
                number = len(examples) + {"train": 0, "valid": 100_000, "test": 200_000}[split]
                examples[name] = _example(name, number, sounding, ids[sounding.name, font.name], pitch, velocity)
                members[f"audio/{name}.ogg"] = packing.encode_vorbis(
                    _finish(stem, velocity), _NOTE_RATE, compression=0.9, serial=number + 1
                )
        members["examples.json"] = (json.dumps(dict(sorted(examples.items())), indent=1) + "\n").encode()
        fonts = {"fonts": [font.name for font in _SPLITS[split][1]], "notes": len(examples)}
        members["RENDERED.json"] = packing.json_bytes(rendered("nsynth", seed, fonts))
        members["README.txt"] = readme(
            "NSynth's layout, rendered",
            "Single notes of four seconds, three of them held, 16 kHz mono; Ogg Vorbis in place of WAV, to be small.\n"
            "Qualities are those that follow from the preset; bright, dark and the others were not judged.",
        )
        written.append(root / "nsynth" / f"nsynth-{split}.jsonwav.tar.gz")
        packing.write_tar_gz(written[-1], {f"nsynth-{split}/{name}": data for name, data in members.items()})
    log.info("nsynth: %.1f MB in %s", sum(path.stat().st_size for path in written) / 1e6, root / "nsynth")
    return written


def instruments_of_splits(seed: int) -> dict[str, list[Sounding]]:
    """Shares the presets of the fonts out among the splits, family by family; numbers count up over all splits."""
    splits: dict[str, list[Sounding]] = {split: [] for split in _SPLITS}
    for family in NSYNTH:
        rng = python_random(seed, "nsynth", family)
        pools: dict[str, list[tuple[Font, Instrument, Patch]]] = {}
        for split in ("train", "test"):
            pools[split] = list(
                {
                    (font.name, patch.program, patch.bank): (font, INSTRUMENTS[name], patch)
                    for font in _SPLITS[split][1]
                    for name in _FAMILIES[family]
                    for patch in INSTRUMENTS[name].patches_of(font, "lead" if family == "synth_lead" else "")
                }.values()
            )
            rng.shuffle(pools[split])
        few = len(pools["train"]) <= 2
        held_out = 1 if few else max(1, min(2, len(pools["train"]) // 4))
        pools["valid"] = [pools["train"].pop() for _ in range(held_out)]
        numbers: dict[str, int] = {}
        for split in _SPLITS:
            for font, instrument, patch in pools[split][: _SPLITS[split][0]]:
                number = numbers.get(patch.source, 0)
                numbers[patch.source] = number + 1
                splits[split].append(Sounding(family, number, font, instrument, patch))
    return splits


def _notes(split: str, sounding: Sounding, soundings: list[Sounding], seed: int) -> list[tuple[int, int]]:
    """Pitches and velocities of one instrument; those of a family together make the split's number of notes."""
    siblings = [s for s in soundings if s.family == sounding.family]
    total, place = _SPLITS[split][0], siblings.index(sounding)
    count = total // len(siblings) + (place < total % len(siblings))
    low, high = sounding.instrument.range_of(sounding.patch)
    rng = python_random(seed, "nsynth", split, sounding.name)
    # One pitch out of each equal share of the range, so that every register is heard.
    edges = np.linspace(max(21, low), min(108, high), count + 1)
    return [(rng.randint(int(a), int(b)), rng.choice(_VELOCITIES)) for a, b in pairwise(edges)]


def _part(sounding: Sounding, pitch: int, velocity: int) -> Part:
    note = Note(0.0, _HELD_S, pitch, velocity, 0.0, _HELD_S)
    return Part(sounding.instrument, sounding.patch, (note,), leads=True)


def _finish(stem: np.ndarray, velocity: int) -> np.ndarray:
    """To 16 kHz mono, float32 [1, 64000], at a level that follows the velocity."""
    mono = soxr.resample(stem.mean(axis=0), RATE, _NOTE_RATE, quality="HQ")[: round(_NOTE_S * _NOTE_RATE)]
    level_db = _PEAK_DB - _VELOCITY_DB * (1 - velocity / 127)
    return (mono * (10 ** (level_db / 20) / np.max(np.abs(mono))))[None].astype(np.float32)


def _example(
    name: str, number: int, sounding: Sounding, instrument_id: int, pitch: int, velocity: int
) -> dict[str, object]:
    patch = sounding.patch
    plucked = sounding.instrument.family in _PLUCKED
    has = {
        "distortion": patch.program in _DISTORTED and sounding.family == "guitar",
        "fast_decay": plucked,
        "percussive": sounding.instrument.family == "struck",
        "multiphonic": sounding.family == "vocal" and patch.program == 52,
    }
    qualities = [int(has.get(quality, False)) for quality in _QUALITIES]
    return {
        "note": number,
        "note_str": name,
        "instrument": instrument_id,
        "instrument_str": sounding.name,
        "pitch": pitch,
        "velocity": velocity,
        "sample_rate": _NOTE_RATE,
        "qualities": qualities,
        "qualities_str": [quality for quality, there in zip(_QUALITIES, qualities, strict=True) if there],
        "instrument_family": NSYNTH.index(sounding.family),
        "instrument_family_str": sounding.family,
        "instrument_source": _SOURCES.index(patch.source),
        "instrument_source_str": patch.source,
    }
