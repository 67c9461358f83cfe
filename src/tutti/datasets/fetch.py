"""Fetching a dataset from its publisher, and telling whether what is there is what was published.

An archive lies at ``<data root>/<dataset>/<archive>``. ``SOURCE.json`` beside it says where each fetched archive came
from and what its bytes are. Nothing in it depends on when it was written.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from rich.filesize import decimal

from tutti.datasets.archives import is_archive, walk_members
from tutti.datasets.base import RENDERED, Archive, Layout, file_name
from tutti.datasets.download import Digest, digest, download, part_of, require_room
from tutti.datasets.remote import Retry, check_url, remote_size
from tutti.errors import ConfigError, DataError
from tutti.files import write_json

log = logging.getLogger(__name__)

#: Name of the file that says where the archives of a dataset came from.
SOURCE = "SOURCE.json"

#: ``ok``: the published bytes. ``recorded``: no checksum is published, but these are the bytes that were fetched.
#: ``unchecked``: nothing tells whether they are right. ``synthetic``: a corpus that a program rendered.
State = Literal["ok", "recorded", "unchecked", "synthetic", "wrong", "missing"]

# Looking into a larger file takes a while, and no rendered corpus is as large.
_LARGEST_RENDERED = 100_000_000


@dataclass(frozen=True)
class Finding:
    """What was found of an archive.

    Attributes:
        archive: As it is published.
        state: What the file is.
        size: Its bytes, None when there is none.
        got: What is wrong with it.
        expected: What would be right.
        part: Bytes of an unfinished download.
    """

    archive: Archive
    state: State
    size: int | None = None
    got: str | None = None
    expected: str | None = None
    part: int | None = None


def survey(layout: Layout, data: Path) -> list[Finding]:
    """What is there, told quickly by names and sizes; ``ok`` and ``recorded`` mean that the size is right.

    Raises:
        DataError: SOURCE.json is damaged.
    """
    return [_find(layout, archive, data, whole=False) for archive in layout.archives]


def verify(layout: Layout, data: Path) -> list[Finding]:
    """What is there, told by every byte.

    Args:
        layout: The dataset.
        data: The data root.

    Raises:
        ConfigError: Nothing is published for this dataset.
        DataError: SOURCE.json is damaged, or a file cannot be read.
    """
    _require_published(layout)
    return [_find(layout, archive, data, whole=True) for archive in layout.archives]


def fetch(
    layout: Layout,
    data: Path,
    *,
    agreed: bool = False,
    only: Sequence[str] = (),
    mirror: str | None = None,
    force: bool = False,
    retry: Retry | None = None,
) -> list[Finding]:
    """Downloads the archives that are not there yet.

    Args:
        layout: The dataset.
        data: The data root.
        agreed: Whether what the licence asks is agreed to.
        only: Names of the archives that are wanted; all when empty.
        mirror: A folder's address to fetch the archives from, by their names, instead of the publisher's.
        force: Whether a wrong file may be replaced; it stays until the right one is there.
        retry: How patient to be.

    Returns:
        What is there now, for the wanted archives.

    Raises:
        ConfigError: Nothing is published for this dataset, an archive or the mirror makes no sense, or the licence is
            not agreed to.
        DataError: A wrong file is in the way, the disk has no room, or a download fails.
    """
    _require_published(layout)
    _require_agreement(layout, agreed=agreed)
    archives, retry, folder = _chosen(layout, only), retry or Retry(), data / layout.name
    log.info("%s is licensed: %s", layout.name, layout.licence)
    urls = {archive.name: _mirrored(mirror, archive) if mirror else archive.url for archive in archives}
    findings = {archive.name: _find(layout, archive, data, whole=True) for archive in archives}
    _require_replaceable(layout, folder, findings, force=force)
    wanted = [archive for archive in archives if findings[archive.name].state in ("missing", "wrong", "synthetic")]
    _require_room_for(wanted, findings, urls, folder, retry)
    for archive in wanted:
        url, target = urls[archive.name], folder / archive.name
        log.info("%s: fetching %s", archive.name, url)
        found = download(archive, url, target, retry)
        _record(layout, folder, archive, url, found)
        findings[archive.name] = Finding(archive, "ok" if archive.checksum else "recorded", found.size)
    return list(findings.values())


def _require_published(layout: Layout) -> None:
    if not layout.archives:
        raise ConfigError(f"nobody publishes {layout.name}", got=layout.description, expected="a published dataset")


def _require_agreement(layout: Layout, *, agreed: bool) -> None:
    if layout.agreement and not agreed:
        raise ConfigError(
            f"{layout.name} is licensed under terms that have to be agreed to first",
            got=layout.licence,
            expected=f"that you agree to: {layout.agreement}",
            hint="if you do, give --agree",
        )


def _chosen(layout: Layout, only: Sequence[str]) -> list[Archive]:
    names = [archive.name for archive in layout.archives]
    unknown = [name for name in only if name not in names]
    if unknown:
        raise ConfigError(f"{layout.name} has no archive {', '.join(unknown)}", expected=", ".join(names))
    return [archive for archive in layout.archives if not only or archive.name in only]


def _mirrored(mirror: str, archive: Archive) -> str:
    parts = urlsplit(check_url(mirror))
    if parts.query or parts.fragment or parts.username or parts.password:
        raise ConfigError(
            "a mirror is the address of a folder, without a query, a name or a password",
            got=parts.hostname,
            expected="https://host/folder",
            hint="names and passwords are taken from ~/.netrc",
        )
    return f"{mirror.rstrip('/')}/{quote(archive.name)}"


def _require_replaceable(layout: Layout, folder: Path, findings: dict[str, Finding], *, force: bool) -> None:
    bad = [finding for finding in findings.values() if finding.state in ("wrong", "synthetic")]
    if not bad or force:
        return
    first = bad[0]
    others = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
    elsewhere = f"give another folder with --data, or replace {'them' if others else 'it'} with --force"
    if any(finding.state == "synthetic" for finding in bad):
        raise DataError(
            f"{folder} holds the synthetic corpus in the layout of {layout.name}, which is not overwritten",
            got=", ".join(finding.archive.name for finding in bad),
            hint=elsewhere,
        )
    raise DataError(
        f"{folder / first.archive.name} is not the published file{others}, and is not overwritten",
        got=first.got,
        expected=first.expected,
        hint=elsewhere,
    )


def _require_room_for(
    wanted: Sequence[Archive], findings: dict[str, Finding], urls: dict[str, str], folder: Path, retry: Retry
) -> None:
    """Checks before the first byte; what nobody tells the size of is checked when its turn comes."""
    needed = 0
    for archive in wanted:
        size = archive.size if archive.size is not None else remote_size(urls[archive.name], retry)
        needed += max(0, (size or 0) - (findings[archive.name].part or 0))
    if wanted:
        with _writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        require_room(folder, needed)
    if needed:
        log.info("%d file(s), %s to download", len(wanted), decimal(needed))


def _find(layout: Layout, archive: Archive, data: Path, *, whole: bool) -> Finding:
    """Tells what the file of an archive is: by its size, or by all of its bytes."""
    target = data / layout.name / archive.name
    part = part_of(target)
    kept = part.stat().st_size if part.is_file() else None
    if not target.is_file():
        return Finding(archive, "missing", part=kept)
    size = target.stat().st_size
    recorded = _recorded(data / layout.name).get(archive.name)
    right = archive.size if archive.size is not None else recorded.size if recorded else None
    fault: tuple[str, str] | None = None
    state: State = "unchecked"
    if right is not None and size != right:
        fault = f"{size:,} bytes", f"{right:,} bytes"
    elif whole and (archive.checksum or recorded):
        found = digest(target)
        fault = found.fault(archive)
        if recorded and not archive.checksum and found != recorded:
            fault = f"sha256 {found.sha256}", f"sha256 {recorded.sha256}, as when it was fetched"
        state = "ok" if archive.checksum else "recorded"
    elif right is not None:
        state = "recorded" if archive.size is None else "ok"
    if fault or state == "unchecked":
        state = "synthetic" if _is_rendered(layout, archive, data) else "wrong" if fault else "unchecked"
    got, expected = fault or (None, None)
    return Finding(archive, state, size, got, expected, kept)


def _is_rendered(layout: Layout, archive: Archive, data: Path) -> bool:
    """Whether an archive says of itself that a program rendered it; other files go by the archives beside them."""
    names = (
        [archive.name] if is_archive(archive.name) else [one.name for one in layout.archives if is_archive(one.name)]
    )
    for name in names:
        path = data / layout.name / name
        if not path.is_file() or path.stat().st_size > _LARGEST_RENDERED:
            continue
        marks = walk_members(data, f"{layout.name}/{name}", lambda location: file_name(location) == RENDERED)
        with suppress(DataError):  # what is damaged is wrong, not rendered
            if any(True for _ in marks):
                return True
    return False


def _recorded(folder: Path) -> dict[str, Digest]:
    """What the fetched archives were, by their names."""
    entries = _entries(folder)
    return {name: Digest(entry["bytes"], entry["md5"], entry["sha256"]) for name, entry in entries.items()}


def _entries(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / SOURCE
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["archives"]
        complete = all({"url", "bytes", "md5", "sha256", "published"} == set(entry) for entry in entries.values())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        complete = False
    if not complete:
        raise DataError(f"{path} is damaged", hint="delete it; the files beside it stay as they are")
    return dict(entries)


def _record(layout: Layout, folder: Path, archive: Archive, url: str, found: Digest) -> None:
    entry = {
        "url": url,
        "bytes": found.size,
        "md5": found.md5,
        "sha256": found.sha256,
        "published": archive.checksum,
    }
    entries = _entries(folder) | {archive.name: entry}
    about = {"dataset": layout.name, "licence": layout.licence, "agreed_to": layout.agreement}
    archives = {name: entries[name] for name in sorted(entries)}
    with _writing(folder):
        write_json(folder / SOURCE, {**about, "citation": layout.citation, "archives": archives})


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"cannot write to {folder}", got=error.strerror, hint="choose another folder with --data"
        ) from error
