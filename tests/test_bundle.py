"""Bundles: the same model comes back, the same bytes are written, and nothing altered is loaded."""

import json
import shutil

import numpy as np
import pytest
import torch

from tests.tiny import BANDS, fitted_forest, write_test_bag, write_test_bundle
from tutti.bag import BAG, bag_digest, read_bag
from tutti.bundle import bundle_digest, read_bundle
from tutti.errors import ArtifactMismatch
from tutti.files import sha256_tree
from tutti.labels import OPENMIC
from tutti.models.registry import get_model
from tutti.tasks import get_task
from tutti.trees import Trees


@pytest.fixture
def bundle(tmp_path):
    write_test_bundle(tmp_path / "net")
    return tmp_path / "net"


def alter(bundle, change):
    path = bundle / "contract.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_network_round_trip(bundle):
    torch.manual_seed(0)
    original = get_model("test_net").build("mini").eval()
    loaded = read_bundle(bundle)
    rows = torch.randn(3, BANDS)
    assert torch.equal(loaded.model(rows), original(rows))
    assert loaded.contract.labels == OPENMIC
    assert loaded.contract.thresholds == (0.5,) * 20
    assert loaded.contract.metrics == {"map": 0.5}
    assert loaded.digest == bundle_digest(bundle)
    assert not loaded.model.training


def test_forest_round_trip(tmp_path):
    write_test_bundle(tmp_path / "rf", "test_forest")
    loaded = read_bundle(tmp_path / "rf").model
    original = fitted_forest(0)
    rows = np.random.default_rng(5).standard_normal((300, BANDS)).astype(np.float32)
    np.testing.assert_allclose(loaded.predict(rows), original.predict(rows), atol=1e-7)
    assert original.forests[-1] is None
    segments = rows.reshape(100, 3, BANDS)
    np.testing.assert_allclose(loaded.predict(segments), original.predict(segments), atol=1e-7)


def test_forest_of_one_leaf_each_and_none_at_all(tmp_path):
    from sklearn.ensemble import RandomForestClassifier

    rows = np.zeros((10, 4), np.float32)
    stumps = RandomForestClassifier(3, random_state=0).fit(rows, np.arange(10) % 2 == 0)
    trees = Trees.from_forests([None, stumps], [0.25, 0.5])
    expected = stumps.predict_proba(rows[:2])[:, 1]
    np.testing.assert_allclose(trees.predict(rows[:2]), np.stack([np.full(2, 0.25), expected], axis=1), atol=1e-7)
    none = Trees.from_forests([None, None], [0.1, 0.9])
    none.save(tmp_path / "none")
    np.testing.assert_allclose(Trees.load(tmp_path / "none").predict(rows[:2]), [[0.1, 0.9]] * 2, atol=1e-7)


@pytest.mark.parametrize("name", ["test_net", "test_forest"])
def test_same_model_same_bytes(name, tmp_path):
    write_test_bundle(tmp_path / "a", name)
    write_test_bundle(tmp_path / "b", name)
    assert sha256_tree(tmp_path / "a") == sha256_tree(tmp_path / "b")
    write_test_bundle(tmp_path / "c", name, seed=1)
    assert bundle_digest(tmp_path / "a") != bundle_digest(tmp_path / "c")


