"""Figures that set the models side by side."""

import numpy as np
from matplotlib.figure import Figure

from tutti.reports.data import ReportData, Scores
from tutti.reports.style import (
    ACCENT,
    CONTRAST,
    INK,
    MUTED,
    SHADES,
    WIDTH,
    Plate,
    display_name,
    grid_lines,
    new_figure,
    readable_on,
    themed,
)

#: Key in the metrics, name for people, what it is in one line. ``hamming`` is the only one where less is better.
_EVERY_TASK: tuple[tuple[str, str, str], ...] = (
    ("map", "mAP", "mean over classes of average precision: how well clips are ranked, at every threshold"),
    ("f1_macro", "F1, positive class", "mean over classes of the F1 of “present” at the class's threshold"),
    ("f1_macro_two_class", "F1, two-class", "mean over classes of the F1 of “present” and of “absent”, averaged"),
    ("auroc", "AUROC", "mean over classes: the chance that a clip with the instrument ranks above one without"),
    ("hamming", "Hamming loss", "share of asked cells that are answered wrongly; less is better"),
)

#: The same of `tutti.evaluation.task_metrics`.
_SOME_TASKS: tuple[tuple[str, str, str], ...] = (
    ("accuracy", "Accuracy", "share of clips whose most probable class is the right one"),
    ("label_accuracy", "Label accuracy", "share of cells that are answered rightly"),
    ("exact_accuracy", "Exact accuracy", "share of clips of which every class is answered rightly"),
    ("micro_f1", "Micro F1", "F1 of “present” over the cells of all classes together"),
    ("f1_macro_present", "F1, occurring classes", "mean F1 of “present” over the classes that occur"),
)


def shown_metrics(data: ReportData) -> tuple[tuple[str, str, str], ...]:
    """Key, name and meaning of the metrics that the ensemble has: those of its task, then those of every task."""
    own = tuple(row for row in _SOME_TASKS if data.ensemble.metrics["test"].get(row[0]) is not None)
    return own + _EVERY_TASK


def chance_map(scores: Scores, split: str = "test") -> float | None:
    """The mAP that random ranking reaches on average: the mean positive share of the classes asked both ways."""
    _, present, mask = scores.cells(split)
    positives, asked = (present & mask).sum(axis=0), mask.sum(axis=0)
    both = (positives > 0) & (positives < asked)
    return float((positives[both] / asked[both]).mean()) if both.any() else None


@themed
def leaderboard(data: ReportData) -> Plate | None:
    """The test mAP of every system with its interval, beside chance; None when none has an mAP."""
    rows = [scores for scores in reversed(data.leaders) if scores.metrics["test"].get("map") is not None]
    if not rows:
        return None
    figure = new_figure(0.95 + 0.42 * len(rows), width=6.0)
    axes = figure.subplots()
    for position, scores in enumerate(rows):
        test = scores.metrics["test"]
        colour = ACCENT if scores.name == "ensemble" else MUTED
        low, high = test.get("map_low"), test.get("map_high")
        if low is not None and high is not None:
            axes.plot([low, high], [position, position], color=colour, linewidth=3, alpha=0.45, solid_capstyle="butt")
        axes.plot(test["map"], position, "o", color=colour, markersize=7, clip_on=False)
        axes.annotate(
            f"{test['map']:.3f}", (test["map"], position), (0, 7), textcoords="offset points", ha="center", color=INK,
            fontsize=9,
        )  # fmt: skip
    chance = chance_map(data.ensemble)
    if chance is not None:
        axes.axvline(chance, color=CONTRAST, linewidth=1.2, linestyle=(0, (4, 3)))
        axes.annotate(
            f"chance {chance:.3f}", (chance, 1), (4, -2), xycoords=("data", "axes fraction"),
            textcoords="offset points", color=CONTRAST, fontsize=9, va="top",
        )  # fmt: skip
    axes.set(xlim=(0, 1.0), ylim=(-0.5, len(rows) - 0.15), xlabel="mAP on test")
    axes.set_yticks(range(len(rows)), [scores.name for scores in rows])
    for tick, scores in zip(axes.get_yticklabels(), rows, strict=True):
        tick.set_fontweight("bold" if scores.name == "ensemble" else "normal")
    axes.spines["left"].set_visible(False)
    grid_lines(axes)
    best = rows[-1]
    return Plate(
        name="leaderboard",
        title="Mean average precision",
        caption=f"mAP on {data.ensemble.describe('test')}. Bars span the "
        f"{data.params.evaluate.confidence:.0%} bootstrap interval; the dashed line is what random ranking reaches "
        "(the mean share of positives).",
        alt=f"Dot plot of {len(rows)} systems; best is {best.name} with an mAP of {best.metrics['test']['map']:.3f}.",
        figure=figure,
    )


def _heat(
    values: np.ndarray, rows: list[str], columns: list[str], *, height: float, shades: np.ndarray | None = None
) -> Figure:
    """A table whose cells are shaded by ``shades`` (``values`` when None), both [rows, columns] in [0, 1] or NaN."""
    shades = values if shades is None else shades
    figure = new_figure(height, width=min(WIDTH, 2.4 + 1.35 * len(columns)))
    axes = figure.subplots()
    axes.imshow(np.ma.masked_invalid(shades), cmap=SHADES, vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(values.shape):
        known = bool(np.isfinite(values[row, column]))
        axes.text(
            column, row, f"{values[row, column]:.3f}" if known else "–", ha="center", va="center", fontsize=9,
            color=readable_on(float(shades[row, column])) if known else MUTED,
        )  # fmt: skip
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.xaxis.tick_top()
    axes.set_xticks(np.arange(0.5, len(columns) - 1), minor=True)
    axes.set_yticks(np.arange(0.5, len(rows) - 1), minor=True)
    axes.grid(True, which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    return figure


@themed
def metric_heat(data: ReportData) -> Plate:
    """Every metric of every system on test, shaded so that darker is better throughout."""
    systems, metrics = data.leaders, shown_metrics(data)
    values = np.array([[_number(s.metrics["test"].get(key)) for key, *_ in metrics] for s in systems])
    shades = values.copy()
    lower_is_better = [key == "hamming" for key, *_ in metrics]
    shades[:, lower_is_better] = 1 - shades[:, lower_is_better]
    figure = _heat(
        values, [s.name for s in systems], [title.replace(", ", ",\n") for _, title, _ in metrics],
        height=0.75 + 0.38 * len(systems), shades=shades,
    )  # fmt: skip
    return Plate(
        name="metric-heat",
        title="All metrics",
        caption=f"On {data.ensemble.describe('test')}. Darker is better; for Hamming loss the smaller number is.",
        alt=f"Heat map of {len(systems)} systems by {len(metrics)} metrics, as in the table.",
        figure=figure,
    )


@themed
def class_heat(data: ReportData) -> Plate:
    """Average precision of every class under every system, on test."""
    systems = data.leaders
    values = np.column_stack([scores.classes("test")["ap"].to_numpy(float) for scores in systems])
    figure = _heat(
        values, [display_name(name) for name in data.labels], [s.name for s in systems],
        height=0.8 + 0.27 * len(data.labels),
    )  # fmt: skip
    return Plate(
        name="class-heat",
        title="Average precision per instrument and model",
        caption=f"Average precision on {data.ensemble.describe('test')}. A dash: the class was not asked both ways.",
        alt=f"Heat map of {len(data.labels)} instruments by {len(systems)} systems.",
        figure=figure,
    )


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
