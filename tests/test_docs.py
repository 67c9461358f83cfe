"""The written docs agree with the code where a machine can tell."""

import json
import re
from pathlib import Path

import pytest

from tutti import errors
from tutti.config import load_config
from tutti.errors import AudioDecodeError
from tutti.models import get_model, list_models
from tutti.training.plans import plan_sets

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not broken


@pytest.mark.parametrize("path", sorted((ROOT / "params").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_parameters_of_the_papers_are_valid(path: Path) -> None:
    config = load_config(path)
    # Under a model's own name stands the published one; variants of ours have names of their own.
    own = {name: model.preset for name, model in config.models.items() if model.model is None}
    assert set(own.values()) <= {"paper", "published"}
    assert set(own) == {entry.name for entry in list_models() if entry.system == path.stem}
    assert {get_model(config.registry_name(name)).system for name in config.models} == {path.stem}
    assert plan_sets(config)


def test_the_catalogue_of_errors_is_complete() -> None:
    text = (ROOT / "docs/serving.md").read_text(encoding="utf-8")
    listed = {code: int(status) for code, status in re.findall(r"^\| `(\w+)` \| (\d{3}) \|", text, re.MULTILINE)}
    assert listed.pop("internal") == 500
    assert listed == AudioDecodeError.STATUS


def test_every_model_has_its_row_of_published_and_own_numbers() -> None:
    text = (ROOT / "docs/reproductions.md").read_text(encoding="utf-8")
    rows: dict[str, str] = {}
    for name, row in re.findall(r"^\| `(\w+)` \| (.+) \|$", text, re.MULTILINE):
        rows[name] = rows.get(name, "") + row
    # Other tests register models of their own.
    entries = [entry for entry in list_models() if entry.factory.__module__.startswith("tutti.")]
    assert set(rows) == {entry.name for entry in entries}
    for entry in entries:
        size = entry.preset("paper").trainable_params
        assert ("grows with the data" if size is None else f"{size:,}") in rows[entry.name], entry.name


def test_our_numbers_are_those_of_the_committed_run() -> None:
    text = (ROOT / "docs/reproductions.md").read_text(encoding="utf-8")
    for name, row in re.findall(r"^\| `?(\w+)`? \| (.+) \|$", text, re.MULTILINE):
        metrics = ROOT / f"reports/metrics/{name}.json"
        if not metrics.exists():
            continue
        test = json.loads(metrics.read_text(encoding="utf-8"))["test"]
        known = {f"{value:.3f}" for value in test.values() if isinstance(value, float)}
        ours = re.findall(r"\*\*(\d\.\d+)\*\*", row)
        assert ours, name
        assert set(ours) <= known, name


def test_every_exit_code_is_listed() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Exit codes")[2].partition("##")[0]
    codes = {cls.exit_code for cls in (errors.TuttiError, *errors.TuttiError.__subclasses__())}
    listed = {int(code) for code in re.findall(r"\b(\d+)\s[a-z]+", text)}
    assert codes | {0, 130} == listed
