"""The instruments: which SoundFont presets play them, how far they reach and what they usually play.

Programs are General MIDI programs counted from 0. Bank 0 is General MIDI and every font has it; the variation banks
(8 and 16) exist in FluidR3 and MuseScore General only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Font:
    """A SoundFont of the Debian archive.

    Attributes:
        name: Short name.
        path: Where its package puts it.
        package: The Debian package.
        licence: Its licence and rights holder.
        variations: Whether it has the variation banks.
        test: Whether it is kept for the test sets.
    """

    name: str
    path: str
    package: str
    licence: str
    variations: bool
    test: bool = False


FLUID = Font(
    "FluidR3 GM",
    "/usr/share/sounds/sf2/FluidR3_GM.sf2",
    "fluid-soundfont-gm",
    "MIT, Copyright 2000-2002, 2008 Frank Wen; 2008 Toby Smithe",
    variations=True,
)
MUSESCORE = Font(
    "MuseScore General Lite",
    "/usr/share/sounds/sf3/MuseScore_General_Lite.sf3",
    "musescore-general-soundfont-small",
    "MIT, Copyright 2018-2021 S. Christian Collins, 2014-2017 Michael Cowgill, 2000-2008 Frank Wen; parts CC0 or "
    "public domain",
    variations=True,
)
TIM = Font(
    "TimGM6mb",
    "/usr/share/sounds/sf2/TimGM6mb.sf2",
    "timgm6mb-soundfont",
    "GPL-2, Copyright 2004 Tim Brechbill, 2010 David Bolton",
    variations=False,
    test=True,
)
FONTS: tuple[Font, ...] = (FLUID, MUSESCORE, TIM)
TRAIN_FONTS: tuple[Font, ...] = tuple(font for font in FONTS if not font.test)
TEST_FONTS: tuple[Font, ...] = tuple(font for font in FONTS if font.test)


@dataclass(frozen=True)
class Patch:
    """One sound of an instrument.

    Attributes:
        program: General MIDI program, from 0; for drums the kit.
        bank: 0, or a variation bank.
        low: Lowest MIDI pitch, where it differs from the instrument's.
        high: Highest MIDI pitch, where it differs from the instrument's.
        shift: Semitones that samples are tuned up by, so that a guitar's body sounds as small as a ukulele's.
        double: A second, slightly detuned string per note, as mandolins have.
        source: NSynth's word: acoustic, electronic or synthetic.
        tag: Sub-kind some dataset tells apart, such as ``electric``.
        unclear: OpenMIC classes nobody should be asked about when it plays (a synthesised bass is both).
        textures: What it plays, where that differs from the instrument's.
    """

    program: int
    bank: int = 0
    low: int | None = None
    high: int | None = None
    shift: int = 0
    double: bool = False
    source: str = "acoustic"
    tag: str = ""
    unclear: tuple[str, ...] = ()
    textures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Instrument:
    """An instrument and its idiom.

    Attributes:
        name: OpenMIC class, or another name for those that OpenMIC does not have.
        low: Lowest comfortable MIDI pitch.
        high: Highest comfortable MIDI pitch.
        patches: Its sounds.
        lead: Textures it leads with, see `tutti.rendering.textures`.
        backing: Textures it accompanies with.
        family: Instruments that listeners confuse share one.
        sustained: Whether a held note keeps sounding, so that it can swell and be played legato.
    """

    name: str
    low: int
    high: int
    patches: tuple[Patch, ...]
    lead: tuple[str, ...]
    backing: tuple[str, ...]
    family: str
    sustained: bool = False

    def patches_of(self, font: Font, tag: str = "") -> tuple[Patch, ...]:
        """The sounds that ``font`` has, only those with ``tag`` when one is given."""
        return tuple(
            patch for patch in self.patches if (patch.bank == 0 or font.variations) and (not tag or patch.tag == tag)
        )

    def range_of(self, patch: Patch) -> tuple[int, int]:
        """Lowest and highest MIDI pitch of a sound."""
        return (
            self.low if patch.low is None else patch.low,
            self.high if patch.high is None else patch.high,
        )


def _patches(*programs: int, bank: int = 0, source: str = "acoustic", tag: str = "") -> tuple[Patch, ...]:
    return tuple(Patch(program, bank, source=source, tag=tag) for program in programs)


_WIND_LEAD = ("melody", "melody", "busy_melody")
_WIND_BACKING = ("counter", "harmony", "long_notes")

_TABLE = (
    Instrument(
        "accordion", 53, 88,
        (Patch(21), Patch(21), Patch(23), Patch(21, 8)),
        ("melody", "busy_melody", "melody_and_chords"), ("long_chords", "comping", "counter", "waltz_chords"),
        "reed", sustained=True,
    ),
    Instrument(
        "banjo", 50, 81, (Patch(105),), ("roll", "roll", "busy_melody"), ("roll", "strum", "roll"), "plucked"
    ),
    Instrument(
        "bass", 28, 52,
        (*_patches(32, 33, 33, 34, 35, 36), *(
            Patch(program, source="synthetic", unclear=("synthesizer",)) for program in (38, 39)
        )),
        ("bass_busy", "walking"), ("bass_roots", "bass_busy", "walking", "bass_pulse"), "bass",
    ),
    Instrument("cello", 38, 72, (Patch(42),), ("melody", "busy_melody"), ("counter", "long_notes", "bass_roots"),
               "bowed", sustained=True),
    Instrument("clarinet", 50, 88, (Patch(71),), _WIND_LEAD, (*_WIND_BACKING, "arpeggio"), "reed", sustained=True),
    Instrument(
        "cymbals", 0, 127, (*_patches(0, 8, 16, 32, 40), Patch(24, source="electronic")),
        ("cymbals",), ("cymbals",), "percussion",
    ),
    Instrument(
        "drums", 0, 127, (*_patches(0, 0, 8, 16, 32, 40), *_patches(24, 25, source="electronic")),
        ("drums",), ("drums",), "percussion",
    ),
    Instrument("flute", 60, 93, (Patch(73), Patch(73), Patch(72, low=74, high=101)), _WIND_LEAD, _WIND_BACKING, "wind",
               sustained=True),
    Instrument(
        "guitar", 40, 76,
        (*_patches(24, 25, tag="acoustic"), Patch(25, 8, tag="acoustic"),
         *_patches(26, 27, source="electronic", tag="electric"),
         Patch(28, source="electronic", tag="electric", textures=("comping", "busy_melody", "riff")),
         *(Patch(program, source="electronic", tag="electric", textures=("melody", "power_chords", "riff"))
           for program in (29, 30))),
        ("melody", "arpeggio", "strum"), ("strum", "arpeggio", "strum", "comping"), "plucked",
    ),
    Instrument(
        "mallet_percussion", 53, 89,
        (Patch(11), Patch(12, low=45, high=88), Patch(13, low=65, high=100), Patch(9, low=79, high=103), Patch(12)),
        ("melody", "busy_melody"), ("arpeggio", "comping", "ostinato"), "struck",
    ),
    Instrument(
        "mandolin", 55, 88,
        (Patch(25, 16), Patch(25, 16), Patch(25, shift=7, double=True), Patch(24, shift=8, double=True)),
        ("tremolo", "tremolo", "busy_melody"), ("chop", "tremolo", "arpeggio"), "plucked",
    ),
    Instrument(
        "organ", 36, 88,
        (*_patches(16, 17, 18, source="electronic"), *_patches(19, 19), Patch(16, 8, source="electronic")),
        ("melody_and_chords", "melody"), ("long_chords", "comping", "long_chords"), "keys", sustained=True,
    ),
    Instrument(
        "piano", 33, 93, _patches(0, 0, 1, 2, 3),
        ("melody_and_chords", "melody_and_chords", "busy_melody"), ("comping", "arpeggio", "stride", "waltz_chords"),
        "keys",
    ),
    Instrument(
        "saxophone", 46, 80,
        (Patch(64, low=58, high=85), Patch(65, low=49, high=78), Patch(65, low=49, high=78), Patch(66, low=45, high=74),
         Patch(66, low=45, high=74), Patch(67, low=38, high=66)),
        _WIND_LEAD, (*_WIND_BACKING, "stabs"), "reed", sustained=True,
    ),
    Instrument(
        "synthesizer", 40, 92,
        (*(Patch(program, source="synthetic", tag="lead") for program in (80, 81, 81, 83, 84, 87)),
         *(Patch(program, source="synthetic", tag="pad", textures=("long_chords", "long_chords", "arpeggio"))
           for program in (88, 90, 93, 95, 50)),
         Patch(62, source="synthetic", tag="brass", textures=("stabs", "comping", "melody"))),
        ("melody", "busy_melody", "ostinato"), ("ostinato", "arpeggio", "comping"), "keys", sustained=True,
    ),
    Instrument("trombone", 41, 70, (Patch(57),), ("melody",), (*_WIND_BACKING, "stabs"), "brass", sustained=True),
    Instrument("trumpet", 55, 82, (*_patches(56, 56, 56), Patch(59)), _WIND_LEAD, (*_WIND_BACKING, "stabs"), "brass",
               sustained=True),
    Instrument(
        "ukulele", 60, 81, (Patch(24, 8), Patch(24, 8), Patch(24, shift=7), Patch(24, shift=5)),
        ("strum", "arpeggio", "strum"), ("strum", "strum", "arpeggio"), "plucked",
    ),
    Instrument("violin", 56, 93, (*_patches(40, 40, 40, 110), Patch(40, 8)), ("melody", "busy_melody"),
               _WIND_BACKING, "bowed", sustained=True),
    Instrument(
        "voice", 48, 77,
        (*(Patch(program, textures=("melody", "long_chords", "harmony_chords")) for program in (52, 52)),
         *_patches(53, 53), Patch(54, source="synthetic", unclear=("synthesizer",))),
        ("melody",), ("long_chords", "long_notes", "harmony"), "voice", sustained=True,
    ),
    # The rest have no OpenMIC class: they are heard in MusicNet, in NSynth's groups, and now and then in ensembles.
    Instrument("harpsichord", 41, 84, (Patch(6),), ("melody_and_chords", "busy_melody"), ("arpeggio",), "keys"),
    Instrument("viola", 48, 79, (Patch(41),), ("melody",), _WIND_BACKING, "bowed", sustained=True),
    Instrument("contrabass", 28, 55, (Patch(43),), ("bass_roots",), ("bass_roots",), "bowed", sustained=True),
    Instrument("french_horn", 41, 74, (Patch(60),), ("melody",), ("long_notes", "counter"), "brass", sustained=True),
    Instrument("oboe", 58, 86, (Patch(68),), _WIND_LEAD, _WIND_BACKING, "reed", sustained=True),
    Instrument("bassoon", 36, 67, (Patch(70),), ("melody",), ("counter", "bass_roots"), "reed", sustained=True),
    Instrument("electric_piano", 36, 88, _patches(4, 5, source="electronic"), ("melody",), ("comping",), "keys"),
)  # fmt: skip

#: Every instrument by name; the first 20 are the OpenMIC classes.
INSTRUMENTS: Mapping[str, Instrument] = MappingProxyType({instrument.name: instrument for instrument in _TABLE})
