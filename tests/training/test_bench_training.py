"""`tutti bench train`: what is measured, not how fast this machine is."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from tests.corpus import tiny_params
from tests.training.conftest import MODELS
from tutti.benchmarks import training
from tutti.cli import app

MEASURED = ("rf", "ast_bs", "mean_teacher", "tl_classifier")


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(training, "_STEPS", 2)
    (tmp_path / "params.yaml").write_text(tiny_params(*MODELS))
    return tmp_path / "params.yaml"


def test_speed_and_arithmetic_of_every_kind_of_model(features: Path, params: Path, tmp_path: Path) -> None:
    output = tmp_path / "bench.json"
    arguments = [f"--features={features}", f"--params={params}", "--json", f"--output={output}"]
    done = CliRunner().invoke(app, ["bench", "train", *MEASURED, *arguments])
    assert done.exit_code == 0, done.output
    measured = json.loads(output.read_text())
    assert json.loads(done.stdout) == measured
    assert {"processor", "cores", "threads", "accelerator", "python", "torch", "matmul_gflops"} == set(
        measured["machine"]
    )
    assert tuple(measured["models"]) == MEASURED
    for row in measured["models"].values():
        assert set(row) == {"preset", "epoch_s", "clips_per_s", "macs", "gflops"}
        assert row["preset"] == "mini"
        assert row["epoch_s"] > 0
        assert row["clips_per_s"] > 0
    forest, frozen = measured["models"]["rf"], measured["models"]["ast_bs"]
    assert forest["macs"] is forest["gflops"] is None
    assert frozen["macs"] == 64 * 20  # the linear layer: the transformer answers once and for all
    assert measured["models"]["mean_teacher"]["macs"] > 10 * 3 * 128 * 128


def test_all_models_are_measured_unless_some_are_named(
    features: Path, params: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = yaml.safe_load(params.read_text())
    raw["models"] = {name: raw["models"][name] for name in ("rf", "attention_mic")}
    raw["select"]["models"], raw["repeat"]["models"] = ["rf"], []
    params.write_text(yaml.safe_dump(raw, sort_keys=False))
    monkeypatch.setenv("COLUMNS", "120")
    done = CliRunner().invoke(app, ["bench", "train", f"--features={features}", f"--params={params}"])
    assert done.exit_code == 0, done.output
    rows = [line.split() for line in done.stdout.splitlines() if " mini " in line]
    assert [words[1] for words in rows] == ["rf", "attention_mic"]
    assert "GFLOP/s" in done.stdout


def test_an_unknown_model_is_refused(features: Path, params: Path) -> None:
    done = CliRunner().invoke(app, ["bench", "train", "kazoo", f"--features={features}", f"--params={params}"])
    assert done.exit_code == 2
    assert "does not list kazoo" in done.stderr
    assert done.stdout == ""
