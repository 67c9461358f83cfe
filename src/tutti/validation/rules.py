"""The expectations in our own terms: what suite.yaml says, filled with the bounds of params.yaml."""

from dataclasses import dataclass
from importlib import resources
from typing import Any

import yaml

from tutti.config import ValidateParams
from tutti.datasets.manifest import SPLITS

#: The tables a rule may look at, in the order they are reported.
TABLES: tuple[str, ...] = ("clips", "groups", "splits", "classes", "task")

#: Every dataset a manifest may name.
DATASETS: tuple[str, ...] = ("openmic", "irmas", "nsynth", "musicnet", "notes", "mixtures")


@dataclass(frozen=True)
class Rule:
    """One expectation.

    Attributes:
        name: Short name, unique in the suite.
        says: The expectation in words, with its bounds.
        table: The table it looks at, one of `TABLES`.
        columns: What it checks; several only for ``unique``.
        between: Smallest and largest accepted value, None for no bound; None when another check is meant.
        one_of: Accepted values; None when another check is meant.
        unique: Whether the values (of all columns together) may not repeat.
        allow: Share of the rows, in [0, 1], that may break it.
        tasks: Task datasets it makes sense for; None for any run.
    """

    name: str
    says: str
    table: str
    columns: tuple[str, ...]
    between: tuple[float | None, float | None] | None = None
    one_of: tuple[Any, ...] | None = None
    unique: bool = False
    allow: float = 0.0
    tasks: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.table not in TABLES:
            raise ValueError(f"rule {self.name!r} looks at an unknown table {self.table!r}")
        if (self.between is not None) + (self.one_of is not None) + self.unique != 1:
            raise ValueError(f"rule {self.name!r} needs exactly one of between, one_of and unique")
        if not self.unique and len(self.columns) != 1:
            raise ValueError(f"rule {self.name!r} checks several columns, which only `unique` can")


@dataclass(frozen=True)
class RuleResult:
    """What became of one expectation.

    Attributes:
        rule: The expectation.
        success: Whether it holds.
        unexpected_count: Rows that break it, also when ``rule.allow`` tolerates them.
        examples: The first of them: their subject and the offending value.
    """

    rule: Rule
    success: bool
    unexpected_count: int
    examples: tuple[tuple[str, Any], ...]


def load_suite(params: ValidateParams) -> list[Rule]:
    """The rules of suite.yaml with the bounds of ``params``."""
    values: dict[str, Any] = {**params.model_dump(), "datasets": DATASETS, "splits": SPLITS}

    def fill(value: Any) -> Any:
        if isinstance(value, str) and value.startswith("$"):
            return values[value[1:]]
        if isinstance(value, list):
            return tuple(fill(item) for item in value)
        return value

    rules = []
    for entry in yaml.safe_load(resources.files(__package__).joinpath("suite.yaml").read_text(encoding="utf-8")):
        fields = {key: fill(value) for key, value in entry.items()}
        columns = fields.pop("column")
        fields["columns"] = columns if isinstance(columns, tuple) else (columns,)
        rules.append(Rule(**{**fields, "says": fields["says"].format(**values)}))
    return rules


def split_suite(rules: list[Rule], task: str | None) -> tuple[list[Rule], dict[str, str]]:
    """The rules that apply to a run, and why the others do not.

    Args:
        rules: All rules.
        task: The dataset that carries the 20-class task, ``openmic`` or ``notes``; None when the run has neither.

    Returns:
        The rules that apply, and the reason for each rule that is left out, by name.
    """
    reason = {
        None: "no dataset of this run carries the 20 classes",
        "notes": "a folder of notes names the one instrument of each recording, so nothing is asked or left unasked",
    }
    applied = [rule for rule in rules if rule.tasks is None or task in rule.tasks]
    skipped = {rule.name: reason[task] for rule in rules if rule not in applied}
    return applied, skipped
