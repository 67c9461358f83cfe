"""Figures of the ensemble: how its weights were chosen, and its answers for single clips."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from tutti.evaluation.metrics import PRESENT
from tutti.evaluation.predictions import Predictions
from tutti.reports.data import ReportData, Scores
from tutti.reports.style import (
    ACCENT,
    CONTRAST,
    FAINT,
    INK,
    MUTED,
    SHADES,
    Plate,
    display_name,
    grid_lines,
    new_figure,
    themed,
)

_HEIGHT = np.sqrt(3) / 2  # of a triangle whose sides are 1

#: Characters that fit above one of two panels side by side.
_TITLE_LENGTH = 43


def member_weights(data: ReportData) -> dict[str, float]:
    """Weight of each member of the bag, in the bag's order."""
    return {member.name: member.weight for member in data.bag.members}


def _triangle(axes: Axes, search: pd.DataFrame, names: list[str], chosen: np.ndarray, objective: str) -> None:
    weights = search[[f"weight_{name}" for name in names]].to_numpy(float)
    value = search[objective].to_numpy(float)
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, _HEIGHT]])
    points = weights @ corners
    axes.plot(*np.vstack([corners, corners[:1]]).T, color=FAINT, linewidth=1, zorder=0)
    drawn = axes.scatter(points[:, 0], points[:, 1], c=value, cmap=SHADES, s=130, edgecolor=MUTED, linewidth=0.5)
    best = chosen @ corners
    axes.plot(best[0], best[1], "o", markersize=15, markerfacecolor="none", markeredgecolor=CONTRAST, markeredgewidth=2)
    for name, corner, (dx, dy), align in zip(
        names, corners, [(0, -14), (0, -14), (0, 12)], ["center", "center", "center"], strict=True
    ):
        axes.annotate(
            f"{name} alone", corner, (dx, dy), textcoords="offset points", ha=align,
            va="top" if dy < 0 else "bottom", fontsize=9,
        )  # fmt: skip
    axes.set(xlim=(-0.15, 1.15), ylim=(-0.14, _HEIGHT + 0.12), aspect="equal")
    axes.axis("off")
    bar = axes.figure.colorbar(drawn, ax=axes, shrink=0.6, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)
    bar.set_label(f"validation {'mAP' if objective == 'map' else 'F1, positive class'}")


@themed
def weight_search(data: ReportData) -> Plate:
    """The member weights that were tried on validation: a triangle for three members, else bars of the chosen ones."""
    weights = member_weights(data)
    chosen = ", ".join(f"{name} {weight:.2f}" for name, weight in weights.items())
    on = data.ensemble.describe("valid")
    columns = [] if data.search is None else list(data.search.columns)
    names = [column.removeprefix("weight_") for column in columns if column.startswith("weight_")]
    if data.search is not None and len(names) == 3:
        figure = new_figure(4.4, width=6.0)
        errors = data.params.select.standard_errors
        place = np.array([weights.get(name, 0.0) for name in names])
        _triangle(figure.subplots(), data.search, names, place, data.params.select.objective)
        rule = "the most equal that validation cannot tell from the best" if errors else "the best"
        caption = (
            f"Each of the {len(data.search)} dots is a weighted mean of three models, its place the weights; the ring "
            f"is the choice ({chosen}), {rule}. On {on}."
        )
    else:
        figure = new_figure(0.9 + 0.4 * len(weights), width=6.0)
        axes = figure.subplots()
        axes.barh(range(len(weights)), list(weights.values()), height=0.6, color=ACCENT)
        axes.set_yticks(range(len(weights)), list(weights))
        axes.set(xlim=(0, 1), xlabel="weight in the mean of probabilities")
        axes.invert_yaxis()
        grid_lines(axes)
        caption = f"Weights of the members, chosen on {on}."
    return Plate("weights", "Weights of the members", caption, f"The chosen weights are {chosen}.", figure)


def dashboard_clips(scores: Scores, count: int = 4) -> list[int]:
    """The test clips that the dashboard shows: those with the most asked cells, clip id breaking ties.

    The rule looks at no prediction, so the clips are not picked for looking good.

    Returns:
        Their rows in ``scores.predictions``.
    """
    predictions = scores.predictions
    rows = np.flatnonzero(predictions.split == "test").tolist()
    return sorted(rows, key=lambda row: (-int(predictions.mask[row].sum()), str(predictions.clip_id[row])))[:count]


def _clip(axes: Axes, predictions: Predictions, row: int, thresholds: np.ndarray) -> None:
    probabilities, asked = predictions.probabilities[row], predictions.mask[row]
    present = predictions.labels[row] >= PRESENT
    positions = np.arange(len(thresholds))
    axes.barh(positions, probabilities, height=0.66, color=np.where(asked, ACCENT, FAINT))
    axes.vlines(thresholds, positions - 0.42, positions + 0.42, color=INK, linewidth=1)
    for position in positions[asked]:
        shape = {"marker": "*", "markersize": 10} if present[position] else {"marker": "o", "markerfacecolor": "none"}
        axes.plot(1.06, position, color=CONTRAST, clip_on=False, **shape)
    kind = " (synthetic)" if predictions.synthetic[row] else ""
    clip, room = predictions.clip_id[row], _TITLE_LENGTH - len(kind)
    axes.set_title(f"{clip if len(clip) <= room else '…' + clip[1 - room :]}{kind}", fontsize=9)
    axes.set(xlim=(0, 1.12), ylim=(len(thresholds) - 0.4, -0.6), xticks=(0, 0.5, 1))
    grid_lines(axes)
    axes.spines[["left", "bottom"]].set_visible(False)


@themed
def clip_dashboard(data: ReportData) -> Plate | None:
    """Probabilities of all classes for a few test clips beside what people labelled.

    None without test clips, and where frames have labels of their own.
    """
    clips = [] if data.task.frames else dashboard_clips(data.ensemble)
    if not clips:
        return None
    thresholds = np.array([data.bag.thresholds[name] for name in data.labels])
    rows = (len(clips) + 1) // 2
    figure = new_figure(0.6 + (0.7 + 0.18 * len(data.labels)) * rows)
    panels = figure.subplots(rows, 2, sharey=True, squeeze=False).ravel()
    for axes, row in zip(panels, clips, strict=False):
        _clip(axes, data.ensemble.predictions, row, thresholds)
    for axes in panels[len(clips) :]:
        axes.axis("off")
    for axes in panels[::2]:
        axes.set_yticks(range(len(data.labels)), [display_name(name) for name in data.labels])
    key = [
        Patch(color=ACCENT, label="probability, asked"),
        Patch(color=FAINT, label="probability, nobody was asked"),
        Line2D([], [], color=INK, marker="|", linestyle="", markersize=9, label="threshold"),
        Line2D([], [], color=CONTRAST, marker="*", linestyle="", markersize=10, label="labelled present"),
        Line2D([], [], color=CONTRAST, marker="o", markerfacecolor="none", linestyle="", label="labelled absent"),
    ]
    figure.legend(handles=key, loc="outside lower center", ncols=3)
    return Plate(
        name="clips",
        title="Single clips",
        caption="The ensemble's answers for the test clips with the most asked cells, of "
        f"{data.ensemble.describe('test')}; chosen without looking at the answers.",
        alt=f"Bars of {len(data.labels)} probabilities for each clip, with stars on the instruments labelled present.",
        figure=figure,
    )
