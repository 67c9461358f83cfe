"""Music Instrument Classification Reprogrammed: how far a frozen transformer gets with a small learnt input stage."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from tutti.evaluation.metrics import PRESENT, masked_metrics
from tutti.labels import OPENMIC
from tutti.reports.style import ACCENT, FAINT, INK, MUTED, Plate, display_name, grid_lines, new_figure, themed
from tutti.reports.systems.data import Run, SystemsData, lacking
from tutti.reports.systems.exhibit import HUES, OURS, THEIRS, Exhibit, Listing, count, plain, published, words

#: Registered model to its name in the paper, in the order of the published box plot.
SYSTEMS: Mapping[str, str] = {
    "ast_bs": "AST-BS",
    "cnn_bs": "CNN-BS",
    "ast_nrp": "AST-NRP",
    "ast_cnnrp": "AST-CNNRP",
    "rf": "RF",
    "ast_urp": "AST-URP",
    "ast_tl": "AST-TL",
    "mean_teacher": "MT",
}

#: The four whose F1 per instrument was published as bars, and their columns in the published table.
PER_CLASS: Mapping[str, str] = {"ast_bs": "bs", "ast_nrp": "nrp", "ast_cnnrp": "cnnrp", "ast_urp": "urp"}

METRIC = "f1_macro_two_class"


def test_scores(run: Run) -> np.ndarray:
    """Two-class macro F1 on test, one number per seed; of the one training where it was not repeated."""
    if run.repeats is not None:
        rows = run.repeats[run.repeats["split"] == "test"].sort_values("seed")
        return rows[METRIC].dropna().to_numpy(float)
    value = run.document["test"].get(METRIC)
    return np.array([] if value is None else [value], float)


def class_f1(run: Run) -> np.ndarray:
    """Two-class F1 of each class on test, float [20]; NaN where it was not asked both ways."""
    table = masked_metrics(*run.cells("test"), np.array(run.contract.thresholds), names=run.task.labels)
    return np.array([row.f1_two_class for row in table.per_class])


def _ours(data: SystemsData) -> dict[str, Run]:
    """The runs of this system by their published names, in the published order."""
    found = {label: data.of(name) for name, label in SYSTEMS.items()}
    return {label: run for label, run in found.items() if run is not None}


def _box(axes: Axes, values: np.ndarray, place: float, colour: str, marker: str) -> None:
    if len(values) > 1:
        axes.boxplot(
            values, positions=[place], widths=0.3, showfliers=False, patch_artist=True,
            boxprops={"facecolor": colour, "alpha": 0.25, "edgecolor": colour},
            medianprops={"color": colour, "linewidth": 1.8}, whiskerprops={"color": colour},
            capprops={"color": colour},
        )  # fmt: skip
    # Side by side in the order of their values, so that equal runs do not hide each other.
    spread = np.linspace(-0.07, 0.07, len(values)) if len(values) > 1 else np.zeros(1)
    axes.plot(place + spread[: len(values)], np.sort(values), marker, color=colour, markersize=4, linestyle="")


@themed
def runs_over_seeds(data: SystemsData) -> Exhibit | str:
    """Macro F1 of each system over its trainings, ours beside the published ones."""
    ours = _ours(data)
    if not ours:
        return lacking(data, SYSTEMS, "The box plot of the systems") or ""
    table = published("reprogramming_runs")
    figure = new_figure(4.2)
    axes = figure.subplots()
    rows = []
    for position, label in enumerate(SYSTEMS.values()):
        theirs = table.loc[table["system"] == label, "run_f1"].to_numpy(float)
        mine = 100 * test_scores(ours[label]) if label in ours else np.array([])
        for values, shift, colour, marker, source in (
            (theirs, -0.2, MUTED, "D", THEIRS),
            (mine, 0.2, ACCENT, "o", OURS),
        ):
            if len(values):
                _box(axes, values, position + shift, colour, marker)
                rows += [{"system": label, "source": source, "f1": value} for value in values]
    axes.set_xticks(range(len(SYSTEMS)), list(SYSTEMS.values()))
    axes.set(xlim=(-0.6, len(SYSTEMS) - 0.4), ylabel="macro F1, two-class, %")
    for edge in np.arange(0.5, len(SYSTEMS) - 1):
        axes.axvline(edge, color="#EEEEEE", linewidth=0.8)
    grid_lines(axes, "y")
    key = [
        Line2D([], [], color=MUTED, marker="D", markersize=4, linestyle="", label="published, OpenMIC-2018"),
        Line2D([], [], color=ACCENT, marker="o", markersize=4, linestyle="", label=f"{OURS}, one dot per training"),
    ]
    figure.legend(handles=key, loc="outside upper left", ncols=2)
    first = next(iter(ours.values()))
    absent = [label for label in SYSTEMS.values() if label not in ours]
    plate = Plate(
        name="reprogramming-runs",
        title="Macro F1 over trainings",
        caption=f"Blue: {OURS} on {first.describe('test')}. Grey: published, on OpenMIC-2018's test clips, some values "
        "read from the printed boxes. Both are the mean over classes of the F1 of “present” and of “absent”, so the "
        "order of the systems can be compared, the heights cannot."
        + (f" Not trained in this run: {words(absent)}." if absent else ""),
        alt="Box plot of macro F1 for eight systems, published and of this run; medians of this run: "
        + ", ".join(f"{label} {100 * float(np.median(test_scores(run))):.1f}" for label, run in ours.items()) + ".",
        figure=figure,
    )  # fmt: skip
    return Exhibit(plate, numbers={"reprogramming_runs": pd.DataFrame(rows)})


def _dots(axes: Axes, values: Mapping[str, np.ndarray], title: str) -> None:
    positions = np.arange(len(OPENMIC))
    stacked = np.vstack(list(values.values()))
    known = np.isfinite(stacked).any(axis=0)
    low, high = np.nanmin(stacked[:, known], axis=0), np.nanmax(stacked[:, known], axis=0)
    axes.hlines(positions[known], low, high, color=FAINT, linewidth=1.5, zorder=1)
    for (colour, marker), scores in zip(HUES, values.values(), strict=False):
        axes.plot(scores, positions, marker, color=colour, markersize=6, zorder=3, clip_on=False)
    axes.set(title=title, xlim=(10 * np.floor(low.min() / 10), 100), xlabel="F1, two-class, %")
    grid_lines(axes)
    axes.spines["left"].set_visible(False)


@themed
def instruments(data: SystemsData) -> Exhibit | str:
    """F1 per instrument of the four systems that the paper compares, published beside ours."""
    if sentence := lacking(data, PER_CLASS, "F1 per instrument"):
        return sentence
    runs = {SYSTEMS[name]: data.of(name) for name in PER_CLASS}
    table = published("reprogramming_classes").set_index("class").reindex(list(OPENMIC))
    theirs = {SYSTEMS[name]: table[column].to_numpy(float) for name, column in PER_CLASS.items()}
    ours = {label: 100 * class_f1(run) for label, run in runs.items() if run is not None}
    if not np.isfinite(np.vstack(list(ours.values()))).any():
        return "F1 per instrument: no test label of this run was asked both ways."
    figure = new_figure(6.8)
    panels = figure.subplots(1, 2, sharey=True)
    _dots(panels[0], theirs, "Published (OpenMIC-2018)")
    _dots(panels[1], ours, "This run")
    panels[0].set_yticks(range(len(OPENMIC)), [display_name(name) for name in OPENMIC])
    panels[0].set_ylim(len(OPENMIC) - 0.4, -0.6)
    key = [
        Line2D([], [], color=colour, marker=marker, linestyle="", label=label)
        for (colour, marker), label in zip(HUES, runs, strict=False)
    ]
    figure.legend(handles=key, loc="outside lower center", ncols=4)
    first = data.of("ast_bs")
    assert first is not None
    rows = [
        {"class": name, "system": label, "source": source, "f1": value}
        for source, values in ((THEIRS, theirs), (OURS, ours))
        for label, scores in values.items()
        for name, value in zip(OPENMIC, scores, strict=True)
    ]
    plate = Plate(
        name="reprogramming-instruments",
        title="F1 of each instrument",
        caption=f"Two-class F1. Left: published. Right: {OURS} on {first.describe('test')}; an instrument without dots "
        "was not asked both ways. The line spans the four systems.",
        alt="Dot plots of the F1 of 20 instruments under "
        + words(list(runs)) + ", published on the left and of this run on the right.",
        figure=figure,
    )  # fmt: skip
    return Exhibit(plate, numbers={"reprogramming_instruments": pd.DataFrame(rows)})


def positive_labels(data: SystemsData) -> np.ndarray:
    """Clips in which people heard each of the 20 instruments, over all splits of the OpenMIC layout; int [20]."""
    rows = data.manifest[data.manifest["dataset"] == "openmic"]
    if not len(rows):
        return np.zeros(len(OPENMIC), int)
    labels, mask = (np.stack(rows[column].to_list()) for column in ("labels", "mask"))
    counts: np.ndarray = ((labels >= PRESENT) & mask).sum(axis=0)
    return counts


def _gain_panel(axes: Axes, positives: np.ndarray, gain: np.ndarray, colour: str, title: str) -> float:
    known = np.isfinite(gain)
    axes.axhline(0, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axes.plot(positives[known], gain[known], "o", color=colour, markersize=5)
    order = [int(index) for index in np.argsort(gain, kind="stable") if known[index]]
    named = sorted({*order[:3], *order[-3:]}, key=lambda index: gain[index])
    near = 0.06 * np.ptp(gain[known])
    for index in named:
        # Of two names that would stand on each other, that of the left point goes to the left.
        clash = [other for other in named if other != index and abs(gain[other] - gain[index]) < near]
        side = -1 if any((positives[index], index) < (positives[other], other) for other in clash) else 1
        axes.annotate(
            display_name(OPENMIC[index]), (positives[index], gain[index]), (5 * side, 0), textcoords="offset points",
            va="center", ha="left" if side > 0 else "right", fontsize=8.5, color=INK,
        )  # fmt: skip
    axes.set(title=title, xlabel="positive labels")
    axes.margins(x=0.18, y=0.1)
    grid_lines(axes, "both")
    return float(np.corrcoef(positives[known], gain[known])[0, 1]) if known.sum() > 2 else float("nan")


@themed
def gain_by_labels(data: SystemsData) -> Exhibit | str:
    """What the U-Net in front of the frozen transformer adds per instrument, against how often it was labelled."""
    names = ("ast_bs", "ast_urp")
    if sentence := lacking(data, names, "The gain of AST-URP over AST-BS"):
        return sentence
    base, best = (data.of(name) for name in names)
    assert base is not None
    assert best is not None
    table = published("reprogramming_classes").set_index("class").reindex(list(OPENMIC))
    labelled = published("openmic_forest_classes").set_index("class").reindex(list(OPENMIC))
    theirs = (table["urp"] - table["bs"]).to_numpy(float)
    ours, positives = 100 * (class_f1(best) - class_f1(base)), positive_labels(data)
    if not np.isfinite(ours).any():
        return "The gain of AST-URP over AST-BS: no test label of this run was asked both ways."
    figure = new_figure(3.9)
    panels = figure.subplots(1, 2)
    known = (labelled["train_positives"] + labelled["test_positives"]).to_numpy(float)
    r_theirs = _gain_panel(panels[0], known, theirs, MUTED, "Published (OpenMIC-2018)")
    r_ours = _gain_panel(panels[1], positives.astype(float), ours, ACCENT, "This run")
    panels[0].set_ylabel("F1 of AST-URP − AST-BS, points")
    rows = [
        {"class": name, "source": source, "positive_labels": int(labels), "f1_gain": gain}
        for source, counts, gains in ((THEIRS, known, theirs), (OURS, positives, ours))
        for name, labels, gain in zip(OPENMIC, counts, gains, strict=True)
    ]
    plate = Plate(
        name="reprogramming-gain",
        title="Gain of reprogramming against the number of labels",
        caption=f"Two-class F1 points that the U-Net input stage adds, per instrument. Left: published; right: {OURS} "
        f"on {best.describe('test')}. Positive labels of all splits. Correlation: published {plain(r_theirs, 2)}, "
        f"{OURS} {plain(r_ours, 2)}.",
        alt="Two scatter plots of F1 gain against the number of positive labels of 20 instruments.",
        figure=figure,
    )
    return Exhibit(plate, numbers={"reprogramming_gain": pd.DataFrame(rows)})


def cost_rows(data: SystemsData) -> pd.DataFrame:
    """Parameters and time of every system: published millions, our presets' exact numbers, seconds per epoch."""
    table = published("reprogramming_params").set_index("system")
    rows = []
    for label, run in _ours(data).items():
        paper, preset = run.entry.preset("paper"), run.entry.preset(run.contract.preset)
        rows.append(
            {
                "system": label,
                "published_millions": table["published_millions"].get(label, np.nan),
                "paper_trainable": paper.trainable_params,
                "paper_total": paper.total_params,
                "preset": run.contract.preset,
                "trainable": preset.trainable_params,
                "total": preset.total_params,
                "epoch_s": run.bench.get("epoch_s"),
            }
        )
    numbers = pd.DataFrame(rows)
    counts = [name for name in numbers.columns if name not in ("system", "preset")]
    numbers[counts] = numbers[counts].apply(pd.to_numeric)
    return numbers


def cost(data: SystemsData) -> Exhibit | str:
    """The table of parameters and times."""
    if not _ours(data):
        return lacking(data, SYSTEMS, "The table of parameters") or ""
    numbers = cost_rows(data)
    rows = [
        (
            str(row["system"]),
            plain(row["published_millions"]),
            count(row["paper_trainable"]),
            count(row["paper_total"]),
            count(row["trainable"]),
            count(row["total"]),
            plain(row["epoch_s"], 2),
        )
        for row in numbers.to_dict("records")
    ]
    measured = "Times were not measured in this run."
    if data.machine:
        measured = f"Seconds per epoch were measured on {data.machine}."
    listing = Listing(
        title="Parameters and time",
        caption="“Published” is the paper's own count of trained parameters in millions; the full-size columns are "
        "those of the networks here at the published size, the last ones of the preset that this run trained. A forest "
        f"has no fixed size. {measured}",
        columns=(
            "system", "published, millions trained", "full size, trained", "full size, all", "this run, trained",
            "this run, all", "s per epoch",
        ),
        rows=tuple(rows),
    )  # fmt: skip
    return Exhibit(listing=listing, numbers={"reprogramming_cost": numbers})
