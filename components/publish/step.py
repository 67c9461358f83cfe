"""Copies what passed both gates into the registry, under its digest, and makes it the champion.

The champion's pointer moves last. Nothing is published when a gate did not pass, or looked at something else.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components._command import described
from tutti.config import Config


@dataclass(frozen=True)
class Inputs:
    """What the step reads."""

    package: Path = described("the folder that package wrote")
    ensemble: Path = described("the folder that select wrote")
    decision: Path = described("the quality gate's decision")
    smoke: Path = described("the smoke test's result")
    registry: str = described("folder of the registry")


@dataclass(frozen=True)
class Outputs:
    """What the step writes."""

    published: Path = described("JSON: digest and place of what was published")


def run(inputs: Inputs, outputs: Outputs, params: Config) -> dict[str, Any]:
    """Publishes the package; returns its digest and place.

    Raises:
        GateFailed: A gate did not pass, or looked at something else.
        ConfigError: The registry is no local folder.
    """
    from tutti.files import write_json
    from tutti.serving.registry import publish

    outputs.published.unlink(missing_ok=True)
    record = publish(
        package=inputs.package,
        ensemble=inputs.ensemble,
        decision=inputs.decision,
        smoke=inputs.smoke,
        registry=inputs.registry,
    )
    write_json(outputs.published, {"registry": inputs.registry, **record})
    return record
