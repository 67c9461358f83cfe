"""The one module that speaks Great Expectations: our rules become suites, its results become ours.

The import takes seconds and hundreds of megabytes, so it happens inside `run_rules` and nowhere else. Its own pages are
not written, because they take their style and scripts from the network; its results are kept as JSON.
"""

import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pandas as pd

from tutti.files import write_json
from tutti.validation.rules import Rule, RuleResult

#: Offending rows that are named per expectation.
EXAMPLES = 10

#: Ids that are drawn anew in every run.
_RANDOM = frozenset({"batch_id", "id"})


def run_rules(rules: Sequence[Rule], tables: Mapping[str, pd.DataFrame], raw: Path | None) -> list[RuleResult]:
    """Checks the rules with Great Expectations.

    The rows that rules look at are a batch with a suite and a validation definition of their own; one checkpoint runs
    them all.

    Args:
        rules: The expectations.
        tables: A table for each that a rule names, with a column ``subject``.
        raw: JSON file that receives Great Expectations' own results by suite; None for no file.

    Returns:
        One result per rule, in the order of ``rules``.

    Raises:
        RuntimeError: Great Expectations could not evaluate a rule; that is a bug in the rule or its table.
    """
    # Before the import, which reads it: validation sends nothing anywhere.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    for name in ("great_expectations", "great_expectations.data_context.types.base"):  # the latter has its own level
        logging.getLogger(name).setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    source = context.data_sources.add_pandas("tutti")
    batches: dict[str, list[Rule]] = {}
    for rule in rules:
        batches.setdefault(rule.batch, []).append(rule)
    with tempfile.TemporaryDirectory() as folder:
        definitions = []
        for number, (name, looking) in enumerate(batches.items()):
            # A checkpoint passes one data frame to all its batches; several tables therefore go through files.
            path = Path(folder) / f"{number}.parquet"
            _batch(looking, tables).to_parquet(path, index=False)
            asset: Any = source.add_parquet_asset(name, path=path)
            batch = asset.add_batch_definition("all rows")
            suite = context.suites.add(gx.ExpectationSuite(name=name, expectations=[_expectation(r) for r in looking]))
            definition = gx.ValidationDefinition(name=name, data=batch, suite=suite)
            definitions.append(context.validation_definitions.add(definition))
        checkpoint = gx.Checkpoint(
            name="tutti",
            validation_definitions=definitions,
            actions=[],
            result_format={
                "result_format": "SUMMARY",
                "partial_unexpected_count": EXAMPLES,
                "unexpected_index_column_names": ["subject"],
            },
        )
        outcome = context.checkpoints.add(checkpoint).run()
    found: dict[str, Any] = {
        cast(Any, result.expectation_config).meta["rule"]: result
        for validation in outcome.run_results.values()
        for result in validation.results
    }
    results = [_result(rule, found[rule.name]) for rule in rules]
    if raw is not None:
        described = {
            name: [_reproducible(found[rule.name].to_json_dict()) for rule in looking]
            for name, looking in batches.items()
        }
        write_json(raw, {"great_expectations": gx.__version__, "suites": described})
    return results


def _batch(rules: Sequence[Rule], tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The rows that rules of one batch look at; what ``equals`` accepts is a column named after its rule."""
    rows = rules[0].rows(tables)
    for rule in rules:
        if rule.equals is not None:
            unknown = sorted(set(rule.equals) - set(rows["key"]))
            if unknown:
                raise RuntimeError(f"{rule.name} speaks of {', '.join(unknown)}, which {rule.table} has no rows for")
            rows[rule.name] = rows["key"].map(dict(rule.equals)).astype(float)
            rows[rule.columns[0]] = rows[rule.columns[0]].astype(float)
    return rows


def _expectation(rule: Rule) -> Any:
    from great_expectations import expectations as gxe

    about: dict[str, Any] = {
        "description": rule.says,
        "meta": {"rule": rule.name, "severity": rule.severity},
        "severity": "critical" if rule.severity == "stop" else "warning",
    }
    if rule.unique:
        if len(rule.columns) == 1:
            return gxe.ExpectColumnValuesToBeUnique(column=rule.columns[0], **about)
        return gxe.ExpectCompoundColumnsToBeUnique(
            column_list=list(rule.columns), ignore_row_if="any_value_is_missing", **about
        )
    if rule.equals is not None:
        return gxe.ExpectColumnPairValuesToBeEqual(
            column_A=rule.columns[0], column_B=rule.name, ignore_row_if="either_value_is_missing", **about
        )
    about |= {"column": rule.columns[0], "mostly": 1.0 - rule.allow}
    if rule.one_of is not None:
        return gxe.ExpectColumnValuesToBeInSet(value_set=list(rule.one_of), **about)
    assert rule.between is not None
    low, high = rule.between
    return gxe.ExpectColumnValuesToBeBetween(min_value=low, max_value=high, **about)


def _result(rule: Rule, result: Any) -> RuleResult:
    raised = [
        info["exception_message"] for info in _exceptions(result.exception_info or {}) if info.get("raised_exception")
    ]
    if raised:
        raise RuntimeError(f"Great Expectations could not evaluate {rule.name}: {raised[0]}")
    rows = result.result.get("partial_unexpected_index_list") or []
    examples = tuple((str(row["subject"]), _offending(rule, row)) for row in rows[:EXAMPLES])
    return RuleResult(rule, bool(result.success), int(result.result.get("unexpected_count", 0)), examples)


def _offending(rule: Rule, row: Mapping[str, Any]) -> Any:
    value = row[rule.columns[-1]]
    return value if rule.equals is None else f"{value:g}, published {row[rule.name]:g}"


def _exceptions(info: dict[str, Any]) -> list[dict[str, Any]]:
    """Exception records, which come either bare or one per metric."""
    return [info] if "raised_exception" in info else [value for value in info.values() if isinstance(value, dict)]


def _reproducible(value: Any) -> Any:
    """A result without random ids, so that the same data give the same file and DVC sees no change."""
    if isinstance(value, dict):
        return {key: _reproducible(item) for key, item in value.items() if key not in _RANDOM}
    return [_reproducible(item) for item in value] if isinstance(value, list) else value
