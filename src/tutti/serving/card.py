"""The served ensemble's model card."""

from collections.abc import Mapping
from typing import Any

from tutti.bag import Bag
from tutti.bundle import Contract
from tutti.tasks import get_task

_METRICS = {
    "map": "mean average precision (`map`)",
    "f1_macro": "macro F1 of the positive class (`f1_macro`)",
    "f1_macro_two_class": "macro F1 over both polarities (`f1_macro_two_class`)",
    "auroc": "area under the ROC curve (`auroc`)",
    "hamming": "Hamming loss (`hamming`)",
    "accuracy": "share of clips with the right class (`accuracy`)",
    "label_accuracy": "share of right labels (`label_accuracy`)",
    "exact_accuracy": "share of clips with all labels right (`exact_accuracy`)",
    "micro_f1": "F1 over all cells (`micro_f1`)",
    "f1_macro_present": "macro F1 of the classes that occur (`f1_macro_present`)",
}


def package_card(
    bag: Bag,
    digest: str,
    contracts: Mapping[str, Contract],
    test: Mapping[str, Any],
    *,
    confidence: float,
    datasets: Mapping[str, Mapping[str, Any]],
    max_seconds: float,
) -> str:
    """The card as Markdown.

    Args:
        bag: The ensemble.
        digest: Its digest.
        contracts: The members' contracts, by name.
        test: Its metrics on test, as in the metrics document.
        confidence: Level of their intervals.
        datasets: Facts per dataset (datasets.json).
        max_seconds: Longest recording the server accepts.
    """
    synthetic = bool(bag.data.get("synthetic"))
    lines = [
        f"# {bag.name} {bag.version}",
        "",
        f"Tells {get_task(bag.task).summary} (the task `{bag.task}`), with a probability for each of",
        f"{len(bag.labels)} classes, for the whole recording and for every window of {bag.window.length_s:g} s. Digest",
        f"`{digest}`.",
        "",
        "## Members",
        "",
        "| member | model | preset | weight | started from | digest |",
        "|---|---|---|---|---|---|",
    ]
    for member in bag.members:
        contract = contracts[member.name]
        lines.append(
            f"| {member.name} | {contract.model} | {contract.preset} | {member.weight:g} | {contract.started_from} "
            f"| `{member.digest[:12]}` |"
        )
    lines += [
        "",
        "## Results on test",
        "",
        _about_data(bag, synthetic),
        "",
        "| metric | value | interval |",
        "|---|---|---|",
    ]
    for key, words in _METRICS.items():
        if test.get(key) is not None:
            interval = _interval(test.get(f"{key}_low"), test.get(f"{key}_high"))
            lines.append(f"| {words} | {test[key]:.3f} | {interval} |")
    lines += [
        "",
        f"Over {test.get('clips', 0)} clips; only cells that somebody was asked about count. The intervals are of",
        f"level {confidence:g}, from resampled groups of clips. Weights and thresholds were chosen on validation",
        "alone.",
        "",
        "## Data",
        "",
    ]
    for name, facts in datasets.items():
        kind = ", rendered by a synthesizer" if facts.get("synthetic") else ""
        lines.append(f"- {name}: {facts.get('clips', '?')} clips{kind}. {facts.get('description') or ''}".rstrip())
        lines.append(f"  Licence: {facts.get('licence') or 'not stated'}. {facts.get('citation') or ''}".rstrip())
    lines += [
        "",
        "## Limits",
        "",
        *(["- It was trained and tested on synthetic sound; nothing is known about recordings."] if synthetic else []),
        f"- It knows these classes and no others: {', '.join(bag.labels)}.",
        "- A probability is a score in [0, 1] that was not calibrated; compare it with the threshold of its class.",
        f"- Recordings from {bag.window.min_s:g} s to {max_seconds:g} s; within a window it cannot say when.",
        "- It is no judge of identity, authorship or quality.",
        "",
        "## Licence",
        "",
        "Code and weights: MIT, unless a member started from public weights: `tutti models` names their licence.",
        "The training data have licences of their own, above.",
        "",
    ]
    return "\n".join(lines)


def _about_data(bag: Bag, synthetic: bool) -> str:
    kind = "**synthetic** (rendered) sound" if synthetic else "recordings"
    return f"Test clips of {bag.data.get('name', 'the data')}: {kind}."


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
