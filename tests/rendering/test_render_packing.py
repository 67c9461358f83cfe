"""Deterministic sound files and archives."""

import io
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tutti.rendering import packing


@pytest.fixture
def tone() -> np.ndarray:
    time = np.arange(3 * 44_100) / 44_100
    return np.stack([0.5 * np.sin(2 * np.pi * 440 * time), 0.3 * np.sin(2 * np.pi * 660 * time)]).astype(np.float32)


def test_vorbis_bytes_repeat_and_decode(tone: np.ndarray) -> None:
    first, second = (packing.encode_vorbis(tone, 44_100, serial=77) for _ in range(2))
    assert first == second
    sound, rate = soundfile.read(io.BytesIO(first), dtype="float32")
    assert (rate, sound.shape) == (44_100, (3 * 44_100, 2))
    assert np.sqrt(np.mean((sound.T - tone) ** 2)) < 0.02


def test_decoded_peaks_stay_below_the_ceiling(tone: np.ndarray) -> None:
    square = 0.98 * np.sign(tone)
    sound, _ = soundfile.read(io.BytesIO(packing.encode_vorbis(square, 44_100)), dtype="float32")
    assert 0.7 < np.abs(sound).max() <= 0.9


def test_serial_is_set_on_every_page_with_a_valid_checksum(tone: np.ndarray) -> None:
    data = packing.encode_vorbis(tone, 44_100, serial=0x01020304)
    assert struct.unpack_from("<I", data, 14)[0] == 0x01020304
    assert packing.encode_vorbis(tone, 44_100, serial=5) != data
    position = pages = 0
    while position < len(data):
        assert data[position : position + 4] == b"OggS"
        segments = data[position + 26]
        size = 27 + segments + sum(data[position + 27 : position + 27 + segments])
        page = bytearray(data[position : position + size])
        (checksum,) = struct.unpack_from("<I", page, 22)
        page[22:26] = bytes(4)
        assert packing._ogg_crc(bytes(page)) == checksum
        position, pages = position + size, pages + 1
    assert pages > 2


def test_the_checksum_is_that_of_ogg() -> None:
    # CRC-32 with polynomial 0x04C11DB7, zero start, no reflection: computed here bit by bit.
    page = bytes(range(200))
    register = 0
    for byte in page:
        register ^= byte << 24
        for _ in range(8):
            register = (register << 1 ^ (0x04C11DB7 if register >> 31 else 0)) & 0xFFFFFFFF
    assert packing._ogg_crc(page) == register


@pytest.mark.parametrize("write", [packing.write_tar_gz, packing.write_zip])
def test_archives_do_not_depend_on_order_or_time(write, tmp_path: Path) -> None:
    members = {"top/b.txt": b"bee", "top/a.txt": b"ay"}
    write(tmp_path / "one", members)
    write(tmp_path / "two", dict(reversed(members.items())))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_archives_hold_their_members(tmp_path: Path) -> None:
    packing.write_tar_gz(tmp_path / "a.tgz", {"top/a.txt": b"ay"})
    packing.write_zip(tmp_path / "a.zip", {"top/a.txt": b"ay"})
    with tarfile.open(tmp_path / "a.tgz") as tar, zipfile.ZipFile(tmp_path / "a.zip") as archive:
        member = tar.extractfile("top/a.txt")
        assert member is not None
        assert member.read() == archive.read("top/a.txt") == b"ay"
