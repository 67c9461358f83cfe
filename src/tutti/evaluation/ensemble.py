"""The ensemble: a weighted mean of probabilities, its weights searched on the simplex with validation clips only."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from tutti.errors import ConfigError, DataError
from tutti.evaluation import counts, ranking
from tutti.evaluation.bootstrap import draw, memberships, resampled
from tutti.evaluation.metrics import check_arrays
from tutti.evaluation.predictions import Predictions
from tutti.evaluation.thresholds import Metric, choose_thresholds, shared_threshold, threshold_scores
from tutti.progress import track

if TYPE_CHECKING:
    import pandas as pd

#: The most grid points that are searched; beyond it a coarser step is asked for.
MAX_POINTS = 100_000
#: Resamples behind a standard error.
_RESAMPLES = 200


@dataclass(frozen=True)
class Selection:
    """The members' weights and the thresholds that were found on validation.

    Attributes:
        weights: Weight of each member, all above 0, summing to 1; members that got none are left out.
        thresholds: One per class.
        score: The objective on validation.
        best_single: The member with the best objective on its own.
        table: Every grid point: ``weight_<member>``, ``map``, ``f1_macro``, ``threshold`` (the shared one behind
            ``f1_macro``), ``selected``.
    """

    weights: dict[str, float]
    thresholds: tuple[float, ...]
    score: float
    best_single: str
    table: "pd.DataFrame"


def simplex_grid(members: int, step: float) -> np.ndarray:
    """Every way to share a weight of 1 among the members in multiples of ``step``.

    The shares are counted in whole steps, so that no point is lost to rounding: three members at 0.1 have 66 points.

    Args:
        members: Number of members, at least 1.
        step: Fraction that divides 1.

    Returns:
        Float [points, members], rows summing to 1, the first member's weight falling.

    Raises:
        ConfigError: The step does not divide 1, or the grid has more than ``MAX_POINTS`` points.
    """
    units = round(1 / step)
    if abs(units * step - 1) > 1e-9:
        raise ConfigError("select.step does not divide 1", got=step, expected="a fraction such as 0.5, 0.25, 0.1, 0.05")
    points = 1
    for index in range(1, members):
        points = points * (units + index) // index
    if points > MAX_POINTS:
        raise ConfigError(
            f"{members} members at select.step {step} are {points} combinations",
            expected=f"at most {MAX_POINTS}",
            hint="use a larger step or fewer models",
        )
    return np.array(list(_compositions(units, members)), float) / units


def combine(probabilities: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """The weighted mean; members of weight 0 have no influence, and a single one of weight 1 is reproduced exactly.

    Args:
        probabilities: One float array [clips, classes] per member.
        weights: One per member, summing to 1.

    Returns:
        float32 [clips, classes].
    """
    total = sum(weight * np.asarray(prob, float) for prob, weight in zip(probabilities, weights, strict=True) if weight)
    return np.clip(np.asarray(total), 0.0, 1.0).astype(np.float32)


def search(
    members: Mapping[str, Predictions],
    *,
    step: float,
    thresholds: Sequence[float],
    objective: Literal["map", "f1_macro"],
    threshold_metric: Metric = "f1_macro",
    standard_errors: float = 0.0,
    seed: int = 0,
    frames: bool = False,
) -> Selection:
    """Weights and thresholds from the members' validation clips.

    For ``f1_macro`` a point is scored at the best threshold that all classes share. Validation clips are few, so the
    best point is partly luck: of the points that they cannot tell from it, the one with the most equal weights is
    taken, which depends least on any member (the rule of one standard error, Breiman et al. 1984, with the standard
    error of the paired difference).

    Args:
        members: Each model's predictions on validation; all on the same clips.
        step: Grid step of the weights.
        thresholds: Candidates.
        objective: What is maximised.
        threshold_metric: Which F1 the thresholds maximise.
        standard_errors: How many standard errors below the best a point may lie to be taken for its more equal
            weights; 0 takes the best, as published.
        seed: The run's seed, for the resamples behind the standard error.
        frames: Whether the rows are frames.

    Returns:
        The selection and the table of all points.

    Raises:
        DataError: There is no member, members were judged on different clips, rows of another split are among them,
            or validation cannot tell points apart because no class has labels of both kinds.
        ConfigError: Frames have no standard error of the objective ``map``; see also `simplex_grid` and
            `tutti.evaluation.thresholds.threshold_scores`.
    """
    import pandas as pd

    names, clips = list(members), _aligned(members)
    labels, mask = clips[0].labels, clips[0].mask
    _, present, asked = check_arrays(clips[0].probabilities, labels, mask)
    both = [c for c in range(asked.shape[1]) if 0 < (present & asked)[:, c].sum() < asked[:, c].sum()]
    if not both:
        raise DataError(
            "the validation clips have no class with both positive and negative labels",
            hint="give the validation split more clips (data.valid_fraction), or more recordings per instrument",
        )
    stack = [member.probabilities for member in clips]
    grid = simplex_grid(len(names), step)
    if frames and standard_errors and objective == "map" and len(grid) > 1:
        raise ConfigError(
            "the weights of models of frames cannot be chosen by map within a standard error",
            expected="select.objective f1_macro, or select.standard_errors 0",
            hint="frames are too many to be ranked anew for every resample",
        )
    rows, scores = [], []
    for weights in track(grid, "ensemble search", unit="points"):
        prob = combine(stack, weights)
        threshold, f1 = shared_threshold(threshold_scores(prob, labels, mask, thresholds), thresholds)
        row = {"map": _map(prob, present, asked, both), "f1_macro": f1, "threshold": threshold}
        rows.append({**{f"weight_{name}": w for name, w in zip(names, weights, strict=True)}, **row})
        scores.append(row[objective])
    # Rounded, so that differences in the last bit do not beat the preference for equal weights.
    equality = [round(float((point**2).sum()), 12) for point in grid]
    best = min(range(len(grid)), key=lambda i: (-round(scores[i], 12), equality[i], i))
    if standard_errors and len(grid) > 1:
        differs = _Difference(clips, objective, seed, frames=frames)
        for i in sorted(range(len(grid)), key=lambda i: (equality[i], -scores[i], i)):
            limit = standard_errors * differs.standard_error(grid[best], rows[best], grid[i], rows[i])
            if scores[best] - scores[i] <= limit:
                best = i
                break
    single = max((i for i in range(len(grid)) if grid[i].max() == 1), key=lambda i: (round(scores[i], 12), -i))
    table = pd.DataFrame(rows)
    table["selected"] = np.arange(len(grid)) == best
    chosen = choose_thresholds(combine(stack, grid[best]), labels, mask, thresholds, metric=threshold_metric)
    return Selection(
        weights={name: float(weight) for name, weight in zip(names, grid[best], strict=True) if weight},
        thresholds=tuple(map(float, chosen)),
        score=float(scores[best]),
        best_single=names[int(grid[single].argmax())],
        table=table,
    )


class _Difference:
    """How uncertain the difference between two points of the grid is, over the same resamples of the groups."""

    def __init__(self, clips: Sequence[Predictions], objective: str, seed: int, *, frames: bool) -> None:
        self._stack = [member.probabilities for member in clips]
        self._labels, self._mask, self._objective, self._frames = clips[0].labels, clips[0].mask, objective, frames
        self._groups = memberships(clips[0].group)
        self._weights = draw(int(self._groups.max()) + 1, _RESAMPLES, seed)
        self._drawn: dict[bytes, np.ndarray] = {}

    def _samples(self, weights: np.ndarray, row: Mapping[str, float]) -> np.ndarray:
        key = weights.tobytes()
        if key not in self._drawn:
            cells = combine(self._stack, list(weights)), self._labels, self._mask, row["threshold"]
            if self._frames:
                drawn = counts.resampled(counts.grouped(*cells, self._groups), self._weights)
            else:
                drawn = resampled(*cells, self._weights[:, self._groups])
            self._drawn[key] = drawn[self._objective]
        return self._drawn[key]

    def standard_error(
        self, one: np.ndarray, row: Mapping[str, float], other: np.ndarray, other_row: Mapping[str, float]
    ) -> float:
        """Standard deviation over the resamples of the objective's difference between two points."""
        return float(np.nanstd(self._samples(one, row) - self._samples(other, other_row)))


