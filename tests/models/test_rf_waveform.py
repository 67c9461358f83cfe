from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sklearn.ensemble import RandomForestClassifier

from tutti.bundle import read_bundle, write_bundle
from tutti.errors import ArtifactMismatch, DataError
from tutti.models import get_model
from tutti.models.rf_waveform import LabelSetForest
from tutti.trees import Trees

#: gac+pia, gac+tru, gac+vio, pia+tru, pia+vio, tru+vio and the published integers they are read as.
PAIRS = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1], [0, 1, 1, 0], [0, 1, 0, 1], [0, 0, 1, 1]], np.float32)
INTEGERS = (12, 10, 9, 6, 5, 3)


def clips(kinds: int, rows: int = 150) -> tuple[np.ndarray, np.ndarray]:
    """Stereo features [rows, 2, 30] and the kind of each row, which they tell in part."""
    generator = np.random.default_rng(0)
    kind = generator.integers(kinds, size=rows)
    features = generator.standard_normal((rows, 2, 30)).astype(np.float32)
    features[np.arange(rows), 1, kind] += 2
    return features, kind


def fitted(features: np.ndarray, labels: np.ndarray, **options: int | None) -> LabelSetForest:
    model = LabelSetForest(n_classes=4)
    model.fit(features, labels, np.ones(labels.shape, bool), **{"trees": 25, "max_depth": None, "seed": 3} | options)
    return model


def test_exclusive_labels_give_the_forest_over_classes() -> None:
    features, kind = clips(4)
    flat = features.reshape(len(features), -1)
    expected = RandomForestClassifier(25, random_state=3).fit(flat[:100], kind[:100]).predict_proba(flat)
    got = fitted(features[:100], np.eye(4, dtype=np.float32)[kind[:100]]).predict(features)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, atol=1e-6)
    np.testing.assert_allclose(got.sum(axis=1), 1, atol=1e-6)
    assert (got[100:].argmax(axis=1) == kind[100:]).mean() > 0.4


def test_pairs_give_the_published_label_powerset() -> None:
    features, kind = clips(6)
    flat = features.reshape(len(features), -1)
    forest = RandomForestClassifier(25, random_state=3).fit(flat[:100], np.array(INTEGERS)[kind[:100]])
    # Bit by bit: the probability of a label is that of all integers with its bit.
    chance = dict(zip(forest.classes_.tolist(), forest.predict_proba(flat).T, strict=True))
    expected = np.stack([sum(p for code, p in chance.items() if code & bit) for bit in (8, 4, 2, 1)], axis=1)
    model = fitted(features[:100], PAIRS[kind[:100]])
    np.testing.assert_allclose(model.predict(features), expected, atol=1e-6)
    np.testing.assert_allclose(model.predict(features).sum(axis=1), 2, atol=1e-6)
    assert model.label_sets.tolist() == [bits.tolist() for bits in PAIRS[::-1].astype(bool)]


def test_depth_trees_and_seed_reach_the_forest() -> None:
    features, kind = clips(4)
    labels = np.eye(4, dtype=np.float32)[kind]
    assert len(fitted(features, labels, trees=7).to_trees().roots) == 7
    stumps = fitted(features, labels, max_depth=1).to_trees()
    assert len(stumps.left) == 3 * 25
    assert (fitted(features, labels, seed=4).predict(features) != fitted(features, labels).predict(features)).any()


def test_rows_with_unknown_labels_teach_nothing() -> None:
    features, kind = clips(4)
    labels = np.eye(4, dtype=np.float32)[kind]
    mask = np.ones(labels.shape, bool)
    mask[100:, 2] = False
    partly = LabelSetForest(n_classes=4)
    partly.fit(features, labels, mask, trees=25, max_depth=None, seed=3)
    np.testing.assert_array_equal(partly.predict(features), fitted(features[:100], labels[:100]).predict(features))
    with pytest.raises(DataError, match="nothing to learn from"):
        partly.fit(features, labels, np.zeros(labels.shape, bool), trees=1, max_depth=None, seed=0)
    with pytest.raises(DataError, match="not fitted"):
        LabelSetForest(n_classes=4).predict(features)


def test_one_set_of_labels_is_always_answered() -> None:
    features, _ = clips(4, rows=10)
    model = fitted(features, np.tile(PAIRS[1], (10, 1)))
    np.testing.assert_allclose(model.predict(features), np.tile(PAIRS[1], (10, 1)))


@pytest.mark.parametrize(
    ("name", "kinds"), [("rf_waveform", np.eye(4, dtype=np.float32)), ("rf_waveform_pairs", PAIRS)]
)
def test_bundle_round_trip(name: str, kinds: np.ndarray, tmp_path: Path) -> None:
    entry = get_model(name)
    features, kind = clips(len(kinds))
    model = fitted(features, kinds[kind])
    for folder in ("one", "two"):
        write_bundle(
            tmp_path / folder,
            model=model,
            entry=entry,
            preset="mini",
            metrics={},
            started_from="random",
            provenance={},
            card="# a card\n",
        )
    loaded = read_bundle(tmp_path / "one").model
    assert isinstance(loaded, Trees)
    np.testing.assert_array_equal(loaded.predict(features), model.predict(features))
    # The front end's stereo output and its flattened form are the same row.
    np.testing.assert_array_equal(loaded.predict(features.reshape(len(features), -1)), model.predict(features))
    one, two = (tmp_path / folder / "forest.safetensors" for folder in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()

    arrays = load_file(one)
    save_file({**arrays, "constant": arrays["constant"][:3]}, tmp_path / "three", metadata={"n_features": "60"})
    with pytest.raises(ArtifactMismatch, match="contradicts itself"):
        Trees.load(tmp_path / "three")


@pytest.mark.parametrize("name", ["rf_waveform", "rf_waveform_pairs"])
def test_published_input(name: str) -> None:
    entry = get_model(name)
    assert np.prod(entry.preset("paper").input_shape) == 264_598
    assert entry.preset("mini").input_shape == (2, 6000)
