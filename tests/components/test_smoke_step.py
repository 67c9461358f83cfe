"""The infrastructure gate, with the real TorchServe."""

import json
import shutil
import zipfile

import pytest

from components.smoke import step
from tests.workplace import make_workplace
from tutti.errors import ArtifactMismatch, GateFailed
from tutti.files import sha256_tree
from tutti.serving.smoke import difference


@pytest.fixture(scope="module")
def made(tmp_path_factory, config):
    return make_workplace(tmp_path_factory.mktemp("smoke"), config)


@pytest.mark.slow
def test_passes_and_says_so_twice_in_the_same_words(made, tmp_path):
    result = step.run(step.Inputs(package=made.package), step.Outputs(result=tmp_path / "smoke.json"), made.config)
    step.verdict(result)
    assert result["passed"]
    assert result["max_difference"] < 1e-5
    assert result["package"] == sha256_tree(made.package)
    assert result["requests"] == 8
    assert json.loads((tmp_path / "smoke.json").read_text()) == result


@pytest.mark.slow
def test_other_answers_fail(made, tmp_path):
    package = tmp_path / "package"
    shutil.copytree(made.package, package)
    path = package / "golden" / "golden.json"
    document = json.loads(path.read_text())
    document["clips"][1]["answer"]["instruments"][0]["probability"] -= 0.01
    path.write_text(json.dumps(document))
    result = step.run(step.Inputs(package=package), step.Outputs(result=tmp_path / "smoke.json"), made.config)
    assert not result["passed"]
    assert result["max_difference"] == pytest.approx(0.01)
    with pytest.raises(GateFailed, match=r"02\.flac: differs by 0.01"):
        step.verdict(result)
    assert (tmp_path / "smoke.json").is_file()


@pytest.mark.slow
def test_a_model_that_does_not_load_fails_at_once(made, tmp_path):
    package = tmp_path / "package"
    shutil.copytree(made.package, package)
    with zipfile.ZipFile(made.package / "tutti.mar") as old, zipfile.ZipFile(package / "tutti.mar", "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, data[:-1] + b"?" if name.endswith(".safetensors") else data)
    result = step.run(step.Inputs(package=package), step.Outputs(result=tmp_path / "smoke.json"), made.config)
    assert result["reasons"] == ["TorchServe cannot load the model"]
    with pytest.raises(GateFailed):
        step.verdict(result)


def test_no_package(made, tmp_path):
    (tmp_path / "smoke.json").write_text("{}")
    with pytest.raises(ArtifactMismatch):
        step.run(step.Inputs(package=tmp_path), step.Outputs(result=tmp_path / "smoke.json"), made.config)
    assert not (tmp_path / "smoke.json").exists()


def test_difference(made):
    answer = json.loads((made.package / "golden" / "golden.json").read_text())["clips"][0]["answer"]
    assert difference(answer, answer) == 0
    changed = json.loads(json.dumps(answer))
    changed["windows"][0]["probabilities"]["violin"] += 0.25
    assert difference(changed, answer) == pytest.approx(0.25)
    changed["model"]["digest"] = "0"
    assert difference(changed, answer) == float("inf")
    missing = json.loads(json.dumps(answer))
    missing["windows"] = []
    assert difference(missing, answer) == float("inf")
