"""How the four systems are built, as boxes and arrows."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from tutti.reports.style import ACCENT, INK, MUTED, Plate, new_figure, themed
from tutti.reports.systems.exhibit import Exhibit

_FILL = {"learnt": "#CFE3F0", "frozen": "#E4E4E4", "data": "#FFFFFF", "made": "#FBE7D3"}
_KEY = {"data": "data", "made": "made from the data", "learnt": "trained", "frozen": "frozen"}


@dataclass(frozen=True)
class Box:
    """A box of a diagram.

    Attributes:
        x: Its centre, in columns.
        y: Its centre, in rows from the top.
        text: What stands in it.
        kind: ``learnt``, ``frozen``, ``data`` or ``made``.
    """

    x: float
    y: float
    text: str
    kind: str = "data"


_WIDTH, _HEIGHT = 0.86, 0.62


#: From the box of one number to the box of another.
Arrow = tuple[int, int]


def _draw(axes: Axes, boxes: Sequence[Box], arrows: Sequence[Arrow], weights: Sequence[Arrow]) -> None:
    """Boxes and arrows; those of ``weights`` are dashed."""
    for box in boxes:
        axes.add_patch(
            FancyBboxPatch(
                (box.x - _WIDTH / 2, box.y - _HEIGHT / 2), _WIDTH, _HEIGHT, boxstyle="round,pad=0,rounding_size=0.05",
                facecolor=_FILL[box.kind], edgecolor=ACCENT if box.kind == "learnt" else MUTED, linewidth=1.1,
            )
        )  # fmt: skip
        axes.text(box.x, box.y, box.text, ha="center", va="center", fontsize=8)
    for start, end in [*arrows, *weights]:
        a, b = boxes[start], boxes[end]
        if a.y == b.y:
            side = 1 if b.x > a.x else -1
            ends = (a.x + side * _WIDTH / 2, a.y), (b.x - side * _WIDTH / 2, b.y)
        else:
            side = 1 if b.y > a.y else -1
            ends = (a.x, a.y + side * _HEIGHT / 2), (b.x, b.y - side * _HEIGHT / 2)
        arrow = FancyArrowPatch(*ends, arrowstyle="-|>", mutation_scale=10, color=INK, shrinkA=1, shrinkB=1)
        arrow.set_linestyle((0, (3, 2)) if (start, end) in weights else "-")
        axes.add_patch(arrow)
    axes.set(
        xlim=(min(box.x for box in boxes) - 0.5, max(box.x for box in boxes) + 0.5),
        ylim=(max(box.y for box in boxes) + 0.45, min(box.y for box in boxes) - 0.45),
    )
    axes.axis("off")


def _diagram(
    name: str,
    title: str,
    caption: str,
    boxes: Sequence[Box],
    arrows: Sequence[Arrow],
    *,
    weights: Sequence[Arrow] = (),
) -> Exhibit:
    rows = max(box.y for box in boxes) - min(box.y for box in boxes) + 1
    figure = new_figure(0.5 + 0.95 * rows)
    _draw(figure.subplots(), boxes, arrows, weights)
    kinds = [kind for kind in _KEY if any(box.kind == kind for box in boxes)]
    handles = [
        FancyBboxPatch((0, 0), 1, 1, facecolor=_FILL[kind], edgecolor=ACCENT if kind == "learnt" else MUTED)
        for kind in kinds
    ]
    figure.legend(handles, [_KEY[kind] for kind in kinds], loc="outside lower center", ncols=len(kinds))
    said = " to ".join(" ".join(box.text.split()) for box in boxes)
    return Exhibit(Plate(name, title, caption, f"Block diagram: {said}.", figure))


@themed
def reprogramming(_data: object) -> Exhibit:
    """The block diagram of reprogramming."""
    return _diagram(
        "reprogramming-diagram",
        "How reprogramming works",
        "The input transform is learnt: a map of numbers that is added (NRP), two convolutions (CNNRP), or a small "
        "U-Net (URP); AST-BS has none. The transformer keeps its weights, except in AST-TL.",
        [
            Box(0, 0, "log-mel\nspectrogram\n1024 × 128"),
            Box(1.15, 0, "input\ntransform", "learnt"),
            Box(2.3, 0, "audio spectrogram\ntransformer", "frozen"),
            Box(3.45, 0, "label mapping:\nnorm, linear", "learnt"),
            Box(4.6, 0, "20\ninstruments"),
        ],
        [(0, 1), (1, 2), (2, 3), (3, 4)],
    )


@themed
def irmas(_data: object) -> Exhibit:
    """The two stages and what passes between them."""
    return _diagram(
        "irmas-diagram",
        "The two stages",
        "Stage 1 tells one of four instruments, stage 2 the two of a mixture: by transfer learning on the blocks of "
        "stage 1 (dashed: its weights), or by the same network trained from the start.",
        [
            Box(0, 0, "excerpts of four\ninstruments"),
            Box(1.15, 0, "inverted copies:\nclasses of\none size", "made"),
            Box(2.3, 0, "stage 1: six\nconvolutions\non the wave", "learnt"),
            Box(3.45, 0, "one of four"),
            Box(1.15, 1.1, "sums of two,\nsix pairs", "made"),
            Box(2.3, 1.1, "six blocks\nof stage 1", "frozen"),
            Box(3.45, 1.1, "three linear\nlayers", "learnt"),
            Box(4.6, 1.1, "two of four"),
            Box(1.15, 2.2, "the same\nsums", "made"),
            Box(2.3, 2.2, "stage 2: the\nnetwork of stage 1\nfrom the start", "learnt"),
            Box(3.45, 2.2, "two of four"),
        ],
        [(0, 1), (1, 2), (2, 3), (1, 4), (4, 5), (5, 6), (6, 7), (4, 8), (8, 9), (9, 10)],
        weights=[(2, 5)],
    )  # fmt: skip


@themed
def generation(_data: object) -> Exhibit:
    """How a synthetic mixture is made."""
    return _diagram(
        "synthetic-diagram",
        "How a mixture is made, and what is trained",
        "Above: the generator, for each number of instruments from one to eleven. Below: only eight labels of "
        "a mixture are asked, the rest stay unknown. Dashed: weights of the pretraining.",
        [
            Box(0, 0, "k families,\none labelled\nat least"),
            Box(1.15, 0, "a note\nof each", "made"),
            Box(2.3, 0, "16 kHz, looped\nto ten seconds", "made"),
            Box(3.45, 0, "peak 1, gain\n−10 to 0 dB", "made"),
            Box(4.6, 0, "sum, peak 1", "made"),
            Box(4.6, 1.1, "training clips;\n8 labels of a\nmixture are asked"),
            Box(4.6, 2.2, "recordings with\nasked labels"),
            Box(3.45, 1.1, "PaSST, CBAM-CNN,\nMS-CRNN", "learnt"),
            Box(3.45, 2.2, "pretraining:\nIRMAS, nine\ninstruments", "learnt"),
            Box(2.3, 1.1, "weighted mean,\nthresholds", "learnt"),
            Box(1.15, 1.1, "20\ninstruments"),
        ],
        [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (6, 5), (5, 7), (7, 9), (9, 10)],
        weights=[(8, 7)],
    )  # fmt: skip


@themed
def musicnet(_data: object) -> Exhibit:
    """From recording to labels of frames."""
    return _diagram(
        "musicnet-diagram",
        "From a recording to labels of frames",
        "The notes of a recording become the labels of its frames; the scaler is fitted on training recordings and "
        "kept with the model.",
        [
            Box(0, 0, "recording"),
            Box(1.15, 0, "13 cepstral\ncoefficients every\n11.6 ms"),
            Box(2.3, 0, "scaler", "learnt"),
            Box(3.45, 0, "CNN or\ntransformer", "learnt"),
            Box(4.6, 0, "12 labels of\nevery frame"),
        ],
        [(0, 1), (1, 2), (2, 3), (3, 4)],
    )
