"""What a validation run leaves for people and programs: a summary as JSON, a page, and the message of a failure."""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tutti.validation.rules import Rule, RuleResult


@dataclass(frozen=True)
class Validation:
    """The outcome of a validation run.

    Attributes:
        results: One per expectation that applied.
        skipped: Reason by name for each expectation that did not.
        observed: What the data hold, by name of expectation, in words.
        task: The dataset that carries the 20-class task, None for none.
        clips: Clips in the manifest.
        datasets: Facts about each dataset by name, see `tutti.datasets.build_manifest`.
    """

    results: tuple[RuleResult, ...]
    skipped: dict[str, str]
    observed: dict[str, str]
    task: str | None
    clips: int
    datasets: dict[str, dict[str, Any]]

    @property
    def failed(self) -> tuple[RuleResult, ...]:
        """The results of the expectations that do not hold."""
        return tuple(result for result in self.results if not result.success)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able summary; the same data give the same summary."""
        kept = ("clips", "hours", "synthetic")
        return {
            "success": not self.failed,
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
                    "table": result.rule.table,
                    "success": result.success,
                    "observed": self.observed[result.rule.name],
                    "unexpected_count": result.unexpected_count,
                    "examples": [subject for subject, _ in result.examples],
                }
                for result in self.results
            ],
            "skipped": [{"name": name, "reason": reason} for name, reason in self.skipped.items()],
        }


def observe(rule: Rule, table: pd.DataFrame) -> str:
    """What a table holds where ``rule`` looks: a range, the values, or how many there are."""
    columns = list(rule.columns)
    if rule.unique:
        rows = table[columns].dropna()
        return f"{len(rows.drop_duplicates())} different among {len(rows)}"
    values = table[columns[0]].dropna()
    if not len(values):
        return "nothing"
    if rule.one_of is not None:
        counts = values.map(lambda value: str(value) or "none")
        shown = [f"{value} ({count})" for value, count in counts.value_counts().sort_index().items()]
        return ", ".join(shown[:8]) + (f" and {len(shown) - 8} more" if len(shown) > 8 else "")
    low, high = float(values.min()), float(values.max())
    return f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"


def failure_message(validation: Validation) -> str:
    """Names each failed expectation and the first rows that break it."""
    lines = [f"{len(validation.failed)} of {len(validation.results)} expectations about the data do not hold"]
    for result in validation.failed:
        lines.append(f"  {result.rule.name}: {result.rule.says}; {result.unexpected_count} do not:")
        lines += [f"    {subject}  ({result.rule.columns[-1]} {show(value)})" for subject, value in result.examples]
        if result.unexpected_count > len(result.examples):
            lines.append(f"    ... and {result.unexpected_count - len(result.examples)} more")
    return "\n".join(lines)


def show(value: Any) -> str:
    """A cell's value, short enough for a line."""
    if isinstance(value, float | np.floating):
        return f"{value:.6g}"
    text = str(value)
    return text if len(text) <= 100 else f"{text[:96]}..."


def write_page(validation: Validation, docs: Path) -> None:
    """Writes ``summary.html``, one page without outside resources, into the data docs' folder."""
    import jinja2

    source = resources.files(__package__).joinpath("templates/summary.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    page = environment.from_string(source).render(validation=validation, show=show)
    (docs / "summary.html").write_text(page, encoding="utf-8")
