"""A random forest per class, each fitted on the clips that somebody was asked about for that class.

References:
    Humphrey, Durand and McFee, OpenMIC-2018, ISMIR 2018: macro F1 over both polarities 0.784 on VGGish embeddings.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from tutti.audio.windows import WindowPolicy
from tutti.frontends.clip_embedding import ClipEmbeddingConfig
from tutti.frontends.summary import SummaryConfig
from tutti.frontends.vggish import SHAPE, VggishConfig
from tutti.models.registry import Preset, register_model
from tutti.trees import Trees

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestClassifier


class ForestModel:
    """One forest per class.

    Args:
        n_classes: Outputs.
        max_features: Share of the features that a split looks at; ``sqrt`` of their number as published.
        min_samples_leaf: Fewest clips in a leaf.

    Attributes:
        forests: One fitted `RandomForestClassifier` per class, None where there was nothing to tell apart.
        constants: What a class without a forest is given, float [n_classes].
    """

    def __init__(self, *, n_classes: int, max_features: float | str = "sqrt", min_samples_leaf: int = 1) -> None:
        self.max_features = max_features
        self.min_samples_leaf = min_samples_leaf
        self.forests: list[RandomForestClassifier | None] = [None] * n_classes
        self.constants: list[float] = [0.5] * n_classes

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
        """Fits every class on its asked rows.

        A class whose asked rows are all positive, all negative or none at all gets no forest: its constant is its
        prevalence by the rule of succession, (positives + 1) / (rows + 2).

        Args:
            features: float32 [n, ...] as `predict` takes them.
            labels: Relevance [n, n_classes] in [0, 1].
            mask: bool [n, n_classes], whether the cell was asked.
            trees: Trees of each forest.
            max_depth: Depth of a tree, None for no limit.
            seed: Seed of every forest, below 2**32.
        """
        from sklearn.ensemble import RandomForestClassifier

        vectors = _vectors(features)
        present = labels >= 0.5
        for index in range(len(self.forests)):
            asked = mask[:, index]
            target = present[asked, index]
            self.constants[index] = (float(target.sum()) + 1) / (len(target) + 2)
            if not target.any() or target.all():
                self.forests[index] = None
                continue
            forest = RandomForestClassifier(
                n_estimators=trees,
                max_depth=max_depth,
                max_features=self.max_features,
                min_samples_leaf=self.min_samples_leaf,
                random_state=seed,
                n_jobs=-1,
            )
            forest.fit(vectors[asked], target)
            # Many small forests answer faster without a thread pool each.
            self.forests[index] = forest.set_params(n_jobs=1)

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Probability of each class.

        Args:
            features: float32 [n, values], or [n, segments, values], of which the mean over segments is used.

        Returns:
            float32 [n, n_classes] in [0, 1].
        """
        vectors = _vectors(features)
        answer = np.tile(np.asarray(self.constants, np.float32), (len(vectors), 1))
        for index, forest in enumerate(self.forests):
            if forest is not None:
                answer[:, index] = forest.predict_proba(vectors)[:, 1]
        return answer

    def to_trees(self) -> Trees:
        """The fitted forests as they are stored and served."""
        return Trees.from_forests(self.forests, self.constants)


def _vectors(features: np.ndarray) -> np.ndarray:
    features = np.asarray(features, np.float32)
    return features.mean(axis=1) if features.ndim == 3 else features


@register_model(
    "rf",
    system="ast-reprogramming",
    family="forest",
    summary="a random forest per class on clip descriptors",
    paper="Humphrey et al. 2018 (OpenMIC-2018 baseline)",
    published={"f1_macro_two_class": "0.784 (OpenMIC-2018, official split, VGGish embeddings)"},
    presets={
        "paper": Preset(
            front_end=ClipEmbeddingConfig(),
            options={},
            input_shape=(10, 128),
            trainable_params=None,
            total_params=None,
            window=WindowPolicy(),
        ),
        # Whole numbers from 0 to 255, as they come with OpenMIC; hears no new recordings.
        "published": Preset(
            front_end=VggishConfig(),
            options={},
            input_shape=SHAPE,
            trainable_params=None,
            total_params=None,
            window=WindowPolicy(),
        ),
        "mini": Preset(
            front_end=SummaryConfig(),
            options={},
            input_shape=(86,),
            trainable_params=None,
            total_params=None,
            window=WindowPolicy(),
        ),
    },
)
def rf(*, n_classes: int, **options: Any) -> ForestModel:
    """Forests that are not fitted yet."""
    return ForestModel(n_classes=n_classes, **options)
