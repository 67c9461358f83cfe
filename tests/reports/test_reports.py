import itertools
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.reports.report_factory import write_run
from tutti.config import Config, load_config
from tutti.datasets import LAYOUTS
from tutti.errors import ArtifactMismatch, DataError
from tutti.files import sha256_tree
from tutti.labels import OPENMIC
from tutti.reports import classes, comparison, dataset, ensemble, training
from tutti.reports.data import ReportData, load_report_data
from tutti.reports.page import FIGURES, class_rows, dataset_rows, interval, number, write_report
from tutti.reports.style import save_png


@pytest.fixture(scope="module")
def params() -> Config:
    return load_config(Path(__file__).parents[2] / "params.yaml")


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def data(paths: dict[str, Path], params: Config) -> ReportData:
    return load_report_data(**paths, params=params)


@pytest.fixture(scope="module")
def page(data: ReportData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page") / "html"
    write_report(data, folder, docs="../../artifacts/validation")
    return folder


class _Tags(HTMLParser):
    """Collects tags with their attributes, and checks that they close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another tag"


@pytest.mark.parametrize("draw", FIGURES, ids=lambda draw: draw.__name__)
def test_every_figure_is_drawn_and_says_on_what_data(draw, data: ReportData) -> None:
    plate = draw(data)
    assert plate is not None
    assert "synthetic" in plate.caption
    assert re.search(r"\d", plate.caption)  # clips, and asked cells where there are any
    assert plate.alt.endswith(".")
    assert plate.title


def test_a_figure_gives_the_same_bytes_whatever_the_settings_of_the_process(data: ReportData, tmp_path: Path) -> None:
    import matplotlib

    save_png(comparison.leaderboard(data).figure, tmp_path / "a.png")
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "red", "savefig.dpi": 10}):
        save_png(comparison.leaderboard(data).figure, tmp_path / "b.png")
        assert matplotlib.rcParams["font.size"] == 20  # and it leaves them as they were
    content = (tmp_path / "a.png").read_bytes()
    assert content == (tmp_path / "b.png").read_bytes()
    assert b"Software" not in content
    assert b"tIME" not in content


def test_the_report_is_the_same_for_the_same_inputs(data: ReportData, page: Path, tmp_path: Path) -> None:
    write_report(data, tmp_path / "again", docs="../../artifacts/validation")
    assert sha256_tree(tmp_path / "again") == sha256_tree(page)


def test_the_page_is_well_formed_and_needs_nothing_from_outside(page: Path) -> None:
    text = (page / "index.html").read_text(encoding="utf-8")
    parser = _Tags()
    parser.feed(text)
    assert parser.open == []
    images = [attributes for tag, attributes in parser.tags if tag == "img"]
    assert {image["src"] for image in images} == {path.name for path in page.glob("*.png")}
    assert all(image["alt"] and int(image["width"]) > 0 and int(image["height"]) > 0 for image in images)
    links = [attributes["href"] for tag, attributes in parser.tags if tag == "a"]
    assert not [link for link in links if "://" in link]
    assert not re.search(r"""(src|href)=["'](https?:)?//""", text)
    assert not [tag for tag, _ in parser.tags if tag in ("script", "link", "iframe")]
    identifiers = {attributes.get("id") for _, attributes in parser.tags}
    assert {link[1:] for link in links if link.startswith("#")} <= identifiers
    headings = [int(tag[1]) for tag, _ in parser.tags if re.fullmatch(r"h[1-6]", tag)]
    assert headings[0] == 1
    assert headings.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(headings))


def test_the_page_carries_the_numbers_and_the_verdict(data: ReportData, page: Path) -> None:
    text = (page / "index.html").read_text(encoding="utf-8")
    for scores in data.leaders:
        for key, *_ in comparison.shown_metrics(data):
            assert number(scores.metrics["test"][key]) in text
    assert "The gate is passed" in text
    assert "mAP 0.81 &gt;= 0.5" in text
    assert "../../artifacts/validation/index.html" in text
    assert re.search(r"In irmas these classes come from one source.*\n.*mallet percussion\.", text)
    assert data.manifest_sha256 in text
    assert "f" * 40 in text
    assert "synthetic" in text
    assert "9 requests were answered" in text
    assert "largest difference 2e-06, allowed 0.0001" in text


