"""What the steps depend on about the models: a change touches the models it is about, and no others."""

import inspect
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from pipelines.plan import describe_model, main
from tests.corpus import tiny_params
from tutti.config import Config, parse_config
from tutti.files import sha256_tree

AST = {"ast_bs", "ast_tl", "ast_nrp", "ast_cnnrp", "ast_urp"}


@pytest.fixture(scope="module")
def everything() -> Config:
    return parse_config(tiny_params())


def plan(folder: Path, name: str, text: str) -> Path:
    (folder / f"{name}.yaml").write_text(text)
    assert main(["--params", str(folder / f"{name}.yaml"), "--output", str(folder / name)]) == 0
    return folder / name


def test_every_model_gets_a_plan(tmp_path: Path) -> None:
    folder = plan(tmp_path, "plan", tiny_params("rf", "cbam_cnn"))
    assert sorted(path.name for path in (folder / "models").iterdir()) == ["cbam_cnn.json", "rf.json"]
    assert set(json.loads((folder / "features.json").read_text())) == {"irmas-9", "openmic-20"}
    forest = json.loads((folder / "models/rf.json").read_text())
    assert "tutti.models.rf" in forest["code"]
    assert "tutti.frontends.summary" in forest["code"]
    assert not [name for name in forest["code"] if "cbam" in name]


def test_a_learning_rate_changes_no_plan(tmp_path: Path) -> None:
    before = tiny_params("cbam_cnn", "rf")
    changed = yaml.safe_load(before)
    changed["models"]["cbam_cnn"]["train"].update(learning_rate=0.5, epochs=99)
    changed["models"]["rf"]["forest"].update(trees=3)
    first = plan(tmp_path, "first", before)
    assert sha256_tree(first) == sha256_tree(plan(tmp_path, "second", yaml.safe_dump(changed)))
    changed["models"]["cbam_cnn"]["preset"] = "paper"
    other = plan(tmp_path, "third", yaml.safe_dump(changed))
    assert (other / "features.json").read_bytes() != (first / "features.json").read_bytes()
    assert (other / "models/rf.json").read_bytes() == (first / "models/rf.json").read_bytes()


@pytest.mark.parametrize(
    ("module", "touched"),
    [
        ("tutti.models.input_transforms", {*AST, "cnn_bs", "cnn_bs_pooled"}),
        ("tutti.models.vit", {*AST, "passt", "passt_real"}),
        ("tutti.models.attention_mic", {"attention_mic", "attention_negatives", "attention_enhanced", "mean_teacher"}),
        ("tutti.models.mean_teacher", {"mean_teacher"}),
        ("tutti.frontends.summary", {"rf"}),
        ("tutti.frontends.mfcc", {"mfcc_cnn", "mfcc_transformer"}),
        # Which models there are, and what each promises, says nothing about how one is made.
        ("tutti.models.registry", set()),
    ],
)
def test_changed_code_touches_the_models_made_of_it(
    module: str, touched: set[str], everything: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {name: describe_model(name, everything) for name in everything.models}
    read = inspect.getsource

    def edited(found: ModuleType) -> str:
        return read(found) + ("# edited\n" if found.__name__ == module else "")

    monkeypatch.setattr(inspect, "getsource", edited)
    assert {name for name in everything.models if describe_model(name, everything) != before[name]} == touched


def test_two_names_of_a_model_have_the_same_plan(everything: Config) -> None:
    assert describe_model("passt_real", everything) == describe_model("passt", everything)
    described: dict[str, Any] = describe_model("mean_teacher", everything)
    assert described["model"] == "mean_teacher"
    assert json.loads(json.dumps(described)).keys() == described.keys()


def test_wrong_parameters_leave_no_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "params.yaml").write_text(tiny_params("cbam_cnn").replace("preset: mini", "preset: published"))
    assert main(["--params", str(tmp_path / "params.yaml"), "--output", str(tmp_path / "plan")]) == 2
    assert "cbam_cnn has no preset 'published'" in capsys.readouterr().err
    assert not (tmp_path / "plan").exists()
