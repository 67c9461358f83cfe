"""What a validation run leaves for people and programs: a summary as JSON, a page, and the message of a failure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tutti.datasets.manifest import SPLITS
from tutti.labels import MUSICNET
from tutti.validation.pages import render
from tutti.validation.rules import Rule, RuleResult

#: Where Great Expectations' own results lie, beside the page.
RAW = "great_expectations.json"

#: Words with bars of their own in a chart of class counts; a vocabulary beyond that is cut.
_BARS = 40


@dataclass(frozen=True)
class Validation:
    """The outcome of a validation run.

    Attributes:
        results: One per expectation that applied.
        skipped: Reason by name for each expectation that did not.
        observed: What the data hold, by name of expectation, in words.
        task: The dataset that carries the 20-class task, None for none.
        clips: Clips in the manifest, those on the exclusion list not among them.
        datasets: Facts about each dataset by name, see `tutti.datasets.build_manifest`, and ``official``: whether it is
            held to the published counts.
        excluded: Rows of the clips on the exclusion list, see `tutti.datasets.exclusions.exclude`.
        counts: Clips by word, by split (and ``excluded``), by dataset.
    """

    results: tuple[RuleResult, ...]
    skipped: dict[str, str]
    observed: dict[str, str]
    task: str | None
    clips: int
    datasets: dict[str, dict[str, Any]]
    excluded: pd.DataFrame
    counts: dict[str, dict[str, dict[str, int]]]

    @property
    def failed(self) -> tuple[RuleResult, ...]:
        """The results of the expectations that do not hold."""
        return tuple(result for result in self.results if not result.success)

    @property
    def stopping(self) -> tuple[RuleResult, ...]:
        """The results of the expectations that do not hold and must."""
        return tuple(result for result in self.failed if result.rule.severity == "stop")

    @property
    def warnings(self) -> tuple[RuleResult, ...]:
        """The results of the expectations that do not hold and only warn."""
        return tuple(result for result in self.failed if result.rule.severity == "warn")

    def to_dict(self) -> dict[str, Any]:
        """JSON-able summary; the same data give the same summary. Warnings do not make it a failure."""
        kept = ("clips", "hours", "synthetic", "official", "excluded")
        return {
            "success": not self.stopping,
            "warnings": len(self.warnings),
            "task": self.task,
            "clips": self.clips,
            "synthetic": any(facts.get("synthetic", False) for facts in self.datasets.values()),
            "datasets": {
                name: {key: facts[key] for key in kept if key in facts} for name, facts in self.datasets.items()
            },
            "expectations": [
                {
                    "name": result.rule.name,
                    "description": result.rule.says,
                    "dataset": result.rule.dataset,
                    "severity": result.rule.severity,
                    "table": result.rule.table,
                    "success": result.success,
                    "observed": self.observed[result.rule.name],
                    "unexpected_count": result.unexpected_count,
                    "examples": [subject for subject, _ in result.examples],
                }
                for result in self.results
            ],
            "skipped": [{"name": name, "reason": reason} for name, reason in self.skipped.items()],
            "excluded": [
                {"clip_id": row["clip_id"], "reason": row["reason"]} for row in self.excluded.to_dict("records")
            ],
        }


def observe(rule: Rule, tables: Mapping[str, pd.DataFrame]) -> str:
    """What a table holds where ``rule`` looks: a range, the values, or how many there are."""
    table, columns = rule.rows(tables), list(rule.columns)
    if rule.unique:
        rows = table[columns].dropna()
        return f"{len(rows.drop_duplicates())} different among {len(rows)}"
    if rule.equals is not None:
        found = dict(zip(table["key"], table[columns[0]], strict=True))
        other = [f"{key} {found[key]:g}, not {value:g}" for key, value in rule.equals.items() if found[key] != value]
        total = sum(rule.equals.values())
        return _listed(other) if other else f"as published, {total:g} in all" if total else "none"
    values = table[columns[0]].dropna()
    if not len(values):
        return "nothing"
    if rule.one_of is not None:
        counts = values.map(lambda value: str(value) or "none")
        return _listed([f"{value} ({count})" for value, count in counts.value_counts().sort_index().items()])
    low, high = float(values.min()), float(values.max())
    return f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"


def _listed(items: list[str]) -> str:
    return ", ".join(items[:8]) + (f" and {len(items) - 8} more" if len(items) > 8 else "")


def count_words(manifest: pd.DataFrame, excluded: pd.DataFrame) -> dict[str, dict[str, dict[str, int]]]:
    """Clips by split (and ``excluded``), by word of the publisher's vocabulary, by dataset."""
    both = pd.concat(
        [
            manifest[["dataset", "split", "native_labels"]],
            excluded[["dataset", "split", "native_labels"]].assign(split="excluded"),
        ]
    )
    words = both.assign(word=both["native_labels"].fillna("").astype(str).str.split(";")).explode("word")
    sizes = words[words["word"] != ""].groupby(["dataset", "word", "split"]).size().rename("clips").reset_index()
    counts: dict[str, dict[str, dict[str, int]]] = {}
    for dataset, word, split, clips in sizes.itertuples(index=False):
        counts.setdefault(dataset, {}).setdefault(word, {})[split] = int(clips)
    return counts


