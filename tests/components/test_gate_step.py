import json
import shutil

import pytest
import yaml

from components._command import main
from components.gate.step import Inputs, Outputs, run, verdict
from tests.corpus import tiny_params
from tests.evaluation_helpers import valid_and_test, write_evaluation, write_model
from tutti.bag import bag_digest, read_bag, write_bag
from tutti.config import parse_config
from tutti.errors import ArtifactMismatch, ConfigError, DataError, GateFailed
from tutti.evaluation.predictions import load_predictions, save_predictions
from tutti.evaluation.selection import read_trained, write_ensemble
from tutti.files import sha256_tree
from tutti.tasks import get_task

STRICT = {"gate": {"min_map": 0.999}}


def params(**changes):
    return parse_config(tiny_params("rf", **changes))


def make_ensemble(root, *, skill=0.3, noise_seed=1, clips=60):
    bundle = write_model(root / "models" / "rf", "rf", seed=noise_seed)
    predictions = valid_and_test(skill=skill, noise_seed=noise_seed, clips=clips)
    write_evaluation(root / "evaluations" / "rf", bundle, predictions)
    write_ensemble(read_trained(root / "models", root / "evaluations", ["rf"]), root / "ensemble", params())
    return root / "ensemble"


def make_registry(root, ensemble):
    digest = bag_digest(ensemble)
    shutil.copytree(ensemble, root / digest / "ensemble")
    (root / "champion.json").write_text(json.dumps({"digest": digest, "path": f"{digest}/ensemble"}))
    return root


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A candidate and a registry with a champion of equal skill; to be read only."""
    root = tmp_path_factory.mktemp("gate")
    candidate = make_ensemble(root / "candidate", noise_seed=1)
    return candidate, make_registry(root / "registry", make_ensemble(root / "champion", noise_seed=2))


@pytest.fixture
def copies(built, tmp_path):
    """The same, to be altered."""
    shutil.copytree(built[0], tmp_path / "ensemble")
    shutil.copytree(built[1], tmp_path / "registry")
    return tmp_path / "ensemble", tmp_path / "registry"


def gate(tmp_path, ensemble, registry=None, **changes):
    decision = tmp_path / "decision.json"
    result = run(Inputs(ensemble=ensemble, registry=registry), Outputs(decision=decision), params(**changes))
    assert json.loads(decision.read_text()) == result
    return result


def champion_folder(registry):
    return registry / json.loads((registry / "champion.json").read_text())["path"]


@pytest.mark.parametrize("registry", [None, "no such folder"])
def test_without_a_champion_the_floors_decide(built, tmp_path, registry):
    candidate, _ = built
    result = gate(tmp_path, candidate, None if registry is None else tmp_path / registry)
    assert result["decision"] == "pass"
    assert (result["candidate"], result["champion"]) == (bag_digest(candidate), None)
    assert result["data"] == {"name": "openmic", "synthetic": True, "sha256": "5" * 64}
    verdict(result)


def test_a_failed_floor_is_written_before_the_verdict_raises(built, tmp_path):
    result = gate(tmp_path, built[0], **STRICT)
    assert result["decision"] == "fail"
    with pytest.raises(GateFailed, match=r"0\.999"):
        verdict(result)


def test_an_equal_champion_is_compared_on_the_same_clips(built, tmp_path):
    candidate, registry = built
    result = gate(tmp_path, candidate, registry)
    assert result["passed"]
    assert result["champion"] == bag_digest(champion_folder(registry))
    assert result["comparison"]["map"]["low"] < result["comparison"]["map"]["high"]
    assert not gate(tmp_path, candidate, registry, gate={"max_regression": 0.0})["passed"]


def test_a_worse_candidate_does_not_replace_the_champion(built, tmp_path):
    worse = make_ensemble(tmp_path / "worse", skill=0.05, noise_seed=3)
    result = gate(tmp_path, worse, built[1], gate={"max_regression": 0.05})
    assert result["decision"] == "fail"
    assert "champion" in result["reasons"][0]


def test_a_champion_on_other_clips_fails_and_says_what_to_do(built, tmp_path):
    other = make_ensemble(tmp_path / "other", clips=50)
    result = gate(tmp_path, other, built[1])
    assert result["decision"] == "fail"
    assert "other test data" in result["reasons"][0]
    assert "components.evaluate" in result["reasons"][0]


def test_a_champion_judged_again_on_the_present_clips_is_accepted(built, copies, tmp_path):
    _, registry = copies
    other = make_ensemble(tmp_path / "other", clips=50)
    save_predictions(valid_and_test(noise_seed=2, clips=50), champion_folder(registry) / "predictions.parquet")
    assert gate(tmp_path, other, registry)["passed"]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda folder: (folder / "predictions.parquet").unlink(), "no predictions"),
        (lambda folder: (folder / "bag.yaml").write_text((folder / "bag.yaml").read_text() + "\n"), "was altered"),
        (lambda folder: (folder / "bag.yaml").unlink(), "is no ensemble"),
        (lambda folder: shutil.rmtree(folder), "is no ensemble"),
        (lambda folder: (folder / "../../champion.json").write_text("{"), "does not name"),
        (lambda folder: (folder / "../../champion.json").write_text("[]"), "does not name"),
        (
            lambda folder: (folder / "../../champion.json").write_text('{"digest": "a", "path": "../elsewhere"}'),
            "outside the registry",
        ),
    ],
)
def test_a_broken_champion_fails_the_gate(copies, tmp_path, damage, reason):
    ensemble, registry = copies
    damage(champion_folder(registry))
    result = gate(tmp_path, ensemble, registry)
    assert result["decision"] == "fail"
    assert reason in result["reasons"][0]
    assert "champion.json" in result["reasons"][0]


def test_a_floor_of_a_class_that_the_candidate_does_not_know_is_refused(built, tmp_path):
    with pytest.raises(ConfigError, match="kazoo"):
        gate(tmp_path, built[0], gate={"class_floors": {"kazoo": 0.5}})
    assert not (tmp_path / "decision.json").exists()


def test_a_champion_of_another_task_is_refused(built, copies, tmp_path):
    _, registry = copies
    folder = champion_folder(registry)
    labels = get_task("irmas-4").labels
    bag = read_bag(folder)
    other = bag.model_copy(update={"task": "irmas-4", "labels": labels, "thresholds": dict.fromkeys(labels, 0.5)})
    write_bag(folder, other)
    (registry / "champion.json").write_text(
        json.dumps({"digest": bag_digest(folder), "path": str(folder.relative_to(registry))})
    )
    save_predictions(valid_and_test(names=labels), folder / "predictions.parquet")
    result = gate(tmp_path, built[0], registry)
    assert result["decision"] == "fail"
    assert "the champion's task is irmas-4 and the candidate's openmic-20" in result["reasons"][0]


def test_an_altered_candidate_is_not_judged_and_leaves_no_old_decision(copies, tmp_path):
    ensemble, _ = copies
    gate(tmp_path, ensemble)
    contract = ensemble / "members" / "rf" / "contract.json"
    contract.write_text(contract.read_text().replace('"random"', '"elsewhere"'))
    with pytest.raises(ArtifactMismatch, match="member rf"):
        gate(tmp_path, ensemble)
    assert not (tmp_path / "decision.json").exists()


def test_predictions_altered_after_selection_are_not_judged(copies, tmp_path):
    ensemble, _ = copies
    predictions = load_predictions(ensemble / "predictions.parquet")
    save_predictions(predictions.with_probabilities(predictions.labels), ensemble / "predictions.parquet")
    with pytest.raises(ArtifactMismatch, match=r"predictions\.parquet"):
        gate(tmp_path, ensemble)


def test_altered_weights_and_missing_files_are_not_judged(copies, tmp_path):
    ensemble, _ = copies
    (weights,) = (ensemble / "members" / "rf").glob("*.safetensors")
    weights.write_bytes(weights.read_bytes() + b"\0")
    with pytest.raises(ArtifactMismatch, match="safetensors"):
        gate(tmp_path, ensemble)
    shutil.rmtree(ensemble / "members")
    with pytest.raises(ArtifactMismatch, match="members"):
        gate(tmp_path, ensemble)


def test_missing_predictions_and_a_missing_bag_are_named(copies, tmp_path):
    ensemble, _ = copies
    (ensemble / "predictions.parquet").unlink()
    with pytest.raises(DataError, match="no predictions"):
        gate(tmp_path, ensemble)
    (ensemble / "bag.yaml").write_text(yaml.safe_dump({"format": 1}))
    with pytest.raises(ArtifactMismatch, match=r"bag\.yaml"):
        gate(tmp_path, ensemble)


def test_the_decision_has_the_same_bytes_every_time(built, tmp_path):
    candidate, registry = built
    gate(tmp_path, candidate, registry)
    first = (tmp_path / "decision.json").read_bytes()
    gate(tmp_path, candidate, registry)
    assert (tmp_path / "decision.json").read_bytes() == first


def test_judging_changes_neither_side(built, tmp_path):
    before = [sha256_tree(path) for path in built]
    gate(tmp_path, *built)
    assert [sha256_tree(path) for path in built] == before


def test_the_command_exits_with_five_and_prints_the_reasons(built, tmp_path, capsys):
    (tmp_path / "params.yaml").write_text(tiny_params("rf", **STRICT))
    arguments = ["--ensemble", str(built[0]), "--decision", str(tmp_path / "decision.json")]
    arguments += ["--params", str(tmp_path / "params.yaml")]
    assert main("gate", arguments) == 5
    assert json.loads((tmp_path / "decision.json").read_text())["decision"] == "fail"
    assert "mean average precision" in capsys.readouterr().err
    (tmp_path / "params.yaml").write_text(tiny_params("rf"))
    assert main("gate", [*arguments, "--force"]) == 0
    assert json.loads((tmp_path / "decision.json").read_text())["decision"] == "pass"
