"""Real and synthetic audio: what one network says about single clips, as a dashboard."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.transforms import Bbox

from tutti.audio.decode import decode, mono
from tutti.datasets.archives import read_member
from tutti.errors import DataError
from tutti.evaluation.metrics import PRESENT
from tutti.frontends.base import parse_front_end
from tutti.labels import OPENMIC
from tutti.reports.style import ACCENT, CONTRAST, FAINT, INK, MUTED, Plate, display_name, grid_lines, new_figure, themed
from tutti.reports.systems.data import Run, SystemsData
from tutti.reports.systems.exhibit import Exhibit
from tutti.reports.systems.irmas_sound import envelope
from tutti.training.feature_store import SAMPLE_SCALE

#: The thresholds of the published dashboard.
_CUTS = (0.2, 0.3, 0.5)


def chosen_clips(run: Run, total: int = 2) -> list[int]:
    """The test clips that are shown: those with the most labels present, recorded ones first.

    Of equals those with more asked cells come first. The rule looks at no prediction.

    Returns:
        Rows of the run's predictions.
    """
    predictions = run.predictions
    rows = np.flatnonzero((predictions.split == "test") & (predictions.dataset != "mixtures")).tolist()

    def order(row: int) -> tuple[bool, int, int, str]:
        asked = predictions.mask[row]
        present = int((predictions.labels[row][asked] >= PRESENT).sum())
        return bool(predictions.synthetic[row]), -present, -int(asked.sum()), str(predictions.clip_id[row])

    return sorted(rows, key=order)[:total]


def _sound(data: SystemsData, run: Run, clip: str) -> tuple[str, np.ndarray] | None:
    """A clip's first window: its samples where they are at hand, else what the front end made of them."""
    if data.recordings is not None:
        row = data.manifest[data.manifest["clip_id"] == clip].iloc[0]
        audio = decode(read_member(data.recordings, str(row["path"])), where=clip)
        first = round(float(row["start_s"]) * audio.sample_rate)
        return "samples", mono(audio.samples)[first : first + run.contract.window.length(audio.sample_rate)]
    store = data.store(run.entry.task)
    if store is None:
        return None
    rows = np.flatnonzero(store.index["clip_id"] == clip)
    if not len(rows):
        return None
    front_end = parse_front_end(run.contract.front_end)
    try:
        return "samples", np.asarray(store.samples(front_end.sample_rate)[rows[0]], float) / SAMPLE_SCALE
    except DataError:
        pass
    try:
        image = np.squeeze(np.asarray(store.array(front_end)[rows[0]], float))
    except DataError:
        return None
    return ("image", image) if image.ndim == 2 else None


def _all_classes(axes: Axes, probabilities: np.ndarray, present: np.ndarray, asked: np.ndarray) -> None:
    expected = np.array(["#9CC5E0", "#4E97C4", "#005A8C"])
    others = np.array(["#F6CDB4", "#E79A66", CONTRAST])
    level = np.digitize(probabilities, [0.3, 0.5])
    colours = np.where(present, expected[level], np.where(asked, others[level], FAINT))
    positions = np.arange(len(OPENMIC))
    axes.barh(positions, probabilities, height=0.7, color=colours)
    for position in positions[present]:
        axes.plot(min(1.04, probabilities[position] + 0.04), position, "*", color=INK, markersize=8, clip_on=False)
    axes.axvline(0.5, color=ACCENT, linewidth=1)
    axes.axvline(0.3, color="#E69F00", linewidth=1)
    axes.set_yticks(positions, [display_name(name) for name in OPENMIC], fontsize=8.5)
    axes.set(xlim=(0, 1.08), ylim=(len(OPENMIC) - 0.4, -0.6), xlabel="probability")
    grid_lines(axes)
    axes.spines["left"].set_visible(False)


def _top_ten(axes: Axes, probabilities: np.ndarray, present: np.ndarray) -> None:
    """The ten most probable instruments; the labelled ones in bold."""
    order = np.argsort(-probabilities, kind="stable")[:10]
    axes.barh(range(10), probabilities[order], height=0.7, color=np.where(present[order], ACCENT, "#BBBBBB"))
    axes.set_yticks(range(10), [display_name(OPENMIC[index]) for index in order], fontsize=8)
    for tick, index in zip(axes.get_yticklabels(), order, strict=True):
        tick.set_fontweight("bold" if present[index] else "normal")
    axes.set(xlim=(0, 1), ylim=(9.6, -0.6), title="Top ten")
    grid_lines(axes)
    axes.spines["left"].set_visible(False)


