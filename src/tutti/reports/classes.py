"""Figures of the ensemble, class by class: how well it ranks, decides and means its probabilities."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from tutti.evaluation.thresholds import threshold_scores
from tutti.reports.data import ReportData
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
    readable_on,
    themed,
)


def _bar_label(axes: Axes, value: float, position: int, *, inside: str, tick: float) -> None:
    """Writes the value behind its bar, or in the colour ``inside`` within it where there is no room behind.

    A ``tick`` (NaN for none) where the text would stand is not written over: the text goes behind it.
    """
    text, colour, offset, align, anchor = f"{value:.2f}", INK, 3, "left", value
    if not np.isfinite(value):
        text, colour, anchor = "not asked both ways", MUTED, 0.0
    elif value > 0.88:
        colour, offset, align = inside, -3, "right"
    elif -0.02 < tick - value < 0.16:
        anchor, offset = tick, 6
    place, shift = (anchor, position), (offset, 0)
    axes.annotate(text, place, shift, textcoords="offset points", va="center", ha=align, fontsize=8.5, color=colour)


@themed
def class_bars(data: ReportData) -> Plate:
    """Average precision and two-class F1 per instrument, best ranked first, with the number of asked cells."""
    table = data.ensemble.classes("test")
    order = table["ap"].fillna(-1.0).to_numpy().argsort(kind="stable")  # the best ends on top
    table = table.iloc[order]
    figure = new_figure(6.6)
    axes = figure.subplots(1, 2, sharey=True)
    positions = np.arange(len(table))
    positives = table["positives"].fillna(0).to_numpy(int)
    asked = positives + table["negatives"].fillna(0).to_numpy(int)
    # Chance of average precision is the class's own share of positives.
    chance = np.divide(positives, asked, out=np.full(len(table), np.nan), where=asked > 0)
    for panel, column, title, colour, inside, ticks in (
        (axes[0], "ap", "Average precision", ACCENT, "white", chance),
        (axes[1], "f1_two_class", "F1, two-class", "#6FA8CC", INK, np.full(len(table), np.nan)),
    ):
        values = table[column].to_numpy(float)
        known = np.isfinite(values)
        panel.barh(positions[known], values[known], height=0.62, color=colour)
        for position, value, tick in zip(positions, values, ticks, strict=True):
            _bar_label(panel, float(value), int(position), inside=inside, tick=float(tick))
        panel.set(xlim=(0, 1), xticks=(0, 0.25, 0.5, 0.75, 1), title=title)
        panel.set_xticklabels(["0", "0.25", "0.5", "0.75", "1"])
        grid_lines(panel)
        panel.spines["left"].set_visible(False)
    labels = [f"{display_name(str(name))}  {p}/{n}" for name, p, n in zip(table.index, positives, asked, strict=True)]
    axes[0].set_yticks(positions, labels)
    axes[0].set_ylim(-0.6, len(table) - 0.4)
    axes[0].plot(chance, positions, "|", color="white", markersize=13, markeredgewidth=4.5)
    axes[0].plot(chance, positions, "|", color=CONTRAST, markersize=13, markeredgewidth=2)
    best, worst = display_name(str(table.index[-1])), display_name(str(table.index[0]))
    return Plate(
        name="per-instrument",
        title="Each instrument",
        caption=f"The ensemble on {data.ensemble.describe('test')}. Beside each name: positives / asked cells. The "
        "orange tick is chance, the class's share of positives. Few cells make these numbers coarse.",
        alt=f"Bars of average precision and two-class F1 of {len(table)} instruments; best ranked is {best}, worst "
        f"{worst}.",
        figure=figure,
    )


def _roc(probabilities: np.ndarray, present: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.metrics import roc_curve

    false_rate, true_rate, _ = roc_curve(present, probabilities, drop_intermediate=False)
    return false_rate, true_rate


@themed
def roc_grid(data: ReportData) -> Plate:
    """One ROC curve per class, as small multiples."""
    probabilities, present, mask = data.ensemble.cells("test")
    auroc = data.ensemble.classes("test")["auroc"]
    rows = -(-len(data.labels) // 4)
    figure = new_figure(0.6 + 1.6 * rows)
    panels = figure.subplots(rows, 4, sharex=True, sharey=True, squeeze=False).ravel()
    for index, (name, axes) in enumerate(zip(data.labels, panels, strict=False)):
        asked = mask[:, index]
        truth = present[asked, index]
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1)
        axes.set_title(display_name(name), fontsize=9, pad=3)
        if truth.any() and not truth.all():
            false_rate, true_rate = _roc(probabilities[asked, index], truth)
            axes.plot(false_rate, true_rate, color=ACCENT)
            note = f"{auroc[name]:.2f}\n{int(truth.sum())}/{int(asked.sum())}"
            axes.text(0.97, 0.06, note, ha="right", va="bottom", fontsize=8.5, color=INK)
        else:
            axes.text(0.5, 0.25, "not asked\nboth ways", ha="center", va="center", fontsize=8.5, color=MUTED)
        axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        axes.set_xticklabels(["0", "½", "1"])
        axes.set_yticklabels(["0", "½", "1"])
        axes.tick_params(length=2, labelsize=8.5)
    for axes in panels[len(data.labels) :]:
        axes.axis("off")
    figure.supxlabel("false positive rate", fontsize=9.5)
    figure.supylabel("true positive rate", fontsize=9.5)
    return Plate(
        name="roc",
        title="ROC curve of each instrument",
        caption=f"The ensemble on {data.ensemble.describe('test')}. In each corner: AUROC, positives / asked.",
        alt=f"{len(data.labels)} small ROC curves, one per instrument; their areas stand in the table per instrument.",
        figure=figure,
    )


_F1 = {"f1_macro": "F1 of the positive class", "f1_macro_two_class": "Mean F1 of present and absent"}


@themed
def threshold_choice(data: ReportData) -> Plate | None:
    """F1 of each class at a range of thresholds on validation, and the threshold that was chosen.

    None when there is no validation split.
    """
    probabilities, present, mask = data.ensemble.cells("valid")
    if not mask.any():
        return None
    chosen = data.bag.thresholds
    candidates = np.array(sorted({round(step / 10, 1) for step in range(1, 10)} | {float(t) for t in chosen.values()}))
    metric = data.bag.provenance["params"]["select"]["threshold_metric"]
    values = threshold_scores(probabilities, present, mask, candidates.tolist(), metric=metric).T
    figure = new_figure(0.8 + 0.27 * len(data.labels))
    axes = figure.subplots()
    axes.imshow(np.ma.masked_invalid(values), cmap=SHADES, vmin=0, vmax=1, aspect="auto")
    for row, name in enumerate(data.labels):
        for column, value in enumerate(values[row]):
            axes.text(
                column, row, f"{value:.2f}" if np.isfinite(value) else "–", ha="center", va="center", fontsize=8.5,
                color=readable_on(value) if np.isfinite(value) else MUTED,
            )  # fmt: skip
        column = int(np.argmin(np.abs(candidates - float(chosen[name]))))
        axes.add_patch(Rectangle((column - 0.46, row - 0.44), 0.92, 0.88, fill=False, edgecolor=CONTRAST, linewidth=2))
    axes.set_xticks(range(len(candidates)), [f"{threshold:g}" for threshold in candidates])
    axes.set_yticks(range(len(data.labels)), [display_name(name) for name in data.labels])
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("threshold")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return Plate(
        name="thresholds",
        title="Thresholds",
        caption=f"{_F1[metric]} by threshold on {data.ensemble.describe('valid')}; the frame is the "
        "threshold that the select step chose there, the same for classes with too few cells for one of their own. "
        "Test was not looked at.",
        alt=f"Heat map of {len(data.labels)} instruments by threshold; the chosen threshold of each is framed.",
        figure=figure,
    )


def calibration_error(probabilities: np.ndarray, present: np.ndarray, bins: np.ndarray) -> float:
    """Expected calibration error: mean over cells of the gap between stated and observed share in their bin."""
    total = 0.0
    for number in np.unique(bins):
        inside = bins == number
        total += inside.sum() * abs(probabilities[inside].mean() - present[inside].mean())
    return float(total / len(bins))


@themed
def reliability(data: ReportData) -> Plate | None:
    """Stated probability against observed share of positives over all asked test cells; None without any."""
    probabilities, present, mask = data.ensemble.cells("test")
    stated, truth = probabilities[mask], present[mask]
    if not len(stated):
        return None
    bins = np.minimum((stated * 10).astype(int), 9)
    numbers = np.unique(bins)
    counts = np.bincount(bins, minlength=10)
    mean = np.array([stated[bins == n].mean() for n in numbers])
    observed = np.array([truth[bins == n].mean() for n in numbers])
    spread = 1.96 * np.sqrt(observed * (1 - observed) / counts[numbers])
    figure = new_figure(4.6, width=6.0)
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axes.errorbar(mean, observed, yerr=spread, fmt="o-", color=ACCENT, elinewidth=1, markersize=5, linewidth=1.2)
    axes.set(xlim=(0, 1), ylim=(-0.03, 1.03), ylabel="share that is present")
    below.bar((np.arange(10) + 0.5) / 10, counts, width=0.09, color=FAINT)
    for number, count in enumerate(counts):
        place = ((number + 0.5) / 10, count)
        below.annotate(str(count), place, (0, 2), textcoords="offset points", ha="center", fontsize=8.5)
    below.set(xlabel="probability the ensemble states", ylabel="cells", yticks=(), ylim=(0, counts.max() * 1.35))
    below.spines["left"].set_visible(False)
    error = calibration_error(stated, truth, bins)
    key = [
        Line2D([], [], color=ACCENT, marker="o", markersize=5, linewidth=1.2, label="ensemble"),
        Line2D([], [], color=MUTED, linewidth=1, linestyle=(0, (4, 3)), label="perfectly calibrated"),
    ]
    axes.legend(handles=key, loc="upper left")
    return Plate(
        name="reliability",
        title="Do the probabilities mean what they say?",
        caption=f"All classes pooled, {data.ensemble.describe('test')}, in ten bins; whiskers are 95 % normal "
        f"intervals. Expected calibration error {error:.3f}.",
        alt=f"Reliability diagram of the ensemble; the expected calibration error is {error:.3f}.",
        figure=figure,
    )
