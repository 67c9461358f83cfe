"""The package: its content, its determinism, and what stops it."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from components.package import step
from tests.evaluation_helpers import join, make_predictions
from tests.tiny import write_test_bag
from tests.workplace import make_workplace
from tutti.bag import bag_digest
from tutti.bundle import bundle_digest
from tutti.config import parse_config
from tutti.errors import DataError, GateFailed
from tutti.evaluation.predictions import SPLITS, save_predictions
from tutti.files import sha256_tree, write_json
from tutti.predictor import Predictor
from tutti.serving.package import request_size
from tutti.tasks import get_task


@pytest.fixture(scope="module")
def made(tmp_path_factory, config):
    return make_workplace(tmp_path_factory.mktemp("package"), config)


def test_archive(made, tmp_path):
    with zipfile.ZipFile(made.package / "tutti.mar") as archive:
        names = set(archive.namelist())
        manifest = json.loads(archive.read("MAR-INF/MANIFEST.json"))
        archive.extractall(tmp_path)
        assert all(member.date_time[0] == 1980 for member in archive.infolist())
    assert {"tutti_handler.py", "model-config.yaml", "ensemble/bag.yaml"} <= names
    assert not any(name.endswith((".parquet", ".pkl", ".pt", ".csv")) for name in names)
    assert manifest["model"] == {
        "modelName": "tutti",
        "handler": "tutti_handler.py",
        "modelVersion": "1.0",
        "configFile": "model-config.yaml",
    }
    whole = Predictor.from_path(made.root / "ensemble")
    assert Predictor.from_path(tmp_path / "ensemble").digest == whole.digest
    for name in ("rf", "cbam_cnn"):
        member = made.root / "ensemble" / "members" / name
        assert bundle_digest(tmp_path / "ensemble" / "members" / name) == bundle_digest(member)


def test_manifest_is_as_the_archiver_writes_it(made, tmp_path):
    archiver = Path(sys.executable).with_name("torch-model-archiver")
    options = ["--model-name", "tutti", "--version", "1.0", "--handler", "handlers/tutti_handler.py"]
    config = made.package / "model-config.yaml"
    subprocess.run([archiver, *options, "--config-file", config, "--export-path", tmp_path], check=True)
    found = []
    for path in (tmp_path / "tutti.mar", made.package / "tutti.mar"):
        with zipfile.ZipFile(path) as archive:
            document = json.loads(archive.read("MAR-INF/MANIFEST.json"))
        document.pop("createdOn")
        found.append(document)
    assert found[0] == found[1]


def test_golden(made):
    document = json.loads((made.package / "golden" / "golden.json").read_text())
    predictor = Predictor.from_path(made.root / "ensemble")
    assert document["model"]["digest"] == predictor.digest
    assert len(document["clips"]) == 2
    for clip in document["clips"]:
        assert clip["clip_id"].startswith("openmic/")
        assert clip["synthetic"]
        assert clip["labels"]
        assert predictor.predict(made.package / "golden" / clip["file"]).to_dict() == clip["answer"]


def test_card_and_configurations(made):
    card = (made.package / "card.md").read_text()
    for words in ("synthetic", "mean average precision", " to ", "Licence", "cbam_cnn", "violin", "600 s"):
        assert words in card
    config = yaml.safe_load((made.package / "model-config.yaml").read_text())
    assert config["handler"] == {"maxSeconds": 600.0}
    properties = (made.package / "config.properties").read_text()
    assert f"max_request_size={request_size(600)}" in properties
    assert "load_models=tutti.mar" in properties
    assert "0.0.0.0" not in properties
    assert "$" not in properties


def test_request_size():
    assert request_size(60) > 60 * 44100 * 4 * 4 / 3
    assert request_size(1e9) == 2**31 - 1


def test_same_inputs_same_bytes(made, tmp_path):
    step.run(made.inputs, step.Outputs(package=tmp_path / "again"), made.config)
    assert sha256_tree(tmp_path / "again") == sha256_tree(made.package)


@pytest.mark.parametrize(
    ("decision", "message"),
    [
        ({"passed": False, "candidate": None, "reasons": ["map is 0.1, below 0.5"]}, "below 0.5"),
        ({"passed": True, "candidate": "0" * 64}, "something else"),
    ],
)
def test_nothing_is_packed_that_did_not_pass(decision, message, made, tmp_path):
    write_json(tmp_path / "decision.json", decision)
    inputs = step.Inputs(**{**vars(made.inputs), "decision": tmp_path / "decision.json"})
    with pytest.raises(GateFailed) as caught:
        step.run(inputs, step.Outputs(package=tmp_path / "package"), made.config)
    assert message in str(caught.value)
    assert not (tmp_path / "package").exists()


def test_no_test_clips(made, tmp_path):
    from tutti.datasets.manifest import load_manifest, save_manifest

    table = load_manifest(made.root / "manifest" / "manifest.parquet")
    save_manifest(table[table["split"] != "test"], tmp_path / "manifest" / "manifest.parquet")
    write_json(tmp_path / "manifest" / "datasets.json", {})
    inputs = step.Inputs(**{**vars(made.inputs), "manifest": tmp_path / "manifest"})
    with pytest.raises(DataError, match="no test clip"):
        step.run(inputs, step.Outputs(package=tmp_path / "package"), made.config)


def test_an_ensemble_of_another_task_has_its_own_card_and_clips(made, tmp_path):
    write_test_bag(tmp_path / "ensemble", weights={"test_exclusive": 1.0})
    judged = [make_predictions(12, split=split, dataset="irmas", names=get_task("irmas-4").labels) for split in SPLITS]
    save_predictions(join(*judged), tmp_path / "ensemble" / "predictions.parquet")
    write_json(tmp_path / "decision.json", {"passed": True, "candidate": bag_digest(tmp_path / "ensemble")})
    replaced = {"ensemble": tmp_path / "ensemble", "decision": tmp_path / "decision.json"}
    inputs = step.Inputs(**{**vars(made.inputs), **replaced})
    step.run(inputs, step.Outputs(package=tmp_path / "package"), made.config)
    card = (tmp_path / "package" / "card.md").read_text()
    for words in ("which of four IRMAS instruments", "`irmas-4`", "`accuracy`", "trumpet"):
        assert words in card
    assert "accordion" not in card
    for clip in json.loads((tmp_path / "package" / "golden" / "golden.json").read_text())["clips"]:
        assert clip["clip_id"].startswith("irmas/")
        assert set(clip["labels"]) <= set(get_task("irmas-4").labels)
        assert {item["name"] for item in clip["answer"]["instruments"]} == set(get_task("irmas-4").labels)


def test_other_name_and_limit(made, tmp_path):
    text = made.config.model_dump(mode="json", by_alias=True)
    text["package"].update(name="band", max_seconds=30.0)
    step.run(made.inputs, step.Outputs(package=tmp_path / "package"), parse_config(yaml.safe_dump(text)))
    assert (tmp_path / "package" / "band.mar").is_file()
    assert "load_models=band.mar" in (tmp_path / "package" / "config.properties").read_text()
