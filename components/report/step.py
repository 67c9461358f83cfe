"""Writes the report: one HTML page with the gate's verdict, every metric, every figure, and where it all comes from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components._command import described
from tutti.config import Config


@dataclass(frozen=True)
class Inputs:
    """What the step reads."""

    manifest: Path = described("folder of the validate step: manifest.parquet and datasets.json")
    validation: Path = described("JSON summary of the validate step")
    mixtures: Path = described("folder of the mix step")
    models: Path = described("folder of the trained bundles, one per model")
    evaluations: Path = described("folder of the evaluations, one per model")
    ensemble: Path = described("folder of the select step")
    decision: Path = described("JSON of the gate step")
    docs: Path | None = described("folder of the data docs, linked from the page", optional=True)
    smoke: Path | None = described("JSON of the smoke step; the page says so when there is none yet", optional=True)


@dataclass(frozen=True)
class Outputs:
    """What the step writes."""

    report: Path = described("folder: index.html and its figures")


def run(inputs: Inputs, outputs: Outputs, params: Config) -> dict[str, Any]:
    """Writes the report; returns the names of its files.

    Raises:
        DataError: An input is missing or unreadable.
    """
    import os

    from tutti.reports.data import load_report_data
    from tutti.reports.page import write_report

    data = load_report_data(
        manifest=inputs.manifest,
        validation=inputs.validation,
        mixtures=inputs.mixtures,
        models=inputs.models,
        evaluations=inputs.evaluations,
        ensemble=inputs.ensemble,
        decision=inputs.decision,
        smoke=inputs.smoke,
        params=params,
    )
    docs = os.path.relpath(inputs.docs, outputs.report) if inputs.docs is not None else None
    return {"files": write_report(data, outputs.report, docs=docs)}
