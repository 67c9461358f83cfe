"""Decodes every clip once and stores what the models of params.yaml take as input.

Writes a folder with one set of windows for training and, where a model is pretrained, one for IRMAS; each holds an
index and a memory-mapped array per front end.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components._command import described
from tutti.config import Config


@dataclass(frozen=True)
class Inputs:
    """What the step reads."""

    data: Path = described("the data root, with the publishers' archives or folders")
    manifest: Path = described("the folder that validate wrote")
    mixtures: Path = described("the folder that mix wrote")


@dataclass(frozen=True)
class Outputs:
    """What the step writes."""

    features: Path = described("the features folder")


def run(inputs: Inputs, outputs: Outputs, params: Config) -> dict[str, Any]:
    """Extracts the features; returns the number of windows of each set."""
    from tutti.training.features import extract_features

    return extract_features(inputs.data, inputs.manifest, inputs.mixtures, outputs.features, params)
