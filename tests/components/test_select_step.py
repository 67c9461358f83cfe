import json
import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from components.select.step import Inputs, Outputs, run
from tests.corpus import tiny_params
from tests.evaluation_helpers import as_frames, valid_and_test, write_evaluation, write_features, write_model
from tests.tiny import write_test_bundle
from tutti.bag import bag_digest, read_bag
from tutti.bundle import bundle_digest
from tutti.config import parse_config
from tutti.errors import ArtifactMismatch, DataError
from tutti.evaluation.metrics import masked_metrics
from tutti.evaluation.predictions import load_predictions
from tutti.evaluation.summary import metrics_of, read_document
from tutti.files import sha256_tree
from tutti.labels import OPENMIC
from tutti.models import get_model
from tutti.predictor import Predictor
from tutti.tasks import get_task

PARAMS = parse_config(tiny_params("rf", "cbam_cnn", select={"step": 0.1, "thresholds": [0.3, 0.4, 0.5, 0.6]}))


@pytest.fixture
def trained(tmp_path):
    """Two models of similar skill whose errors are independent."""
    for seed, name in enumerate(("rf", "cbam_cnn"), start=1):
        bundle = write_model(tmp_path / "models" / name, name)
        write_evaluation(tmp_path / "evaluations" / name, bundle, valid_and_test(noise_seed=seed))
    return tmp_path


def select(root, name="ensemble", params=PARAMS):
    outputs = Outputs(ensemble=root / name, metrics=root / f"{name}.json")
    return run(Inputs(models=root / "models", evaluations=root / "evaluations"), outputs, params)


def rewrite_predictions(root, name, predictions):
    shutil.rmtree(root / "evaluations" / name)
    write_evaluation(root / "evaluations" / name, root / "models" / name, predictions)


def test_the_ensemble_is_written_whole_and_measured(trained):
    document = select(trained)
    folder = trained / "ensemble"
    assert json.loads((trained / "ensemble.json").read_text()) == metrics_of(document)
    bag = read_bag(folder)
    weights = {member.name: member.weight for member in bag.members}
    assert weights == document["members"]
    assert sum(weights.values()) == pytest.approx(1)
    assert set(weights) == {"rf", "cbam_cnn"}
    for member in bag.members:
        assert member.digest == bundle_digest(trained / "models" / member.name)
        assert sha256_tree(folder / member.path) == sha256_tree(trained / "models" / member.name)
    assert document["digest"] == bag_digest(folder)
    assert (bag.name, bag.version) == (PARAMS.package.name, PARAMS.package.version)
    assert document["data"] == bag.data == {"name": "openmic", "synthetic": True, "sha256": "5" * 64}

    predictions = load_predictions(folder / "predictions.parquet")
    members = {name: load_predictions(trained / "evaluations" / name / "predictions.parquet") for name in weights}
    mean = sum(weights[name] * members[name].probabilities.astype(float) for name in weights)
    np.testing.assert_allclose(predictions.probabilities, mean, atol=1e-6)
    thresholds = [bag.thresholds[name] for name in bag.labels]
    for split in ("valid", "test"):
        part = predictions.of(split)
        expected = masked_metrics(part.probabilities, part.labels, part.mask, thresholds, names=OPENMIC)
        assert document[split]["map"] == pytest.approx(expected.map, abs=1e-6)
        assert document[split]["f1_macro"] == pytest.approx(expected.f1_macro, abs=1e-6)
    assert bag.metrics["map"] == document["valid"]["map"]
    table = pd.read_csv(folder / "per_class.csv")
    assert table[table["split"] == "test"]["threshold"].tolist() == pytest.approx(thresholds)
    assert len(pd.read_csv(folder / "search.csv")) == 11


def test_the_ensemble_and_the_best_single_model_are_both_reported(trained):
    document = select(trained)
    search = pd.read_csv(trained / "ensemble" / "search.csv")
    assert document["valid"]["map"] == pytest.approx(search.loc[search["selected"], "map"].item(), abs=1e-6)
    compared = read_document(trained / "ensemble" / "evaluation.json")
    single = compared["best_single"]
    alone = search[search[f"weight_{single['model']}"] == 1]["map"].item()
    assert single["valid"]["map"] == pytest.approx(alone, abs=1e-6)
    assert document["valid"]["map"] > single["valid"]["map"]
    gain = compared["gain"]["map"]
    assert gain["value"] == pytest.approx(document["test"]["map"] - single["test"]["map"], abs=2e-6)
    assert gain["low"] <= gain["value"] <= gain["high"]