@pytest.mark.parametrize("name", ["weights.safetensors", "card.md"])
def test_altered_file(name, bundle):
    path = bundle / name
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ArtifactMismatch) as caught:
        read_bundle(bundle)
    assert name in str(caught.value)
    assert "expected" in str(caught.value)
    path.unlink()
    with pytest.raises(ArtifactMismatch, match="incomplete"):
        read_bundle(bundle)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(surprise=1), "surprise"),
        (lambda c: c.pop("labels"), "labels"),
        (lambda c: c.update(format=2), "format"),
        (lambda c: c.update(thresholds=[0.5]), "1 thresholds for 20 labels"),
        (lambda c: c["files"].update({"../evil": "0"}), "plain file name"),
        (lambda c: c.update(files={}), "weights.safetensors"),
        (lambda c: c.update(front_end_digest="0" * 16), "front end"),
        (lambda c: c["front_end"].update(kind="unheard_of"), "unheard_of"),
        (lambda c: c["front_end"].update(sample_rate=16000), "front end"),
        (lambda c: c.update(model="unheard_of"), "unheard_of"),
        (lambda c: c.update(preset="paper"), "does not fit"),
        (lambda c: c.update(labels=c["labels"][:3], thresholds=[0.5] * 3), "labels are accordion, banjo, bass, not"),
        (lambda c: c.update(task="irmas-4"), "not those of the task irmas-4"),
        (lambda c: c.update(task="kazoos"), "kazoos"),
    ],
)
def test_contract_that_does_not_hold(change, message, bundle):
    alter(bundle, change)
    with pytest.raises(ArtifactMismatch) as caught:
        read_bundle(bundle)
    assert message in str(caught.value)


def test_contracts_and_bags_from_before_there_were_tasks_are_of_openmic(bundle, tmp_path):
    alter(bundle, lambda c: c.pop("task"))
    assert read_bundle(bundle).contract.task == "openmic-20"
    write_test_bag(tmp_path / "bag")
    path = tmp_path / "bag" / BAG
    path.write_text(path.read_text().replace("task: openmic-20\n", ""))
    assert read_bag(tmp_path / "bag").task == "openmic-20"


@pytest.mark.parametrize("name", ["test_exclusive", "test_frames"])
def test_the_labels_are_those_of_the_models_task(name, tmp_path):
    contract = write_test_bundle(tmp_path / "net", name)
    task = get_task(get_model(name).task)
    assert (contract.task, contract.labels, len(contract.thresholds)) == (task.name, task.labels, len(task.labels))
    assert read_bundle(tmp_path / "net").contract == contract


def test_no_bundle(tmp_path):
    with pytest.raises(ArtifactMismatch, match="no model bundle"):
        read_bundle(tmp_path)
    (tmp_path / "contract.json").write_text("{")
    with pytest.raises(ArtifactMismatch, match="not JSON"):
        read_bundle(tmp_path)


def test_pickle_is_not_loaded(bundle):
    torch.save({"a": torch.zeros(1)}, bundle / "weights.safetensors")
    from tutti.files import sha256_file

    alter(bundle, lambda c: c["files"].update({"weights.safetensors": sha256_file(bundle / "weights.safetensors")}))
    with pytest.raises(ArtifactMismatch, match="does not fit"):
        read_bundle(bundle)


def test_forest_file_with_other_arrays(tmp_path):
    from safetensors.numpy import save_file

    save_file({"left": np.zeros(3, np.int32)}, tmp_path / "x")
    with pytest.raises(ArtifactMismatch, match="arrays of random forests"):
        Trees.load(tmp_path / "x")


def test_bag_round_trip(tmp_path):
    bag = write_test_bag(tmp_path / "bag")
    assert read_bag(tmp_path / "bag") == bag
    shutil.copytree(tmp_path / "bag", tmp_path / "copy")
    assert bag_digest(tmp_path / "bag") == bag_digest(tmp_path / "copy")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("weight: 0.7", "weight: 0.8", "sum to 1.1"),
        ("path: members/test_net", "path: ../elsewhere", "leads out"),
        ("path: members/test_net", "path: /etc", "leads out"),
        ("name: test_net", "name: test_forest", "same name"),
        ("format: 1", "format: 9", "format"),
        ("version:", "surprise: 1\nversion:", "surprise"),
        ("  banjo: 0.4\n", "", "different classes"),
        ("task: openmic-20", "task: irmas-4", "not those of the task irmas-4"),
        ("format: 1", "format: [", "not YAML"),
    ],
)
def test_bag_that_does_not_hold(old, new, message, tmp_path):
    write_test_bag(tmp_path)
    text = (tmp_path / BAG).read_text()
    assert old in text
    (tmp_path / BAG).write_text(text.replace(old, new, 1))
    with pytest.raises(ArtifactMismatch) as caught:
        read_bag(tmp_path)
    assert message in str(caught.value)
