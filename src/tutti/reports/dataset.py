"""Figures of the data: what was asked about whom, and how many instruments sound at once."""

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from tutti.datasets.manifest import SPLITS, label_arrays
from tutti.labels import OPENMIC
from tutti.reports.data import SPLIT_NAMES, TASK_DATASETS, ReportData
from tutti.reports.style import ACCENT, FAINT, INK, MUTED, Plate, display_name, grid_lines, new_figure, themed

_LIGHT = "#A9CCE3"


def task_clips(data: ReportData) -> pd.DataFrame:
    """Rows of the clips that answer the task's question, synthetic mixtures included."""
    tables = [data.manifest] if data.mixtures is None else [data.manifest, data.mixtures]
    clips = pd.concat(tables, ignore_index=True)
    datasets = TASK_DATASETS if data.labels == OPENMIC else set(data.ensemble.predictions.dataset)
    return clips[clips["dataset"].isin(datasets)]


def synthetic_note(data: ReportData, clips: pd.DataFrame) -> str:
    """How many of the clips are synthetic, in words: ``all 510`` or ``110 of the 510``."""
    made = clips["dataset"].map(lambda name: name == "mixtures" or bool(data.datasets.get(name, {}).get("synthetic")))
    if made.all():
        return f"all {len(clips):,}"
    return f"{int(made.sum()):,} of the {len(clips):,}"


@themed
def label_balance(data: ReportData) -> Plate | None:
    """Asked positives and negatives per class and split; what nobody was asked is given as a share.

    None for tasks other than OpenMIC's, which the manifest has no labels of.
    """
    if data.labels != OPENMIC:
        return None
    clips = task_clips(data)
    splits = [split for split in SPLITS if (clips["split"] == split).any()]
    figure = new_figure(6.4)
    panels = figure.subplots(1, len(splits), sharey=True, squeeze=False)[0]
    positions = np.arange(len(OPENMIC))
    for axes, split in zip(panels, splits, strict=True):
        labels, mask = label_arrays(clips[clips["split"] == split])
        positives, asked = ((labels >= 0.5) & mask).sum(axis=0), mask.sum(axis=0)
        axes.barh(positions, positives, height=0.68, color=ACCENT)
        axes.barh(positions, asked - positives, left=positives, height=0.68, color=_LIGHT)
        unknown = 1 - asked / len(labels)
        for position, count, share in zip(positions, asked, unknown, strict=True):
            axes.annotate(
                f"{share:.0%}", (count, position), (3, 0), textcoords="offset points", va="center", fontsize=8,
                color=MUTED,
            )  # fmt: skip
        axes.set(title=f"{SPLIT_NAMES[split]}: {len(labels):,} clips", xlabel="asked cells")
        axes.set(xlim=(0, max(1, asked.max()) * 1.28), ylim=(len(OPENMIC) - 0.4, -0.6))
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        grid_lines(axes)
        axes.spines["left"].set_visible(False)
    panels[0].set_yticks(positions, [display_name(name) for name in OPENMIC])
    key = [
        Patch(color=ACCENT, label="present"),
        Patch(color=_LIGHT, label="absent"),
        Line2D([], [], marker="$\\%$", color=MUTED, linestyle="", markersize=9, label="of clips: nobody was asked"),
    ]
    figure.legend(handles=key, loc="outside lower center", ncols=3)
    _, mask = label_arrays(clips)
    return Plate(
        name="label-balance",
        title="What was asked",
        caption="Asked cells per instrument and split, labelled present or absent; the grey figure is the share of "
        "clips in which nobody was asked about it, which is unknown and not absent. "
        f"{synthetic_note(data, clips).capitalize()} clips are synthetic.",
        alt=f"Stacked bars per instrument for {', '.join(splits)}; {1 - mask.mean():.0%} of all cells are unknown.",
        figure=figure,
    )


@themed
def polyphony(data: ReportData) -> Plate | None:
    """How many instruments the synthetic mixtures hold, and how often each class; None without mixtures."""
    if data.mixtures is None or data.mixture_labels is None or "polyphony" not in data.mixture_labels:
        return None
    if not len(data.mixtures):
        return None
    counts = data.mixture_labels["polyphony"].astype(int).value_counts().sort_index()
    labels, mask = label_arrays(data.mixtures)
    positives = ((labels >= 0.5) & mask).sum(axis=0)
    order = [index for index in np.argsort(positives, kind="stable") if mask[:, index].any()]
    figure = new_figure(max(2.6, 0.8 + 0.21 * len(order)))
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.3))
    left.bar(counts.index, counts.to_numpy(), width=0.7, color=FAINT)
    for sounding, count in zip(counts.index.to_list(), counts.to_list(), strict=True):
        left.annotate(str(count), (sounding, count), (0, 2), textcoords="offset points", ha="center", fontsize=8.5)
    left.set(title="Sources in a mixture", xlabel="instruments at once", ylabel="mixtures")
    left.set(xticks=list(counts.index), yticks=(), ylim=(0, counts.max() * 1.12))
    left.spines["left"].set_visible(False)
    right.barh(range(len(order)), positives[order], height=0.66, color=ACCENT)
    for position, index in enumerate(order):
        right.annotate(
            str(positives[index]), (positives[index], position), (3, 0), textcoords="offset points", va="center",
            fontsize=8.5, color=INK,
        )  # fmt: skip
    right.set_yticks(range(len(order)), [display_name(OPENMIC[index]) for index in order])
    right.set(title="Mixtures with the instrument", xlim=(0, max(1, positives.max()) * 1.15))
    right.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    grid_lines(right)
    right.spines["left"].set_visible(False)
    return Plate(
        name="polyphony",
        title="Synthetic mixtures",
        caption=f"{len(data.mixtures):,} synthetic mixtures. Instruments outside the vocabulary may sound as well and "
        "set no label.",
        alt=f"Bars: mixtures of {counts.index.min()} to {counts.index.max()} instruments; and mixtures per instrument.",
        figure=figure,
    )
