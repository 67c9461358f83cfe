"""Publishing: both gates have to pass, the pointer moves last, earlier models stay."""

import json

import pytest

from components.publish import step
from tests.tiny import write_test_bag
from tutti.bag import bag_digest
from tutti.errors import ArtifactMismatch, ConfigError, DataError, GateFailed
from tutti.evaluation.champion import POINTER
from tutti.files import sha256_tree, write_json
from tutti.serving.registry import find_champion


@pytest.fixture
def candidate(tmp_path):
    """Function (seed) to the inputs of a candidate that passed everything."""

    def make(seed: int = 0) -> step.Inputs:
        root = tmp_path / f"run-{seed}"
        write_test_bag(root / "ensemble", seed=seed)
        (root / "package").mkdir()
        (root / "package" / "tutti.mar").write_bytes(bytes([seed]))
        digest = bag_digest(root / "ensemble")
        write_json(root / "decision.json", {"passed": True, "candidate": digest, "reasons": []})
        smoke = {"passed": True, "model": digest, "package": sha256_tree(root / "package"), "reasons": []}
        write_json(root / "smoke.json", smoke)
        return step.Inputs(
            package=root / "package",
            ensemble=root / "ensemble",
            decision=root / "decision.json",
            smoke=root / "smoke.json",
            registry=str(tmp_path / "registry"),
        )

    return make


def run(inputs, config):
    return step.run(inputs, step.Outputs(published=inputs.package.parent / "published.json"), config)


def test_publish_and_publish_again(candidate, config, tmp_path):
    registry = tmp_path / "registry"
    assert find_champion(registry) is None
    first, second = candidate(0), candidate(1)
    record = run(first, config)
    champion = find_champion(registry)
    assert champion is not None
    assert champion.digest == record["digest"] == bag_digest(champion.ensemble)
    assert sha256_tree(champion.package) == sha256_tree(first.package)
    before = sha256_tree(registry)
    assert run(first, config) == record
    assert sha256_tree(registry) == before
    run(second, config)
    assert find_champion(registry).digest == bag_digest(second.ensemble)
    assert (registry / record["path"]).is_dir()
    published = json.loads((second.package.parent / "published.json").read_text())
    assert published["digest"] == bag_digest(second.ensemble)


def test_a_new_package_of_the_same_model_replaces_the_old_one(candidate, config):
    inputs = candidate()
    run(inputs, config)
    (inputs.package / "tutti.mar").write_bytes(b"new handler")
    smoke = {**json.loads(inputs.smoke.read_text()), "package": sha256_tree(inputs.package)}
    write_json(inputs.smoke, smoke)
    record = run(inputs, config)
    assert record["package_sha256"] == sha256_tree(inputs.package)


@pytest.mark.parametrize("gate", ["decision", "smoke"])
@pytest.mark.parametrize("change", [{"passed": False, "reasons": ["too slow"]}, {"candidate": "0", "model": "0"}])
def test_refused(gate, change, candidate, config, tmp_path):
    run(candidate(0), config)
    before = sha256_tree(tmp_path / "registry")
    inputs = candidate(1)
    path = getattr(inputs, gate)
    write_json(path, {**json.loads(path.read_text()), **change})
    with pytest.raises(GateFailed):
        run(inputs, config)
    assert sha256_tree(tmp_path / "registry") == before
    assert not (inputs.package.parent / "published.json").exists()


def test_package_that_was_changed_after_the_smoke_test(candidate, config):
    inputs = candidate()
    (inputs.package / "tutti.mar").write_bytes(b"other")
    with pytest.raises(GateFailed, match="something else"):
        run(inputs, config)


def test_interrupted_before_the_pointer_moves(candidate, config, tmp_path, monkeypatch):
    import tutti.serving.registry as registry

    run(candidate(0), config)
    pointer = (tmp_path / "registry" / POINTER).read_text()
    inputs = candidate(1)

    def killed(path, value):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(registry, "write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            run(inputs, config)
    assert (tmp_path / "registry" / POINTER).read_text() == pointer
    run(inputs, config)
    assert find_champion(tmp_path / "registry").digest == bag_digest(inputs.ensemble)


def test_remote_registry_and_missing_documents(candidate, config):
    inputs = candidate()
    with pytest.raises(ConfigError, match="local folder"):
        run(step.Inputs(**{**vars(inputs), "registry": "s3://bucket/registry"}), config)
    inputs.smoke.write_text("{")
    with pytest.raises(DataError, match="cannot read"):
        run(inputs, config)


@pytest.mark.parametrize("text", ["{", '{"digest": "1"}', '{"digest": "1", "path": "../x", "package": "gone"}'])
def test_damaged_pointer(text, tmp_path):
    (tmp_path / POINTER).write_text(text)
    with pytest.raises(ArtifactMismatch):
        find_champion(tmp_path)
