"""Random forests as plain arrays: the form in which they are stored and served.

A fitted scikit-learn forest is a pickle at heart. Its trees are a few arrays, though, and those fit in safetensors:
nothing in the file can run code, equal forests give equal bytes, 20 forests of 100 trees load in milliseconds (skops
needs seconds and twenty times the space), and predicting with them needs no scikit-learn in the server.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tutti.errors import ArtifactMismatch

#: Rows predicted at a time: bounds memory to rows x trees indices.
_ROWS = 128
_PER_NODE = ("left", "right", "feature", "threshold", "probability")
_DTYPES = {
    "left": np.int32,
    "right": np.int32,
    "feature": np.int32,
    "threshold": np.float64,
    "probability": np.float64,
    "roots": np.int32,
    "forest": np.int32,
    "constant": np.float64,
}


@dataclass(frozen=True)
class Trees:
    """All trees of one forest per class, node by node, in one numbering.

    A leaf is its own child, so that following children for ``depth`` steps ends at a leaf from any root.

    Attributes:
        left: int32 [nodes], the child for ``x[feature] <= threshold``.
        right: int32 [nodes], the other child.
        feature: int32 [nodes], the feature compared; 0 in leaves.
        threshold: float64 [nodes]; as in scikit-learn, float32 features are compared with it in float64.
        probability: float64 [nodes], share of positives among the training rows of the node.
        roots: int32 [trees].
        forest: int32 [trees], the class that each tree decides, ascending.
        constant: float64 [classes], the probability of a class that has no forest; NaN for those that have.
        n_features: Length of a feature row.
    """

    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    probability: np.ndarray
    roots: np.ndarray
    forest: np.ndarray
    constant: np.ndarray
    n_features: int

    @classmethod
    def from_forests(cls, forests: Sequence[Any], constants: Sequence[float]) -> "Trees":
        """The arrays of fitted forests.

        Args:
            forests: One `sklearn.ensemble.RandomForestClassifier` per class, fitted on targets 0 and 1; None for a
                class that could not be fitted.
            constants: The probability of each class when it has no forest.
        """
        parts: dict[str, list[np.ndarray]] = {name: [] for name in _PER_NODE}
        roots, owners, n_features, nodes = [], [], 0, 0
        constant = np.full(len(forests), np.nan)
        for index, forest in enumerate(forests):
            if forest is None:
                constant[index] = constants[index]
                continue
            n_features = forest.n_features_in_
            positive = [int(value) for value in forest.classes_].index(1)
            for estimator in forest.estimators_:
                tree = estimator.tree_
                own = np.arange(tree.node_count)
                leaf = tree.children_left < 0
                parts["left"].append(np.where(leaf, own, tree.children_left) + nodes)
                parts["right"].append(np.where(leaf, own, tree.children_right) + nodes)
                parts["feature"].append(np.where(leaf, 0, tree.feature))
                parts["threshold"].append(np.where(leaf, 0.0, tree.threshold))
                shares = tree.value[:, 0, :] / tree.value[:, 0, :].sum(axis=1, keepdims=True)
                parts["probability"].append(shares[:, positive])
                roots.append(nodes)
                owners.append(index)
                nodes += tree.node_count
        arrays = {name: np.concatenate(part) if part else np.zeros(0) for name, part in parts.items()}
        arrays.update(roots=np.array(roots), forest=np.array(owners), constant=constant)
        return cls(**{name: arrays[name].astype(dtype) for name, dtype in _DTYPES.items()}, n_features=n_features)

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Probability of each class, equal to the forests' ``predict_proba`` of class 1.

        Args:
            features: float32 [n, n_features], or [n, segments, n_features], of which the mean over segments is used.

        Returns:
            float32 [n, classes] in [0, 1].
        """
        rows = np.asarray(features, dtype=np.float32)
        if rows.ndim == 3:
            rows = rows.mean(axis=1)
        result = np.empty((len(rows), len(self.constant)), np.float32)
        for first in range(0, len(rows), _ROWS):
            result[first : first + _ROWS] = self._predict(rows[first : first + _ROWS])
        return result

    def _predict(self, rows: np.ndarray) -> np.ndarray:
        node = np.broadcast_to(self.roots, (len(rows), len(self.roots)))
        row = np.arange(len(rows))[:, None]
        while True:
            goes_left = rows[row, self.feature[node]] <= self.threshold[node]
            following = np.where(goes_left, self.left[node], self.right[node])
            if np.array_equal(following, node):
                break
            node = following
        result = np.tile(np.nan_to_num(self.constant), (len(rows), 1))
        fitted, first_tree, trees = np.unique(self.forest, return_index=True, return_counts=True)
        if len(fitted):
            result[:, fitted] = np.add.reduceat(self.probability[node], first_tree, axis=1) / trees
        return result

    def save(self, path: Path) -> None:
        """Writes the arrays as safetensors; equal forests give equal bytes."""
        from safetensors.numpy import save_file

        arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in _DTYPES}
        save_file(arrays, path, metadata={"n_features": str(self.n_features)})

    @classmethod
    def load(cls, path: Path) -> "Trees":
        """Reads what `save` wrote.

        Raises:
            ArtifactMismatch: The file holds something else.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy") as file:
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a mapping
                n_features = int((file.metadata() or {}).get("n_features", -1))
        except (SafetensorError, OSError, ValueError) as error:
            raise ArtifactMismatch(f"{path} is no readable safetensors file", got=error) from error
        found = {name: array.dtype for name, array in arrays.items()}
        if found != {name: np.dtype(dtype) for name, dtype in _DTYPES.items()} or n_features < 0:
            raise ArtifactMismatch(f"{path} does not hold the arrays of random forests", got=found, expected=_DTYPES)
        return cls(**arrays, n_features=n_features)
