"""`tutti import-frames`: frame features that were computed elsewhere become a feature set."""

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tutti.errors import ConfigError
from tutti.progress import log_to_stderr
from tutti.training.imported import Fold
from tutti.training.imported import import_frames as run

#: Share of the recordings that test, where neither it nor a fold is asked for.
_TEST_FRACTION = 0.15


def import_frames(
    folder: Path,
    out: Path,
    *,
    valid_fraction: float,
    test_fraction: float | None,
    folds: int | None,
    fold: int | None,
    seed: int,
    force: bool,
) -> None:
    """Imports a folder of recordings and shows what went into each split.

    Raises:
        ConfigError: ``out`` exists and is not to be replaced, or is something else than features; ``folds`` without
            ``fold``, or with ``test_fraction``.
        DataError: A file does not hold what is expected.
    """
    if out.exists() and not force:
        raise ConfigError(f"{out} exists already", hint="name another folder, or replace it with --force")
    if out.exists() and not (out / "features.json").is_file():
        raise ConfigError(f"{out} is no features folder, so --force does not replace it", hint="name another folder")
    if (folds is None) != (fold is None):
        raise ConfigError("--folds and --fold go together", hint="such as --folds 6 --fold 1")
    if folds is not None and test_fraction is not None:
        raise ConfigError("--test and --folds exclude each other", hint="leave out --test: a fold's recordings test")
    log_to_stderr()
    recordings = run(
        folder,
        out,
        valid_fraction=valid_fraction,
        test_fraction=_TEST_FRACTION if test_fraction is None else test_fraction,
        fold=None if folds is None or fold is None else Fold(fold, folds),
        seed=seed,
    )
    table = Table(title=Text(f"{len(recordings)} recordings in {out}"), title_justify="left")
    for name in ("split", "recordings", "frames", "windows"):
        table.add_column(name, justify="left" if name == "split" else "right")
    table.add_column("recordings with")
    for split in ("train", "valid", "test"):
        part = recordings[recordings["split"] == split]
        groups = part["groups"].str.split(";").explode().value_counts()
        table.add_row(
            split,
            str(len(part)),
            str(part["frames"].sum()),
            str(part["windows"].sum()),
            Text(", ".join(f"{name} {count}" for name, count in groups.items())),
        )
    Console().print(table)
