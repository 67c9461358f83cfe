"""The samples of the notes that mixtures are made of, decoded once and kept out of memory."""

import logging
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Self

import numpy as np

from tutti.audio.decode import decode, mono, resample
from tutti.datasets.archives import iter_members
from tutti.mixtures.plan import Note
from tutti.progress import track

log = logging.getLogger(__name__)


class NoteSounds:
    """Gives the samples of notes, which it reads in one pass over their archives.

    Archives can only be read front to back, mixtures want their notes in any order: the decoded notes go through an
    unnamed temporary file, 4 bytes a sample. What is often used stays in the system's file cache; the process holds one
    note at a time, however many notes and mixtures there are.

    Args:
        root: The data root.
        notes: The notes that will be asked for.
        sample_rate: Rate of the samples, Hz.
        folder: Existing folder for the temporary file.

    Raises:
        DataError: A note's file is missing, or its archive is cut short.
        AudioDecodeError: A note does not decode.
    """

    def __init__(self, root: Path, notes: Iterable[Note], sample_rate: int, folder: Path) -> None:
        by_path: dict[str, dict[str, Note]] = {}
        for note in notes:
            by_path.setdefault(note.path, {})[note.clip_id] = note
        self._places: dict[str, tuple[int, int]] = {}
        self._file = TemporaryFile(dir=folder)  # noqa: SIM115  closed by __exit__
        written = 0
        members = iter_members(root, by_path)
        for path, data in track(members, "reading notes", total=len(by_path), unit="files"):
            audio = decode(data, where=path, allow_silence=True)
            samples = mono(audio.samples)
            for note in by_path[path].values():
                start = round(note.start_s * audio.sample_rate)
                cut = samples[start : start + round(note.duration_s * audio.sample_rate)]
                block = np.ascontiguousarray(resample(cut, audio.sample_rate, sample_rate), np.float32)
                self._file.write(block.tobytes())
                self._places[note.clip_id] = (written, len(block))
                written += len(block)
        self._file.flush()
        log.info("%d notes, %.1f min of sound", len(self._places), written / sample_rate / 60)
        self._samples = np.memmap(self._file, np.float32, "r") if written else np.zeros(0, np.float32)

    def __call__(self, note: Note) -> np.ndarray:
        """The note's samples: float32 [n], mono, at ``sample_rate``; not to be changed."""
        start, length = self._places[note.clip_id]
        return np.asarray(self._samples[start : start + length])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del self._samples
        self._file.close()
