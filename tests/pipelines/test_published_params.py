"""The parameters of each published system run from the data to the report, whatever the task is."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.corpus import irmas_members, musicnet_members, tiny_params, write_tar, write_zip
from tests.pipelines.conftest import ROOT, Project

pytestmark = pytest.mark.slow

#: Models of each file that are enough to take every step; the others differ in their networks alone.
KEPT = {
    "ast-reprogramming": ("ast_nrp", "rf"),
    "irmas-two-stage": ("cnn1d_stage1", "tl_classifier"),
    "musicnet-mfcc": ("mfcc_cnn",),
    "real-and-synthetic": ("cbam_cnn",),
}
FILES = sorted((ROOT / "params").glob("*.yaml"))


@pytest.fixture(scope="module")
def project(make_project: Callable[..., Project]) -> Project:
    """A project with songs and recordings enough for three splits of each task."""
    made = make_project("rf")
    for name, members in irmas_members(songs=6).items():
        write_zip(made.root / "data/irmas" / name, members)
    write_tar(made.root / "data/musicnet/musicnet.tar.gz", musicnet_members(takes=3))
    return made


def test_every_file_is_run() -> None:
    assert [path.stem for path in FILES] == sorted(KEPT)


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_a_published_system_runs_to_its_report(file: Path, project: Project) -> None:
    work, params = f"artifacts/{file.stem}", project.root / file.name
    params.write_text(tiny_params(*KEPT[file.stem], file=f"params/{file.name}"), encoding="utf-8")
    done = project.run(
        *("python", "-m", "pipelines.run", "--local", "--all-models", "--data", "data", "--params", file.name),
        *("--work", work),
    )
    assert "gate: pass" in done.stdout
    (run,) = (project.root / work / "runs").iterdir()
    contracts = [json.loads(path.read_text()) for path in run.glob("train*/bundle/contract.json")]
    assert {contract["model"] for contract in contracts} == set(KEPT[file.stem])
    (page,) = run.glob("report/*/index.html")
    text = page.read_text(encoding="utf-8")
    images = re.findall(r'<img[^>]*src="([^"]+)"', text)
    assert len(images) >= 5
    assert all((page.parent / image).is_file() for image in images)
    ensemble = json.loads((run / "select" / "metrics").read_text())
    labels = next(contract["labels"] for contract in contracts if contract["model"] in ensemble["members"])
    assert all(label.replace("_", " ") in text for label in labels)
