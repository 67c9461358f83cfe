import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from components.evaluate.step import Inputs, Outputs, run
from tests.corpus import tiny_params
from tests.evaluation_helpers import as_frames, join, make_predictions, write_features, write_model
from tests.tiny import FRAMES
from tutti.config import parse_config
from tutti.errors import ArtifactMismatch, DataError
from tutti.evaluation.metrics import masked_metrics
from tutti.evaluation.predictions import SPLITS, load_predictions
from tutti.labels import OPENMIC
from tutti.models import get_model
from tutti.predictor import Predictor
from tutti.tasks import get_task

PARAMS = parse_config(tiny_params("rf", "cbam_cnn"))


def clips(dataset="openmic"):
    return join(
        make_predictions(4, split="train", dataset=dataset),
        make_predictions(14, split="valid", dataset=dataset),
        make_predictions(22, split="test", dataset=dataset),
    )


def evaluate(tmp_path, features, model="rf", bundle=None, name="out"):
    bundle = bundle or write_model(tmp_path / f"bundle-{model}", model)
    outputs = Outputs(evaluation=tmp_path / name, metrics=tmp_path / f"{name}.json")
    return run(Inputs(features=features, model=model, bundle=bundle), outputs, PARAMS), outputs


@pytest.mark.parametrize("model", ["rf", "cbam_cnn"])
def test_every_evaluation_clip_is_predicted_by_the_predictor_and_measured(tmp_path, model):
    truth = clips()
    features = write_features(tmp_path / "features", model, clips=truth)
    document, outputs = evaluate(tmp_path, features, model)
    assert json.loads((outputs.evaluation / "evaluation.json").read_text()) == document
    shown = json.loads(outputs.metrics.read_text())
    assert "digest" not in shown
    assert shown["data"] == {"name": "openmic", "synthetic": False}
    assert shown["test"] == {key: document["test"][key] for key in shown["test"]}
    assert {"map", "map_low", "map_high", "f1_macro", "auroc", "hamming"} <= set(shown["test"])

    predictor = Predictor.from_path(tmp_path / f"bundle-{model}")
    (key,) = predictor.front_ends
    features_of_test = np.load(features / "openmic-20" / f"{key}.npy")[18:]
    predictions = load_predictions(outputs.evaluation / "predictions.parquet")
    assert {split: int((predictions.split == split).sum()) for split in ("train", "valid", "test")} == {
        "train": 0, "valid": 14, "test": 22,
    }  # fmt: skip
    test = predictions.of("test")
    np.testing.assert_allclose(test.probabilities, predictor.predict_features({key: features_of_test}), atol=1e-6)
    np.testing.assert_array_equal(test.labels, truth.of("test").labels)

    expected = masked_metrics(test.probabilities, test.labels, test.mask, 0.5, names=OPENMIC)
    for name in ("map", "f1_macro", "f1_macro_two_class", "auroc", "hamming"):
        assert document["test"][name] == pytest.approx(getattr(expected, name), abs=1e-6)
        if name != "hamming":
            assert document["test"][f"{name}_low"] <= document["test"][f"{name}_high"]
    assert (document["test"]["clips"], document["test"]["cells"]) == (22, 440)
    assert (document["model"], document["preset"], document["digest"]) == (model, "mini", predictor.digest)
    table = pd.read_csv(outputs.evaluation / "per_class.csv")
    assert len(table) == 40
    assert set(table["threshold"]) == {0.5}


def test_the_result_is_the_same_every_time(tmp_path):
    features = write_features(tmp_path / "features", "rf", clips=clips())
    _, first = evaluate(tmp_path, features, name="first")
    _, second = evaluate(tmp_path, features, name="second")
    assert first.metrics.read_bytes() == second.metrics.read_bytes()
    for name in ("predictions.parquet", "per_class.csv", "evaluation.json"):
        assert (first.evaluation / name).read_bytes() == (second.evaluation / name).read_bytes()


