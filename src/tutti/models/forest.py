"""What every random forest offers to training and to bundles."""

from typing import Protocol

import numpy as np

from tutti.trees import Trees


class Forest(Protocol):
    """A classifier of trees that is fitted once, on labels that may be masked."""

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
        """Fits it.

        Args:
            features: float [n, ...].
            labels: Relevance [n, n_classes] in [0, 1].
            mask: bool [n, n_classes], whether the cell was asked.
            trees: Trees of each forest.
            max_depth: Depth of a tree, None for no limit.
            seed: Seed, below 2**32.
        """
        ...

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Probability of each label, float32 [n, n_classes], from features float [n, ...]."""
        ...

    def to_trees(self) -> Trees:
        """The fitted forest as it is stored and served."""
        ...
