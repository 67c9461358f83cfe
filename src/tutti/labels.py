"""The vocabularies of the four datasets and the maps between them.

Class orders are the publishers': OpenMIC-2018's class map, IRMAS' folder codes, NSynth's ``instrument_family`` ids
and MusicNet's one-based General MIDI programs.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from tutti.errors import DataError

#: OpenMIC-2018's 20 classes, in the order of its class-map.json.
OPENMIC: tuple[str, ...] = (
    "accordion", "banjo", "bass", "cello", "clarinet", "cymbals", "drums", "flute", "guitar", "mallet_percussion",
    "mandolin", "organ", "piano", "saxophone", "synthesizer", "trombone", "trumpet", "ukulele", "violin", "voice",
)  # fmt: skip

OPENMIC_INDEX: Mapping[str, int] = MappingProxyType({name: index for index, name in enumerate(OPENMIC)})

#: IRMAS' 11 folder codes, alphabetical, to the OpenMIC class each one is evidence for.
IRMAS: Mapping[str, str] = MappingProxyType(
    {
        "cel": "cello",
        "cla": "clarinet",
        "flu": "flute",
        "gac": "guitar",
        "gel": "guitar",
        "org": "organ",
        "pia": "piano",
        "sax": "saxophone",
        "tru": "trumpet",
        "vio": "violin",
        "voi": "voice",
    }
)

#: IRMAS' codes to the instruments they stand for.
IRMAS_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "cel": "cello",
        "cla": "clarinet",
        "flu": "flute",
        "gac": "acoustic_guitar",
        "gel": "electric_guitar",
        "org": "organ",
        "pia": "piano",
        "sax": "saxophone",
        "tru": "trumpet",
        "vio": "violin",
        "voi": "voice",
    }
)

#: The nine IRMAS codes that CBAM-CNN and MS-CRNN are pretrained on (no organ, no voice), in class order.
IRMAS_PRETRAINING: tuple[str, ...] = ("cel", "cla", "flu", "gac", "gel", "pia", "sax", "tru", "vio")

#: The four IRMAS codes of the two-stage 1-D CNN, in class order.
IRMAS_FOUR: tuple[str, ...] = ("gac", "pia", "tru", "vio")

#: NSynth's families; the position is its ``instrument_family`` id.
NSYNTH: tuple[str, ...] = (
    "bass", "brass", "flute", "guitar", "keyboard", "mallet", "organ", "reed", "string", "synth_lead", "vocal",
)  # fmt: skip

#: NSynth family to OpenMIC class; brass, reed and string name groups, so they are evidence for no single class.
NSYNTH_TO_OPENMIC: Mapping[str, str] = MappingProxyType(
    {
        "bass": "bass",
        "flute": "flute",
        "guitar": "guitar",
        "keyboard": "piano",
        "mallet": "mallet_percussion",
        "organ": "organ",
        "synth_lead": "synthesizer",
        "vocal": "voice",
    }
)

#: MusicNet's instrument codes (General MIDI programs counted from 1) to their names.
MUSICNET: Mapping[int, str] = MappingProxyType(
    {
        1: "piano",
        7: "harpsichord",
        41: "violin",
        42: "viola",
        43: "cello",
        44: "contrabass",
        61: "french_horn",
        69: "oboe",
        71: "bassoon",
        72: "clarinet",
        74: "flute",
    }
)

#: MusicNet code to OpenMIC class, where OpenMIC has one.
MUSICNET_TO_OPENMIC: Mapping[int, str] = MappingProxyType(
    {1: "piano", 41: "violin", 43: "cello", 72: "clarinet", 74: "flute"}
)

#: The labels of a MusicNet frame, as published: column 0 is a frame without any note, columns 1 to 11 are the groups
#: 1 to 11 of General MIDI programs. The twelfth group (world instruments) has no column; MusicNet has none of it.
MUSICNET_FRAME_LABELS: tuple[str, ...] = (
    "silence", "keyboard", "guitar", "strings", "percussion", "organ", "bass", "brass", "woodwind", "flute",
    "synth_lead_pad", "synth",
)  # fmt: skip


def openmic_indices(names: Iterable[str], *, where: str) -> list[int]:
    """Class indices of OpenMIC names.

    Args:
        names: OpenMIC class names.
        where: What the names were read from, for the error message.

    Returns:
        One index in ``range(20)`` per name, in the order given.

    Raises:
        DataError: A name is not one of the 20 classes.
    """
    indices = []
    for name in names:
        if name not in OPENMIC_INDEX:
            raise DataError(
                f"{where} names an instrument outside the vocabulary",
                got=repr(name),
                expected=", ".join(OPENMIC),
                hint="correct the label, or map it to one of these classes",
            )
        indices.append(OPENMIC_INDEX[name])
    return indices
