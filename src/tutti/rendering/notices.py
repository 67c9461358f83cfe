"""What every rendered archive says about itself."""

from collections.abc import Sequence
from typing import Any

from tutti.rendering.instruments import TEST_FONTS, TRAIN_FONTS, Font

#: Raised whenever the same seed would give other sound.
VERSION = "1.0"


def rendered(dataset: str, seed: int, notes: dict[str, Any]) -> dict[str, Any]:
    """The contents of an archive's ``RENDERED.json``, the member that marks it as synthetic.

    Args:
        dataset: Name of the layout.
        seed: The seed it was rendered with.
        notes: What else a reader should know about this archive.
    """
    return {
        "synthetic": True,
        "dataset": dataset,
        "renderer": f"tutti.rendering {VERSION}",
        "synthesizer": "FluidSynth",
        "seed": seed,
        "command": f"python -m tutti.rendering --only {dataset} --seed {seed}",
        "licence": "CC0-1.0 (compositions, performances, labels); the sounds are those of the SoundFonts",
        "soundfonts": {"train": _fonts(TRAIN_FONTS), "test": _fonts(TEST_FONTS)},
        **notes,
    }


def _fonts(fonts: Sequence[Font]) -> list[dict[str, str]]:
    return [{"name": font.name, "debian_package": font.package, "licence": font.licence} for font in fonts]


def readme(title: str, body: str) -> bytes:
    """The contents of an archive's ``README.txt``.

    Args:
        title: First line.
        body: What is particular to this archive.
    """
    train = "\n".join(f"  {font.name}: {font.licence}" for font in TRAIN_FONTS)
    test = "\n".join(f"  {font.name}: {font.licence}" for font in TEST_FONTS)
    return f"""{title}
{"=" * len(title)}

Synthetic music. Not the published dataset: only its layout is the publisher's. Every piece was composed by rule and
played by FluidSynth with freely licensed SoundFonts; no recording of the published dataset is in here, and scores
measured on it say nothing about recorded music.

{body}

SoundFonts of the training sets
{train}
SoundFonts of the test sets
{test}

The test font is independent of the others. MuseScore General derives in part from FluidR3, so both are on the training
side: a test instrument shares no sample with a training instrument.

Licence: compositions, performances, mixes and labels are dedicated to the public domain (CC0 1.0,
https://creativecommons.org/publicdomain/zero/1.0/). Their sounds are those of the SoundFonts named above, which keep
their own licences.
""".encode()