def align(members: Mapping[str, Predictions]) -> dict[str, Predictions]:
    """The members' predictions with the clips of all in the order of the first.

    Raises:
        DataError: There is no member, or members were not judged on the same clips with the same labels.
    """
    if not members:
        raise DataError("there is no model to select from", hint="train and evaluate at least one of params.models")
    (first_name, first), *others = members.items()
    aligned = {first_name: first}
    for name, predictions in others:
        difference = first.difference(predictions)
        if difference:
            raise DataError(
                f"{first_name} and {name} were not evaluated on the same clips",
                got=difference,
                hint="evaluate both again from the same features",
            )
        aligned[name] = predictions.in_order_of(first)
    return aligned


def _aligned(members: Mapping[str, Predictions]) -> list[Predictions]:
    clips = list(align(members).values())
    if set(clips[0].split) != {"valid"}:
        raise DataError("the ensemble is chosen on validation clips only", got=sorted(set(clips[0].split)))
    return clips


def _map(prob: np.ndarray, present: np.ndarray, asked: np.ndarray, classes: Sequence[int]) -> float:
    scores = [ranking.unweighted(prob[asked[:, c], c], present[asked[:, c], c])[0] for c in classes]
    return float(np.mean(scores))


def _compositions(units: int, parts: int) -> Iterator[tuple[int, ...]]:
    if parts == 1:
        yield (units,)
        return
    for first in range(units, -1, -1):
        for rest in _compositions(units - first, parts - 1):
            yield (first, *rest)