def describe(results: tuple[RuleResult, ...]) -> list[str]:
    """Lines that name expectations that do not hold and the first rows that break them."""
    lines = []
    for result in results:
        lines.append(f"  {result.rule.name}: {result.rule.says}; {result.unexpected_count} do not:")
        lines += [f"    {subject}  ({result.rule.columns[-1]} {show(value)})" for subject, value in result.examples]
        if result.unexpected_count > len(result.examples):
            lines.append(f"    ... and {result.unexpected_count - len(result.examples)} more")
    return lines


def failure_message(validation: Validation) -> str:
    """Names each expectation that stops the pipeline and the first rows that break it."""
    title = f"{len(validation.stopping)} of {len(validation.results)} expectations about the data do not hold"
    return "\n".join([title, *describe(validation.stopping)])


def show(value: Any) -> str:
    """A cell's value, short enough for a line."""
    if isinstance(value, float | np.floating):
        return f"{value:.6g}"
    text = str(value)
    return text if len(text) <= 100 else f"{text[:96]}..."


def write_page(validation: Validation, docs: Path) -> None:
    """Writes ``index.html``, one page without outside resources, into the folder of results."""
    sections: list[tuple[str | None, list[RuleResult]]] = [(None, [])]
    sections += [(name, []) for name in validation.datasets]
    by_dataset = dict(sections)
    for result in validation.results:
        by_dataset[result.rule.dataset if result.rule.dataset in by_dataset else None].append(result)
    reasons: dict[str, list[str]] = {}
    for name, reason in validation.skipped.items():
        reasons.setdefault(reason, []).append(name)
    page = render(
        "validation.html.j2",
        validation=validation,
        sections=sections,
        charts={name: _chart(name, words) for name, words in validation.counts.items()},
        reasons=reasons,
        raw=RAW,
        show=show,
    )
    (docs / "index.html").write_text(page, encoding="utf-8")


def _chart(dataset: str, words: dict[str, dict[str, int]]) -> list[tuple[str, list[tuple[str, int]]]]:
    """The bars of a chart: class, and its clips by split in the order they are stacked."""
    order = (*SPLITS, "excluded")
    shown = sorted(words, key=lambda word: (-sum(words[word].values()), word))[:_BARS]
    bars = [(word, [(split, words[word][split]) for split in order if split in words[word]]) for word in shown]
    if dataset != "musicnet":
        return bars
    return [(f"{word} {MUSICNET[int(word)]}" if word in map(str, MUSICNET) else word, parts) for word, parts in bars]
