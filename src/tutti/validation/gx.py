"""The one module that speaks Great Expectations: our rules become a suite, its results become ours.

The import takes seconds and hundreds of megabytes, so it happens inside `run_rules` and nowhere else.
"""

import logging
import os
import re
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pandas as pd

from tutti.validation.rules import TABLES, Rule, RuleResult

#: Offending rows that are named per expectation.
EXAMPLES = 10

#: Stands in for the clock, so that the same data give the same pages and DVC sees no change.
_RUN_TIME = datetime(2000, 1, 1, tzinfo=UTC)


def run_rules(rules: Sequence[Rule], tables: dict[str, pd.DataFrame], docs: Path | None) -> list[RuleResult]:
    """Checks the rules with Great Expectations and writes its data docs.

    Each table is a batch with a validation definition of its own; one checkpoint runs them all.

    Args:
        rules: The expectations.
        tables: A table for each that a rule names, with a column ``subject``.
        docs: Existing folder that receives the data docs, entry ``index.html``; None for no pages, which is quicker.

    Returns:
        One result per rule, in the order of ``rules``.

    Raises:
        RuntimeError: Great Expectations could not evaluate a rule; that is a bug in the rule or its table.
    """
    # Before the import, which reads it: validation sends nothing anywhere.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    from great_expectations.checkpoint import UpdateDataDocsAction
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.base import ProgressBarsConfig

    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    if docs is not None:
        site: Any = {
            "class_name": "SiteBuilder",
            "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(docs.resolve())},
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        }
        context.add_data_docs_site("tutti", site)
    source = context.data_sources.add_pandas("tutti")
    with tempfile.TemporaryDirectory() as folder:
        definitions = []
        for name in TABLES:
            expectations = [_expectation(rule) for rule in rules if rule.table == name]
            if not expectations:
                continue
            # A checkpoint passes one data frame to all its batches; several tables therefore go through files.
            path = Path(folder) / f"{name}.parquet"
            tables[name].to_parquet(path, index=False)
            asset: Any = source.add_parquet_asset(name, path=path)
            batch = asset.add_batch_definition("all rows")
            suite = context.suites.add(gx.ExpectationSuite(name=name, expectations=expectations))
            definition = gx.ValidationDefinition(name=name, data=batch, suite=suite)
            definitions.append(context.validation_definitions.add(definition))
        checkpoint = gx.Checkpoint(
            name="tutti",
            validation_definitions=definitions,
            actions=[UpdateDataDocsAction(name="docs", site_names=["tutti"])] if docs is not None else [],
            result_format={
                "result_format": "SUMMARY",
                "partial_unexpected_count": EXAMPLES,
                "unexpected_index_column_names": ["subject"],
            },
        )
        outcome = context.checkpoints.add(checkpoint).run(run_id=RunIdentifier("data", _RUN_TIME))
        if docs is not None:
            _make_reproducible(docs, folder)
    found: dict[str, Any] = {
        cast(Any, result.expectation_config).meta["rule"]: result
        for validation in outcome.run_results.values()
        for result in validation.results
    }
    return [_result(rule, found[rule.name]) for rule in rules]


def _expectation(rule: Rule) -> Any:
    from great_expectations import expectations as gxe

    about: dict[str, Any] = {"description": rule.says, "meta": {"rule": rule.name}}
    if rule.unique:
        if len(rule.columns) == 1:
            return gxe.ExpectColumnValuesToBeUnique(column=rule.columns[0], **about)
        return gxe.ExpectCompoundColumnsToBeUnique(
            column_list=list(rule.columns), ignore_row_if="any_value_is_missing", **about
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
    examples = tuple((str(row["subject"]), row[rule.columns[-1]]) for row in rows[:EXAMPLES])
    return RuleResult(rule, bool(result.success), int(result.result.get("unexpected_count", 0)), examples)


def _exceptions(info: dict[str, Any]) -> list[dict[str, Any]]:
    """Exception records, which come either bare or one per metric."""
    return [info] if "raised_exception" in info else [value for value in info.values() if isinstance(value, dict)]


def _make_reproducible(docs: Path, folder: str) -> None:
    """Takes clock times, random ids, the temporary folder and a remote logo with a clock in it off the pages."""
    for page in sorted(docs.rglob("*.html")):
        text = page.read_text(encoding="utf-8").replace(f"{folder}{os.sep}", "")
        depth = len(page.relative_to(docs).parts) - 1
        logo = f'"{"../" * depth}static/images/logo-long.png"'
        text = re.sub(r'"https://[^"]*/logo-long\.png\?d=[^"]*"', logo, text)
        text = re.sub(r"\b(?!20000101T)\d{8}T\d{6}\.\d{6}Z", "20000101T000000.000000Z", text)
        numbers: dict[str, str] = {}
        text = re.sub(
            r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b",
            lambda match: numbers.setdefault(match.group(), str(len(numbers))),  # noqa: B023  used at once
            text,
        )
        page.write_text(text, encoding="utf-8")
