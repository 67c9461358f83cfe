"""What the page is made of: figures with the numbers behind them, and tables; and what their drawings share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from tutti.reports.style import ACCENT, CONTRAST, INK, MUTED, Plate

#: Okabe and Ito's hues beside the accent and its opposite, each with a marker, so that colour never stands alone.
HUES: tuple[tuple[str, str], ...] = (
    (MUTED, "s"), ("#E69F00", "^"), ("#009E73", "D"), (ACCENT, "o"), (CONTRAST, "v"), ("#CC79A7", "P"),
)  # fmt: skip

OURS, THEIRS = "this run", "published"


@dataclass(frozen=True)
class Listing:
    """A table of the page.

    Attributes:
        title: The heading above it.
        caption: What it shows and on what data.
        columns: Column headings; the first column names the row.
        rows: The cells as text.
    """

    title: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Exhibit:
    """A figure or a table of the page.

    Attributes:
        plate: The figure, None for a table.
        listing: The table, None for a figure.
        numbers: What was drawn, by file name without ``.csv``; written beside the page, for people and for DVC plots.
    """

    plate: Plate | None = None
    listing: Listing | None = None
    numbers: Mapping[str, pd.DataFrame] = field(default_factory=dict)


def published(name: str) -> pd.DataFrame:
    """The published table ``name``, as it lies in the package."""
    with (files("tutti.reports") / "published" / f"{name}.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file, comment="#")


def percent(value: float | None, digits: int = 1) -> str:
    """A share as per cent for a table cell; a dash where it is unknown."""
    return "–" if value is None or not np.isfinite(value) else f"{100 * value:.{digits}f} %"


def plain(value: float | None, digits: int = 3) -> str:
    """A number for a table cell; a dash where it is unknown."""
    return "–" if value is None or not np.isfinite(value) else f"{value:.{digits}f}".replace("-", "−")


def count(value: float | None) -> str:
    """A count with thousands separated; a dash where it is unknown."""
    return "–" if value is None or not np.isfinite(value) else f"{int(value):,}"


def words(names: Sequence[str]) -> str:
    """``a``, ``a and b`` or ``a, b and c``."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def scores_note(axes: Axes, text: str) -> None:
    """Says in the middle of an empty panel why nothing is drawn."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=MUTED)
    axes.set(xticks=(), yticks=())
    axes.spines[:].set_visible(False)


def shaded_counts(axes: Axes, counts: np.ndarray, rows: Sequence[str], columns: Sequence[str], title: str) -> None:
    """A confusion matrix: counts written, cells shaded by their share of the row, the diagonal framed.

    Args:
        axes: Where to draw.
        counts: int [rows, columns]; true classes by predicted ones.
        rows: Names of the true classes.
        columns: Names of the predicted ones.
        title: Above the panel.
    """
    from matplotlib.patches import Rectangle

    from tutti.reports.style import SHADES, readable_on

    total = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, total, out=np.zeros(counts.shape), where=total > 0)
    axes.imshow(shares, cmap=SHADES, vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(counts.shape):
        axes.text(
            column, row, f"{int(counts[row, column])}", ha="center", va="center", fontsize=9,
            color=readable_on(float(shares[row, column])) if counts[row, column] else "#9A9A9A",
        )  # fmt: skip
        if row == column:
            axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=INK, linewidth=0.8))
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.set(title=title, xlabel="answered")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
