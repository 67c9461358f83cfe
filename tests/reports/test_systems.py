import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from components._command import main
from tests.reports.systems_factory import OPENMIC_MODELS, write_systems_run
from tests.tiny import sound
from tutti.config import CompareParams, Config, load_config
from tutti.errors import ArtifactMismatch, DataError
from tutti.evaluation.metrics import f1_macro
from tutti.files import sha256_tree
from tutti.labels import OPENMIC
from tutti.reports.style import save_png
from tutti.reports.systems import (
    irmas,
    irmas_sound,
    musicnet,
    page,
    reprogramming,
    synthetic,
    synthetic_clips,
    synthetic_models,
)
from tutti.reports.systems.data import Run, SystemsData, load_systems_data
from tutti.reports.systems.exhibit import Exhibit, published

PARAMS = Path(__file__).parents[2] / "params.yaml"


@pytest.fixture(scope="module")
def params() -> Config:
    compare = CompareParams(with_synthetic="passt", without_synthetic="passt_real")
    return load_config(PARAMS).model_copy(update={"compare": compare})


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path | None]:
    return write_systems_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def data(paths: dict[str, Path | None], params: Config) -> SystemsData:
    return load_systems_data(**paths, params=params)


@pytest.fixture(scope="module")
def folder(data: SystemsData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole page, drawn once: two dozen figures take some seconds."""
    folder = tmp_path_factory.mktemp("page") / "html"
    page.write_systems(data, folder)
    return folder


def test_the_page_shows_every_figure_and_links_every_table_of_numbers(folder: Path) -> None:
    text = (folder / "index.html").read_text(encoding="utf-8")
    shown = re.findall(r'<img src="([^"]+)" width="\d+" height="\d+"[^>]* alt="[^"]+\."', text)
    assert set(shown) == {path.name for path in folder.glob("*.png")}
    assert len(shown) == len(set(shown)) >= 20
    assert set(re.findall(r'<a href="([^"]+\.csv)"', text)) == {path.name for path in folder.glob("*.csv")}
    assert "Not in this run" not in text
    assert "synthetic data (irmas, musicnet and openmic)" in text
    for number in ("87.873", "70.7 %", "69.7 %", "0.671", "0.477", "86,204,180"):  # as published
        assert number in text


def test_every_caption_of_our_numbers_says_on_what_data(data: SystemsData) -> None:
    for system in page.SYSTEMS:
        for draw in system.exhibits:
            exhibit = draw(data)
            assert isinstance(exhibit, Exhibit), draw.__name__
            words = (exhibit.plate or exhibit.listing).caption
            if draw not in (synthetic_models.published_training, reprogramming.cost, irmas.cost):
                assert "synthetic" in words, draw.__name__


def test_confusions_are_the_counts_of_the_answers(data: SystemsData) -> None:
    run = data.runs["cnn1d_stage2"]
    probabilities, present, _ = run.cells("test")
    counts = irmas.stage2_confusion(run)
    answers = probabilities >= 0.5
    gac_pia = (present == [True, True, False, False]).all(axis=1)
    assert counts[0].sum() == gac_pia.sum()
    assert counts[0, 0] == (answers[gac_pia] == [True, True, False, False]).all(axis=1).sum()
    assert counts[:, 6].sum() == (answers.sum(axis=1) != 2).sum()
    exhibit = irmas.stage2(data)
    table = exhibit.numbers["irmas_stage2_confusion"]
    theirs = table[table["source"] == "published"]
    assert theirs["clips"].sum() == 865
    assert theirs[theirs["true"] == theirs["answered"]]["clips"].sum() == 192
    each = exhibit.numbers["irmas_stage2_answers"]
    assert len(each) == counts.sum()
    assert (each["actual"] == each["predicted"]).sum() == np.trace(counts)


def test_accuracies_of_both_stages(data: SystemsData) -> None:
    table = irmas.result_rows(data).set_index(["model", "metric"])
    probabilities, present, _ = data.runs["cnn1d_stage1"].cells("test")
    right = (probabilities.argmax(axis=1) == present.argmax(axis=1)).mean()
    assert table.loc[("stage 1, CNN", "accuracy"), "test_ours"] == pytest.approx(right)
    assert table.loc[("stage 1, CNN", "accuracy"), "test_published"] == 0.7066
    probabilities, present, _ = data.runs["tl_classifier"].cells("valid")
    bits = (probabilities >= 0.5) == present
    row = table.loc[("stage 2, transfer learning", "label_accuracy")]
    assert row["valid_ours"] == pytest.approx(bits.mean())
    assert row["valid_published"] == 0.6821


def test_deltas_are_on_the_same_clips_and_leave_mixtures_out(data: SystemsData) -> None:
    with_synthetic, without = data.runs["passt"], data.runs["passt_real"]
    table = synthetic.deltas(with_synthetic, without).set_index("class")
    probabilities, present, mask = with_synthetic.cells("test")
    asked = mask[:, 3]
    said = probabilities[asked, 3] >= 0.5
    tp = (said & present[asked, 3]).sum()
    expected = 2 * tp / (said.sum() + present[asked, 3].sum())
    assert table.loc["cello", "with"] == pytest.approx(expected)
    assert table.loc["cello", "positives"] == present[asked, 3].sum()
    assert table["delta"].to_numpy() == pytest.approx((table["with"] - table["without"]).to_numpy())
    # A mixture in the test split of one model changes nothing.
    predictions = with_synthetic.predictions
    dataset, probabilities = predictions.dataset.copy(), predictions.probabilities.copy()
    row = int(np.flatnonzero(predictions.split == "test")[0])
    dataset[row] = "mixtures"
    probabilities[row] = 1 - probabilities[row]
    for name in ("passt", "passt_real"):
        changed = replace(
            data.runs[name], predictions=replace(predictions, dataset=dataset, probabilities=probabilities)
        )
        assert len(synthetic.real_test(changed)[0]) == len(synthetic.real_test(data.runs[name])[0]) - 1


def test_models_on_other_clips_are_not_compared(data: SystemsData) -> None:
    predictions = data.runs["passt_real"].predictions
    others = replace(predictions, clip_id=np.array([f"other/{name}" for name in predictions.clip_id], object))
    runs = {**data.runs, "passt_real": replace(data.runs["passt_real"], predictions=others)}
    assert "not judged on the same test clips" in synthetic.class_deltas(replace(data, runs=runs))


def test_published_deltas_have_the_published_means() -> None:
    table = synthetic.published_deltas()
    assert table["delta"].mean() == pytest.approx(0.0419, abs=5e-5)
    assert table["delta"].median() == pytest.approx(0.0062, abs=5e-5)
    starred = table["class"].isin(synthetic.SUPERVISED)
    assert table.loc[starred, "delta"].mean() == pytest.approx(0.158, abs=5e-4)
    assert table.loc[starred, "synthetic_share"].between(0.48, 0.69).all()
    assert (table.loc[~starred, "synthetic_share"] == 0).all()


def test_box_plot_values_are_the_trainings_of_each_seed(data: SystemsData) -> None:
    table = reprogramming.runs_over_seeds(data).numbers["reprogramming_runs"]
    ours = table[table["source"] == "this run"].groupby("system")["f1"].apply(list)
    value = 100 * data.runs["ast_urp"].document["test"]["f1_macro_two_class"]
    assert sorted(ours["AST-URP"]) == pytest.approx([value - 2, value, value + 1.2])
    assert ours["RF"] == pytest.approx([100 * data.runs["rf"].document["test"]["f1_macro_two_class"]])
    theirs = table[table["source"] == "published"].groupby("system")["f1"]
    assert theirs.median()["AST-URP"] == 81.5
    assert theirs.median()["AST-CNNRP"] == pytest.approx(78.265)


def test_gain_and_labels_of_each_instrument(data: SystemsData) -> None:
    table = reprogramming.gain_by_labels(data).numbers["reprogramming_gain"].set_index(["source", "class"])
    assert table.loc[("published", "guitar"), "positive_labels"] == 852 + 286
    assert table.loc[("published", "guitar"), "f1_gain"] == pytest.approx(92.89 - 54)
    rows = data.manifest[data.manifest["dataset"] == "openmic"]
    asked = [labels[8] >= 0.5 and mask[8] for labels, mask in zip(rows["labels"], rows["mask"], strict=True)]
    assert OPENMIC[8] == "guitar"
    assert table.loc[("this run", "guitar"), "positive_labels"] == sum(asked)


def test_costs_come_from_the_registry_and_the_bench(data: SystemsData) -> None:
    table = reprogramming.cost_rows(data).set_index("system")
    assert table.loc["AST-URP", "paper_trainable"] == 18_201
    assert table.loc["AST-URP", "published_millions"] == 0.018
    assert table.loc["AST-BS", "epoch_s"] == pytest.approx(0.5)
    assert np.isnan(table.loc["RF", "trainable"])


def test_frame_scores_and_areas(data: SystemsData) -> None:
    run = data.runs["mfcc_cnn"]
    probabilities, present, _ = run.cells("test")
    said = probabilities >= 0.5
    scores = musicnet.frame_scores(run)
    assert scores["inverse_hamming"] == pytest.approx((said == present).mean())
    tp = (said & present).sum(axis=0)
    recall = np.divide(tp, present.sum(axis=0), out=np.zeros(12), where=present.any(axis=0))
    assert scores["recall"] == pytest.approx(recall.mean())
    areas = musicnet.roc(data).numbers["musicnet_auc"]
    ours = areas[areas["model"] == "mfcc_cnn"].set_index("label")["auc"]
    assert set(ours.index) == {"silence", "keyboard", "strings", "brass", "woodwind"}  # absent labels have no curve
    assert ours["strings"] == pytest.approx(roc_auc_score(present[:, 3], probabilities[:, 3]))
    table = musicnet.metrics(data).numbers["musicnet_metrics"].set_index("model")
    assert table.loc["CNN Model - BCE", "f1"] == 0.1423
    counts = musicnet.label_counts(data).set_index("label")
    assert counts.loc["strings", "published_test"] == 55_471
    store = data.store("musicnet-frames")
    train = (store.index["split"] == "train").to_numpy()
    assert counts.loc["strings", "train"] == store.labels[train][..., 3].sum()


def test_class_counts_before_and_after_balancing(data: SystemsData) -> None:
    table = irmas_sound.class_counts(data).set_index("class")
    assert table["before"].to_dict() == {"gac": 4, "pia": 5, "tru": 3, "vio": 4}  # IRMAS' test excerpts do not count
    assert set(table["after"]) == {5}
    assert table.loc["tru", "published_before"] == 577


def test_the_close_up_and_the_envelope_follow_the_wave(data: SystemsData) -> None:
    starts, low, high = irmas_sound.envelope(np.array([0.0, 1.0, -1.0, 0.5, 0.2, 0.3]), bins=3)
    assert starts.tolist() == [0, 2, 4]
    assert low.tolist() == [0.0, -1.0, 0.2]
    assert high.tolist() == [1.0, 0.5, 0.3]
    table = irmas_sound.polarity(data).numbers["irmas_polarity"]
    assert table["original"].abs().max() == pytest.approx(0.5, abs=1e-3)
    assert (table["inverted"] == -table["original"]).all()


def test_thresholds_and_clips(data: SystemsData) -> None:
    numbers = synthetic_models.thresholds(data).numbers
    curves, best = numbers["synthetic_thresholds"], numbers["synthetic_best_thresholds"]
    assert len(best) == 6
    for row in best.to_dict("records"):
        of_model = curves[curves["model"] == row["model"]].set_index("threshold")[row["metric"]]
        assert row["f1"] == pytest.approx(of_model.max())
        assert of_model[row["threshold"]] == pytest.approx(of_model.max())
    probabilities, present, mask = data.runs["passt"].cells("valid")
    at_half = f1_macro(probabilities, present, mask, 0.5)
    passt = curves[curves["model"] == "passt"].set_index("threshold")
    assert passt.loc[0.5, "f1_macro"] == pytest.approx(at_half)
    clips = synthetic_clips.clips(data).numbers["synthetic_clips"]
    assert clips.groupby("clip_id").size().tolist() == [20, 20]
    assert (clips["detected_0.3"] == (clips["probability"] >= 0.3)).all()
    predictions = data.runs["passt"].predictions.of("test")
    labelled = ((predictions.labels >= 0.5) & predictions.mask).sum(axis=1)
    assert clips["is_expected"].sum() == np.sort(labelled[predictions.dataset != "mixtures"])[-2:].sum()
    assert not (clips["is_expected"] & ~clips["asked"]).any()


def test_a_clip_is_drawn_as_samples_where_they_are_stored(data: SystemsData, tmp_path: Path) -> None:
    shutil.copytree(data.features, tmp_path / "features")
    run = data.runs["passt"]
    folder, rate = tmp_path / "features/openmic-20", run.contract.front_end["sample_rate"]
    np.save(folder / f"samples-{rate}.npy", np.full((130, 500), 16_000, np.int16))
    titles = [
        {axes.get_title(loc="left") for axes in synthetic_clips.clips(of).plate.figure.axes}
        for of in (data, replace(data, features=tmp_path / "features"))
    ]
    assert "What the model hears" in titles[0] - titles[1]
    assert "Waveform" in titles[1] - titles[0]


def test_a_clip_is_drawn_from_its_recording_where_that_is_at_hand(data: SystemsData, tmp_path: Path) -> None:
    (tmp_path / "clip.wav").write_bytes(sound(1.0, channels=2))
    clips = pd.DataFrame({"clip_id": data.runs["passt"].predictions.clip_id, "path": "clip.wav", "start_s": 0.0})
    heard = replace(data, recordings=tmp_path, manifest=clips)
    figure = synthetic_clips.clips(heard).plate.figure
    waveforms = [axes for axes in figure.axes if axes.get_title(loc="left") == "Waveform"]
    assert len(waveforms) == 2
    drawn = waveforms[0].collections[0].get_paths()[0].vertices[:, 1]
    assert 0.28 < drawn.max() < 0.4  # a tone of 0.3 in a little noise


def test_labels_that_nobody_asked_become_sentences(data: SystemsData) -> None:
    def blank(run: Run) -> Run:
        return replace(run, predictions=replace(run.predictions, mask=np.zeros_like(run.predictions.mask)))

    empty = replace(data, runs={name: blank(run) for name, run in data.runs.items() if name in OPENMIC_MODELS})
    for draw in (reprogramming.instruments, reprogramming.gain_by_labels):
        assert "was asked both ways" in draw(empty)
    assert "there are no test clips" in synthetic.class_deltas(empty)
    assert synthetic.class_scatter(empty) == synthetic.class_deltas(empty)


def test_pretrainings_and_repeats_may_be_left_out(paths: dict[str, Path | None], params: Config) -> None:
    bare = load_systems_data(**{**paths, "pretrained": None, "repeats": None, "bench": None}, params=params)
    assert all(run.pretraining is None and run.repeats is None and not run.bench for run in bare.runs.values())
    assert "pretrained none of" in synthetic_models.pretraining(bare)
    table = reprogramming.runs_over_seeds(bare).numbers["reprogramming_runs"]
    assert (table[table["source"] == "this run"].groupby("system").size() == 1).all()


def test_what_was_not_trained_is_named(data: SystemsData) -> None:
    left = {name: run for name, run in data.runs.items() if name not in ("ast_urp", "passt_real", "tl_classifier")}
    fewer = replace(data, runs={name: run for name, run in left.items() if not name.startswith("mfcc")})
    sections = {section.system.key: section for section in (page.draw_section(s, fewer) for s in page.SYSTEMS)}
    assert "F1 per instrument: this run did not train ast_urp." in sections["ast-reprogramming"].missing
    assert "did not train passt_real" in " ".join(sections["real-and-synthetic"].missing)
    assert sections["irmas-two-stage"].missing == (
        "The cost of transfer learning: this run did not train tl_classifier.",
    )
    assert sections["musicnet-mfcc"].missing == ("This run trained no model of this system.",)
    assert sections["musicnet-mfcc"].exhibits == ()


@pytest.mark.parametrize("draw", [musicnet.roc, reprogramming.runs_over_seeds, synthetic.class_scatter])
def test_the_same_inputs_give_the_same_bytes(draw, data: SystemsData, folder: Path, tmp_path: Path) -> None:
    plate = draw(data).plate
    save_png(plate.figure, tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == (folder / f"{plate.name}.png").read_bytes()


def test_published_tables_are_complete() -> None:
    history = published("real_and_synthetic_history")
    best = history.loc[history.groupby("model")["valid_loss"].idxmin()].set_index("model")["epoch"]
    assert best.to_dict() == {
        "PaSST with synthetic data": 1, "PaSST, OpenMIC alone": 3, "MS-CRNN": 30, "CBAM-CNN": 15,
    }  # fmt: skip
    assert published("irmas_balance")["before"].sum() == 2515
    assert published("irmas_balance")["after"].sum() == 4 * 721


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda root: (root / "bench.json").write_text("{"), DataError, "not readable JSON"),
        (lambda root: (root / "artifacts/evaluation/rf/evaluation.json").unlink(), DataError, "run the evaluate step"),
        (lambda root: (root / "artifacts/models/rf/contract.json").unlink(), ArtifactMismatch, "no model bundle"),
        (lambda root: (root / "artifacts/models/passt/history.csv").write_text("a\n1\n"), DataError, "lacks columns"),
        (
            lambda root: (root / "artifacts/repeats/ast_bs/scores.csv").write_text("seed\n1\n"),
            DataError,
            "lacks columns",
        ),
        (lambda root: shutil.rmtree(root / "artifacts/evaluation"), DataError, "there are no evaluations"),
    ],
)
def test_a_spoilt_input_is_named(spoil, error, message, paths, tmp_path: Path, params: Config) -> None:
    root = paths["manifest"].parents[1]
    shutil.copytree(root, tmp_path / "run")
    spoil(tmp_path / "run")
    moved = {name: tmp_path / "run" / path.relative_to(root) if path else None for name, path in paths.items()}
    with pytest.raises(error, match=re.escape(message)):
        load_systems_data(**moved, params=params)


def test_the_step_writes_the_page_of_one_system_without_a_bench(tmp_path: Path) -> None:
    paths = write_systems_run(tmp_path, bench=False)
    for name in [*OPENMIC_MODELS, *irmas.NAMES]:  # what is left are frames, so few figures are drawn
        shutil.rmtree(tmp_path / "artifacts/evaluation" / name, ignore_errors=True)
    given = [item for name, path in paths.items() if path is not None for item in (f"--{name}", str(path))]
    arguments = [*given, "--systems", str(tmp_path / "out"), "--params", str(PARAMS)]
    assert main("systems", arguments) == 0
    text = (tmp_path / "out/index.html").read_text(encoding="utf-8")
    assert text.count("This run trained no model of this system.") == 3
    assert (tmp_path / "out/musicnet-roc.png").stat().st_size > 1000
    first = sha256_tree(tmp_path / "out")
    assert main("systems", arguments) == 3
    assert main("systems", [*arguments, "--force"]) == 0
    assert sha256_tree(tmp_path / "out") == first
    assert pd.read_csv(tmp_path / "out/musicnet_auc.csv")["auc"].between(0.5, 1).all()
