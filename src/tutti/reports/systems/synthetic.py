"""Real and synthetic audio: what the mixtures add, judged on the same clips with and without them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Patch

from tutti.evaluation.metrics import PRESENT, masked_metrics
from tutti.labels import NSYNTH_TO_OPENMIC, OPENMIC
from tutti.reports.style import ACCENT, CONTRAST, INK, MUTED, Plate, display_name, grid_lines, new_figure, themed
from tutti.reports.systems.data import Run, SystemsData
from tutti.reports.systems.exhibit import OURS, THEIRS, Exhibit, Listing, percent, plain, published

#: The published comparison is at this threshold.
THRESHOLD = 0.5

#: Classes whose presence the mixtures label; they know nothing of the other twelve.
SUPERVISED = frozenset(NSYNTH_TO_OPENMIC.values())

#: Worse, equal, better.
SIGNED = LinearSegmentedColormap.from_list("signed", [CONTRAST, "#F2F2F2", ACCENT])


def real_test(run: Run) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The test clips that are no mixtures, by clip: identifiers, probabilities, labels and mask."""
    predictions = run.predictions
    rows = np.flatnonzero((predictions.split == "test") & (predictions.dataset != "mixtures"))
    rows = rows[np.argsort(predictions.clip_id[rows].astype(str), kind="stable")]
    return (
        predictions.clip_id[rows],
        predictions.probabilities[rows],
        predictions.labels[rows],
        predictions.mask[rows],
    )


def compared(data: SystemsData) -> tuple[Run, Run] | str:
    """The two models that differ in the synthetic clips alone, with and without; or why they cannot be compared."""
    names = (data.params.compare.with_synthetic, data.params.compare.without_synthetic)
    if None in names:
        return "The comparison with and without synthetic data: params.yaml names no models for it."
    absent = [str(name) for name in names if name not in data.runs]
    if absent:
        return f"The comparison with and without synthetic data: this run did not train {', '.join(absent)}."
    found = tuple(data.runs[str(name)] for name in names)
    (clips, _, labels, mask), (others, _, other_labels, other_mask) = (real_test(run) for run in found)
    if not (np.array_equal(clips, others) and np.array_equal(mask, other_mask)):
        return "The comparison with and without synthetic data: the two models were not judged on the same test clips."
    if not mask.any() or not np.array_equal(labels[mask] >= PRESENT, other_labels[mask] >= PRESENT):
        return "The comparison with and without synthetic data: there are no test clips with the same labels for both."
    return found[0], found[1]


def deltas(with_synthetic: Run, without: Run) -> pd.DataFrame:
    """F1 of the positive class at 0.5 with and without synthetic training data, on the same test clips.

    Returns:
        One row per class: ``class``, ``positives``, ``without``, ``with`` and ``delta``; NaN where nobody was asked.
    """
    tables = []
    for run in (without, with_synthetic):
        _, probabilities, labels, mask = real_test(run)
        tables.append(masked_metrics(probabilities, labels, mask, THRESHOLD, names=run.task.labels).per_class)
    rows = [
        {"class": a.name, "positives": a.positives, "without": a.f1, "with": b.f1, "delta": b.f1 - a.f1}
        for a, b in zip(*tables, strict=True)
    ]
    return pd.DataFrame(rows)


def published_deltas() -> pd.DataFrame:
    """The published comparison in the columns of `deltas`, with each class's share of synthetic test positives."""
    table = published("real_and_synthetic_classes").set_index("class").reindex(list(OPENMIC)).reset_index()
    # The printed F1 has three digits; the counts that precision and recall imply give all of them.
    without, with_synthetic = (
        2 * right / (table[f"{run}_n"] + (right / table[f"{run}_p"]).round())
        for run in ("om", "sy")
        for right in [(table[f"{run}_r"] * table[f"{run}_n"]).round()]
    )
    return pd.DataFrame(
        {
            "class": table["class"],
            "positives": table["om_n"],
            "without": without,
            "with": with_synthetic,
            "delta": with_synthetic - without,
            "synthetic_share": table["sy_synthetic"] / table["sy_n"],
        }
    )


