"""Validation of a manifest: tables, rules, results, pages."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from tutti.config import ValidateParams
from tutti.errors import DataError
from tutti.files import atomic_folder
from tutti.validation.gx import run_rules
from tutti.validation.report import Validation, observe, write_page
from tutti.validation.rules import load_suite, split_suite
from tutti.validation.tables import build_tables, task_dataset

log = logging.getLogger(__name__)


def check(
    manifest: pd.DataFrame,
    probes: pd.DataFrame,
    datasets: dict[str, dict[str, Any]],
    params: ValidateParams,
    docs: Path | None = None,
) -> Validation:
    """Checks every expectation of the suite.

    Args:
        manifest: One row per clip, see `tutti.datasets.manifest.COLUMNS`.
        probes: One row per clip: clip_id, decodable, fault (why not), rms_dbfs (dBFS), peak, clipped_share (in [0, 1]),
            content_sha256.
        datasets: Facts about each dataset by name.
        params: The bounds.
        docs: Existing folder for Great Expectations' data docs, None for no pages.

    Raises:
        DataError: There is no clip at all.
    """
    if not len(manifest):
        raise DataError(
            "the datasets hold no clips", hint="check the `data` section of params.yaml and the data folder"
        )
    task = task_dataset(manifest)
    rules, skipped = split_suite(load_suite(params), task)
    for name, reason in skipped.items():
        log.info("expectation %s is left out: %s", name, reason)
    tables = build_tables(manifest, probes)
    outcome = Validation(
        results=tuple(run_rules(rules, tables, docs)),
        skipped=skipped,
        observed={rule.name: observe(rule, tables[rule.table]) for rule in rules},
        task=task,
        clips=len(manifest),
        datasets=datasets,
    )
    log.info("%d of %d expectations hold over %d clips", len(rules) - len(outcome.failed), len(rules), len(manifest))
    return outcome


def validate(
    manifest: pd.DataFrame,
    probes: pd.DataFrame,
    datasets: dict[str, dict[str, Any]],
    params: ValidateParams,
    docs: Path,
) -> Validation:
    """Does what `check` does and writes the pages, whatever the outcome.

    Args:
        manifest: See `check`; the others likewise.
        probes: See `check`.
        datasets: See `check`.
        params: See `check`.
        docs: The folder of pages, replaced as a whole: ``summary.html`` is ours, ``index.html`` Great Expectations'.

    Raises:
        DataError: There is no clip at all.
    """
    with atomic_folder(docs) as folder:
        outcome = check(manifest, probes, datasets, params, folder)
        write_page(outcome, folder)
    return outcome
