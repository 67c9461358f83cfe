"""Answers as tables for people, and as CSV."""

import csv
import io
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

#: Rows of a table when nothing else is asked for; everything present is shown in any case.
DEFAULT_ROWS = 5
_WIDTH = 20
_TIMELINE_WIDTH = 8
# Characters that a column takes: the longest content, padding and its border.
_SECONDS_COLUMN = 20
_TIMELINE_COLUMN = 20


def bar(value: float, width: int, *, plain: bool = False) -> str:
    """A bar of ``value`` in [0, 1], ``width`` characters at most."""
    if plain:
        return "#" * round(value * width)
    eighths = round(value * width * 8)
    return "█" * (eighths // 8) + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[eighths % 8]


def is_plain(console: Console) -> bool:
    """Whether the console cannot show block characters."""
    return not console.encoding.lower().startswith("utf")


def answer_table(answer: Mapping[str, Any], title: str, *, top: int | None = None, plain: bool = False) -> Table:
    """The instruments of an answer, most probable first.

    Args:
        answer: As `tutti.predictor.Prediction.to_dict` and the server give it.
        title: Above the table.
        top: Number of rows; all that are present and at least ``DEFAULT_ROWS`` when None.
        plain: Whether bars are made of ``#``.
    """
    instruments = answer["instruments"]
    if top is None:
        top = max(DEFAULT_ROWS, sum(item["present"] for item in instruments))
    model = answer["model"]
    table = Table(
        title=Text(f"{title} ({answer['duration_s']:.1f} s)"),
        caption=Text(f"{model['name']} {model['version']}, {model['digest'][:12]}"),
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("instrument")
    table.add_column("probability", justify="right")
    table.add_column("", width=_WIDTH)
    table.add_column("threshold", justify="right")
    table.add_column("present")
    for item in sorted(instruments, key=lambda item: (not item["present"], -item["probability"]))[:top]:
        table.add_row(
            item["name"],
            f"{item['probability']:.3f}",
            bar(item["probability"], _WIDTH, plain=plain),
            f"{item['threshold']:.2f}",
            "yes" if item["present"] else "",
            style="bold" if item["present"] else "dim",
        )
    return table


def timeline_table(answer: Mapping[str, Any], *, width: int, plain: bool = False) -> Table:
    """A row per window, a column per instrument that is present; the most probable one when none is.

    Args:
        answer: As for `answer_table`.
        width: Characters in a line; instruments that do not fit are counted in the caption.
        plain: As for `answer_table`.
    """
    instruments = answer["instruments"]
    present = [item["name"] for item in instruments if item["present"]] or [instruments[0]["name"]]
    names = present[: max(1, (width - _SECONDS_COLUMN) // _TIMELINE_COLUMN)]
    hidden = len(present) - len(names)
    table = Table(caption=f"and {hidden} more, see --json or --csv" if hidden else None, caption_justify="left")
    table.add_column("seconds", justify="right", no_wrap=True)
    for name in names:
        table.add_column(name, no_wrap=True)
    for window in answer["windows"]:
        cells = [
            f"{window['probabilities'][name]:.2f} {bar(window['probabilities'][name], _TIMELINE_WIDTH, plain=plain)}"
            for name in names
        ]
        table.add_row(f"{window['start_s']:.1f}-{window['end_s']:.1f}", *cells)
    return table


def csv_rows(answer: Mapping[str, Any], file: str, *, top: int | None = None, timeline: bool = False) -> str:
    """An answer as CSV lines; their header is `csv_header`."""
    rows: list[list[Any]] = []
    if timeline:
        for window in answer["windows"]:
            for item in answer["instruments"][:top]:
                name = item["name"]
                rows.append([file, window["start_s"], window["end_s"], name, window["probabilities"][name]])
    else:
        for item in answer["instruments"][:top]:
            rows.append([file, item["name"], item["probability"], str(item["present"]).lower(), item["threshold"]])
    return _lines(rows)


def csv_header(*, timeline: bool = False) -> str:
    """The first line of the CSV."""
    names = ["file", "start_s", "end_s", "instrument", "probability"]
    return _lines([names if timeline else ["file", "instrument", "probability", "present", "threshold"]])


def _lines(rows: list[list[Any]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()
