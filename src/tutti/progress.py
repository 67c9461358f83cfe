"""Progress for people: a bar on a terminal, a line now and then where there is none (logs, pods)."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sized
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


def log_to_stderr(*, verbose: bool = False) -> None:
    """Sends the log to standard error, one short line per event."""
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr
    )
    for name in ("tutti", "components", "pipelines"):
        logging.getLogger(name).setLevel(logging.DEBUG if verbose else logging.INFO)