def _detected(axes: Axes, probabilities: np.ndarray, present: np.ndarray) -> None:
    """The table of the labelled instruments: probability, and whether it is reached at three thresholds."""
    axes.axis("off")
    names = [index for index in np.argsort(-probabilities) if present[index]]
    cells = [
        [display_name(OPENMIC[index]), f"{probabilities[index]:.3f}"]
        + ["yes" if probabilities[index] >= cut else "no" for cut in _CUTS]
        for index in names[:8]
    ]
    if not cells:
        axes.text(0, 0.5, "nothing is labelled present", color=MUTED)
        return
    columns = ["labelled", "probability", *(f"≥ {cut:g}" for cut in _CUTS)]
    height = (len(cells) + 1) / 9
    table = axes.table(
        cells, colLabels=columns, cellLoc="center", colWidths=[0.31, 0.27, 0.14, 0.14, 0.14],
        bbox=Bbox.from_bounds(0, 1 - height, 1, height),
    )  # fmt: skip
    table.auto_set_font_size(False)
    table.set_fontsize(8.5)
    for (row, column), cell in table.get_celld().items():
        cell.set_edgecolor("#E6E6E6")
        if row > 0 and column > 1 and cells[row - 1][column] == "yes":
            cell.set_facecolor("#CFE3F0")


def _heard(axes: Axes, sound: tuple[str, np.ndarray] | None, seconds: float) -> None:
    if sound is None:
        axes.axis("off")
        return
    kind, values = sound
    if kind == "samples":
        starts, low, high = envelope(values, bins=900)
        axes.fill_between(starts / len(values) * seconds, low, high, color=ACCENT, linewidth=0)
        axes.set(title="Waveform", xlabel="seconds", xlim=(0, seconds), ylim=(-1, 1))
    else:
        axes.imshow(values, aspect="auto", origin="lower", cmap="cividis", extent=(0, seconds, 0, values.shape[0]))
        axes.set(title="What the model hears", xlabel="seconds", ylabel="mel band")


@themed
def clips(data: SystemsData) -> Exhibit | str:
    """Single test clips: all probabilities, the labelled ones at three thresholds, and the sound."""
    name = data.params.compare.with_synthetic or "passt"
    run = data.runs.get(name)
    if run is None:
        return f"Single clips: this run did not train {name}."
    rows = chosen_clips(run)
    if not rows:
        return "Single clips: there are no test clips."
    predictions = run.predictions
    figure = new_figure(5.6 * len(rows))
    grid = figure.add_gridspec(3 * len(rows), 2, width_ratios=(1.2, 1), height_ratios=(1.25, 1.1, 0.9) * len(rows))
    numbers = []
    for place, row in enumerate(rows):
        probabilities, asked = predictions.probabilities[row], predictions.mask[row]
        present = (predictions.labels[row] >= PRESENT) & asked
        left = figure.add_subplot(grid[3 * place : 3 * place + 3, 0])
        _all_classes(left, probabilities, present, asked)
        kind = " (synthetic)" if predictions.synthetic[row] else ""
        left.set_title(f"{predictions.clip_id[row]}{kind}", fontsize=9)
        _top_ten(figure.add_subplot(grid[3 * place, 1]), probabilities, present)
        _detected(figure.add_subplot(grid[3 * place + 1, 1]), probabilities, present)
        sound = _sound(data, run, str(predictions.clip_id[row]))
        _heard(figure.add_subplot(grid[3 * place + 2, 1]), sound, run.contract.window.length_s)
        numbers += [
            {
                "clip_id": predictions.clip_id[row],
                "instrument": instrument,
                "probability": probability,
                "logit": float(np.log(probability) - np.log1p(-probability)) if 0 < probability < 1 else None,
                **{f"detected_{cut:g}": bool(probability >= cut) for cut in _CUTS},
                "asked": bool(was_asked),
                "is_expected": bool(labelled),
            }
            for instrument, probability, was_asked, labelled in zip(
                OPENMIC, probabilities.astype(float), asked, present, strict=True
            )
        ]
    key = [
        Patch(color="#4E97C4", label="labelled present (star)"),
        Patch(color="#E79A66", label="labelled absent"),
        Patch(color=FAINT, label="nobody was asked"),
        Line2D([], [], color="#E69F00", linewidth=1, label="0.3"),
        Line2D([], [], color=ACCENT, linewidth=1, label="0.5"),
    ]
    figure.legend(handles=key, loc="outside lower center", ncols=5)
    plate = Plate(
        name="synthetic-clips",
        title="Single clips",
        caption=f"{run.name}'s probabilities for the clips with the most labelled instruments of "
        f"{run.describe('test')}, chosen without looking at the answers. Darker: 0.3 and 0.5 are reached.",
        alt="For each clip bars of 20 probabilities, a table of the labelled instruments, and the sound.",
        figure=figure,
    )
    return Exhibit(plate, numbers={"synthetic_clips": pd.DataFrame(numbers)})
