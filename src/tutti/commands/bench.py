"""`tutti bench`: measurements of speed."""

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tutti.config import load_config
from tutti.errors import ConfigError
from tutti.files import write_json
from tutti.progress import log_to_stderr


def train(features: Path, params: Path, models: list[str], *, as_json: bool, output: Path | None) -> None:
    """Times an epoch of each model and prints what was measured.

    Args:
        features: The features folder.
        params: params.yaml.
        models: Names of the section ``models``; none for all.
        as_json: Whether to print JSON instead of a table.
        output: File that gets the JSON, too.

    Raises:
        ConfigError: A model is not in params.yaml.
        DataError: There are no features.
    """
    from tutti.benchmarks.training import bench_training

    log_to_stderr(verbose=False)
    config = load_config(params)
    unknown = [name for name in models if name not in config.models]
    if unknown:
        raise ConfigError(f"{params} does not list {', '.join(unknown)}", expected=", ".join(config.models))
    measured = bench_training(features, config, models or list(config.models))
    if output is not None:
        write_json(output, measured)
    if as_json:
        json.dump(measured, sys.stdout, indent=2)
        print()
        return
    machine = measured["machine"]
    table = Table(
        title="training", caption=f"{machine['processor']}, {machine['threads']} threads; "
        f"a matrix product reaches {machine['matmul_gflops']:g} GFLOP/s",
    )  # fmt: skip
    for heading in ("model", "preset", "s / epoch", "clips / s", "MMAC / clip", "GFLOP/s"):
        table.add_column(heading, justify="left" if heading in ("model", "preset") else "right")
    for name, row in measured["models"].items():
        macs, reached = row["macs"], row["gflops"]
        table.add_row(
            name,
            row["preset"],
            f"{row['epoch_s']:.2f}",
            f"{row['clips_per_s']:.0f}",
            "-" if macs is None else f"{macs / 1e6:.2f}",
            "-" if reached is None else f"{reached:.1f}",
        )
    Console().print(table)
