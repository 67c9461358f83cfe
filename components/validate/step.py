"""Checks the datasets and writes the manifest that every later step reads.

Reads the datasets below the data folder, decodes every clip once, and checks the expectations of
src/tutti/validation/suite.yaml with Great Expectations. The pages and the summary are written in any case; the manifest
only when every expectation holds. Otherwise the step fails, naming the expectations and the clips.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components._command import described
from tutti.config import Config


@dataclass(frozen=True)
class Inputs:
    """What the step reads."""

    data: Path = described("folder of the datasets, in the publishers' layouts")


@dataclass(frozen=True)
class Outputs:
    """What the step writes."""

    manifest: Path = described("folder: manifest.parquet (a row per clip) and datasets.json (facts per dataset)")
    docs: Path = described("folder of pages: summary.html, and Great Expectations' data docs under index.html")
    summary: Path = described("JSON: every expectation with its result and the clips that break it")


def run(inputs: Inputs, outputs: Outputs, params: Config) -> dict[str, Any]:
    """Validates the data; returns the summary.

    Raises:
        DataError: A dataset cannot be read, or an expectation does not hold.
    """
    import shutil

    from tutti.datasets import build_manifest
    from tutti.datasets.manifest import save_manifest
    from tutti.errors import DataError
    from tutti.files import atomic_folder, write_json
    from tutti.validation.report import failure_message
    from tutti.validation.validate import validate

    # A manifest of an earlier run must not outlive data that fail now.
    if outputs.manifest.exists():
        shutil.rmtree(outputs.manifest)
    manifest, probes, datasets = build_manifest(inputs.data, params.data, params.seed)
    outcome = validate(manifest, probes, datasets, params.validate_, outputs.docs)
    summary = outcome.to_dict()
    write_json(outputs.summary, summary)
    if outcome.failed:
        raise DataError(
            failure_message(outcome),
            hint=f"see {outputs.docs / 'summary.html'}; correct the data, or the bounds under validate in params.yaml",
        )
    with atomic_folder(outputs.manifest) as folder:
        save_manifest(manifest, folder / "manifest.parquet")
        write_json(folder / "datasets.json", datasets)
    return summary
