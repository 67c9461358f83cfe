"""Decides whether the ensemble may ship.

It has to reach the floors of params.yaml, overall and in every class with enough test clips, and must not lose to the
champion on the same clips by more than is allowed. The decision is written in any case; the step fails when it is no.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components._command import described
from tutti.config import Config


@dataclass(frozen=True)
class Inputs:
    """What the step reads."""

    ensemble: Path = described("the folder that select wrote")
    registry: Path | None = described("registry whose champion.json names the champion", optional=True)


@dataclass(frozen=True)
class Outputs:
    """What the step writes."""

    decision: Path = described("JSON: the decision, its reasons, and every check with value and floor")


def run(inputs: Inputs, outputs: Outputs, params: Config) -> dict[str, Any]:
    """Judges the candidate; returns the decision.

    Raises:
        ConfigError: A class floor is of no class of the ensemble's task.
        ArtifactMismatch: The ensemble is not the one that was selected.
        DataError: Its predictions cannot be read.
    """
    from tutti.evaluation.champion import read_candidate, read_champion
    from tutti.evaluation.gates import judge
    from tutti.files import write_json

    # A decision about an earlier candidate must not outlive one that cannot be judged.
    outputs.decision.unlink(missing_ok=True)
    candidate, data = read_candidate(inputs.ensemble)
    champion, fault = read_champion(inputs.registry)
    decision = judge(
        candidate,
        champion,
        gate=params.gate,
        evaluate=params.evaluate,
        seed=params.seed,
        data=data,
        champion_fault=fault,
    )
    write_json(outputs.decision, decision)
    return decision


def verdict(result: dict[str, Any]) -> None:
    """Lets a passed candidate through.

    Raises:
        GateFailed: It did not pass; the message lists the reasons.
    """
    from tutti.evaluation.gates import require_pass

    require_pass(result)
