"""The written docs agree with the code where a machine can tell."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tutti import errors
from tutti.config import parse_config
from tutti.errors import AudioDecodeError
from tutti.models import list_models

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not broken


def test_the_parameters_of_the_papers_are_valid() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/real-data.md").read_text(encoding="utf-8"), re.DOTALL)
    params: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for block in blocks:
        for section, values in yaml.safe_load(block).items():
            params[section].update(values)
    config = parse_config(yaml.safe_dump(params))
    assert {model.preset for model in config.models.values()} == {"paper"}


def test_the_catalogue_of_errors_is_complete() -> None:
    text = (ROOT / "docs/serving.md").read_text(encoding="utf-8")
    listed = {code: int(status) for code, status in re.findall(r"^\| `(\w+)` \| (\d{3}) \|", text, re.MULTILINE)}
    assert listed.pop("internal") == 500
    assert listed == AudioDecodeError.STATUS


def test_the_table_of_models_is_the_registry() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|", text, re.MULTILINE))
    # Other tests register models of their own.
    entries = [entry for entry in list_models() if entry.factory.__module__.startswith("tutti.")]
    assert set(listed) == {entry.name for entry in entries}
    for entry in entries:
        sizes = [entry.preset(name).trainable_params for name in ("paper", "mini")]
        wanted = " / ".join(f"{size:,}" for size in sizes if size is not None) or "grows with the data"
        assert listed[entry.name].removesuffix(" parameters") == wanted


def test_every_exit_code_is_listed() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Exit codes")[2].partition("##")[0]
    codes = {cls.exit_code for cls in (errors.TuttiError, *errors.TuttiError.__subclasses__())}
    listed = {int(code) for code in re.findall(r"\b(\d+)\s[a-z]+", text)}
    assert codes | {0, 130} == listed
