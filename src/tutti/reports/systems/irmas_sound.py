"""IRMAS in two stages: the data that were made of the excerpts, by mirroring and by mixing."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from tutti.datasets.irmas_two_stage import mix_pair
from tutti.errors import DataError
from tutti.frontends.base import parse_front_end
from tutti.labels import IRMAS_FOUR, IRMAS_NAMES
from tutti.reports.style import ACCENT, CONTRAST, FAINT, INK, MUTED, Plate, display_name, grid_lines, new_figure, themed
from tutti.reports.systems.data import SystemsData, lacking
from tutti.reports.systems.exhibit import OURS, Exhibit, published
from tutti.reports.systems.irmas import STAGE_1
from tutti.training.irmas_rows import four_instrument_clips

_CHANNELS = ("left", "right")

#: Seconds of the close-up.
_CLOSE_S = 0.01


def _sounds(data: SystemsData) -> tuple[np.ndarray, pd.DataFrame, int] | None:
    """The normalised stereo waveforms of the four-instrument set, [rows, 2, samples], their index, their rate in Hz."""
    run, store = data.of(STAGE_1), data.store("irmas-4")
    if run is None or store is None:
        return None
    front_end = parse_front_end(run.contract.front_end)
    try:
        return store.array(front_end), store.index, front_end.sample_rate
    except DataError:
        return None


def _first(index: pd.DataFrame, code: str) -> int:
    """Row of the first training excerpt of an instrument."""
    rows = np.flatnonzero((index["native_labels"] == code) & (index["split"] == "train"))
    if not len(rows):
        raise DataError(f"the set irmas-4 has no training excerpt of {code}", hint="run the features step again")
    return int(rows[0])


def envelope(samples: np.ndarray, bins: int = 1200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a wave looks like from afar: the first sample, the least and the greatest of each of ``bins`` pieces.

    Args:
        samples: Float [n].
        bins: Pieces, at most n.

    Returns:
        int [bins], float [bins] and float [bins].
    """
    starts = np.unique(np.linspace(0, len(samples), bins, endpoint=False).astype(int))
    return starts, np.minimum.reduceat(samples, starts), np.maximum.reduceat(samples, starts)


def _wave(axes: Axes, samples: np.ndarray, colour: str, *, alpha: float = 1.0, label: str = "") -> None:
    starts, low, high = envelope(np.asarray(samples, float))
    axes.fill_between(starts, low, high, color=colour, alpha=alpha, linewidth=0, label=label)