def test_windows_of_a_clip_become_one_row_by_the_models_policy(tmp_path):
    features = write_features(tmp_path / "features", "rf", clips=clips(), windows=3)
    _, outputs = evaluate(tmp_path, features)
    predictor = Predictor.from_path(tmp_path / "bundle-rf")
    (key,) = predictor.front_ends
    windows = predictor.predict_features({key: np.load(features / "openmic-20" / f"{key}.npy")[-3:]})
    test = load_predictions(outputs.evaluation / "predictions.parquet").of("test")
    assert len(test) == 22
    np.testing.assert_allclose(test.probabilities[-1], windows.mean(axis=0), atol=1e-6)


def test_the_data_are_named_and_called_synthetic_when_they_are(tmp_path):
    data = {}
    for name, synthetic in (("real", ["mixtures"]), ("rendered", ["mixtures", "openmic"])):
        features = write_features(tmp_path / name, "rf", clips=clips(), synthetic=synthetic)
        data[name], outputs = evaluate(tmp_path, features, name=f"out-{name}")
        marked = load_predictions(outputs.evaluation / "predictions.parquet").synthetic
        assert marked.all() if name == "rendered" else not marked.any()
    assert data["real"]["data"] == {"name": "openmic", "synthetic": False, "sha256": "5" * 64}
    assert data["rendered"]["data"] == {"name": "openmic", "synthetic": True, "sha256": "5" * 64}


def test_mixtures_count_only_where_there_is_nothing_else(tmp_path):
    both = join(clips(), clips("mixtures"))
    document, _ = evaluate(tmp_path, write_features(tmp_path / "both", "rf", clips=both))
    assert (document["data"]["name"], document["test"]["clips"]) == ("openmic", 22)
    only = write_features(tmp_path / "only", "rf", clips=clips("mixtures"))
    document, _ = evaluate(tmp_path, only, name="mixtures")
    assert document["data"] == {"name": "mixtures", "synthetic": True, "sha256": "5" * 64}


def test_a_missing_split_is_named(tmp_path):
    features = write_features(tmp_path / "features", "rf", clips=clips().of("valid"))
    with pytest.raises(DataError, match="no test clips"):
        evaluate(tmp_path, features)
    assert not (tmp_path / "out").exists()


def test_features_for_other_models_are_refused(tmp_path):
    features = write_features(tmp_path / "features", "cbam_cnn", clips=clips())
    with pytest.raises(DataError, match="summary"):
        evaluate(tmp_path, features)


def test_features_that_hold_no_numbers_are_not_measured(tmp_path):
    features = write_features(tmp_path / "features", "cbam_cnn", clips=clips())
    key = get_model("cbam_cnn").preset("mini").front_end.key
    path = features / "openmic-20" / f"{key}.npy"
    broken = np.load(path)
    broken[20] = np.nan
    np.save(path, broken)
    with pytest.raises(DataError, match=r"1 clip\(s\) have probabilities that are no numbers"):
        evaluate(tmp_path, features, "cbam_cnn")
    assert not (tmp_path / "out.json").exists()


def test_an_altered_bundle_and_one_of_another_model_are_refused(tmp_path):
    features = write_features(tmp_path / "features", "rf", clips=clips())
    bundle = write_model(tmp_path / "bundle", "rf")
    with pytest.raises(ArtifactMismatch, match="another model"):
        evaluate(tmp_path, features, "cbam_cnn", bundle)
    (bundle / "card.md").write_text("altered")
    with pytest.raises(ArtifactMismatch, match=r"card\.md"):
        evaluate(tmp_path, features, "rf", bundle)


def test_a_model_of_a_task_without_features_is_refused(tmp_path):
    features = write_features(tmp_path / "features", "rf", clips=clips())
    bundle = write_model(tmp_path / "bundle", "test_exclusive")
    with pytest.raises(DataError, match="no set 'irmas-4'"):
        evaluate(tmp_path, features, "test_exclusive", bundle)


def test_features_of_other_classes_than_the_tasks_are_refused(tmp_path):
    features = write_features(tmp_path / "features", "rf", clips=clips())
    for name in ("labels", "mask"):
        path = features / "openmic-20" / f"{name}.npy"
        np.save(path, np.load(path)[:, :4])
    with pytest.raises(ArtifactMismatch, match="does not decide about the classes"):
        evaluate(tmp_path, features)