def _bars(axes: Axes, table: pd.DataFrame, title: str) -> None:
    table = table.dropna(subset=["delta"]).sort_values(["delta", "class"], kind="stable")
    values, positions = table["delta"].to_numpy(float), np.arange(len(table))
    colours = np.where(values > 0, ACCENT, np.where(values < 0, CONTRAST, MUTED))
    axes.barh(positions, values, height=0.66, color=colours)
    for position, value in zip(positions, values, strict=True):
        text = f"{value:+.3f}".replace("-", "−")
        axes.annotate(
            text, (value, position), (3 if value >= 0 else -3, 0), textcoords="offset points",
            va="center", ha="left" if value >= 0 else "right", fontsize=8, color=INK,
        )  # fmt: skip
    labels = [f"{display_name(name)}{' *' if name in SUPERVISED else ''}" for name in table["class"]]
    axes.set_yticks(positions, labels, fontsize=8.5)
    axes.axvline(0, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    reach = max(0.1, float(np.abs(values).max(initial=0)))
    axes.set(title=title, xlim=(-1.6 * reach, 1.6 * reach), ylim=(-0.7, len(table) - 0.3), xlabel="difference of F1")
    grid_lines(axes)
    axes.spines["left"].set_visible(False)


def _means(table: pd.DataFrame) -> str:
    supervised = table["class"].isin(SUPERVISED)
    means = [table["delta"].mean(), table.loc[supervised, "delta"].mean(), table.loc[~supervised, "delta"].mean()]
    said = f"mean {means[0]:+.3f}, of the starred classes {means[1]:+.3f}, of the others {means[2]:+.3f}"
    return said.replace("-", "−")


@themed
def class_deltas(data: SystemsData) -> Exhibit | str:
    """Difference of F1 per class that the synthetic training data make, ours beside the published one."""
    pair = compared(data)
    if isinstance(pair, str):
        return pair
    ours, theirs = deltas(*pair), published_deltas()
    figure = new_figure(6.0)
    panels = figure.subplots(1, 2)
    _bars(panels[0], ours, "This run: the same test clips")
    _bars(panels[1], theirs, "Published: different test clips")
    key = [Patch(color=ACCENT, label="better with synthetic data"), Patch(color=CONTRAST, label="worse")]
    figure.legend(handles=key, loc="outside lower center", ncols=2)
    plate = Plate(
        name="synthetic-delta",
        title="What synthetic training data change, per instrument",
        caption=f"F1 of the positive class at 0.5, with minus without synthetic training data ({pair[0].name} minus "
        f"{pair[1].name}). Left: {OURS}, both judged on the same {pair[0].describe('test')}: {_means(ours)}. Right: "
        f"published: {_means(theirs)}; there the test set with synthetic data holds 217 synthetic clips, about half "
        "of the positives of the starred classes. A star: the mixtures label this class.",
        alt="Bars of the difference of F1 per instrument, of this run and as published.",
        figure=figure,
    )
    numbers = pd.concat([ours.assign(source=OURS), theirs.assign(source=THEIRS)], ignore_index=True)
    return Exhibit(plate, numbers={"synthetic_delta": numbers})


def name_places(x: np.ndarray, y: np.ndarray, names: Sequence[str]) -> list[tuple[float, float]]:
    """Where the names of points stand, their left ends, so that few overlap.

    Every name in turn takes the best of the places around its point, given those of the others; twice.

    Args:
        x: Points, as a share of the panel's width.
        y: Likewise, of its height.
        names: Their names.

    Returns:
        One place per name, in the same shares.
    """
    height = 0.038
    widths = [0.0172 * len(name) + 0.01 for name in names]
    places = [(float(a) + 0.025, float(b)) for a, b in zip(x, y, strict=True)]
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)

    def cost(index: int, place: tuple[float, float], distance: float) -> float:
        left, middle, right = place[0], place[1], place[0] + widths[index]
        total = 6 * distance
        for other, (a, b) in enumerate(places):
            if other != index:
                across = min(right, a + widths[other]) - max(left, a)
                down = height - abs(middle - b)
                total += 40 * max(0.0, across) * max(0.0, down) / height
        total += 1.2 * np.sum((x > left - 0.02) & (x < right + 0.02) & (np.abs(y - middle) < height / 2 + 0.018))
        return float(total + 20 * (max(0.0, right - 1.0) + max(0.0, -left) + max(0.0, middle - 1) + max(0.0, -middle)))

    for index in [*np.argsort(-y, kind="stable"), *np.argsort(-y, kind="stable")]:
        tries = []
        for distance in (0.03, 0.06, 0.1, 0.14, 0.19, 0.25):
            for angle in angles:
                across, up = float(np.cos(angle)), float(np.sin(angle))
                left = x[index] + distance * across - (widths[index] if across < -0.2 else 0)
                left -= widths[index] / 2 if abs(across) <= 0.2 else 0
                tries.append(
                    (cost(int(index), (left, y[index] + distance * up), distance), left, y[index] + distance * up)
                )
        _, left, middle = min(tries)
        places[int(index)] = (float(left), float(middle))
    return places