def _loudest(samples: np.ndarray, rate: int) -> slice:
    """The samples of the close-up: around the greatest peak, within the wave."""
    length = round(_CLOSE_S * rate)
    start = int(np.clip(np.abs(samples).argmax() - length // 2, 0, max(0, len(samples) - length)))
    return slice(start, start + length)


def _describe(data: SystemsData, index: pd.DataFrame, row: int) -> str:
    name = display_name(IRMAS_NAMES[str(index["native_labels"].iloc[row])])
    return f"{data.kind([str(index['dataset'].iloc[row])])} {name} excerpt"


@themed
def polarity(data: SystemsData) -> Exhibit | str:
    """An excerpt and its polarity-inverted copy, per channel."""
    found = _sounds(data)
    if found is None:
        return lacking(data, [STAGE_1], "The waveform and its inversion") or "The set irmas-4 holds no waveforms."
    sounds, index, rate = found
    row = _first(index, "tru")
    sound = np.asarray(sounds[row], float)
    figure = new_figure(3.8)
    panels = figure.subplots(2, 3, sharey=True, width_ratios=(1, 1, 1.2))
    for channel, (name, line) in enumerate(zip(_CHANNELS, panels, strict=True)):
        _wave(line[0], sound[channel], ACCENT)
        _wave(line[1], -sound[channel], CONTRAST)
        near = _loudest(sound[channel], rate)
        places = np.arange(sound.shape[1])[near]
        line[2].plot(places, sound[channel, near], color=ACCENT, linewidth=1.2)
        line[2].plot(places, -sound[channel, near], color=CONTRAST, linewidth=1.2, linestyle=(0, (4, 1.5)))
        line[0].set_ylabel(f"{name}\namplitude")
        for panel in line:
            grid_lines(panel, "y")
            panel.locator_params(axis="x", nbins=3)
    for panel, title in zip(panels[0], ("Original", "Inverted", "Both, close"), strict=True):
        panel.set_title(title)
    for panel in panels[1]:
        panel.set_xlabel("sample")
    panels[0, 0].set_ylim(-0.58, 0.58)
    plate = Plate(
        name="irmas-polarity",
        title="Polarity inversion",
        caption=f"A {_describe(data, index, row)} ({index['clip_id'].iloc[row]}) as the networks hear it, each channel "
        "brought to a peak of 0.5, and its inverted copy: the same sound, other numbers. Right: 10 ms around the peak.",
        alt="Waveforms of both channels: the original, its mirror image, and both overlaid for ten milliseconds.",
        figure=figure,
    )
    numbers = pd.DataFrame({"sample": np.arange(sound.shape[1]), "original": sound[0], "inverted": -sound[0]})
    return Exhibit(plate, numbers={"irmas_polarity": numbers.iloc[_loudest(sound[0], rate)]})


@themed
def mixture(data: SystemsData) -> Exhibit | str:
    """Two normalised excerpts and their sum, normalised again."""
    found = _sounds(data)
    if found is None:
        return lacking(data, [STAGE_1], "The waveforms of a mixture") or "The set irmas-4 holds no waveforms."
    sounds, index, _ = found
    rows = [_first(index, code) for code in ("tru", "vio")]
    first, second = (np.asarray(sounds[row], np.float32) for row in rows)
    mixed = mix_pair(first, second)
    figure = new_figure(3.8)
    above, below = figure.subplots(2, 1, sharex=True, sharey=True)
    names = [display_name(IRMAS_NAMES[str(index["native_labels"].iloc[row])]) for row in rows]
    _wave(above, first[0], ACCENT, alpha=0.75, label=names[0])
    _wave(above, second[0], CONTRAST, alpha=0.6, label=names[1])
    _wave(below, mixed[0], INK)
    above.set(title="Two normalised excerpts", ylabel="amplitude", ylim=(-0.62, 0.62))
    below.set(title="Their sum, normalised again", ylabel="amplitude", xlabel="sample")
    above.legend(loc="lower right", bbox_to_anchor=(1, 0.96), ncols=2)
    for axes in (above, below):
        grid_lines(axes, "y")
    plate = Plate(
        name="irmas-mixture",
        title="A mixture of two",
        caption=f"Left channel of a {_describe(data, index, rows[0])} and a {_describe(data, index, rows[1])}, each "
        "with a peak of 0.5, and of the mixture that stage 2 is trained on: the sum, brought to a peak of 0.5 again.",
        alt=f"Waveforms of {names[0]} and {names[1]} overlaid, and below them the waveform of their mixture.",
        figure=figure,
    )
    starts, low, high = envelope(mixed[0])
    numbers = pd.DataFrame({"sample": starts, "mixture_low": low, "mixture_high": high})
    return Exhibit(plate, numbers={"irmas_mixture": numbers})


def class_counts(data: SystemsData) -> pd.DataFrame | None:
    """Excerpts per instrument before balancing (in the manifest) and after (in the feature set); None without them."""
    store = data.store("irmas-4")
    if store is None:
        return None
    before, after = (
        table["native_labels"].value_counts().reindex(list(IRMAS_FOUR), fill_value=0)
        for table in (four_instrument_clips(data.manifest), store.index)
    )
    theirs = published("irmas_balance").set_index("class").reindex(list(IRMAS_FOUR))
    return pd.DataFrame(
        {
            "class": IRMAS_FOUR,
            "before": before.to_numpy(int),
            "after": after.to_numpy(int),
            "published_before": theirs["before"].to_numpy(int),
            "published_after": theirs["after"].to_numpy(int),
        }
    )


@themed
def balance(data: SystemsData) -> Exhibit | str:
    """Excerpts of each instrument before and after inverted copies were added."""
    numbers = class_counts(data)
    if numbers is None:
        return "The class counts before and after balancing: this run has no feature set irmas-4."
    figure = new_figure(2.9)
    panels = figure.subplots(1, 2)
    positions = np.arange(len(IRMAS_FOUR))
    for axes, title, prefix in ((panels[0], "This run", ""), (panels[1], "Published (IRMAS)", "published_")):
        before, after = numbers[f"{prefix}before"].to_numpy(), numbers[f"{prefix}after"].to_numpy()
        axes.bar(positions, before, width=0.6, color=ACCENT, label="excerpts")
        axes.bar(positions, after - before, bottom=before, width=0.6, color=FAINT, edgecolor=MUTED, linewidth=0.6,
                 hatch="///", label="inverted copies")  # fmt: skip
        for place, low, high in zip(positions, before, after, strict=True):
            axes.annotate(
                f"{low} + {high - low}", (place, high), (0, 3), textcoords="offset points", ha="center", fontsize=9
            )
        axes.set_xticks(positions, [display_name(IRMAS_NAMES[code]) for code in IRMAS_FOUR])
        axes.set(title=title, ylim=(0, max(1, after.max()) * 1.15))
        grid_lines(axes, "y")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    plate = Plate(
        name="irmas-balance",
        title="Balancing the classes",
        caption=f"Left: {OURS}, {int(numbers['before'].sum()):,} {data.kind(['irmas'])} training excerpts (irmas), "
        "split into training, validation and test later. Right: published.",
        alt="Bars of excerpts per instrument with the inverted copies on top, of this run and as published.",
        figure=figure,
    )
    return Exhibit(plate, numbers={"irmas_balance": numbers})
