"""How every figure looks: one accent, neutral greys, nothing that carries no information, and the same bytes each time.

The two hues are from Okabe and Ito's palette, which people with any form of colour blindness can tell apart; whatever
is told by colour is also told by position, shape or text.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

ACCENT = "#0072B2"  # what the figure is about: the ensemble, labelled present, the chosen value
CONTRAST = "#D55E00"  # its opposite: labelled absent, validation beside training
INK = "#222222"
MUTED = "#767676"
FAINT = "#D5D5D5"
#: Zero to one, white to a dark accent.
SHADES = LinearSegmentedColormap.from_list("tutti", ["#FFFFFF", "#9CC5E0", "#005A8C"])

#: Inches. The page shows 100 CSS pixels to the inch, so a point of type is 1.4 pixels.
WIDTH = 8.0
_DPI = 200  # twice the CSS pixels

_RC: Any = {
    "font.family": "DejaVu Sans",  # travels with matplotlib, so no machine draws another
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.5,
    "axes.axisbelow": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.6,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.hashsalt": "tutti",
}

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Plate:
    """A figure with the words that belong to it.

    Attributes:
        name: File name without its ending.
        title: The heading above it.
        caption: What it shows and on what data: split, clips, asked cells, and ``synthetic`` where they are.
        alt: What a person who does not see it should know.
        figure: The drawing.
    """

    name: str
    title: str
    caption: str
    alt: str
    figure: Figure


def themed(draw: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Function decorator: draws under the shared style, whatever the machine's own settings are."""

    @functools.wraps(draw)
    def styled(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(_RC)
            return draw(*args, **kwargs)

    return styled


def new_figure(height: float, *, width: float = WIDTH) -> Figure:
    """An empty figure, sizes in inches, outside pyplot's global state."""
    layout = ConstrainedLayoutEngine(h_pad=0.08, w_pad=0.06, wspace=0.05, hspace=0.03)
    return Figure(figsize=(width, height), layout=layout)


def grid_lines(axes: Axes, axis: str = "x") -> None:
    """Faint lines across the value axis."""
    axes.grid(True, axis=axis)  # type: ignore[arg-type]  # matplotlib spells the three choices as literals
    axes.tick_params(length=0)


def readable_on(shade: float) -> str:
    """The ink that is legible on a cell of `SHADES` at ``shade`` in [0, 1]."""
    return "white" if shade > 0.78 else INK


def display_name(name: str) -> str:
    """A class name for people: ``mallet_percussion`` becomes ``mallet percussion``."""
    return name.replace("_", " ")


@themed
def save_png(figure: Figure, path: Path) -> None:
    """Writes the figure at two pixels per CSS pixel, without any metadata: equal figures give equal bytes."""
    figure.savefig(path, format="png", dpi=_DPI, metadata={"Software": None})
