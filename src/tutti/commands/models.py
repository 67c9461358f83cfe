"""`tutti models`: the zoo with its facts."""

import json
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

_WIDE = 160


def facts() -> list[dict[str, Any]]:
    """One mapping per model and preset, by name; JSON-able."""
    from tutti.models import list_models

    return [
        {
            "name": entry.name,
            "preset": name,
            "task": entry.task,
            "family": entry.family,
            "trainable_params": preset.trainable_params,
            "total_params": preset.total_params,
            "input_shape": list(preset.input_shape),
            "output_shape": [entry.n_classes],
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


def show(*, as_json: bool) -> None:
    """Prints the zoo."""
    rows = facts()
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    table = Table(caption="params: trained numbers / all numbers; a forest's size depends on the data")
    for heading in ("name", "preset", "task", "params"):
        table.add_column(heading, justify="right" if heading == "params" else "left", no_wrap=True)
    for heading in ("input", "what it is", "published"):
        table.add_column(heading)
    for row in rows:
        rate = row["front_end"]["sample_rate"]
        published = "; ".join(f"{metric} {result}" for metric, result in row["published"].items())
        table.add_row(
            row["name"],
            row["preset"],
            row["task"],
            _params(row["trainable_params"], row["total_params"]),
            f"{row['front_end']['kind']} {'×'.join(map(str, row['input_shape']))}, {rate / 1000:g} kHz",
            f"{row['summary']} ({row['paper']})",
            published,
        )
    # Into a file or a pipe lines may be long.
    Console(width=None if sys.stdout.isatty() else _WIDE).print(table)


def _params(trainable: int | None, total: int | None) -> str:
    if trainable is None:
        return "data"
    return f"{trainable:,}" if trainable == total or total is None else f"{trainable:,} / {total:,}"
