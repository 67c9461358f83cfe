"""Progress for people: a bar on a terminal, a line now and then where there is none (logs, pods)."""

import logging
import sys
import time
from collections.abc import Generator, Iterable, Iterator, Sized
from typing import TypeVar

Item = TypeVar("Item")

_log = logging.getLogger("tutti.progress")
_SECONDS_BETWEEN_LINES = 10.0


def track(items: Iterable[Item], description: str, *, total: int | None = None, unit: str = "") -> Iterator[Item]:
    """Yields the items and shows how far it is.

    Args:
        items: What to go through.
        description: What is being done, such as ``features``.
        total: How many items there are; asked of ``items`` when it has a length.
        unit: What an item is, such as ``clips``.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    if sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(items, desc=description, total=total, unit=f" {unit}" if unit else "it", leave=False)
        return
    shown = time.monotonic()
    of = "" if total is None else f" of {total}"
    for count, item in enumerate(items, start=1):
        yield item
        if time.monotonic() - shown >= _SECONDS_BETWEEN_LINES:
            shown = time.monotonic()
            _log.info("%s: %d%s %s", description, count, of, unit)


def track_bytes(
    chunks: Iterable[bytes], description: str, *, total: int | None, done: int = 0
) -> Generator[bytes, None, None]:
    """Yields the chunks and shows bytes, rate and the time that remains.

    Args:
        chunks: What to go through.
        description: What is being read, such as a file's name.
        total: Bytes of the whole; None if nobody knows.
        done: Bytes of it that were there before.
    """
    if sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(desc=description, total=total, initial=done, unit="B", unit_scale=True, leave=False) as bar:
            for chunk in chunks:
                yield chunk
                bar.update(len(chunk))
        return
    started = shown = time.monotonic()
    count = 0
    for chunk in chunks:
        yield chunk
        count += len(chunk)
        now = time.monotonic()
        if now - shown >= _SECONDS_BETWEEN_LINES:
            shown = now
            _log.info("%s: %s", description, _so_far(done + count, total, count / (now - started)))


def _so_far(count: int, total: int | None, rate: float) -> str:
    """``1.2 GB of 2.6 GB (46 %), 20.0 MB/s, 1 min left`` or as much of it as can be told."""
    from rich.filesize import decimal

    speed = f"{decimal(round(rate))}/s"
    if total is None:
        return f"{decimal(count)}, {speed}"
    seconds = (total - count) / max(rate, 1.0)
    left = f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
    return f"{decimal(count)} of {decimal(total)} ({count / max(total, 1):.0%}), {speed}, {left} left"


def log_to_stderr(*, verbose: bool = False) -> None:
    """Sends the log to standard error, one short line per event."""
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr
    )
    for name in ("tutti", "components", "pipelines"):
        logging.getLogger(name).setLevel(logging.DEBUG if verbose else logging.INFO)
