"""Real and synthetic audio: how the networks were trained, and where their thresholds lie."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from tutti.evaluation.thresholds import shared_threshold, threshold_scores
from tutti.reports.style import ACCENT, CONTRAST, INK, MUTED, Plate, grid_lines, new_figure, themed
from tutti.reports.systems.data import Run, SystemsData, lacking
from tutti.reports.systems.exhibit import HUES, OURS, Exhibit, published, words

NETWORKS = ("passt", "ms_crnn", "cbam_cnn")

#: Candidate thresholds of the analysis.
GRID = tuple(round(step / 20, 2) for step in range(1, 20))


def _runs(data: SystemsData) -> list[Run]:
    return [run for run in map(data.of, NETWORKS) if run is not None]


def _lines(axes: Axes, history: pd.DataFrame, columns: tuple[tuple[str, str, str], ...]) -> None:
    for marker, (column, label, colour) in zip("os", columns, strict=True):
        if column in history and history[column].notna().any():
            axes.plot(history["epoch"], history[column], color=colour, marker=marker, markersize=3, label=label)
    axes.locator_params(axis="x", integer=True)
    grid_lines(axes, "y")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best", fontsize=8)


@themed
def training(data: SystemsData) -> Exhibit | str:
    """Loss and validation F1 by epoch of the three networks."""
    runs = [run for run in _runs(data) if run.history is not None]
    if not runs:
        return lacking(data, NETWORKS, "Training by epoch") or ""
    figure = new_figure(2.4 * len(runs))
    panels = figure.subplots(len(runs), 2, squeeze=False)
    for (loss, score), run in zip(panels, runs, strict=True):
        assert run.history is not None
        _lines(
            loss, run.history,
            (("train_loss", "training loss", MUTED), ("valid_loss", "validation loss", CONTRAST)),
        )  # fmt: skip
        _lines(
            score, run.history,
            (("valid_f1_macro", "F1, positive class", ACCENT), ("valid_map", "mAP", "#6FA8CC")),
        )  # fmt: skip
        loss.set(title=f"{run.name}: loss")
        score.set(title=f"{run.name}: validation", ylim=(0, 1))
    for axes in panels[-1]:
        axes.set_xlabel("epoch")
    plate = Plate(
        name="synthetic-training",
        title="Training by epoch",
        caption=f"{OURS.capitalize()}; F1 at 0.5 and mAP on {runs[0].describe('valid')}.",
        alt="Curves of loss and of validation scores by epoch of " + words([run.name for run in runs]) + ".",
        figure=figure,
    )
    tables = [run.history.assign(model=run.name) for run in runs if run.history is not None]
    return Exhibit(plate, numbers={"synthetic_training": pd.concat(tables, ignore_index=True)})


@themed
def pretraining(data: SystemsData) -> Exhibit | str:
    """Accuracy of the pretraining on nine IRMAS instruments by epoch, and where the published ones ended."""
    runs = [run for run in _runs(data) if run.pretraining is not None and "valid_accuracy" in run.pretraining]
    if not runs:
        return "The pretraining on IRMAS: this run pretrained none of " + ", ".join(NETWORKS) + "."
    table = published("real_and_synthetic_pretraining").set_index("model")
    figure = new_figure(2.9, width=6.0)
    axes = figure.subplots()
    numbers = []
    for run in runs:
        assert run.pretraining is not None
        colour, marker = HUES[2 + NETWORKS.index(run.entry.name)]
        history = run.pretraining
        axes.plot(
            history["epoch"], history["valid_accuracy"], color=colour, marker=marker, markersize=3, linewidth=1.3,
            label=run.name,
        )  # fmt: skip
        numbers.append(history.assign(model=run.name))
        if run.entry.name in table.index:
            rows = table.loc[[run.entry.name]]
            axes.plot(
                rows["epoch"], rows["train_accuracy"], linestyle="", marker=marker, markersize=7,
                markerfacecolor="white", markeredgecolor=colour,
            )  # fmt: skip
    axes.axhline(1 / 9, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axes.set(xlabel="epoch", ylabel="accuracy", ylim=(0, 1))
    axes.locator_params(axis="x", integer=True)
    grid_lines(axes, "y")
    hollow = Line2D([], [], color=MUTED, marker="o", markerfacecolor="white", linestyle="", label="published, training")
    handles = [*axes.get_legend_handles_labels()[0], hollow]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    plate = Plate(
        name="synthetic-pretraining",
        title="Pretraining on IRMAS",
        caption=f"{OURS.capitalize()}: accuracy on {data.kind(['irmas'])} validation excerpts of nine instruments "
        "(irmas). Hollow: published accuracy on the training excerpts, first and last epoch; nothing was held out "
        "there. The dashed line is chance.",
        alt="Curves of accuracy by epoch of the pretraining of " + words([run.name for run in runs]) + ".",
        figure=figure,
    )
    return Exhibit(plate, numbers={"synthetic_pretraining": pd.concat(numbers, ignore_index=True)})


@themed
def published_training(data: SystemsData) -> Exhibit:
    """The published validation loss and F1 by epoch."""
    table = published("real_and_synthetic_history")
    figure = new_figure(5.0)
    panels = figure.subplots(2, 2)
    for (colour, marker), (name, rows) in zip(HUES[1:], table.groupby("model", sort=False), strict=False):
        kept = rows.sort_values("epoch")
        loss, score = panels[0 if str(name).startswith("PaSST") else 1]
        joined = ":" if len(kept) < 5 else "-"
        style = {"color": colour, "marker": marker, "markersize": 4, "linewidth": 1.3}
        loss.plot(kept["epoch"], kept["valid_loss"], linestyle=joined, label=str(name), **style)
        score.plot(kept["epoch"], kept["f1_at_0.2"], linestyle=joined, **style)
        score.plot(kept["epoch"], kept["f1_at_0.5"], linestyle=joined, markerfacecolor="white", **style)
    for axes in panels.ravel():
        axes.set(ylim=(0, 1.08 * axes.get_ylim()[1]), xlabel="epoch" if axes in panels[1] else "")
        axes.locator_params(axis="x", integer=True)
        grid_lines(axes, "y")
    panels[0, 0].set_title("Validation loss")
    panels[0, 1].set_title("Validation F1")
    handles = [handle for row in panels for handle in row[0].get_legend_handles_labels()[0]]
    handles += [
        Line2D([], [], color=INK, marker="o", markersize=4, linestyle="", label="F1 at 0.2"),
        Line2D([], [], color=INK, marker="o", markersize=4, markerfacecolor="white", linestyle="", label="F1 at 0.5"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    plate = Plate(
        name="synthetic-training-published",
        title="Training by epoch, published",
        caption="As published, every model on validation clips of its own; of the dotted ones only these epochs were "
        "printed. The losses weigh positives differently and cannot be compared between models.",
        alt="Published curves of validation loss and F1 by epoch of "
        + words([str(name) for name in table["model"].unique()]) + ".",
        figure=figure,
    )  # fmt: skip
    return Exhibit(plate, numbers={"synthetic_training_published": table})


@themed
def thresholds(data: SystemsData) -> Exhibit | str:
    """Macro F1 on validation at every threshold, with the best one of each model."""
    runs = _runs(data)
    if not runs:
        return lacking(data, NETWORKS, "F1 against the threshold") or ""
    table = published("real_and_synthetic_models")
    figure = new_figure(3.8)
    panels = figure.subplots(1, 2, sharey=True)
    best_ones: list[dict[str, object]] = []
    curves: dict[str, pd.DataFrame] = {}
    for axes, metric, title in (
        (panels[0], "f1_macro", "F1 of the positive class"),
        (panels[1], "f1_macro_two_class", "F1, two-class"),
    ):
        for (colour, marker), run in zip(HUES[2:], runs, strict=False):
            scores = threshold_scores(*run.cells("valid"), GRID, metric=metric)  # type: ignore[arg-type]
            known = ~np.isnan(scores[0])
            macro = scores[:, known].mean(axis=1)
            chosen, best = shared_threshold(scores, GRID)
            axes.plot(GRID, macro, color=colour, marker=marker, markersize=3.5, linewidth=1.3, label=run.name)
            axes.plot(
                chosen, best, "o", markersize=12, markerfacecolor="none", markeredgecolor=INK, markeredgewidth=1.3
            )
            best_ones.append({"model": run.name, "metric": metric, "threshold": chosen, "f1": best})
            curves.setdefault(run.name, pd.DataFrame({"model": run.name, "threshold": GRID}))[metric] = macro
        axes.set(title=title, xlabel="threshold", xlim=(0, 1), ylim=(0, 1))
        grid_lines(axes, "both")
    labels = {"passt": "PaSST with synthetic data", "ms_crnn": "MS-CRNN", "cbam_cnn": "CBAM-CNN"}
    for (colour, marker), run in zip(HUES[2:], runs, strict=False):
        theirs = table[table["model"] == labels[run.entry.name]]
        panels[0].plot(
            [0.2, 0.5], theirs[["f1_at_0.2", "f1_at_0.5"]].to_numpy(float).ravel(), linestyle="", marker=marker,
            markersize=7, markerfacecolor="white", markeredgecolor=colour,
        )  # fmt: skip
    key = [
        *panels[0].get_legend_handles_labels()[0],
        Line2D([], [], color=INK, marker="o", markerfacecolor="none", markersize=10, linestyle="", label="best"),
        Line2D([], [], color=MUTED, marker="o", markerfacecolor="white", linestyle="", label="published, on test"),
    ]
    figure.legend(handles=key, loc="outside lower center", ncols=len(key))
    plate = Plate(
        name="synthetic-thresholds",
        title="F1 against the threshold",
        caption=f"One threshold for all classes, on {runs[0].describe('valid')}; the ring is the best. Hollow markers: "
        "the published F1 at 0.2 and 0.5, each on a test set of its own. Models that weigh positives more need a "
        "higher threshold.",
        alt="Curves of macro F1 by threshold; best thresholds: "
        + ", ".join(f"{row['model']} {row['threshold']} ({row['metric']})" for row in best_ones)
        + ".",
        figure=figure,
    )
    numbers = {
        "synthetic_thresholds": pd.concat(curves.values(), ignore_index=True),
        "synthetic_best_thresholds": pd.DataFrame(best_ones),
    }
    return Exhibit(plate, numbers=numbers)
