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
    """All trees of one forest per class, or of one forest that answers all classes, node by node, in one numbering.

    A leaf is its own child, so that following children for ``depth`` steps ends at a leaf from any root.

    Attributes:
        left: int32 [nodes], the child for ``x[feature] <= threshold``.
        right: int32 [nodes], the other child.
        feature: int32 [nodes], the feature compared; 0 in leaves.
        threshold: float64 [nodes]; as in scikit-learn, float32 features are compared with it in float64.
        probability: float64 [nodes], share of positives among the training rows of the node; [nodes, classes] where
            one forest answers all classes.
        roots: int32 [trees].
        forest: int32 [trees], the class that each tree decides, ascending; all 0 where one forest answers all classes.
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
        nodes, n_features = _Nodes(), 0
        constant = np.full(len(forests), np.nan)
        for index, forest in enumerate(forests):
            if forest is None:
                constant[index] = constants[index]
                continue
            n_features = forest.n_features_in_
            nodes.add(forest, index, np.array([float(value) for value in forest.classes_]))
        return cls(**nodes.arrays(constant), n_features=n_features)

    @classmethod
    def from_label_sets(cls, forest: Any, label_sets: np.ndarray) -> "Trees":
        """The arrays of one fitted forest whose classes are sets of labels.

        A label's probability is the sum over the sets that hold it. It is linear in the leaves' shares, so that each
        node keeps the labels' probabilities and the sets need not be stored.

        Args:
            forest: A fitted `sklearn.ensemble.RandomForestClassifier`.
            label_sets: The labels of each of its classes, zeros and ones [sets, classes], in the order of its
                ``classes_``.
        """
        nodes = _Nodes()
        nodes.add(forest, 0, label_sets.astype(np.float64))
        return cls(**nodes.arrays(np.full(label_sets.shape[1], np.nan)), n_features=forest.n_features_in_)

    @property
    def joint(self) -> bool:
        """Whether one forest answers all classes."""
        return self.probability.ndim == 2

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Probability of each class, equal to what the forests' ``predict_proba`` says of it.

        Args:
            features: float32 [n, n_features]. Of [n, segments, n_features] the mean over segments is used, except
                where one forest answers all classes: it takes [n, ...] and flattens them.

        Returns:
            float32 [n, classes] in [0, 1].
        """
        rows = np.asarray(features, dtype=np.float32)
        if self.joint:
            rows = rows.reshape(len(rows), self.n_features)
        elif rows.ndim == 3:
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
        if self.joint:
            return self.probability[node].mean(axis=1)
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
        trees = cls(**arrays, n_features=n_features)
        if trees.joint and trees.probability.shape[1] != len(trees.constant):
            raise ArtifactMismatch(
                f"{path} contradicts itself",
                got=f"leaves that answer {trees.probability.shape[1]} classes",
                expected=f"{len(trees.constant)} classes",
            )
        return trees


class _Nodes:
    """The nodes of the trees seen so far, numbered through."""

    def __init__(self) -> None:
        self._parts: dict[str, list[np.ndarray]] = {name: [] for name in _PER_NODE}
        self._roots: list[int] = []
        self._owners: list[int] = []
        self._count = 0

    def add(self, forest: Any, owner: int, holds: np.ndarray) -> None:
        """Appends a forest's trees.

        Args:
            forest: A fitted `sklearn.ensemble.RandomForestClassifier`.
            owner: The class that its trees decide.
            holds: 1 where one of the forest's classes means that a label is present, else 0: float64 [its classes] for
                one label, [its classes, labels] for several.
        """
        for estimator in forest.estimators_:
            tree = estimator.tree_
            own = np.arange(tree.node_count)
            leaf = tree.children_left < 0
            shares = tree.value[:, 0, :] / tree.value[:, 0, :].sum(axis=1, keepdims=True)
            arrays = (
                np.where(leaf, own, tree.children_left) + self._count,
                np.where(leaf, own, tree.children_right) + self._count,
                np.where(leaf, 0, tree.feature),
                np.where(leaf, 0.0, tree.threshold),
                shares @ holds,
            )
            for name, array in zip(_PER_NODE, arrays, strict=True):
                self._parts[name].append(array)
            self._roots.append(self._count)
            self._owners.append(owner)
            self._count += tree.node_count

    def arrays(self, constant: np.ndarray) -> dict[str, np.ndarray]:
        """All arrays of `Trees`, given its ``constant``."""
        arrays = {name: np.concatenate(part) if part else np.zeros(0) for name, part in self._parts.items()}
        arrays.update(roots=np.array(self._roots), forest=np.array(self._owners), constant=constant)
        return {name: arrays[name].astype(dtype) for name, dtype in _DTYPES.items()}
