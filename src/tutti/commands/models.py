"""`tutti models`: the zoo with its facts, by the published system that each model belongs to."""

import json
import os
import sys
from collections.abc import Sequence
from itertools import groupby
from textwrap import fill
from typing import Any, Literal

from rich.console import Console
from rich.text import Text

PresetChoice = Literal["paper", "published", "mini", "all"]

_WIDE = 120
_INDENT = "    "
_HEADINGS = ("model", "preset", "parameters", "front end")


def facts() -> list[dict[str, Any]]:
    """One mapping per model and preset, by name; JSON-able.

    ``output_shape`` is that of one window: [classes], or [frames, classes] where every frame has labels of its own.
    """
    from tutti.models import list_models
    from tutti.tasks import get_task

    return [
        {
            "name": entry.name,
            "preset": name,
            "task": entry.task,
            "system": entry.system,
            "family": entry.family,
            "procedure": entry.procedure,
            "trainable_params": preset.trainable_params,
            "total_params": preset.total_params,
            "input_shape": list(preset.input_shape),
            "output_shape": [*preset.input_shape[: get_task(entry.task).frames], entry.n_classes],
            "front_end": preset.front_end.model_dump(mode="json"),
            "window": preset.window.model_dump(mode="json"),
            "pretraining": entry.pretraining,
            "summary": entry.summary,
            "paper": entry.paper,
            "published": entry.published,
            "weights_licence": entry.weights_licence,
        }
        for entry in list_models()
        for name, preset in sorted(entry.presets.items())
    ]


def show(*, as_json: bool, preset: PresetChoice | None = None) -> None:
    """Prints the zoo.

    Args:
        as_json: A list of objects instead of text.
        preset: What is shown of each model; None is ``paper`` for text and ``all`` for JSON.
    """
    chosen = preset or ("all" if as_json else "paper")
    rows = [row for row in facts() if chosen in ("all", row["preset"])]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    # Into a file or a pipe lines may be long, unless the environment says how long.
    console = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else _WIDE)
    rows.sort(key=lambda row: (not row["system"], row["system"], row["task"], row["name"]))
    for (system, task), members in groupby(rows, key=lambda row: (row["system"], row["task"])):
        _print_group(console, system, task, list(members))
    console.print(_filled(_legend(chosen), console), style="dim")


def _print_group(console: Console, system: str, task: str, rows: list[dict[str, Any]]) -> None:
    from tutti.tasks import get_task

    heading = f"{system or 'other'} · {task}"
    title = _filled(f"{heading}: {get_task(task).summary}", console)
    title.stylize("bold", 0, len(heading))
    console.print(title)
    one_paper = len({row["paper"] for row in rows}) == 1
    if one_paper:
        console.print(_filled(rows[0]["paper"], console))
    cells = [(row["name"], row["preset"], _params(row), _front_end(row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(_HEADINGS, *cells, strict=True)]
    console.print(_line(_HEADINGS, widths), style="dim")
    for name, members in groupby(zip(rows, cells, strict=True), key=lambda pair: pair[0]["name"]):
        pairs = list(members)
        for number, (_, values) in enumerate(pairs):
            console.print(_line(("" if number else name, *values[1:]), widths))
        row = pairs[0][0]
        what = row["summary"] if one_paper else f"{row['summary']} - {row['paper']}"
        console.print(_filled(what, console, indent=_INDENT))
        if row["published"]:
            scores = "; ".join(f"{metric} {result}" for metric, result in row["published"].items())
            console.print(_filled(scores, console, indent=_INDENT), style="green")
    console.print()


def _filled(text: str, console: Console, indent: str = "") -> Text:
    return Text(fill(text, console.width, initial_indent=indent, subsequent_indent=indent))


def _line(cells: Sequence[str], widths: list[int]) -> Text:
    name, preset, params, front_end = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return Text("  ".join((name, preset, params.strip().rjust(len(params)), front_end)).rstrip())


def _params(row: dict[str, Any]) -> str:
    trained, total = row["trainable_params"], row["total_params"]
    if trained is None:
        return "as data"
    return f"{trained:,}" if trained == total else f"{trained:,} / {total:,}"


def _front_end(row: dict[str, Any]) -> str:
    return f"{row['front_end']['kind']} {'×'.join(map(str, row['input_shape']))}"


def _legend(preset: PresetChoice) -> str:
    sizes = "parameters: trained / all, where some are frozen; a forest's grow with its data. Below: published results."
    return sizes if preset == "all" else f"{sizes} Other sizes: --preset mini, published or all; all facts: --json."