def test_a_failed_gate_and_missing_optional_inputs_become_sentences(tmp_path: Path, params: Config) -> None:
    paths = write_run(tmp_path, mixtures=False, smoke=False)
    for history in (tmp_path / "artifacts/models").glob("*/history.csv"):
        history.unlink()
    (paths["ensemble"] / "search.csv").unlink()
    paths["decision"].write_text('{"passed": false, "reasons": ["mAP <b>0.41</b> is below 0.5"]}')
    data = load_report_data(**paths, params=params)
    files = write_report(data, tmp_path / "html", docs=None)
    text = (tmp_path / "html/index.html").read_text(encoding="utf-8")
    assert "The gate failed" in text
    assert "mAP &lt;b&gt;0.41&lt;/b&gt; is below 0.5" in text
    assert "not tested in a server yet" in text
    assert "made no mixtures" in text
    assert "polyphony.png" not in files
    assert "No network was trained" in text
    assert "training.png" not in files
    assert "weights.png" in files  # bars instead of the triangle
    assert "data docs" not in text


def test_undefined_numbers_become_dashes_and_a_failed_smoke_test_its_reasons(data: ReportData, tmp_path: Path) -> None:
    predictions = data.ensemble.predictions
    nothing = replace(predictions, mask=np.zeros_like(predictions.mask))
    table = data.ensemble.per_class.assign(
        ap=np.nan, auroc=np.nan, f1=np.nan, f1_two_class=np.nan, positives=0, negatives=0
    )
    test = {**data.ensemble.metrics["test"], "map": None, "map_low": None, "map_high": None}
    blank = replace(
        data.ensemble, predictions=nothing, per_class=table, metrics={**data.ensemble.metrics, "test": test}
    )
    smoke = {"passed": False, "reasons": ["a & b differ"], "tolerance": 1e-4, "max_difference": 0.5, "requests": 9}
    empty = replace(data, ensemble=blank, smoke=smoke)
    write_report(empty, tmp_path / "html", docs=None)
    assert "<li>a &amp; b differ</li>" in (tmp_path / "html/index.html").read_text(encoding="utf-8")
    assert class_rows(empty)[0]["ap"] == "–"
    assert comparison.chance_map(blank) is None
    assert classes.threshold_choice(empty) is None
    assert classes.reliability(empty) is None
    assert empty.leaders[-1].name == "ensemble"  # an undefined mAP leads nothing


def test_chance_is_the_mean_share_of_positives_of_the_classes_asked_both_ways(data: ReportData) -> None:
    _, present, mask = data.ensemble.cells("test")
    shares = []
    for index in range(len(OPENMIC)):
        asked = present[mask[:, index], index]
        if asked.any() and not asked.all():
            shares.append(asked.mean())
    assert comparison.chance_map(data.ensemble) == pytest.approx(np.mean(shares))


def test_the_description_counts_clips_and_asked_cells_and_says_synthetic(data: ReportData) -> None:
    predictions = data.ensemble.predictions
    asked = int(predictions.mask[predictions.split == "test"].sum())
    assert data.ensemble.describe("test") == f"100 synthetic test clips (openmic) with {asked} asked cells"
    recorded = replace(data.ensemble, predictions=replace(predictions, synthetic=np.zeros(len(predictions), bool)))
    assert "synthetic" not in recorded.describe("test")
    some = np.arange(len(predictions)) % 2 == 0
    mixed = replace(data.ensemble, predictions=replace(predictions, synthetic=some))
    assert "partly synthetic" in mixed.describe("test")


def test_the_clips_of_the_dashboard_are_chosen_by_labels_alone(data: ReportData) -> None:
    chosen = ensemble.dashboard_clips(data.ensemble)
    predictions = data.ensemble.predictions
    asked = predictions.mask.sum(axis=1)
    others = [row for row in np.flatnonzero(predictions.split == "test") if row not in chosen]
    assert len(chosen) == 4
    assert min(asked[chosen]) >= max(asked[others])
    upside_down = replace(predictions, probabilities=1 - predictions.probabilities)
    assert ensemble.dashboard_clips(replace(data.ensemble, predictions=upside_down)) == chosen


