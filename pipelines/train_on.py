"""Trains on your own recordings: python -m pipelines.train_on FOLDER --out DIR.

FOLDER holds a folder per instrument (named like the classes of OpenMIC: violin, mallet_percussion, ...) with
recordings of that instrument alone, wav, flac, ogg or mp3. What comes before `__` in a file's name, or the column
`source` of a manifest.csv, names where it was recorded (player, room, microphone): whole sources are kept apart in
training and test. The recordings are mixed into examples with several instruments, and the pipeline that the
platform runs does the rest. DIR gets the parameters, the model and the report.
"""

import argparse
from pathlib import Path
from typing import Any

from pipelines.run import EPILOG, ROOT, Run, print_summary, run_local, shown
from tutti.errors import ConfigError, DataError, exit_code_of

#: Music rarely has more instruments at a time that anybody could name.
_MOST_INSTRUMENTS = 6

#: Bounds that a few recordings of one instrument each can keep; the data docs show what was found.
_VALIDATE = {
    "min_duration_s": 0.1,
    "max_silent_share": 1.0,
    "max_clipped_share": 1.0,
    "min_labelled_per_class": 0,
    "min_positive_share": 0.0,
    "max_positive_share": 1.0,
    "min_mask_density": 0.0,
    "max_mask_density": 1.0,
    "max_class_imbalance": 1e9,
}


def make_params(folder: Path, *, models: list[str], epochs: int | None, mixtures: int) -> dict[str, Any]:
    """The parameters for the recordings in ``folder``: the repository's, with what differs.

    Args:
        folder: The recordings.
        models: Models to train; their parameters are those of the repository's params.yaml.
        epochs: Most epochs of each network, None for params.yaml's.
        mixtures: Training mixtures of each number of instruments.

    Returns:
        The contents of a params.yaml.

    Raises:
        ConfigError: A model is not in the repository's params.yaml.
    """
    import yaml

    params: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    unknown = sorted(set(models) - set(params["models"]))
    if unknown:
        raise ConfigError(
            "--models names models without parameters",
            got=", ".join(unknown),
            expected=", ".join(params["models"]),
            hint="add them to params.yaml; `tutti models` lists what there is",
        )
    datasets = {"openmic": None, "irmas": None, "nsynth": None, "musicnet": None, "notes": folder.name}
    params["data"] = {**params["data"], **datasets}
    params["validate"] = {**params["validate"], **_VALIDATE}
    instruments = sum(1 for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    params["mix"] = {
        **params["mix"],
        "generator": "musical",
        "max_polyphony": max(1, min(instruments, _MOST_INSTRUMENTS)),
        "per_polyphony": mixtures,
    }
    params["models"] = {name: _from_scratch(params["models"][name], epochs) for name in models}
    params["select"] = {**params["select"], "models": models}
    params.pop("repeat", None)
    params.pop("compare", None)
    params["gate"] = {
        **params["gate"],
        "min_map": 0.0,
        "min_f1_macro_two_class": 0.0,
        "min_class_auroc": 0.0,
        "class_floors": {},
        "max_regression": 1.0,
    }
    return params


def _from_scratch(model: dict[str, Any], epochs: int | None) -> dict[str, Any]:
    """A model's parameters without the pretraining, whose data are not here."""
    changed = {**model, "pretrain": None}
    if epochs is not None and changed.get("train"):
        changed["train"] = {**changed["train"], "epochs": epochs}
    return changed


def _check(folder: Path, out: Path, *, force: bool) -> None:
    if not folder.is_dir():
        raise DataError("there is no such folder of recordings", got=folder)
    if not any(path.is_dir() for path in folder.iterdir()):
        raise DataError("the folder holds no folders", got=folder, expected="a folder per instrument, such as violin/")
    if out.exists() and any(out.iterdir()) and not force:
        raise ConfigError(f"{out} is not empty", hint="name another --out, or pass --force to go on in it")


def print_classes(run: Run) -> None:
    """Prints the test metrics of every class, and which classes' test is easier than it looks."""
    import pandas as pd

    from tutti.datasets.manifest import load_manifest

    table = pd.read_csv(run.output("select", "ensemble") / "per_class.csv")
    print("\nensemble on test, by class:")
    print(f"  {'class':<20}{'yes':>6}{'no':>6}{'AP':>8}{'AUROC':>8}{'F1':>8}")
    for row in table[table["split"] == "test"].to_dict("records"):
        numbers = "".join(f"{'-':>8}" if pd.isna(row[key]) else f"{row[key]:8.3f}" for key in ("ap", "auroc", "f1"))
        print(f"  {row['class']:<20}{row['positives']:>6}{row['negatives']:>6}{numbers}")

    manifest = load_manifest(run.output("validate", "manifest") / "manifest.parquet")
    print("\nsplit of the recordings:")
    alone = []
    for name, clips in manifest.groupby("native_labels"):
        counts = clips["split"].value_counts()
        sources = {group.partition("#")[0] for group in clips["group"]}
        shown = ", ".join(f"{counts.get(split, 0)} {split}" for split in ("train", "valid", "test"))
        print(f"  {name:<20}{shown}; {len(sources)} source{'s' if len(sources) > 1 else ''}")
        if len(sources) == 1:
            alone.append(str(name))
    if alone:
        print(
            f"\nof one source only: {', '.join(alone)}.\nTheir test recordings share room and microphone with those of"
            " training, so the figures of these classes\nare better than they would be on recordings made elsewhere."
        )


def build_parser() -> argparse.ArgumentParser:
    """The command's argument parser."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.train_on",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=EPILOG,
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the recordings, a folder per instrument")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where everything is written")
    parser.add_argument(
        "--models", default="rf,cbam_cnn,passt", help="separated by commas (default: rf,cbam_cnn,passt)"
    )
    parser.add_argument("--epochs", type=int, metavar="N", help="most epochs of each network (default: params.yaml's)")
    parser.add_argument(
        "--mixtures", type=int, default=100, metavar="N", help="mixtures of each number of instruments (default: 100)"
    )
    parser.add_argument("--force", action="store_true", help="write into DIR though it is not empty")
    parser.add_argument("--debug", action="store_true", help="show the stack trace of an error")
    return parser


def train_on(folder: Path, out: Path, *, models: list[str], epochs: int | None, mixtures: int) -> Run:
    """Runs the pipeline on the recordings in ``folder``; see the module.

    Raises:
        ConfigError: The options are wrong.
        DataError: There are no recordings.
    """
    import yaml

    from tutti.files import write_text

    params = make_params(folder, models=models, epochs=epochs, mixtures=mixtures)
    write_text(out / "params.yaml", yaml.safe_dump(params, sort_keys=False))
    return run_local(out / "params.yaml", folder.parent, out)


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    arguments = build_parser().parse_args(argv)
    folder, out = arguments.folder.resolve(), arguments.out

    def work() -> None:
        _check(folder, out, force=arguments.force)
        names = [name for name in arguments.models.split(",") if name]
        run = train_on(folder, out, models=names, epochs=arguments.epochs, mixtures=arguments.mixtures)
        if run.error is not None:
            print_summary(run.metrics(), run.decision())
            raise run.error
        print_classes(run)
        print_summary(run.metrics(), run.decision())
        print(f"\nthe model:  {shown(run.champion())}\nthe report: {shown(run.output('report', 'report'))}/index.html")
        print(f"to use it:  tutti predict RECORDING --registry {shown(run.registry)}")

    return exit_code_of(work, name="train_on", debug=arguments.debug)


if __name__ == "__main__":
    raise SystemExit(main())