def test_a_model_may_have_another_name_in_the_run_than_in_the_registry(tmp_path):
    features = write_features(tmp_path / "features", "rf", clips=clips())
    params = parse_config(tiny_params("rf", models={"forest": {"model": "rf", "preset": "mini", "forest": {}}}))
    bundle = write_model(tmp_path / "bundle", "rf")
    outputs = Outputs(evaluation=tmp_path / "out", metrics=tmp_path / "out.json")
    assert run(Inputs(features=features, model="forest", bundle=bundle), outputs, params)["model"] == "forest"
    other = write_model(tmp_path / "other", "cbam_cnn")
    with pytest.raises(ArtifactMismatch, match="another model") as caught:
        run(Inputs(features=features, model="forest", bundle=other), outputs, params)
    assert (caught.value.got, caught.value.expected) == ("cbam_cnn", "rf")


@pytest.mark.parametrize(("model", "extra"), [("test_exclusive", "accuracy"), ("test_pairs", "exact_accuracy")])
def test_other_tasks_have_their_own_set_classes_and_metrics(tmp_path, model, extra):
    names = get_task(get_model(model).task).labels
    truth = join(*(make_predictions(20, split=split, names=names) for split in ("valid", "test")))
    document, outputs = evaluate(tmp_path, write_features(tmp_path / "features", model, clips=truth), model)
    predictions = load_predictions(outputs.evaluation / "predictions.parquet")
    assert predictions.names == names
    assert (predictions.frame == 0).all()
    np.testing.assert_array_equal(predictions.of("test").group, truth.of("test").group)
    assert {extra, f"{extra}_low", f"{extra}_high"} <= set(document["test"])
    assert f"{extra}_low" in json.loads(outputs.metrics.read_text())["test"]
    assert len(pd.read_csv(outputs.evaluation / "per_class.csv")) == 8


def test_every_asked_frame_is_a_row(tmp_path):
    names = get_task("musicnet-frames").labels
    parts = [make_predictions(40 * FRAMES, split=split, names=names, seed=seed) for seed, split in enumerate(SPLITS)]
    truth = join(*parts)
    truth = replace(as_frames(truth, FRAMES), mask=truth.mask.copy())
    truth.mask[5:8] = False  # frames 5 to 7 of the first clip
    features = write_features(tmp_path / "features", "test_frames", clips=truth)
    document, outputs = evaluate(tmp_path, features, "test_frames")
    predictions = load_predictions(outputs.evaluation / "predictions.parquet")
    asked = truth.take(truth.mask.any(axis=1))
    assert predictions.difference(asked) is None
    predictor = Predictor.from_path(tmp_path / "bundle-test_frames")
    (key,) = predictor.front_ends
    stored = predictor.predict_features({key: np.load(features / "musicnet-frames" / f"{key}.npy")})
    found = predictions.in_order_of(asked).probabilities
    np.testing.assert_allclose(found, stored.reshape(-1, 12)[truth.mask.any(axis=1)], atol=1e-6)
    assert (document["test"]["clips"], document["test"]["frames"]) == (40, 40 * FRAMES)
    assert document["valid"]["frames"] == 40 * FRAMES - 3
    assert {"micro_f1_low", "f1_macro_present", "hamming_low"} <= set(document["test"])


def test_frames_of_a_clips_windows_are_counted_on(tmp_path):
    names = get_task("musicnet-frames").labels
    parts = [make_predictions(2 * FRAMES, split=split, names=names) for split in SPLITS]
    truth = as_frames(join(*parts), FRAMES)
    features = write_features(tmp_path / "features", "test_frames", clips=truth, windows=3)
    _, outputs = evaluate(tmp_path, features, "test_frames")
    test = load_predictions(outputs.evaluation / "predictions.parquet").of("test")
    assert test.frame.tolist() == [*range(3 * FRAMES)] * 2


def test_cells_nobody_was_asked_about_do_not_reach_the_metrics(tmp_path):
    truth = clips()
    mask = truth.mask.copy()
    mask[:, 10:] = False
    document, _ = evaluate(tmp_path, write_features(tmp_path / "features", "rf", clips=replace(truth, mask=mask)))
    assert document["test"]["cells"] == 220
    assert len(document["test"]["skipped"]) == 10
