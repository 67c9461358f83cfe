"""Starts the package under the real TorchServe and compares its answers with the golden ones.

The server listens on free ports of the loopback address and is stopped in any case. The result is written in any case,
too; the step fails when the answers differ, or when a bad request is not refused as it should be.
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


@dataclass(frozen=True)
class Outputs:
    """What the step writes."""

    result: Path = described("JSON: whether it passed, the reasons, the largest difference")


def run(inputs: Inputs, outputs: Outputs, params: Config) -> dict[str, Any]:
    """Tests the package; returns the result.

    Raises:
        ArtifactMismatch: The folder is no package.
        ServerError: Java or TorchServe is missing.
    """
    from tutti.files import write_json
    from tutti.serving.smoke import smoke_test

    # A result about an earlier package must not outlive one that cannot be tested.
    outputs.result.unlink(missing_ok=True)
    result = smoke_test(inputs.package, params.smoke)
    write_json(outputs.result, result)
    return result


def verdict(result: dict[str, Any]) -> None:
    """Lets a package through that passed.

    Raises:
        GateFailed: It did not pass; the message lists the reasons.
    """
    from tutti.serving.smoke import require_pass

    require_pass(result)