def test_calibration_error_is_the_gap_weighted_by_cells() -> None:
    stated = np.array([0.15, 0.15, 0.95, 0.95])
    present = np.array([False, False, True, False])
    bins = np.array([1, 1, 9, 9])
    assert classes.calibration_error(stated, present, bins) == pytest.approx(0.5 * 0.15 + 0.5 * 0.45)


@pytest.mark.parametrize(
    ("select_by", "epoch"), [("map", 2), ("loss", 3), ("f1_macro", 3)], ids=["map", "loss", "column absent: loss"]
)
def test_the_chosen_epoch_follows_the_parameter(select_by: str, epoch: int) -> None:
    history = pd.DataFrame(
        {"epoch": [1, 2, 3, 4], "valid_loss": [0.9, 0.8, 0.3, 0.5], "valid_map": [np.nan, 0.7, 0.6, 0.7]}
    )
    assert training.chosen_epoch(history, select_by) == epoch


def test_synthetic_note_counts_mixtures_and_rendered_datasets(data: ReportData) -> None:
    clips = dataset.task_clips(data)
    assert set(clips["dataset"]) == {"openmic", "mixtures"}  # irmas is for pretraining
    assert dataset.synthetic_note(data, clips) == "all 510"
    recorded = replace(data, datasets={"openmic": {**data.datasets["openmic"], "synthetic": False}})
    assert dataset.synthetic_note(recorded, clips) == "110 of the 510"


def test_a_rendered_corpus_is_not_described_as_the_published_dataset(data: ReportData) -> None:
    facts = {**data.datasets["openmic"], "description": LAYOUTS["openmic"].description}
    (synthetic,) = dataset_rows(replace(data, datasets={"openmic": facts}))
    assert synthetic["kind"] == "synthetic"
    assert "20,000" not in synthetic["description"]
    assert "rendered by a program" in synthetic["description"]
    (recorded,) = dataset_rows(replace(data, datasets={"openmic": {**facts, "synthetic": False}}))
    assert "20,000" in recorded["description"]


def test_numbers_for_cells() -> None:
    assert number(0.12345) == "0.123"
    assert number(None) == "–"
    assert number(float("nan")) == "–"
    assert number(3.0, 0) == "3"
    assert interval({"map_low": 0.1, "map_high": 0.25}, "map") == "0.100 to 0.250"
    assert interval({"map": 0.2}, "map") == ""
    assert interval({"map_low": None, "map_high": None}, "map") == ""


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda p: (p["manifest"] / "datasets.json").unlink(), DataError, "datasets.json"),
        (lambda p: p["decision"].write_text("{"), DataError, "not readable JSON"),
        (lambda p: p["decision"].write_text("[]"), DataError, "holds no JSON object"),
        (lambda p: (p["evaluations"] / "rf/evaluation.json").unlink(), DataError, "run the evaluate step"),
        (lambda p: (p["evaluations"] / "rf/predictions.parquet").write_bytes(b"PAR1"), DataError, "Parquet"),
        (lambda p: (p["ensemble"] / "per_class.csv").write_text("class,split\n"), DataError, "lacks columns"),
        (lambda p: (p["ensemble"] / "bag.yaml").write_text("members: ["), ArtifactMismatch, "not YAML"),
        (lambda p: (p["models"] / "passt/contract.json").unlink(), ArtifactMismatch, "no model bundle"),
    ],
)
def test_a_spoilt_input_is_named(
    spoil, error: type[Exception], message: str, paths: dict[str, Path], tmp_path: Path, params: Config
) -> None:
    root = paths["decision"].parents[1]
    shutil.copytree(root, tmp_path / "run")
    paths = {name: tmp_path / "run" / path.relative_to(root) for name, path in paths.items()}
    spoil(paths)
    with pytest.raises(error, match=re.escape(message)):
        load_report_data(**paths, params=params)


def test_no_evaluations_is_an_error(paths: dict[str, Path], tmp_path: Path, params: Config) -> None:
    with pytest.raises(DataError, match="there are no evaluations"):
        load_report_data(**{**paths, "evaluations": tmp_path / "none"}, params=params)
