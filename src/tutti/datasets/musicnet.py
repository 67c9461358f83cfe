"""MusicNet: whole recordings of classical music, every note labelled with its instrument.

One clip per recording. Its codes say which instruments sound; the classes that no code maps to stay unknown, since
OpenMIC's classes are wider than single General MIDI programs.
"""

import re

from tutti.datasets.base import Archive, Clip, Contents, Layout, by_key, require_keys
from tutti.datasets.splits import carve_valid
from tutti.errors import DataError
from tutti.labels import MUSICNET, MUSICNET_TO_OPENMIC, OPENMIC_INDEX

_PART = re.compile(r"(train|test)_(?:data|labels)/([^/]+)\.[^./]+$")


def read(contents: Contents) -> list[Clip]:
    """The recordings with the published train/test split, each a group of its own.

    Validation is carved out of train later, by recording.

    Raises:
        DataError: A label file is missing, has no rows or names an unknown instrument code, or a recording lies
            outside the published folders.
    """
    audio = by_key(((_part(location), location) for location in contents.audio), "recordings")
    labels = by_key(((_part(location), location) for location in contents.annotations), "label files")
    require_keys(audio, labels, "recording(s) without a label file", contents.where)
    require_keys(labels, audio, "label file(s) without a recording", contents.where)
    clips = []
    for part, location in audio.items():
        split, number = part.split("/")
        codes = _codes(contents, labels[part])
        present = {OPENMIC_INDEX[MUSICNET_TO_OPENMIC[code]]: 1.0 for code in codes if code in MUSICNET_TO_OPENMIC}
        clips.append(Clip(number, location, split, f"recording-{number}", tuple(map(str, codes)), present))
    return clips


def notes_location(recording: str) -> str:
    """Where the notes of a recording are, by where the recording is."""
    folder, _, name = recording.rpartition("/")
    return f"{folder.removesuffix('_data')}_labels/{name.rpartition('.')[0]}.csv"


def _part(location: str) -> str:
    """``train/1727`` or the like."""
    match = _PART.search(location)
    if match is None:
        raise DataError(
            f"{location} is in no part of MusicNet",
            expected="folders train_data, train_labels, test_data, test_labels",
            hint="keep the publisher's folders",
        )
    return f"{match.group(1)}/{match.group(2)}"


def _codes(contents: Contents, location: str) -> list[int]:
    codes = set()
    for where, row in contents.rows(location, ("instrument",)):
        code = row["instrument"]
        if not code.isdecimal() or int(code) not in MUSICNET:
            raise DataError(
                f"{where} names an unknown instrument code",
                got=code,
                expected=", ".join(f"{number} {name}" for number, name in MUSICNET.items()),
            )
        codes.add(int(code))
    if not codes:
        raise DataError(f"{location} labels no notes", hint="fetch the archive again")
    return sorted(codes)


_URL = "https://zenodo.org/records/5120004/files/{}?download=1"
_ARCHIVES = (
    ("musicnet.tar.gz", "844764911fa0d5b97c97da944a057590", 11_097_394_998, None),
    ("musicnet_metadata.csv", "1caef62cee9c875235e62aac368b49d8", 43_775, None),
    (
        "musicnet_midis.tar.gz",
        "b5fa98a113bfc51c8a445def9f24dc7e",
        2_601_302,
        "943cc47731ec5f397bd6fbab4dff78342472890cd484bd30ffb2e16047eef908",
    ),
)

LAYOUT = Layout(
    name="musicnet",
    description=(
        "MusicNet: 330 recordings of classical music by 10 composers, 34 hours, with more than a million note labels "
        "in 11 instrument codes; about 4 % of the labels are wrong."
    ),
    licence="CC BY 4.0; the recordings under public-domain or Creative Commons terms of their sources",
    citation=(
        "J. Thickstun, Z. Harchaoui, S. Kakade: Learning features of music from scratch. ICLR 2017. "
        "doi:10.5281/zenodo.5120004"
    ),
    archives=tuple(Archive(name, _URL.format(name), md5, size, sha256) for name, md5, size, sha256 in _ARCHIVES),
    is_annotation=lambda location: location.endswith(".csv") and _PART.search(location) is not None,
    read=read,
    split=carve_valid,
)