def test_test_clips_do_not_influence_what_is_chosen(trained):
    before = select(trained, "before")
    for seed, name in enumerate(("rf", "cbam_cnn"), start=1):
        predictions = valid_and_test(noise_seed=seed)
        inverted = predictions.probabilities.copy()
        inverted[predictions.split == "test"] = 1 - inverted[predictions.split == "test"]
        rewrite_predictions(trained, name, predictions.with_probabilities(inverted))
    after = select(trained, "after")
    assert after["members"] == before["members"]
    assert read_bag(trained / "after").thresholds == read_bag(trained / "before").thresholds
    best = [read_document(trained / name / "evaluation.json")["best_single"]["model"] for name in ("before", "after")]
    assert best[0] == best[1]
    assert after["valid"] == before["valid"]
    assert after["test"]["map"] < before["test"]["map"]


def test_the_same_inputs_give_the_same_bytes(trained):
    first, second = select(trained, "first"), select(trained, "second")
    assert first == second
    assert sha256_tree(trained / "first") == sha256_tree(trained / "second")


def test_the_predictor_opens_the_bag_and_agrees_with_the_predictions(trained, tmp_path):
    """Evaluate both models for real, select, and let the bag predict from the same features."""
    from components.evaluate.step import Inputs as EvaluateInputs
    from components.evaluate.step import Outputs as EvaluateOutputs
    from components.evaluate.step import run as evaluate

    truth = valid_and_test(clips=20)
    features = write_features(tmp_path / "features", "rf", "cbam_cnn", clips=truth)
    shutil.rmtree(trained / "evaluations")
    for name in ("rf", "cbam_cnn"):
        outputs = EvaluateOutputs(evaluation=trained / "evaluations" / name, metrics=trained / f"{name}.json")
        evaluate(EvaluateInputs(features=features, model=name, bundle=trained / "models" / name), outputs, PARAMS)
    select(trained)
    predictor = Predictor.from_path(trained / "ensemble")
    stored = {key: np.load(features / "openmic-20" / f"{key}.npy") for key in predictor.front_ends}
    predictions = load_predictions(trained / "ensemble" / "predictions.parquet").in_order_of(truth)
    np.testing.assert_allclose(predictor.predict_features(stored), predictions.probabilities, atol=1e-6)
    # A champion can be evaluated again the way it ships.
    outputs = EvaluateOutputs(evaluation=trained / "again", metrics=trained / "again.json")
    evaluate(EvaluateInputs(features=features, model="champion", bundle=trained / "ensemble"), outputs, PARAMS)
    again = load_predictions(trained / "again" / "predictions.parquet").in_order_of(truth)
    np.testing.assert_allclose(again.probabilities, predictions.probabilities, atol=1e-6)


def test_a_useless_model_gets_no_weight_and_is_not_copied(trained):
    predictions = valid_and_test(noise_seed=2)
    rewrite_predictions(trained, "cbam_cnn", predictions.with_probabilities(1 - predictions.probabilities))
    document = select(trained, params=parse_config(tiny_params("rf", "cbam_cnn", select={"step": 0.5})))
    assert document["members"] == {"rf": 1.0}
    assert [path.name for path in (trained / "ensemble" / "members").iterdir()] == ["rf"]
    compared = read_document(trained / "ensemble" / "evaluation.json")
    assert compared["best_single"]["model"] == "rf"
    assert compared["gain"]["map"] == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_models_of_earlier_runs_are_not_looked_at(trained):
    (trained / "models" / "old").mkdir()
    document = select(trained, params=parse_config(tiny_params("cbam_cnn")))
    assert document["members"] == {"cbam_cnn": 1.0}


def test_a_bundle_altered_after_its_evaluation_is_refused(trained):
    shutil.rmtree(trained / "models" / "rf")
    write_model(trained / "models" / "rf", "rf", seed=9)
    with pytest.raises(ArtifactMismatch, match="evaluation of rf is of another bundle"):
        select(trained)
    assert not (trained / "ensemble").exists()


def test_altered_weights_are_refused(trained):
    (weights,) = (trained / "models" / "cbam_cnn").glob("*.safetensors")
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ArtifactMismatch, match="weights"):
        select(trained)


