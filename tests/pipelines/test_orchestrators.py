"""DVC and Kubeflow run the same steps: the same seed gives the same metrics, decision and model; gates stop both."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.pipelines.conftest import Project
from tutti.files import sha256_tree

pytestmark = pytest.mark.slow

MODELS = ("rf", "cbam_cnn")
KUBEFLOW = "artifacts/kubeflow"


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def champion(registry: Path) -> dict[str, str]:
    found: dict[str, str] = read(registry / "champion.json")
    return found


def strict(project: Project, name: str, *models: str) -> Path:
    """Writes parameters with a floor that nothing reaches."""
    params = yaml.safe_load((project.root / "params.yaml").read_text())
    params["gate"]["min_map"] = 1.0
    if models:
        params["models"] = {model: params["models"][model] for model in models}
        params["select"]["models"] = params["repeat"]["models"] = list(models)
    (project.root / name).write_text(yaml.safe_dump(params, sort_keys=False))
    return project.root / name


@pytest.fixture(scope="module")
def project(make_project: Callable[..., Project]) -> Project:
    """A project whose pipeline was run by DVC."""
    made = make_project(*MODELS)
    made.run("dvc", "repro")
    return made


@pytest.fixture(scope="module")
def kubeflow(project: Project) -> tuple[Project, Path, str]:
    """The same project, its Kubeflow run's folder, and what that printed."""
    done = project.run("python", "-m", "pipelines.run", "--local")
    (folder,) = (project.root / KUBEFLOW / "runs").iterdir()
    return project, folder, done.stdout


def test_a_second_repro_does_nothing(project: Project) -> None:
    # The champion was promoted by the first: it must not bring the gate to judge again.
    assert champion(project.root / "registry")
    output = project.run("dvc", "repro").stdout
    assert "Running stage" not in output
    assert "Data and pipelines are up to date." in output


def test_the_stages_leave_what_they_promise(project: Project) -> None:
    assert (project.root / "reports/html/index.html").is_file()
    assert (project.root / "artifacts/validation/index.html").is_file()
    assert (project.root / "reports/systems/index.html").is_file()
    assert (project.root / "artifacts/repeats/rf/scores.csv").is_file()
    assert read(project.root / "reports/smoke.json")["passed"]
    assert not list((project.root / "artifacts/state").glob("*"))
    shown = json.loads(project.run("dvc", "metrics", "show", "--json").stdout)[""]["data"]
    assert set(shown) == {f"reports/metrics/{name}.json" for name in (*MODELS, "ensemble")}


def test_plots_can_be_shown(project: Project) -> None:
    project.run("dvc", "plots", "show", "--out", "dvc_plots")
    page = (project.root / "dvc_plots/index.html").read_text()
    assert "Average precision by class" in page
    assert "mallet_percussion" in page


def test_metrics_and_decision_are_the_same(kubeflow: tuple[Project, Path, str]) -> None:
    project, folder, _ = kubeflow
    measured = {document["model"]: document for document in map(read, folder.glob("evaluate*/metrics"))}
    assert set(measured) == set(MODELS)
    gathered, candidates = folder / f"gather-{len(MODELS)}", project.root / "artifacts/candidates"
    for name in MODELS:
        assert read(project.root / f"reports/metrics/{name}.json") == measured[name]
        for ours, theirs in (("evaluation", "evaluations"), ("models", "models")):
            assert sha256_tree(candidates / ours / name) == sha256_tree(gathered / theirs / name)
    assert read(project.root / "reports/metrics/ensemble.json") == read(folder / "select" / "metrics")
    assert read(project.root / "reports/decision.json") == read(folder / "gate" / "decision")
    assert read(folder / "select" / "metrics")["test"]["map"] > 0


def test_the_published_model_is_the_same(kubeflow: tuple[Project, Path, str]) -> None:
    project, _, _ = kubeflow
    assert champion(project.root / "registry") == champion(project.root / KUBEFLOW / "registry")


def test_the_run_is_summed_up(kubeflow: tuple[Project, Path, str]) -> None:
    _, _, printed = kubeflow
    lines = printed.splitlines()
    tasks = [line.split("  ")[1] for line in lines if line.rstrip().endswith(" s") and " ok " in line]
    assert {"train rf", "pretrain cbam_cnn", "train cbam_cnn", "smoke", "publish", "report"} <= set(tasks)
    assert "gate: pass" in lines
    assert "synthetic test data (openmic):" in lines
    assert not any("KFP Executor" in line for line in lines)


def test_a_failed_gate_stops_kubeflow(kubeflow: tuple[Project, Path, str]) -> None:
    project, _, _ = kubeflow
    registry = project.root / KUBEFLOW / "registry"
    before = champion(registry)
    params = strict(project, "strict.yaml", "rf")
    done = project.run(
        *("python", "-m", "pipelines.run", "--local", "--params", params.name, "--work", "artifacts/strict"),
        *("--registry", str(registry)),
        ok=False,
    )
    assert done.returncode == 5
    assert "gate: fail" in done.stdout
    assert "is below the floor of 1" in done.stdout
    assert "may not ship" in done.stderr
    assert "Traceback" not in done.stderr
    (folder,) = (project.root / "artifacts/strict/runs").iterdir()
    assert [line.split()[:2] for line in done.stdout.splitlines() if "failed" in line] == [["reject", "failed"]]
    assert not (folder / "package").exists()
    assert champion(registry) == before
    decision = read(folder / "gate" / "decision")
    assert decision["champion"] == before["digest"]


def test_a_failed_gate_stops_dvc(kubeflow: tuple[Project, Path, str]) -> None:
    project, _, _ = kubeflow
    before = champion(project.root / "registry")
    kept = (project.root / "params.yaml").read_text()
    strict(project, "params.yaml")
    try:
        done = project.run("dvc", "repro", ok=False)
    finally:
        (project.root / "params.yaml").write_text(kept)
    assert done.returncode != 0
    assert "may not ship" in done.stderr
    assert "Running stage 'train" not in done.stdout
    assert "Running stage 'package'" not in done.stdout
    assert read(project.root / "reports/decision.json")["decision"] == "fail"
    assert champion(project.root / "registry") == before


def test_a_failed_task_is_explained(kubeflow: tuple[Project, Path, str], tmp_path: Path) -> None:
    project, _, _ = kubeflow
    (tmp_path / "data" / "openmic").mkdir(parents=True)
    done = project.run(
        *("python", "-m", "pipelines.run", "--local", "--data", str(tmp_path / "data"), "--work", str(tmp_path / "w")),
        ok=False,
    )
    assert done.returncode == 3
    assert "the task 'validate' failed" in done.stderr
    assert "Traceback" not in done.stderr
    assert str(tmp_path / "w/logs/run.log") in done.stderr
