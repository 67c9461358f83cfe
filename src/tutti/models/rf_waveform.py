"""The baselines on the raw waveform: one random forest whose classes are the sets of labels that occur.

Where labels exclude each other this is the usual forest over classes; where two of four sound together it is the
published label powerset over six classes.

References:
    APS360 Musical Instrument Classification, University of Toronto course project, 2020. Its score of the pairs
    counted three of the four labels and divided by four, so that 0.387 means 0.516 of what was counted: chance.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from tutti.errors import DataError
from tutti.frontends.stereo_waveform import StereoWaveformConfig
from tutti.models.cnn1d import PAPER, SAMPLES, SYSTEM, WINDOW
from tutti.models.registry import Preset, register_model
from tutti.trees import Trees

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestClassifier


class LabelSetForest:
    """One forest for all labels, on flattened features.

    Args:
        n_classes: Labels.

    Attributes:
        forest: The fitted forest; None before `fit`.
        label_sets: The labels of each of its classes, bool [sets, n_classes].
    """

    def __init__(self, *, n_classes: int) -> None:
        self.forest: RandomForestClassifier | None = None
        self.label_sets = np.zeros((0, n_classes), bool)

    def fit(
        self,
        features: np.ndarray,
        labels: np.ndarray,
        mask: np.ndarray,
        *,
        trees: int,
        max_depth: int | None,
        seed: int,
    ) -> None:
        """Fits the forest on the rows of which every label is known.

        Args:
            features: float32 [n, ...].
            labels: Relevance [n, n_classes] in [0, 1].
            mask: bool [n, n_classes], whether the cell was asked.
            trees: Trees of the forest.
            max_depth: Depth of a tree, None for no limit, as published.
            seed: Seed of the forest, below 2**32.

        Raises:
            DataError: No row has all its labels.
        """
        from sklearn.ensemble import RandomForestClassifier

        asked = mask.all(axis=1)
        if not asked.any():
            raise DataError(
                "a forest over sets of labels has nothing to learn from",
                got=f"{len(labels)} rows, each with unknown labels",
                expected="rows that were asked about every label",
            )
        present = labels[asked] >= 0.5
        # The first label is the highest bit, as published: 12, 10, 9, 6, 5, 3 are the pairs of four.
        bits = 1 << np.arange(present.shape[1])[::-1]
        codes, first = np.unique(present @ bits, return_index=True)
        self.label_sets = present[first]
        forest = RandomForestClassifier(n_estimators=trees, max_depth=max_depth, random_state=seed, n_jobs=-1)
        self.forest = forest.fit(_flat(features[asked]), np.searchsorted(codes, present @ bits))

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Probability of each label: the sum over the sets that hold it.

        Args:
            features: float32 [n, ...].

        Returns:
            float32 [n, n_classes] in [0, 1].
        """
        return self.to_trees().predict(features)

    def to_trees(self) -> Trees:
        """The fitted forest as it is stored and served.

        Raises:
            DataError: It is not fitted.
        """
        if self.forest is None:
            raise DataError("the forest is not fitted yet")
        return Trees.from_label_sets(self.forest, self.label_sets)


def _flat(features: np.ndarray) -> np.ndarray:
    return np.asarray(features, np.float32).reshape(len(features), -1)


#: Two kilohertz keep the fundamentals of all four instruments, and a forest is fitted in seconds.
_MINI = StereoWaveformConfig(sample_rate=2000)

_PRESETS = {
    "paper": Preset(
        front_end=StereoWaveformConfig(),
        options={},
        input_shape=(2, SAMPLES["paper"]),
        trainable_params=None,
        total_params=None,
        window=WINDOW,
    ),
    "mini": Preset(
        front_end=_MINI,
        options={},
        input_shape=(2, WINDOW.length(_MINI.sample_rate)),
        trainable_params=None,
        total_params=None,
        window=WINDOW,
    ),
}


@register_model(
    "rf_waveform",
    family="forest",
    task="irmas-4",
    system=SYSTEM,
    summary="one random forest on the samples themselves, one of four instruments",
    paper=PAPER,
    published={
        "accuracy": "0.403 (four IRMAS instruments, published test split)",
        "valid_accuracy": "0.433 (published validation split)",
    },
    presets=_PRESETS,
)
def rf_waveform(*, n_classes: int, **options: Any) -> LabelSetForest:
    """A forest over four classes that is not fitted yet; the published one has 500 trees."""
    return LabelSetForest(n_classes=n_classes, **options)


@register_model(
    "rf_waveform_pairs",
    family="forest",
    task="irmas-pairs",
    system=SYSTEM,
    summary="one random forest on the samples themselves, two of four instruments",
    paper=PAPER,
    published={
        "label_accuracy": "0.367 as reported, 0.489 of the labels it counted (pairs of four IRMAS instruments, test)",
        "valid_label_accuracy": "0.387 as reported, 0.516 of the labels it counted",
    },
    presets=_PRESETS,
)
def rf_waveform_pairs(*, n_classes: int, **options: Any) -> LabelSetForest:
    """A forest over six pairs that is not fitted yet; the published one has 100 trees."""
    return LabelSetForest(n_classes=n_classes, **options)
