"""The report: one HTML page beside its figures, of numbers and words only, so that equal inputs give equal bytes."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from tutti.datasets import LAYOUTS
from tutti.files import atomic_folder
from tutti.progress import track
from tutti.reports import classes, comparison, dataset, ensemble, training
from tutti.reports.data import Member, ReportData
from tutti.reports.style import Plate, display_name, save_png

#: What is drawn; a figure whose inputs do not exist in a run is left out.
FIGURES: tuple[Callable[[ReportData], Plate | None], ...] = (
    comparison.leaderboard,
    comparison.metric_heat,
    comparison.class_heat,
    classes.class_bars,
    classes.roc_grid,
    classes.threshold_choice,
    classes.reliability,
    ensemble.clip_dashboard,
    ensemble.weight_search,
    training.training_curves,
    dataset.label_balance,
    dataset.polyphony,
)


def number(value: Any, digits: int = 3) -> str:
    """A number for a table cell; a dash where it is undefined."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    return f"{value:.{digits}f}"


def interval(metrics: dict[str, Any], key: str) -> str:
    """The interval of a metric for a table cell, empty when there is none."""
    low, high = metrics.get(f"{key}_low"), metrics.get(f"{key}_high")
    return "" if low is None or high is None else f"{low:.3f} to {high:.3f}"


def model_facts(member: Member) -> dict[str, str]:
    """What the page says about one model: size, front end, where its weights started."""
    from tutti.models import get_model

    contract = member.contract
    entry = get_model(contract.model)
    trained = entry.preset(contract.preset).trainable_params
    settings = [f"{key} {value}" for key, value in contract.front_end.items() if key != "kind"]
    return {
        "summary": entry.summary,
        "published in": entry.paper,
        "preset": contract.preset,
        "trained parameters": "grows with the data" if trained is None else f"{trained:,}",
        "front end": f"{contract.front_end['kind']} ({', '.join(settings)})",
        "window": f"{contract.window.length_s:g} s, every {contract.window.hop_s:g} s",
        "started from": contract.started_from,
    }


def class_rows(data: ReportData) -> list[dict[str, str]]:
    """The rows of the table per instrument: the ensemble on test."""
    table = data.ensemble.classes("test")
    rows = []
    for name, values in zip(data.labels, table.to_dict("records"), strict=True):
        counts = {key: number(values[key], 0) for key in ("positives", "negatives")}
        scores = {key: number(values[key]) for key in ("ap", "auroc", "f1", "f1_two_class")}
        rows.append({"name": display_name(name), **counts, **scores, "threshold": f"{data.bag.thresholds[name]:g}"})
    return rows


def dataset_rows(data: ReportData) -> list[dict[str, str]]:
    """The rows of the table of datasets.

    A rendered corpus without a description of its own is not given that of the dataset whose layout it has.
    """
    rows = []
    for name, facts in data.datasets.items():
        description, citation = facts["description"], f"Citation: {facts['citation']}"
        if facts["synthetic"]:
            citation = f"Layout: {facts['citation']}"
            if name in LAYOUTS and description == LAYOUTS[name].description:
                description = f"A corpus rendered by a program; only its layout is that of {name}."
        rows.append(
            {
                "name": name,
                "kind": "synthetic" if facts["synthetic"] else "recorded",
                "clips": f"{facts['clips']:,}",
                "hours": number(facts["hours"], 2),
                "description": description,
                "citation": citation,
                "licence": facts["licence"],
            }
        )
    return rows


def provenance(data: ReportData) -> dict[str, str]:
    """Where the numbers come from: seed, code, data and libraries, as the bundles recorded them."""
    records = [member.contract.provenance for member in data.models]
    versions = {f"{name} {version}" for record in records for name, version in record["versions"].items()}
    return {
        "data (sha256 of the manifest)": data.manifest_sha256,
        "seed": ", ".join(sorted({str(record["seed"]) for record in records})),
        "code (git revision)": ", ".join(sorted({record["git_revision"] for record in records})),
        "versions": ", ".join(sorted(versions)),
    }


def write_report(data: ReportData, folder: Path, *, docs: str | None) -> list[str]:
    """Draws every figure and writes ``index.html`` beside them; the folder is replaced as a whole.

    Args:
        data: The inputs.
        folder: Where the page goes.
        docs: Address of the data docs' folder, relative to the page; None for no link.

    Returns:
        Names of the files written, sorted.
    """
    environment = Environment(
        loader=PackageLoader("tutti.reports"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(number=number, display_name=display_name)
    with atomic_folder(folder) as target:
        plates: dict[str, Plate] = {}
        for draw in track(FIGURES, "report", unit="figures"):
            plate = draw(data)
            if plate is not None:
                save_png(plate.figure, target / f"{plate.name}.png")
                plates[plate.name] = plate
        page = environment.get_template("report.html.j2").render(
            data=data,
            docs=docs,
            plates=plates,
            metrics=comparison.shown_metrics(data),
            interval=interval,
            confidence=f"{data.params.evaluate.confidence:.0%}",
            chance=comparison.chance_map(data.ensemble),
            models={member.scores.name: model_facts(member) for member in data.models},
            weights=ensemble.member_weights(data),
            class_rows=class_rows(data),
            dataset_rows=dataset_rows(data),
            provenance=provenance(data),
            synthetic_note=dataset.synthetic_note(data, dataset.task_clips(data)),
        )
        (target / "index.html").write_text(page, encoding="utf-8")
        return sorted(path.name for path in target.iterdir())
