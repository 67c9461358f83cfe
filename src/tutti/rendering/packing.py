"""Sound files and archives whose bytes depend on their contents alone: no clock, no user, no random serial number."""

import csv
import gzip
import io
import json
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from tutti.files import atomic_path

_MIRRORED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
#: Highest peak of a decoded file, -1 dBFS.
_CEILING = 0.891
_CRC_AT, _SERIAL_AT, _SEGMENTS_AT = 22, 14, 26


def encode_vorbis(sound: np.ndarray, sample_rate: int, *, compression: float = 1.0, serial: int = 1) -> bytes:
    """Encodes Ogg Vorbis.

    Args:
        sound: float32 [channels, n], within -1 to 1.
        sample_rate: Hz.
        compression: 0 best sound to 1 smallest file.
        serial: The stream's serial number; libsndfile would draw one at random.

    Returns:
        The file; decoded, it peaks at -1 dBFS or lower.
    """
    data = _vorbis(sound, sample_rate, compression)
    # Lossy coding moves peaks: what would clip in a player is encoded again, softer.
    for _ in range(3):
        peak = float(np.max(np.abs(soundfile.read(io.BytesIO(data), dtype="float32")[0])))
        if peak <= _CEILING:
            break
        sound = sound * np.float32(0.99 * _CEILING / peak)
        data = _vorbis(sound, sample_rate, compression)
    return set_ogg_serial(data, serial)


def _vorbis(sound: np.ndarray, sample_rate: int, compression: float) -> bytes:
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer, "w", sample_rate, len(sound), format="OGG", subtype="VORBIS", compression_level=compression
    ) as file:
        for first in range(0, sound.shape[1], sample_rate):  # libsndfile overflows its stack on long blocks
            file.write(np.ascontiguousarray(sound[:, first : first + sample_rate].T))
    return buffer.getvalue()


def set_ogg_serial(data: bytes, serial: int) -> bytes:
    """Gives every page of an Ogg stream the serial number ``serial`` and a fresh checksum (RFC 3533)."""
    pages = bytearray(data)
    at = 0
    while at < len(pages):
        segments = pages[at + _SEGMENTS_AT]
        end = at + _SEGMENTS_AT + 1 + segments
        end += sum(pages[at + _SEGMENTS_AT + 1 : end])
        struct.pack_into("<II", pages, at + _SERIAL_AT, serial, struct.unpack_from("<I", pages, at + 18)[0])
        struct.pack_into("<I", pages, at + _CRC_AT, 0)
        struct.pack_into("<I", pages, at + _CRC_AT, _ogg_crc(bytes(pages[at:end])))
        at = end
    return bytes(pages)


def _ogg_crc(page: bytes) -> int:
    # Ogg uses the CRC-32 polynomial with bits the other way round, and starts from zero without a final inversion.
    reflected = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{reflected:032b}"[::-1], 2)


def write_tar_gz(target: Path, members: Mapping[str, bytes]) -> None:
    """Writes a gzipped tar, members sorted by name, atomically."""
    with (
        atomic_path(target) as temporary,
        open(temporary, "wb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name in sorted(members):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(members[name]), 0o644
            archive.addfile(info, io.BytesIO(members[name]))


def write_zip(target: Path, members: Mapping[str, bytes]) -> None:
    """Writes a zip, members sorted by name, atomically."""
    with atomic_path(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name)  # dated 1980, the format's zero
            info.external_attr = 0o644 << 16
            archive.writestr(info, members[name], zipfile.ZIP_DEFLATED, 9)


def csv_bytes(rows: Iterable[Sequence[object]]) -> bytes:
    """Rows as CSV in UTF-8."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue().encode()


def json_bytes(value: Any) -> bytes:
    """A value as indented JSON in UTF-8."""
    return (json.dumps(value, indent=2) + "\n").encode()
