"""IRMAS in two stages: one of four instruments from the stereo waveform, then two of four; how well, at what cost."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from tutti.evaluation.confusion import OTHER, confusion_matrix, matrix_accuracy, pair_names, pairs_matrix
from tutti.evaluation.metrics import decide
from tutti.evaluation.task_metrics import task_metrics
from tutti.labels import IRMAS_FOUR
from tutti.reports.style import ACCENT, CONTRAST, INK, MUTED, Plate, grid_lines, new_figure, themed
from tutti.reports.systems.data import Run, SystemsData, lacking
from tutti.reports.systems.exhibit import (
    OURS,
    THEIRS,
    Exhibit,
    Listing,
    count,
    percent,
    plain,
    published,
    scores_note,
    shaded_counts,
    words,
)

STAGE_1, STAGE_2, TRANSFER = "cnn1d_stage1", "cnn1d_stage2", "tl_classifier"
FOREST_1, FOREST_2 = "rf_waveform", "rf_waveform_pairs"

#: Registered model to what the paper calls it.
NAMES: Mapping[str, str] = {
    STAGE_1: "stage 1, CNN",
    FOREST_1: "stage 1, random forest",
    STAGE_2: "stage 2, CNN",
    TRANSFER: "stage 2, transfer learning",
    FOREST_2: "stage 2, random forest",
}

PAIR_NAMES = pair_names(IRMAS_FOUR)


def stage1_confusion(run: Run, split: str = "test") -> np.ndarray:
    """How often each of the four was answered; int [4 true, 4 answered]."""
    probabilities, present, _ = run.cells(split)
    return confusion_matrix(present.argmax(axis=1), probabilities.argmax(axis=1), len(IRMAS_FOUR))


def stage2_confusion(run: Run, split: str = "test") -> np.ndarray:
    """How often each pair was answered; the last column counts answers that are no pair. Int [6 true, 7 answered]."""
    probabilities, present, _ = run.cells(split)
    return pairs_matrix(present, decide(probabilities, np.array(run.contract.thresholds)))


def accuracies(run: Run, split: str) -> dict[str, float]:
    """Accuracy of exclusive labels; else the share of right labels, and of clips with all labels right."""
    return task_metrics(run.task, *run.cells(split), np.array(run.contract.thresholds))


def _matrix(name: str, rows: tuple[str, ...], columns: tuple[str, ...]) -> np.ndarray:
    table = published(name).set_index("true").reindex(list(rows))
    counts: np.ndarray = table[list(columns)].to_numpy(int)
    return counts


def _long(counts: np.ndarray, rows: tuple[str, ...], columns: tuple[str, ...], source: str) -> list[dict[str, object]]:
    return [
        {"true": rows[row], "answered": columns[column], "source": source, "clips": int(counts[row, column])}
        for row, column in np.ndindex(counts.shape)
    ]


def _right(counts: np.ndarray) -> str:
    return f"{int(np.trace(counts))} of {counts.sum():,} right ({percent(matrix_accuracy(counts))})"


def _confusions(
    key: str, run: Run, ours: np.ndarray, rows: tuple[str, ...], columns: tuple[str, ...], *, height: float
) -> Exhibit:
    theirs = _matrix(f"irmas_{key}_confusion", rows, columns)
    figure = new_figure(height)
    panels = figure.subplots(1, 2, sharey=True)
    shaded_counts(panels[0], ours, rows, columns, f"This run: {_right(ours)}")
    shaded_counts(panels[1], theirs, rows, columns, f"Published: {_right(theirs)}")
    for panel in panels:
        panel.title.set_fontsize(9)
        if len(columns) > 4:
            panel.set_xticks(range(len(columns)), columns, rotation=45, ha="right", rotation_mode="anchor")
    panels[0].set_ylabel("true")
    stage = NAMES[run.entry.name]
    plate = Plate(
        name=f"irmas-{key}-confusion",
        title=f"Confusions, {stage}",
        caption=f"Counts, shaded by their share of the row. Left: {OURS} on {run.describe('test')}. Right: published, "
        "on the published split of IRMAS, whose clips of one song lie in several splits."
        + (" “Other” is any answer that is not exactly two instruments." if len(columns) > 4 else ""),
        alt=f"Two confusion matrices of {stage}: this run {_right(ours)}; published {_right(theirs)}.",
        figure=figure,
    )
    numbers = pd.DataFrame(_long(ours, rows, columns, OURS) + _long(theirs, rows, columns, THEIRS))
    true = np.repeat(np.arange(len(rows)), len(columns))
    answers = pd.DataFrame(
        {
            "actual": np.repeat(np.array(rows)[true], ours.ravel()),
            "predicted": np.repeat(np.tile(np.array(columns), len(rows)), ours.ravel()),
        }
    )
    return Exhibit(plate, numbers={f"irmas_{key}_confusion": numbers, f"irmas_{key}_answers": answers})


@themed
def stage1(data: SystemsData) -> Exhibit | str:
    """Confusions of the four instruments."""
    run = data.of(STAGE_1)
    if run is None:
        return lacking(data, [STAGE_1], "The confusions of stage 1") or ""
    return _confusions("stage1", run, stage1_confusion(run), IRMAS_FOUR, IRMAS_FOUR, height=3.2)


@themed
def stage2(data: SystemsData) -> Exhibit | str:
    """Confusions of the six pairs, with a column for answers that are no pair."""
    run = data.of(STAGE_2)
    if run is None:
        return lacking(data, [STAGE_2], "The confusions of stage 2") or ""
    return _confusions("stage2", run, stage2_confusion(run), PAIR_NAMES, (*PAIR_NAMES, OTHER), height=4.0)


def _curve(axes: Axes, history: pd.DataFrame, columns: Mapping[str, tuple[str, str]], title: str) -> None:
    for column, (label, colour) in columns.items():
        if column in history and history[column].notna().any():
            axes.plot(history["epoch"], history[column], color=colour, marker="o", markersize=2.5, label=label)
    axes.set(title=title, xlabel="epoch")
    axes.locator_params(axis="x", integer=True)
    grid_lines(axes, "y")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best")
    else:
        scores_note(axes, "not recorded")


@themed
def training(data: SystemsData) -> Exhibit | str:
    """Loss and accuracy of the three networks by epoch."""
    names = (STAGE_1, STAGE_2, TRANSFER)
    runs = [run for run in map(data.of, names) if run is not None and run.history is not None]
    if not runs:
        return lacking(data, names, "The training curves") or ""
    figure = new_figure(2.5 * len(runs))
    panels = figure.subplots(len(runs), 2, squeeze=False)
    tables = []
    for (loss, score), run in zip(panels, runs, strict=True):
        assert run.history is not None
        kind = "accuracy" if run.task.exclusive else "label_accuracy"
        label = "accuracy" if run.task.exclusive else "accuracy per label"
        title = NAMES[run.entry.name]
        _curve(
            loss, run.history, {"train_loss": ("training", MUTED), "valid_loss": ("validation", CONTRAST)},
            f"{title}: loss",
        )  # fmt: skip
        _curve(
            score, run.history, {f"train_{kind}": ("training", MUTED), f"valid_{kind}": ("validation", ACCENT)},
            f"{title}: {label}",
        )  # fmt: skip
        chance = 0.25 if run.task.exclusive else 0.5
        score.axhline(chance, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
        score.set_ylim(0, 1.02)
        tables.append(run.history.assign(model=run.entry.name))
    first = runs[0]
    plate = Plate(
        name="irmas-training",
        title="Training curves",
        caption=f"{OURS.capitalize()}; validation on {first.describe('valid')} in the first row. The dashed line is "
        "chance. The published curves exist as pictures only; the best published epochs were 27 (stage 1), 13 (stage "
        "2) and 8 (transfer learning).",
        alt="Curves of loss and accuracy by epoch of " + words([NAMES[run.entry.name] for run in runs]) + ".",
        figure=figure,
    )
    return Exhibit(plate, numbers={"irmas_training": pd.concat(tables, ignore_index=True)})


def result_rows(data: SystemsData) -> pd.DataFrame:
    """Validation and test accuracy of every part, ours and published."""
    table = published("irmas_results")
    rows = []
    for name, label in NAMES.items():
        run = data.of(name)
        for metric in ("accuracy", "label_accuracy", "exact_accuracy"):
            theirs = table[(table["model"] == name) & (table["metric"] == metric)]
            ours = {split: accuracies(run, split).get(metric) for split in ("valid", "test")} if run else {}
            if not len(theirs) and not any(value is not None for value in ours.values()):
                continue
            row: dict[str, object] = {"model": label, "metric": metric}
            for split, column in (("valid", "val"), ("test", "test")):
                row[f"{split}_ours"] = ours.get(split)
                row[f"{split}_published"] = float(theirs[column].iloc[0]) if len(theirs) else None
            rows.append(row)
    numbers = pd.DataFrame(rows)
    values = [name for name in numbers.columns if name not in ("model", "metric")]
    numbers[values] = numbers[values].apply(pd.to_numeric)
    return numbers


_METRIC_NAMES = {
    "accuracy": "accuracy",
    "label_accuracy": "accuracy per label",
    "exact_accuracy": "all four labels right",
}


def results(data: SystemsData) -> Exhibit | str:
    """The table of results."""
    runs = [run for run in map(data.of, NAMES) if run is not None]
    if not runs:
        return lacking(data, NAMES, "The table of results") or ""
    numbers = result_rows(data)
    columns = ("valid_ours", "valid_published", "test_ours", "test_published")
    absent = [label for name, label in NAMES.items() if data.of(name) is None]
    listing = Listing(
        title="Results",
        caption=f"{OURS.capitalize()} on {words(sorted({run.describe('test') for run in runs}))}; published on IRMAS. "
        "Chance is 25 % in stage 1, 50 % per label and 16.7 % per pair in stage 2. The published validation numbers "
        "were taken with dropout on, the published forest of stage 2 counts three of four labels, and the "
        "published targets of stage 2 were very probably scrambled."
        + (f" Not trained in this run: {words(absent)}." if absent else ""),
        columns=("model", "metric", f"validation, {OURS}", "validation, published", f"test, {OURS}", "test, published"),
        rows=tuple(
            (str(row["model"]), _METRIC_NAMES[str(row["metric"])], *(percent(row[name]) for name in columns))
            for row in numbers.to_dict("records")
        ),
    )
    return Exhibit(listing=listing, numbers={"irmas_results": numbers})


def cost(data: SystemsData) -> Exhibit | str:
    """What transfer learning saves against training the whole network: parameters, arithmetic and time."""
    names = (STAGE_2, TRANSFER)
    if sentence := lacking(data, names, "The cost of transfer learning"):
        return sentence
    table = published("irmas_cost").set_index("model")
    rows = []
    for name in names:
        run = data.of(name)
        assert run is not None
        preset, theirs = run.entry.preset(run.contract.preset), table.loc[name]
        rows.append(
            {
                "model": NAMES[name],
                "published_trained": theirs["trained_params"],
                "published_epoch_s": theirs["seconds_per_epoch"],
                "trained": preset.trainable_params,
                "all": preset.total_params,
                "macs": run.bench.get("macs"),
                "epoch_s": run.bench.get("epoch_s"),
                "clips_per_s": run.bench.get("clips_per_s"),
            }
        )
    numbers = pd.DataFrame(rows)
    values = [name for name in numbers.columns if name != "model"]
    numbers[values] = numbers[values].apply(pd.to_numeric)
    listing = Listing(
        title="The whole network against transfer learning",
        caption="Published: trained parameters, and seconds per epoch on the authors' GPU. "
        + (
            f"{OURS.capitalize()}: measured on {data.machine}."
            if data.machine
            else "Times were not measured in this run."
        ),
        columns=(
            "model", "trained, published", "s per epoch, published", "trained", "all parameters", "MACs per clip",
            "s per epoch", "clips per s",
        ),
        rows=tuple(
            (
                str(row["model"]), count(row["published_trained"]), plain(row["published_epoch_s"], 2),
                count(row["trained"]), count(row["all"]), count(row["macs"]), plain(row["epoch_s"], 2),
                plain(row["clips_per_s"], 0),
            )
            for row in numbers.to_dict("records")
        ),
    )  # fmt: skip
    return Exhibit(listing=listing, numbers={"irmas_cost": numbers})
