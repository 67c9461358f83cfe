"""The page "Published systems": one section per system, its figures and tables, and what this run lacks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from tutti.evaluation.predictions import save_csv
from tutti.files import atomic_folder
from tutti.progress import track
from tutti.reports.style import save_png
from tutti.reports.systems import (
    diagrams,
    irmas,
    irmas_sound,
    musicnet,
    reprogramming,
    synthetic,
    synthetic_clips,
    synthetic_models,
)
from tutti.reports.systems.data import SystemsData
from tutti.reports.systems.exhibit import Exhibit, words

#: Draws one exhibit, or says why it cannot.
Draw = Callable[[SystemsData], Exhibit | str]


@dataclass(frozen=True)
class System:
    """A published system and how it is shown.

    Attributes:
        key: Its name in the registry.
        title: Heading of its section.
        source: Where it was published.
        about: What it is about, one or two sentences.
        diagram: Its block diagram, shown when a model of it was trained.
        exhibits: Its figures and tables, in order.
    """

    key: str
    title: str
    source: str
    about: str
    diagram: Draw
    exhibits: tuple[Draw, ...]


SYSTEMS: tuple[System, ...] = (
    System(
        key="ast-reprogramming",
        title="Music instrument classification reprogrammed",
        source="Chen and Lerch, MMM 2023, arXiv 2211.08379; the numbers are those of its code and figures",
        about="A transformer trained on other sounds stays as it is; a small input stage and a linear decision are "
        "learnt, on clips of which only a tenth of the labels is known.",
        diagram=diagrams.reprogramming,
        exhibits=(
            reprogramming.runs_over_seeds,
            reprogramming.instruments,
            reprogramming.gain_by_labels,
            reprogramming.cost,
        ),
    ),
    System(
        key="irmas-two-stage",
        title="Four instruments in two stages",
        source="APS360 course project, University of Toronto, 2020",
        about="A small convolutional network hears the stereo waveform and tells one of four instruments, then two of "
        "four in mixtures; transfer learning reuses its first part.",
        diagram=diagrams.irmas,
        exhibits=(
            irmas.results,
            irmas.stage1,
            irmas.stage2,
            irmas.training,
            irmas.cost,
            irmas_sound.balance,
            irmas_sound.polarity,
            irmas_sound.mixture,
        ),
    ),
    System(
        key="real-and-synthetic",
        title="Real and synthetic audio",
        source="Multi-Label Musical Instrument Recognition, 2025",
        about="Mixtures of single notes are added to the training clips. Published, the models with and without them "
        "were judged on different test clips; here both hear the same ones, and no mixture is among them.",
        diagram=diagrams.generation,
        exhibits=(
            synthetic.class_deltas,
            synthetic.class_scatter,
            synthetic.summary,
            synthetic_models.pretraining,
            synthetic_models.training,
            synthetic_models.published_training,
            synthetic_models.thresholds,
            synthetic_clips.clips,
        ),
    ),
    System(
        key="musicnet-mfcc",
        title="Groups of instruments in every frame",
        source="github.com/ofargally/instrument-classifier, 2024",
        about="Thirteen cepstral coefficients of 11.6 ms tell which groups of instruments sound.",
        diagram=diagrams.musicnet,
        exhibits=(musicnet.metrics, musicnet.roc, musicnet.frames),
    ),
)


@dataclass(frozen=True)
class Section:
    """A section of the page as drawn.

    Attributes:
        system: What it shows.
        exhibits: What could be drawn.
        missing: Sentences about what could not.
        presets: The presets that the run trained, in words.
    """

    system: System
    exhibits: tuple[Exhibit, ...]
    missing: tuple[str, ...]
    presets: str


def draw_section(system: System, data: SystemsData) -> Section:
    """Draws what the run has of a system; a system of which nothing was trained is one sentence."""
    runs = data.system(system.key)
    if not runs:
        return Section(system, (), ("This run trained no model of this system.",), "")
    drawn: list[Exhibit] = []
    missing: list[str] = []
    for draw in (system.diagram, *system.exhibits):
        result = draw(data)
        if isinstance(result, Exhibit):
            drawn.append(result)
        elif result not in missing:
            missing.append(result)
    presets: dict[str, list[str]] = {}
    for run in runs:
        presets.setdefault(run.contract.preset, []).append(run.name)
    said = "; ".join(f"{preset}: {words(names)}" for preset, names in sorted(presets.items()))
    return Section(system, tuple(drawn), tuple(missing), said)


def _numbers(sections: list[Section]) -> Mapping[str, list[str]]:
    """The CSV files of each system, for the page's list of them."""
    return {
        section.system.key: [name for exhibit in section.exhibits for name in exhibit.numbers] for section in sections
    }


def write_systems(data: SystemsData, folder: Path) -> list[str]:
    """Draws every figure and writes ``index.html`` and the numbers beside them; the folder is replaced as a whole.

    Args:
        data: The inputs.
        folder: Where the page goes.

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
    with atomic_folder(folder) as target:
        sections = [draw_section(system, data) for system in track(SYSTEMS, "published systems", unit="systems")]
        for section in sections:
            for exhibit in section.exhibits:
                if exhibit.plate is not None:
                    save_png(exhibit.plate.figure, target / f"{exhibit.plate.name}.png")
                for name, table in exhibit.numbers.items():
                    save_csv(table, target / f"{name}.csv")
        datasets = {name for run in data.runs.values() for name in run.predictions.dataset}
        page = environment.get_template("systems.html.j2").render(
            sections=sections,
            numbers=_numbers(sections),
            kind=data.kind(datasets),
            datasets=words(sorted(datasets)),
        )
        (target / "index.html").write_text(page, encoding="utf-8")
        return sorted(path.name for path in target.iterdir())
