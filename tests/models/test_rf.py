import numpy as np
import pytest

from tutti.models import get_model
from tutti.models.rf import ForestModel


def data(rows: int = 120, classes: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    features = generator.standard_normal((rows, 6)).astype(np.float32)
    labels = (features[:, :classes] > 0).astype(np.float32)
    return features, labels, generator.random((rows, classes)) < 0.7


def fitted(features: np.ndarray, labels: np.ndarray, mask: np.ndarray, seed: int = 0) -> ForestModel:
    model = ForestModel(n_classes=labels.shape[1])
    model.fit(features, labels, mask, trees=20, max_depth=8, seed=seed)
    return model


def test_each_class_learns_from_its_asked_rows() -> None:
    features, labels, mask = data()
    probabilities = fitted(features, labels, mask).predict(features)
    assert probabilities.shape == (120, 3)
    assert probabilities.dtype == np.float32
    assert (((probabilities >= 0.5) == labels) | mask).mean() > 0.9
    # What nobody was asked about changes nothing.
    wrong = np.where(mask, labels, 1 - labels)
    np.testing.assert_array_equal(fitted(features, wrong, mask).predict(features), probabilities)


def test_the_seed_decides() -> None:
    features, labels, mask = data()
    first = fitted(features, labels, mask).predict(features)
    np.testing.assert_array_equal(fitted(features, labels, mask).predict(features), first)
    assert (fitted(features, labels, mask, seed=1).predict(features) != first).any()


def test_a_class_with_one_polarity_or_none_answers_its_prevalence() -> None:
    features, labels, mask = data(rows=40)
    labels[:, 0] = 1
    mask[:, 0] = np.arange(40) < 3
    mask[:, 1] = False
    model = fitted(features, labels, mask)
    assert model.forests[0] is None
    assert model.forests[1] is None
    assert model.forests[2] is not None
    probabilities = model.predict(features)
    np.testing.assert_allclose(probabilities[:, 0], 4 / 5, rtol=1e-6)
    np.testing.assert_allclose(probabilities[:, 1], 1 / 2, rtol=1e-6)


def test_segments_are_averaged() -> None:
    features, labels, mask = data()
    model = fitted(features, labels, mask)
    segments = features[:, None] + np.array([-1, 0, 1], np.float32)[None, :, None]
    np.testing.assert_allclose(model.predict(segments), model.predict(segments.mean(axis=1)))


def test_a_relevance_of_one_half_is_positive() -> None:
    features, labels, mask = data()
    soft = np.where(labels > 0, 0.5, 0.49).astype(np.float32)
    np.testing.assert_array_equal(
        fitted(features, soft, mask).predict(features), fitted(features, labels, mask).predict(features)
    )


@pytest.mark.parametrize("preset", ["paper", "mini"])
def test_registered_presets_build_unfitted_forests(preset: str) -> None:
    model = get_model("rf").build(preset)
    assert model.forests == [None] * 20
    assert (model.predict(np.zeros((2, 128), np.float32)) == 0.5).all()
