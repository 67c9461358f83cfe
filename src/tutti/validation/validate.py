"""Validation of a manifest: tables, rules, results, pages."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from tutti.config import ValidateParams
from tutti.errors import DataError
from tutti.files import atomic_folder
from tutti.validation.gx import run_rules
from tutti.validation.report import RAW, Validation, count_words, describe, observe, write_page
from tutti.validation.rules import load_suites, official_datasets, select_rules
from tutti.validation.tables import build_tables, task_dataset

log = logging.getLogger(__name__)


def check(
    manifest: pd.DataFrame,
    probes: pd.DataFrame,
    datasets: dict[str, dict[str, Any]],
    params: ValidateParams,
    *,
    excluded: pd.DataFrame | None = None,
    raw: Path | None = None,
) -> Validation:
    """Checks every expectation of the suites.

    Args:
        manifest: One row per clip, see `tutti.datasets.manifest.COLUMNS`.
        probes: One row per clip: clip_id, decodable, fault (why not), rms_dbfs (dBFS), peak, clipped_share (in [0, 1]),
            content_sha256.
        datasets: Facts about each dataset by name.
        params: The bounds.
        excluded: The clips on the exclusion list, see `tutti.datasets.exclusions.exclude`; None for none.
        raw: JSON file for Great Expectations' own results, None for no file.

    Raises:
        DataError: There is no clip at all.
        ConfigError: ``params.severity`` names no expectation.
    """
    if not len(manifest):
        raise DataError(
            "the datasets hold no clips",
            hint="check the `data` section of params.yaml, the data folder and the exclusion list",
        )
    if excluded is None:
        excluded = manifest.iloc[:0].assign(reason="")
    task = task_dataset(manifest)
    suites = load_suites(params)
    official = official_datasets(suites, datasets, params.official)
    present = set(manifest["dataset"].dropna()) | set(excluded["dataset"])
    rules, skipped = select_rules(suites, present=present, task=task, official=official)
    for reason in dict.fromkeys(skipped.values()):
        names = [name for name, why in skipped.items() if why == reason]
        log.info("%d expectation(s) are left out: %s", len(names), reason)
    tables = build_tables(manifest, probes, excluded)
    outcome = Validation(
        results=tuple(run_rules(rules, tables, raw)),
        skipped=skipped,
        observed={rule.name: observe(rule, tables) for rule in rules},
        task=task,
        clips=len(manifest),
        datasets={name: {**facts, "official": name in official} for name, facts in datasets.items()},
        excluded=excluded,
        counts=count_words(manifest, excluded),
    )
    log.info("%d of %d expectations hold over %d clips", len(rules) - len(outcome.failed), len(rules), len(manifest))
    for line in describe(outcome.warnings):
        log.warning("%s", line.removeprefix("  "))
    return outcome


def validate(
    manifest: pd.DataFrame,
    probes: pd.DataFrame,
    datasets: dict[str, dict[str, Any]],
    params: ValidateParams,
    docs: Path,
    *,
    excluded: pd.DataFrame | None = None,
) -> Validation:
    """Does what `check` does and writes the page, whatever the outcome.

    Args:
        manifest: See `check`; the others likewise.
        probes: See `check`.
        datasets: See `check`.
        params: See `check`.
        docs: The folder of results, replaced as a whole: ``index.html`` is the page, ``great_expectations.json`` what
            Great Expectations returned.
        excluded: See `check`.

    Raises:
        DataError: There is no clip at all.
        ConfigError: ``params.severity`` names no expectation.
    """
    with atomic_folder(docs) as folder:
        outcome = check(manifest, probes, datasets, params, excluded=excluded, raw=folder / RAW)
        write_page(outcome, folder)
    return outcome
