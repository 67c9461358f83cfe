"""Makes synthetic mixtures of recorded notes.

With a folder of one's own notes (`data.notes`), the mixtures are what is trained, validated and tested on, each split
made from its own notes. Otherwise NSynth's train notes give training mixtures. Excerpts of IRMAS may play beside them
(`mix.musical.irmas`). A run with none of these gets an empty set.
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
    manifest: Path = described("folder with manifest.parquet, made by the validate step")


@dataclass(frozen=True)
class Outputs:
    """What the step writes."""

    mixtures: Path = described(
        "folder: mixtures.tar (FLAC), manifest.parquet, labels.csv, provenance.json, datasheet.md"
    )


def run(inputs: Inputs, outputs: Outputs, params: Config) -> dict[str, Any]:
    """Makes the mixtures; returns generator, source and number of mixtures per split.

    Raises:
        DataError: The manifest or a note is missing, or a pool of notes is empty.
        AudioDecodeError: A note does not decode.
    """
    from tutti.datasets.manifest import load_manifest
    from tutti.files import sha256_file
    from tutti.mixtures.make import make_mixtures

    path = inputs.manifest / "manifest.parquet"
    return make_mixtures(
        inputs.data,
        load_manifest(path),
        params.mix,
        params.seed,
        outputs.mixtures,
        notes=params.data.notes is not None,
        manifest_sha256=sha256_file(path),
    )
