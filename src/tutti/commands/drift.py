"""`tutti data drift`: what moved between two versions of the data."""

from pathlib import Path

from tutti.errors import ConfigError, DataError
from tutti.progress import log_to_stderr


def drift(old: Path, new: Path, out: Path, *, min_effect: float, fail: bool, force: bool) -> None:
    """Compares two manifest folders, prints what moved and writes the page.

    Args:
        old: The manifest folder of the version before.
        new: That of the version after.
        out: Folder that receives index.html and drift.json.
        min_effect: Smallest effect, in (0, 1], that counts as moved.
        fail: Whether anything that moved is an error.
        force: Whether an earlier comparison in ``out`` is replaced.

    Raises:
        ConfigError: ``out`` exists and is not to be replaced, or is something else than a comparison.
        DataError: A version cannot be read; with ``fail``, anything moved.
    """
    from tutti.validation.drift import compare, load_version, write_drift

    if out.exists() and not force:
        raise ConfigError(f"{out} exists already", hint="name another folder, or replace it with --force")
    if out.exists() and not (out / "drift.json").is_file():
        raise ConfigError(f"{out} is no comparison, so --force does not replace it", hint="name another folder")
    log_to_stderr()
    found = compare(load_version(old), load_version(new), min_effect=min_effect)
    write_drift(found, out)
    words = found.words()
    if words and fail:
        raise DataError(
            f"{new} is not what {old} was:\n" + "\n".join(f"    {line}" for line in words),
            hint=f"see {out / 'index.html'}",
        )
    print("\n".join(words) if words else "nothing moved: the same clips, labels and splits")
    print(f"the page: {out / 'index.html'}")
