"""Writes the page of the published systems: their figures and tables from this run, the published values beside them.

What a run did not train is left out with a sentence that says so. The numbers behind every figure lie beside the page
as CSV files, which `dvc plots` reads.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components._command import described
from tutti.config import Config


@dataclass(frozen=True)
class Inputs:
    """What the step reads."""

    manifest: Path = described("folder of the validate step: manifest.parquet and datasets.json")
    features: Path = described("folder of the features step")
    models: Path = described("folder of the trained bundles, one per model")
    evaluations: Path = described("folder of the evaluations, one per model")
    data: Path | None = described("folder of the datasets, for the waveforms of single clips", optional=True)
    pretrained: Path | None = described("folder of the pretrainings, one per model", optional=True)
    repeats: Path | None = described("folder of the repeated trainings, one scores.csv per model", optional=True)
    bench: Path | None = described("JSON of `tutti bench train --json`; else no times are shown", optional=True)


@dataclass(frozen=True)
class Outputs:
    """What the step writes."""

    systems: Path = described("folder: index.html, its figures, and the numbers behind them as CSV")


def run(inputs: Inputs, outputs: Outputs, params: Config) -> dict[str, Any]:
    """Writes the page; returns the names of its files.

    Raises:
        DataError: An input is missing or unreadable.
        ArtifactMismatch: A bundle is.
    """
    from tutti.reports.systems.data import load_systems_data
    from tutti.reports.systems.page import write_systems

    data = load_systems_data(
        manifest=inputs.manifest,
        features=inputs.features,
        recordings=inputs.data,
        models=inputs.models,
        pretrained=inputs.pretrained,
        evaluations=inputs.evaluations,
        repeats=inputs.repeats,
        bench=inputs.bench,
        params=params,
    )
    return {"files": write_systems(data, outputs.systems)}
