"""MusicNet from cepstra: which groups of instruments sound in every frame of 11.6 ms."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from tutti.evaluation.metrics import masked_metrics
from tutti.labels import MUSICNET_FRAME_LABELS
from tutti.reports.style import (
    ACCENT,
    FAINT,
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
from tutti.reports.systems.data import Run, SystemsData, lacking
from tutti.reports.systems.exhibit import HUES, OURS, THEIRS, Exhibit, published, words

NETWORKS = ("mfcc_cnn", "mfcc_transformer")

COLUMNS: Mapping[str, str] = {
    "inverse_hamming": "1 − Hamming\nloss",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "f1_present": "F1, classes\nthat occur",
}


def _runs(data: SystemsData) -> list[Run]:
    return [run for run in map(data.of, NETWORKS) if run is not None]


def frame_scores(run: Run, split: str = "test") -> dict[str, float]:
    """The published metrics: shares over frames, means over all twelve labels (0 where undefined) and those present."""
    probabilities, present, mask = run.cells(split)
    table = masked_metrics(probabilities, present, mask, np.array(run.contract.thresholds), names=run.task.labels)
    rows = [row for row in table.per_class if row.positives + row.negatives]
    occurring = [row.f1 for row in rows if row.positives]
    return {
        "inverse_hamming": 1 - table.hamming,
        "precision": float(np.mean([row.precision for row in rows])),
        "recall": float(np.mean([row.recall for row in rows])),
        "f1": float(np.mean([row.f1 for row in rows])),
        "f1_present": float(np.mean(occurring)) if occurring else float("nan"),
    }


@themed
def metrics(data: SystemsData) -> Exhibit | str:
    """The heat map of metrics: our models above the published rows."""
    runs = _runs(data)
    if not runs:
        return lacking(data, NETWORKS, "The heat map of metrics") or ""
    rows: list[dict[str, object]] = [{"model": run.name, "source": OURS, **frame_scores(run)} for run in runs]
    table = published("musicnet_heatmap")
    rows += [
        {"source": THEIRS, **{str(key): value for key, value in row.items()}}
        for row in table.rename(columns={"row": "model", "one_minus_hamming": "inverse_hamming"}).to_dict("records")
    ]
    rows += [
        {
            "model": row["checkpoint"],
            "source": "weights run again",
            "inverse_hamming": 1 - row["hl"],
            **{name: row[f"macro12_{name}"] for name in ("precision", "recall", "f1")},
            "f1_present": row["macro5_f1"],
        }
        for row in published("musicnet_reference").to_dict("records")
        if row["scaler"] == "train"
    ]
    numbers = pd.DataFrame(rows, columns=["model", "source", *COLUMNS])
    values = numbers[list(COLUMNS)].to_numpy(float)
    figure = new_figure(0.85 + 0.42 * len(values), width=WIDTH)
    axes = figure.subplots()
    axes.imshow(np.ma.masked_invalid(values), cmap=SHADES, vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(values.shape):
        known = bool(np.isfinite(values[row, column]))
        axes.text(
            column, row, f"{values[row, column]:.4f}" if known else "–", ha="center", va="center", fontsize=9,
            color=readable_on(float(values[row, column])) if known else MUTED,
        )  # fmt: skip
    axes.axhline(len(runs) - 0.5, color=INK, linewidth=1.5)
    axes.set_xticks(range(len(COLUMNS)), list(COLUMNS.values()))
    axes.set_yticks(range(len(values)), [f"{row['model']} ({row['source']})" for row in numbers.to_dict("records")])
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    absent = [name for name in NETWORKS if data.of(name) is None]
    plate = Plate(
        name="musicnet-metrics",
        title="Metrics",
        caption=f"Above the line: {OURS} on {runs[0].describe('test')}. Below: published, on MusicNet's ten test "
        "recordings. Precision, recall and F1 are means over all twelve labels, 0 where undefined. The published row "
        "“CNN Model - BCE” is a constant predictor: it answers the same six labels in every frame. The published F1 of "
        "the transformer cannot be: it exceeds the harmonic mean of its precision and recall, 0.2213; its weights give "
        "0.2098. The last rows are the stored weights with the scaler of their training, frame by frame."
        + (f" Not trained in this run: {words(absent)}." if absent else ""),
        alt=f"Heat map of {len(values)} models by {len(COLUMNS)} metrics, this run's above the published ones.",
        figure=figure,
    )
    return Exhibit(plate, numbers={"musicnet_metrics": numbers})


#: By label: false positive rate, true positive rate and area.
Curves = Mapping[str, tuple[np.ndarray, np.ndarray, float]]


def roc_points(run: Run) -> Curves:
    """False positive rate, true positive rate and area of every label that occurs in some test frames, not in all."""
    from sklearn.metrics import auc, roc_curve

    probabilities, present, mask = run.cells("test")
    curves = {}
    for number, name in enumerate(run.task.labels):
        asked = mask[:, number]
        truth = present[asked, number]
        if truth.any() and not truth.all():
            false_rate, true_rate, _ = roc_curve(truth, probabilities[asked, number])
            curves[name] = (false_rate, true_rate, float(auc(false_rate, true_rate)))
    return curves


def published_areas(registry: str) -> pd.Series:
    """The published area of each label; of the described transformer on frames alone, else none."""
    table = published("musicnet_auc")
    if registry != "mfcc_transformer":
        return pd.Series(dtype=float)
    described = table["checkpoint"].str.startswith("README") & (table["context"] == "frame alone")
    return table[described].drop(columns=["checkpoint", "context"]).iloc[0].astype(float)


def _thinned(false_rate: np.ndarray, true_rate: np.ndarray, most: int = 200) -> np.ndarray:
    """At most ``most`` points of a curve, the ends among them; [points, 2]."""
    kept = np.unique(np.linspace(0, len(false_rate) - 1, most).astype(int))
    return np.column_stack([false_rate[kept], true_rate[kept]])


def _roc_panel(axes: Axes, title: str, curves: Curves, theirs: pd.Series, colours: Mapping[str, str]) -> None:
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1)
    dashes = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (6, 1.5, 1.5, 1.5)), (0, (3, 1)))
    for number, (name, (false_rate, true_rate, area)) in enumerate(curves.items()):
        beside = f" ({theirs[name]:.3f})" if name in theirs else ""
        axes.plot(
            false_rate, true_rate, color=colours[name], linestyle=dashes[number % len(dashes)],
            label=f"{display_name(name)} {area:.3f}{beside}",
        )  # fmt: skip
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal", title=title, xlabel="false positive rate")
    grid_lines(axes, "both")
    axes.legend(loc="lower right", title="AUC (published)" if len(theirs) else "AUC", fontsize=8, title_fontsize=8)


@themed
def roc(data: SystemsData) -> Exhibit | str:
    """One ROC curve per label that occurs, with its area."""
    runs = _runs(data)
    if not runs:
        return lacking(data, NETWORKS, "The ROC curves") or ""
    points = {run.name: roc_points(run) for run in runs}
    occurring = [name for name in MUSICNET_FRAME_LABELS if any(name in found for found in points.values())]
    hues = [colour for colour, _ in HUES] + ["#56B4E9", INK, "#8C6D31"]
    colours = {name: hues[number % len(hues)] for number, name in enumerate(occurring)}
    figure = new_figure(4.3, width=4.0 * len(runs) + 0.2)
    panels = figure.subplots(1, len(runs), sharey=True, squeeze=False)[0]
    curves, areas = [], []
    for axes, run in zip(panels, runs, strict=True):
        theirs = published_areas(run.entry.name)
        _roc_panel(axes, run.name, points[run.name], theirs, colours)
        for name, (false_rate, true_rate, area) in points[run.name].items():
            areas.append({"model": run.name, "label": name, "auc": area, "published_auc": theirs.get(name, np.nan)})
            curves.append(
                pd.DataFrame(_thinned(false_rate, true_rate), columns=["fpr", "tpr"]).assign(model=run.name, label=name)
            )
    panels[0].set_ylabel("true positive rate")
    left_out = [display_name(name) for name in MUSICNET_FRAME_LABELS if name not in occurring]
    plate = Plate(
        name="musicnet-roc",
        title="ROC curve of each label",
        caption=f"{OURS.capitalize()} on {runs[0].describe('test')}. Left out, because they do not occur there: "
        f"{words(left_out) or 'none'}. Published areas, on MusicNet's test recordings, in parentheses.",
        alt="ROC curves: " + "; ".join(f"{row['model']} {row['label']} {row['auc']:.3f}" for row in areas) + ".",
        figure=figure,
    )
    numbers = {
        "musicnet_auc": pd.DataFrame(areas),
        "musicnet_roc": pd.concat(curves, ignore_index=True)[["model", "label", "fpr", "tpr"]],
    }
    return Exhibit(plate, numbers=numbers)


def label_counts(data: SystemsData) -> pd.DataFrame | None:
    """Frames with each label, by split of the feature set; None without the set."""
    store = data.store("musicnet-frames")
    if store is None:
        return None
    splits = store.index["split"].to_numpy()
    theirs = published("musicnet_frames").set_index("label")["test_frames"]
    columns: dict[str, object] = {"label": MUSICNET_FRAME_LABELS}
    for split in ("train", "valid", "test"):
        rows = np.flatnonzero(splits == split)
        positive = (np.asarray(store.labels[rows]) >= 0.5) & np.asarray(store.mask[rows])
        columns[split] = positive.reshape(-1, len(MUSICNET_FRAME_LABELS)).sum(axis=0)
    table = pd.DataFrame(columns)
    table["published_test"] = table["label"].map(theirs).fillna(0).astype(int)
    return table


@themed
def frames(data: SystemsData) -> Exhibit | str:
    """How many frames carry each label."""
    numbers = label_counts(data)
    if numbers is None:
        return "The frames of each label: this run has no feature set musicnet-frames."
    figure = new_figure(3.8)
    panels = figure.subplots(1, 2, sharey=True)
    positions = np.arange(len(numbers))
    test, train = numbers["test"].to_numpy(), (numbers["train"] + numbers["valid"]).to_numpy()
    theirs = numbers["published_test"].to_numpy()
    panels[0].barh(positions - 0.2, train, height=0.38, color="#9CC5E0", label="training and validation")
    panels[0].barh(positions + 0.2, test, height=0.38, color=ACCENT, label="test")
    panels[1].barh(positions, theirs, height=0.5, color=MUTED)
    for axes, values, shift in ((panels[0], train, -0.2), (panels[0], test, 0.2), (panels[1], theirs, 0.0)):
        for place, value in zip(positions + shift, values, strict=True):
            if value:
                axes.annotate(f"{value:,}", (value, place), (3, 0), textcoords="offset points", va="center", fontsize=8)
        axes.margins(x=0.2)
        axes.locator_params(axis="x", nbins=5)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        grid_lines(axes)
        axes.spines["left"].set_visible(False)
    panels[0].set_yticks(positions, [display_name(name) for name in numbers["label"]])
    panels[0].set_ylim(len(numbers) - 0.4, -0.6)
    panels[0].legend(loc="lower right")
    panels[0].set(title="This run", xlabel="frames")
    panels[1].set(title="Published, test (MusicNet)", xlabel="frames")
    plate = Plate(
        name="musicnet-frames",
        title="Frames of each label",
        caption=f"Left: {OURS}, {data.kind(['musicnet'])} recordings (musicnet). Right: MusicNet's 128,076 test "
        "frames. A frame may carry several labels; “silence” is a frame without a note. No bar: no frame.",
        alt="Bars of the number of frames per label, of this run and of MusicNet's test recordings.",
        figure=figure,
    )
    return Exhibit(plate, numbers={"musicnet_frames": numbers})