def _scatter(axes: Axes, table: pd.DataFrame, title: str) -> PathCollection:
    known = table.dropna(subset=["delta"])
    x, y = known["without"].to_numpy(float), known["with"].to_numpy(float)
    low = max(0.0, np.floor(10 * min(x.min(), y.min(), 0.9)) / 10 - 0.05)
    low, high = low - 0.03, 1.04
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    drawn = axes.scatter(
        x, y, c=known["delta"], cmap=SIGNED, vmin=-0.4, vmax=0.4, s=36, edgecolor=INK, linewidth=0.6, zorder=3
    )
    names = [display_name(name) for name in known["class"]]
    span = high - low
    for name, place, point in zip(
        names, name_places((x - low) / span, (y - low) / span, names), zip(x, y, strict=True), strict=True
    ):
        axes.annotate(
            name, point, (low + span * place[0], low + span * place[1]), textcoords="data", va="center", ha="left",
            fontsize=7, zorder=4,
            arrowprops={"arrowstyle": "-", "color": "#AAAAAA", "linewidth": 0.5, "shrinkA": 0, "shrinkB": 3},
        )  # fmt: skip
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal", title=title, xlabel="F1 without synthetic data")
    grid_lines(axes, "both")
    return drawn


@themed
def class_scatter(data: SystemsData) -> Exhibit | str:
    """F1 with against F1 without synthetic data; above the line the mixtures helped."""
    pair = compared(data)
    if isinstance(pair, str):
        return pair
    ours, theirs = deltas(*pair), published_deltas()
    figure = new_figure(3.8)
    panels = figure.subplots(1, 2)
    _scatter(panels[0], ours, "This run")
    drawn = _scatter(panels[1], theirs, "Published")
    panels[0].set_ylabel("F1 with synthetic data")
    bar = figure.colorbar(drawn, ax=list(panels), shrink=0.75, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)
    bar.set_label("difference of F1")
    plate = Plate(
        name="synthetic-scatter",
        title="F1 with against without synthetic data",
        caption=f"Left: {OURS} on {pair[0].describe('test')}. Right: published, on different test sets. On the dashed "
        "line nothing changes; above it the mixtures helped.",
        alt="Two scatter plots of 20 instruments: F1 with synthetic training data against F1 without.",
        figure=figure,
    )
    return Exhibit(plate, numbers={"synthetic_scatter": ours})


def _macro(run: Run, threshold: float) -> float:
    _, probabilities, labels, mask = real_test(run)
    return masked_metrics(probabilities, labels, mask, threshold, names=run.task.labels).f1_macro


def summary(data: SystemsData) -> Exhibit | str:
    """The published tables I and II: macro F1 at two thresholds, ours on one test set for all."""
    table = published("real_and_synthetic_models")
    names = {
        "PaSST with synthetic data": data.params.compare.with_synthetic or "passt",
        "PaSST, OpenMIC alone": data.params.compare.without_synthetic or "passt without synthetic data",
        "CBAM-CNN": "cbam_cnn",
        "MS-CRNN": "ms_crnn",
    }
    rows = []
    for label in table["model"]:
        run = data.runs.get(names.get(label, ""))
        theirs = table[table["model"] == label].iloc[0]
        row = {"model": label, "published_f1_02": theirs["f1_at_0.2"], "published_f1_05": theirs["f1_at_0.5"]}
        for column, threshold in (("f1_02", 0.2), ("f1_05", 0.5)):
            row[column] = _macro(run, threshold) if run is not None else np.nan
        row["map"] = (run.document["test"].get("map") if run is not None else None) or np.nan
        rows.append(row)
    numbers = pd.DataFrame(rows)
    first = next((data.runs[name] for name in names.values() if name in data.runs), None)
    if first is None:
        return f"The table of models: this run did not train {', '.join(names.values())}."
    absent = [name for name in names.values() if name not in data.runs]
    shown = ("f1_02", "published_f1_02", "f1_05", "published_f1_05", "map")
    listing = Listing(
        title="Models, thresholds 0.2 and 0.5",
        caption=f"Macro F1 of the positive class. {OURS.capitalize()}: every model on the same "
        f"{first.describe('test')}. Published: every model on a test set of its own, unasked labels counted as absent; "
        f"of the ensemble's 2,000 test clips {percent(1573 / 2000)} were training clips of PaSST and MS-CRNN. "
        "The ensemble of this run is in the report."
        + (f" Not trained in this run: {', '.join(absent)}." if absent else ""),
        columns=(
            "model", f"F1 at 0.2, {OURS}", "F1 at 0.2, published", f"F1 at 0.5, {OURS}", "F1 at 0.5, published",
            f"mAP, {OURS}",
        ),
        rows=tuple((str(row["model"]), *(plain(float(row[name])) for name in shown)) for row in rows),
    )  # fmt: skip
    return Exhibit(listing=listing, numbers={"synthetic_models": numbers})
