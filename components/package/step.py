"""Packs the ensemble for TorchServe.

Writes the model archive, the configurations, a model card, and golden clips: test recordings with the answers that the
server has to give. Equal inputs give equal bytes.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components._command import described
from tutti.config import Config

_HANDLERS = Path(__file__).resolve().parents[2] / "handlers"


@dataclass(frozen=True)
class Inputs:
    """What the step reads."""

    ensemble: Path = described("the folder that select wrote")
    decision: Path = described("the quality gate's decision")
    data: Path = described("the data root")
    manifest: Path = described("the folder that validate wrote")


@dataclass(frozen=True)
class Outputs:
    """What the step writes."""

    package: Path = described("folder: the .mar, golden/, model-config.yaml, config.properties, card.md")


def run(inputs: Inputs, outputs: Outputs, params: Config) -> dict[str, Any]:
    """Packs the ensemble; returns the digests of model and archive.

    Raises:
        GateFailed: The quality gate did not let this ensemble through.
        DataError: There are no test clips.
    """
    from tutti.bag import bag_digest
    from tutti.serving.package import write_package
    from tutti.serving.registry import require_decision

    require_decision(inputs.decision, bag_digest(inputs.ensemble))
    return write_package(
        outputs.package,
        ensemble=inputs.ensemble,
        manifest=inputs.manifest,
        data=inputs.data,
        handler=_HANDLERS / "tutti_handler.py",
        profile=_HANDLERS / "config" / "dev.properties",
        params=params,
    )