@pytest.mark.parametrize(
    ("missing", "step"),
    [
        ("models/rf", "train"),
        ("evaluations/cbam_cnn", "evaluate"),
        ("evaluations/cbam_cnn/predictions.parquet", "evaluate"),
        ("evaluations/cbam_cnn/evaluation.json", "evaluate"),
    ],
)
def test_what_is_missing_is_named_with_the_step_that_makes_it(trained, missing, step):
    path = trained / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(DataError, match=missing) as caught:
        select(trained)
    assert step in caught.value.hint


def test_models_judged_on_other_data_are_refused(trained):
    shutil.rmtree(trained / "evaluations" / "rf")
    data = {"name": "openmic", "synthetic": True, "sha256": "6" * 64}
    write_evaluation(trained / "evaluations" / "rf", trained / "models" / "rf", valid_and_test(), data=data)
    with pytest.raises(ArtifactMismatch, match="rf and cbam_cnn were evaluated on different data"):
        select(trained)


def test_probabilities_that_are_no_numbers_are_refused(trained):
    path = trained / "evaluations" / "rf" / "predictions.parquet"
    table = parquet.read_table(path)
    nothing = pa.array([np.full(20, np.nan, np.float32)] * len(table))
    parquet.write_table(table.set_column(table.column_names.index("probabilities"), "probabilities", nothing), path)
    with pytest.raises(DataError, match=r"rf/predictions\.parquet: 120 clip"):
        select(trained)


def test_a_document_cut_short_is_refused(trained):
    (trained / "evaluations" / "rf" / "evaluation.json").write_text('{"digest": ')
    with pytest.raises(DataError, match="not readable JSON"):
        select(trained)
    (trained / "evaluations" / "rf" / "evaluation.json").write_text("[]")
    with pytest.raises(DataError, match="no metrics document"):
        select(trained)


NETWORK = {"preset": "mini", "train": {}}


def params_of(*models, **select):
    """Parameters with candidates that only the tests know."""
    section = dict.fromkeys(models, NETWORK)
    return parse_config(tiny_params("rf", models=section, select={"models": list(models), **select}))


def write_of_task(root, name, *, seed=0, frames=1):
    """A bundle of a test model, and what was evaluated for it."""
    task = get_task(get_model(name).task)
    both = valid_and_test(noise_seed=seed, names=task.labels)
    bundle = write_test_bundle(root / "models" / name, name, seed=seed)
    write_evaluation(root / "evaluations" / name, root / "models" / name, as_frames(both, frames))
    return bundle


def test_models_of_different_tasks_are_refused(trained):
    write_of_task(trained, "test_exclusive")
    write_of_task(trained, "test_pairs")
    with pytest.raises(ArtifactMismatch, match="test_exclusive and test_pairs were made for different tasks") as caught:
        select(trained, params=params_of("test_exclusive", "test_pairs"))
    assert "select.models" in caught.value.hint
    with pytest.raises(ArtifactMismatch, match="different tasks") as caught:
        select(trained, params=params_of("rf", "test_exclusive"))
    assert caught.value.got == "openmic-20 and irmas-4"
    assert not (trained / "ensemble").exists()


@pytest.mark.parametrize(
    ("model", "frames", "extra"),
    [
        ("test_exclusive", 1, "accuracy"),
        ("test_pairs", 1, "exact_accuracy"),
        ("test_frames", 6, "f1_macro_present"),
    ],
)
def test_an_ensemble_of_any_task(tmp_path, model, frames, extra):
    write_of_task(tmp_path, model, frames=frames)
    document = select(tmp_path, params=params_of(model))
    bag, task = read_bag(tmp_path / "ensemble"), get_task(get_model(model).task)
    assert (bag.task, bag.labels, set(bag.thresholds)) == (task.name, task.labels, set(task.labels))
    assert extra in document["test"]
    assert Predictor.from_path(tmp_path / "ensemble").task == task
    assert load_predictions(tmp_path / "ensemble" / "predictions.parquet").names == task.labels


def test_only_the_candidates_of_params_are_looked_at(trained):
    write_of_task(trained, "test_exclusive")
    params = parse_config(tiny_params("rf", "cbam_cnn", models={"test_exclusive": NETWORK}))
    assert set(select(trained, params=params)["members"]) <= {"rf", "cbam_cnn"}


def test_predictions_about_other_classes_are_refused(trained):
    rewrite_predictions(trained, "rf", valid_and_test(names=get_task("irmas-4").labels))
    with pytest.raises(ArtifactMismatch, match="predictions of rf are not about its classes"):
        select(trained)
