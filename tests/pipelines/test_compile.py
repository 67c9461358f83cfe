"""The compiled pipeline: its tasks, edges, branches, images and resources, compared with a snapshot."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.compile import compile_pipeline, main, read_params
from pipelines.resources import load_resources
from tests.corpus import tiny_params
from tutti.config import parse_config
from tutti.errors import ConfigError

SNAPSHOT = Path(__file__).with_name("training_ir.json")


def compiled(tmp_path: Path, text: str, *, all_models: bool = False) -> dict[str, Any]:
    (tmp_path / "params.yaml").write_text(text)
    compile_pipeline(tmp_path / "params.yaml", tmp_path / "pipeline.yaml", all_models=all_models)
    (document,) = yaml.safe_load_all((tmp_path / "pipeline.yaml").read_text())
    return dict(document)


def digest_of(ir: dict[str, Any]) -> dict[str, Any]:
    """What a person would want to know of a change: names, order, conditions, caching, images, resources."""

    def tasks(graph: dict[str, Any]) -> dict[str, Any]:
        found = {}
        for name, task in sorted(graph["tasks"].items()):
            component = ir["components"][task["componentRef"]["name"]]
            entry: dict[str, Any] = {"title": task["taskInfo"]["name"], "after": task.get("dependentTasks", [])}
            if "triggerPolicy" in task:
                entry["condition"] = task["triggerPolicy"]["condition"]
            if "dag" in component:
                entry["tasks"] = tasks(component["dag"])
            else:
                container = ir["deploymentSpec"]["executors"][component["executorLabel"]]["container"]
                entry["image"] = container["image"]
                entry["resources"] = container.get("resources")
                entry["cached"] = task["cachingOptions"].get("enableCache", False)
            found[name] = entry
        return found

    return tasks(ir["root"]["dag"])


def test_the_pipeline_is_the_snapshot(tmp_path: Path) -> None:
    # A wanted change: python -m tests.pipelines.test_compile writes it anew; read the difference.
    found = digest_of(compiled(tmp_path, tiny_params("rf", "cbam_cnn")))
    assert found == json.loads(SNAPSHOT.read_text())


def test_models_are_separate_tasks_with_their_own_resources(tmp_path: Path) -> None:
    params = yaml.safe_load(tiny_params("rf", "passt"))
    params["models"]["passt"].update(preset="paper", pretrain=None)
    tasks = digest_of(compiled(tmp_path, yaml.safe_dump(params, sort_keys=False)))
    assert (tasks["train"]["title"], tasks["train-2"]["title"]) == ("train rf", "train passt")
    assert tasks["train"]["image"] == "tutti-cpu:0.1.0"
    assert tasks["train-2"]["image"] == "tutti-gpu:0.1.0"
    assert tasks["train-2"]["resources"]["accelerator"]["resourceType"] == "nvidia.com/gpu"
    assert "pretrain" not in tasks


@pytest.mark.parametrize("all_models", [False, True])
def test_models_that_are_no_candidates_are_trained_on_demand(tmp_path: Path, all_models: bool) -> None:
    text = tiny_params("rf", "passt_real", "passt", select={"models": ["rf"]}, compare={"with_synthetic": "passt"})
    ir = compiled(tmp_path, text, all_models=all_models)
    found = digest_of(ir)
    trained = [task["title"] for name, task in found.items() if name.startswith("train")]
    assert sorted(trained) == (["train passt", "train passt_real", "train rf"] if all_models else ["train rf"])
    assert ("systems" in found) == all_models
    # The candidates come first, so that the ensemble waits for no other model.
    assert [task for task in found["select"]["after"] if task.startswith("gather")] == ["gather"]
    assert found["gather"]["title"] == "gather rf"
    if all_models:
        assert "gather-3" in found["systems"]["after"]
    default = parse_config(ir["root"]["inputDefinitions"]["parameters"]["params"]["defaultValue"])
    assert list(default.models) == (["rf", "passt_real", "passt"] if all_models else ["rf"])


def test_images_come_from_the_environment_when_it_is_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUTTI_IMAGE_CPU", "registry.example/tutti@sha256:0123")
    tasks = digest_of(compiled(tmp_path, tiny_params("rf")))
    assert tasks["features"]["image"] == "registry.example/tutti@sha256:0123"


def test_the_parameters_survive_as_the_default(tmp_path: Path) -> None:
    params = yaml.safe_load(tiny_params("cbam_cnn"))
    params["models"]["cbam_cnn"]["train"]["learning_rate"] = 1e-5  # YAML reads 1e-05 as text: a float must stay one
    text = "# a remark\n" + yaml.safe_dump(params)
    ir = compiled(tmp_path, text, all_models=True)
    default = ir["root"]["inputDefinitions"]["parameters"]["params"]["defaultValue"]
    assert "\n" not in default
    assert parse_config(default) == parse_config(text)
    assert parse_config(default).models["cbam_cnn"].train.learning_rate == 1e-5  # type: ignore[union-attr]


def test_a_comment_changes_no_argument(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(tiny_params("rf"))
    (tmp_path / "b.yaml").write_text("# a remark\n" + tiny_params("rf"))
    assert read_params(tmp_path / "a.yaml") == read_params(tmp_path / "b.yaml")


def test_the_command_refuses_wrong_parameters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "params.yaml").write_text(tiny_params("rf") + "surprise: 1\n")
    output = tmp_path / "pipeline.yaml"
    assert main(["--params", str(tmp_path / "params.yaml"), "--output", str(output)]) == 2
    assert "surprise" in capsys.readouterr().err
    assert not output.exists()
    assert main(["--params", str(tmp_path / "nowhere.yaml"), "--output", str(output)]) == 2


def test_the_table_of_resources_is_checked(tmp_path: Path) -> None:
    table = tmp_path / "resources.yaml"
    table.write_text("default: {cpu: lots, memory: 1Gi}\nsteps: {}\ntraining: {}\n")
    with pytest.raises(ConfigError, match="cpu"):
        load_resources(table)
    with pytest.raises(ConfigError, match="nowhere"):
        load_resources(tmp_path / "nowhere.yaml")


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        found = digest_of(compiled(Path(folder), tiny_params("rf", "cbam_cnn")))
    SNAPSHOT.write_text(json.dumps(found, indent=2) + "\n")
