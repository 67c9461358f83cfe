"""The quality gate: floors, every class's floor, and no real loss against the champion.

The gate sees test predictions only. It compares with the champion on the same clips by the paired bootstrap: what
counts is the lower end of the interval of (candidate - champion) mAP, so a loss that the test set cannot rule out
counts as one when it is larger than what is allowed. Frames are compared by micro F1, since their mAP has no interval.

A candidate of another task than the champion's is refused: who asks the server would get answers about other classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tutti.config import EvaluateParams, GateParams
from tutti.errors import ConfigError, GateFailed
from tutti.evaluation.bootstrap import Interval, paired_differences
from tutti.evaluation.metrics import Metrics, finite, masked_metrics
from tutti.evaluation.predictions import Predictions
from tutti.evaluation.summary import difference_dict, rounded
from tutti.tasks import Task


@dataclass(frozen=True)
class Contender:
    """A model in front of the gate.

    Attributes:
        digest: Of its bag.
        task: What it decides.
        thresholds: One per class.
        predictions: On the test clips.
    """

    digest: str
    task: Task
    thresholds: Sequence[float]
    predictions: Predictions


@dataclass(frozen=True)
class Check:
    """One thing that the gate looks at.

    Attributes:
        name: Such as ``map``, ``auroc:piano`` or ``champion:map``.
        value: What was measured, None where it is undefined.
        floor: What it has to reach.
        passed: Whether it does.
        reason: A sentence with the numbers.
    """

    name: str
    value: float | None
    floor: float | None
    passed: bool
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "name": self.name, "value": rounded(self.value), "floor": rounded(self.floor), "passed": self.passed,
        }  # fmt: skip


def judge(
    candidate: Contender,
    champion: Contender | None,
    *,
    gate: GateParams,
    evaluate: EvaluateParams,
    seed: int,
    data: dict[str, Any],
    champion_fault: str | None = None,
) -> dict[str, Any]:
    """Decides whether the candidate may ship.

    Args:
        candidate: The ensemble that was just selected.
        champion: What is shipped now; None when nothing is, and only the floors hold.
        gate: The floors.
        evaluate: Resamples and level of the comparison.
        seed: The run's seed.
        data: Name, ``synthetic`` and SHA-256 of the test data.
        champion_fault: Why the champion that there is cannot be compared with; it fails the gate.

    Returns:
        The decision, JSON-able and free of times: ``passed``, ``decision`` (``pass`` or ``fail``), ``reasons`` (what
        failed, or what was held), ``checks``, ``unchecked_classes``, ``comparison``, ``candidate`` and ``champion``
        (digests), ``data``.

    Raises:
        ConfigError: A floor is of a class that the candidate's task does not have.
        DataError: The candidate's predictions are no probabilities.
    """
    strange = [name for name in gate.class_floors if name not in candidate.task.labels]
    if strange:
        raise ConfigError(
            f"gate.class_floors names {', '.join(strange)}, which the task {candidate.task.name} does not have",
            expected=", ".join(candidate.task.labels),
        )
    clips = candidate.predictions
    metrics = masked_metrics(clips.probabilities, clips.labels, clips.mask, candidate.thresholds, names=clips.names)
    checks = [
        _floor("map", "mean average precision (map)", metrics.map, gate.min_map),
        _floor(
            "f1_macro_two_class",
            "two-class macro F1 (f1_macro_two_class)",
            metrics.f1_macro_two_class,
            gate.min_f1_macro_two_class,
        ),
    ]
    class_checks, unchecked = _class_checks(metrics, gate)
    checks += class_checks
    comparison, by = None, "micro_f1" if candidate.task.frames else "map"
    if champion_fault is None and champion is not None:
        champion_fault = _incomparable(candidate, champion)
        if champion_fault is None:
            comparison = compare(candidate, champion, evaluate, seed)
            checks.append(_regression(by, comparison[by], gate.max_regression, evaluate))
    if champion_fault is not None:
        checks.append(Check("champion:comparable", None, None, False, champion_fault))
    failed = [check for check in checks if not check.passed]
    return {
        "passed": not failed,
        "decision": "fail" if failed else "pass",
        "reasons": [check.reason for check in failed] if failed else _held(checks, comparison, unchecked),
        "checks": [check.to_dict() for check in checks],
        "unchecked_classes": unchecked,
        "comparison": None if comparison is None else _comparison_dict(comparison, by),
        "candidate": candidate.digest,
        "champion": champion.digest if champion is not None else None,
        "data": data,
    }


def require_pass(decision: dict[str, Any]) -> None:
    """Lets a passed decision through.

    Raises:
        GateFailed: It did not pass; the message lists the reasons.
    """
    if decision["passed"]:
        return
    reasons = "\n".join(f"    - {reason}" for reason in decision["reasons"])
    raise GateFailed(
        f"the candidate {decision['candidate'][:12]} may not ship:\n{reasons}",
        hint="nothing was shipped; improve the models or the data, or change the floors under `gate` in params.yaml",
    )


def compare(candidate: Contender, other: Contender, params: EvaluateParams, seed: int) -> dict[str, Interval]:
    """Every metric of ``candidate`` minus that of ``other`` on the same clips, with intervals.

    Both are judged by the candidate's labels; the clips may stand in any order. Without resamples (``bootstrap: 0``)
    the ends of an interval are the difference itself.
    """
    theirs, ours = other.predictions.in_order_of(candidate.predictions), candidate.predictions
    found = paired_differences(
        ours.probabilities,
        theirs.probabilities,
        ours.labels,
        ours.mask,
        thresholds=candidate.thresholds,
        other_thresholds=other.thresholds,
        groups=ours.group,
        resamples=max(params.bootstrap, 1),
        confidence=params.confidence,
        seed=seed,
        frames=candidate.task.frames,
    )
    if params.bootstrap:
        return found
    return {name: Interval(row.value, row.value, row.value) for name, row in found.items()}


def _floor(name: str, title: str, value: float, floor: float) -> Check:
    measured = finite(value)
    if measured is None:
        return Check(name, None, floor, False, f"{title} cannot be measured: no test class has labels of both kinds")
    passed = measured >= floor
    relation = "reaches" if passed else "is below"
    return Check(name, measured, floor, passed, f"{title} is {measured:.3f}, which {relation} the floor of {floor:g}")


def _class_checks(metrics: Metrics, gate: GateParams) -> tuple[list[Check], list[str]]:
    """A check for every class with enough asked cells of both kinds, and the names of the other classes."""
    checks, unchecked = [], []
    for row in metrics.per_class:
        if min(row.positives, row.negatives) < gate.min_class_cells:
            unchecked.append(row.name)
            continue
        title = f"{row.name}: AUROC over {row.positives} positive and {row.negatives} negative test clips"
        floor = gate.class_floors.get(row.name, gate.min_class_auroc)
        checks.append(_floor(f"auroc:{row.name}", title, row.auroc, floor))
    return checks, unchecked


def _incomparable(candidate: Contender, champion: Contender) -> str | None:
    if candidate.task != champion.task:
        return (
            f"the champion's task is {champion.task.name} and the candidate's {candidate.task.name}: publish the "
            "candidate to a registry of its own, or remove champion.json to judge it by the floors alone"
        )
    difference = candidate.predictions.difference(champion.predictions)
    if difference is None:
        return None
    return (
        f"the champion was judged on other test data ({difference}), so the two cannot be compared: evaluate it on the "
        "present data (`python -m components.evaluate --bundle` with the champion's folder) and put the resulting "
        "predictions.parquet into that folder, or remove champion.json to judge the candidate by the floors alone"
    )


def _regression(metric: str, difference: Interval, allowed: float, params: EvaluateParams) -> Check:
    name = f"champion:{metric}"
    low = finite(difference.low)
    if low is None:
        return Check(
            name, None, -allowed, False, "the difference to the champion cannot be measured on these test clips"
        )
    numbers = (
        f"{metric} minus the champion's is {difference.value:+.3f}, {params.confidence:.0%} interval "
        f"{difference.low:+.3f} to {difference.high:+.3f}"
    )
    if low < -allowed:
        verdict = f"a loss of more than the allowed {allowed:g} cannot be ruled out"
    elif low > 0:
        verdict = "significantly better"
    else:
        verdict = f"not significantly better, and a loss of more than the allowed {allowed:g} is ruled out"
    return Check(name, low, -allowed, low >= -allowed, f"{numbers}: {verdict}")


def _held(checks: Sequence[Check], comparison: dict[str, Interval] | None, unchecked: Sequence[str]) -> list[str]:
    reasons = [check.reason for check in checks if not check.name.startswith("auroc:")]
    classes = [check for check in checks if check.name.startswith("auroc:")]
    if classes:
        weakest = min(classes, key=lambda check: (check.value or 0.0) - (check.floor or 0.0))
        reasons.append(
            f"all {len(classes)} classes with enough test clips reach their floors; closest is {weakest.reason}"
        )
    if unchecked:
        reasons.append(f"too few test clips to hold to a floor: {', '.join(unchecked)}")
    if comparison is None:
        reasons.append("there is no champion yet, so only the floors were applied")
    return reasons


def _comparison_dict(comparison: dict[str, Interval], by: str) -> dict[str, Any]:
    rows = {name: difference_dict(interval) for name, interval in comparison.items()}
    return {**rows, "significantly_better": bool(comparison[by].low > 0)}
