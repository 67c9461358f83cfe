import json
from dataclasses import replace

import numpy as np
import pytest

from tests.evaluation_helpers import as_frames, make_predictions
from tutti.config import EvaluateParams, GateParams
from tutti.errors import ConfigError, DataError, GateFailed
from tutti.evaluation.gates import Contender, compare, judge, require_pass
from tutti.evaluation.metrics import masked_metrics
from tutti.labels import OPENMIC
from tutti.tasks import get_task

LENIENT = {
    "min_map": 0.0, "min_f1_macro_two_class": 0.0, "min_class_auroc": 0.0, "max_regression": 1.0, "min_class_cells": 5,
}  # fmt: skip
EVALUATE = EvaluateParams(bootstrap=200, confidence=0.95)
DATA = {"name": "openmic", "synthetic": True, "sha256": "0" * 64}


def contender(skill=0.3, noise_seed=1, digest="a" * 64, **options):
    predictions = make_predictions(80, skill=skill, noise_seed=noise_seed, **options)
    return Contender(digest, get_task("openmic-20"), (0.5,) * 20, predictions)


def decide(candidate, champion=None, fault=None, evaluate=EVALUATE, **gate):
    decision = judge(
        candidate,
        champion,
        gate=GateParams(**{**LENIENT, **gate}),
        evaluate=evaluate,
        seed=42,
        data=DATA,
        champion_fault=fault,
    )
    json.dumps(decision, allow_nan=False)  # it has to be a JSON document
    assert decision["decision"] == ("pass" if decision["passed"] else "fail")
    assert decision["passed"] == all(check["passed"] for check in decision["checks"])
    assert decision["reasons"]
    return decision


def failed(decision):
    return [check["name"] for check in decision["checks"] if not check["passed"]]


def measured(candidate):
    clips = candidate.predictions
    return masked_metrics(clips.probabilities, clips.labels, clips.mask, candidate.thresholds, names=OPENMIC)


@pytest.mark.parametrize(("knob", "metric"), [("min_map", "map"), ("min_f1_macro_two_class", "f1_macro_two_class")])
def test_each_overall_floor_both_ways(knob, metric):
    candidate = contender()
    value = getattr(measured(candidate), metric)
    assert decide(candidate, **{knob: value - 1e-6})["passed"]
    assert decide(candidate, **{knob: value})["passed"]  # reaching the floor is enough
    decision = decide(candidate, **{knob: value + 1e-3})
    assert failed(decision) == [metric]
    assert metric in decision["reasons"][0]
    assert f"{value:.3f}" in decision["reasons"][0]


def test_the_floor_of_every_class_both_ways_and_by_name():
    candidate = contender()
    ranked = sorted(measured(candidate).per_class, key=lambda row: row.auroc)
    between = (ranked[1].auroc + ranked[2].auroc) / 2
    assert decide(candidate, min_class_auroc=ranked[0].auroc - 1e-6)["passed"]
    decision = decide(candidate, min_class_auroc=between)
    assert sorted(failed(decision)) == sorted(f"auroc:{row.name}" for row in ranked[:2])
    for row, reason in zip(sorted(ranked[:2], key=lambda row: row.name), sorted(decision["reasons"]), strict=True):
        assert reason.startswith(f"{row.name}: ")
        assert f"{row.auroc:.3f}" in reason
        assert f"{row.positives} positive and {row.negatives} negative" in reason


def test_a_class_floor_overrides_the_general_one_both_ways():
    candidate = contender()
    piano = next(row for row in measured(candidate).per_class if row.name == "piano")
    assert failed(decide(candidate, class_floors={"piano": min(piano.auroc + 1e-3, 1.0)})) == ["auroc:piano"]
    worst = min(row.auroc for row in measured(candidate).per_class if row.name != "piano")
    others = min(worst, piano.auroc + 1) - 1e-6
    assert decide(candidate, min_class_auroc=others, class_floors={"piano": piano.auroc - 1e-3})["passed"]


def test_a_class_with_few_test_clips_is_named_but_not_held():
    candidate = contender()
    mask = candidate.predictions.mask.copy()
    asked = np.flatnonzero(candidate.predictions.labels[:, 12] == 1)
    mask[asked[4:], 12] = False  # four positives of piano are left
    few = replace(candidate, predictions=replace(candidate.predictions, mask=mask))
    decision = decide(few, class_floors={"piano": 1.0})
    assert decision["passed"]
    assert decision["unchecked_classes"] == ["piano"]
    assert any("too few test clips" in reason and "piano" in reason for reason in decision["reasons"])
    assert failed(decide(few, class_floors={"piano": 1.0}, min_class_cells=4)) == (
        [] if measured(few).per_class[12].auroc == 1 else ["auroc:piano"]
    )
    assert decide(few, min_class_cells=4)["unchecked_classes"] == []


def test_a_floor_of_a_class_that_the_task_does_not_have_is_refused():
    with pytest.raises(ConfigError, match="class_floors names kazoo, which the task openmic-20") as caught:
        decide(contender(), class_floors={"piano": 0.0, "kazoo": 0.5})
    assert "accordion" in caught.value.expected


def of_task(name, *, noise_seed=1, skill=0.3, frames=1):
    task = get_task(name)
    predictions = make_predictions(80, skill=skill, noise_seed=noise_seed, names=task.labels)
    return Contender("d" * 64, task, (0.5,) * len(task.labels), as_frames(predictions, frames))


def test_a_champion_of_another_task_is_refused_and_both_tasks_are_named():
    decision = decide(of_task("irmas-4"), contender(digest="b" * 64))
    assert failed(decision) == ["champion:comparable"]
    assert "openmic-20" in decision["reasons"][0]
    assert "irmas-4" in decision["reasons"][0]
    # The labels of these two are the same.
    assert failed(decide(of_task("irmas-4"), of_task("irmas-pairs"))) == ["champion:comparable"]


def test_frames_are_compared_by_micro_f1():
    candidate, champion = (of_task("musicnet-frames", noise_seed=seed, skill=0.1, frames=8) for seed in (1, 2))
    decision = decide(candidate, champion)
    assert decision["passed"]
    assert "champion:micro_f1" in [check["name"] for check in decision["checks"]]
    assert "map" not in decision["comparison"]
    low = decision["comparison"]["micro_f1"]["low"]
    assert low < 0
    assert failed(decide(candidate, champion, max_regression=-low - 1e-3)) == ["champion:micro_f1"]
    assert decide(candidate, candidate, max_regression=0.0)["passed"]


def test_a_metric_that_cannot_be_measured_fails():
    candidate = contender()
    unlabelled = replace(candidate.predictions, mask=np.zeros_like(candidate.predictions.mask))
    decision = decide(replace(candidate, predictions=unlabelled))
    assert failed(decision) == ["map", "f1_macro_two_class"]
    assert "cannot be measured" in decision["reasons"][0]


def test_without_a_champion_only_the_floors_hold():
    decision = decide(contender(digest="c" * 64))
    assert decision["passed"]
    assert (decision["candidate"], decision["champion"], decision["comparison"]) == ("c" * 64, None, None)
    assert decision["data"] == DATA
    assert any("no champion yet" in reason for reason in decision["reasons"])


def test_a_clear_loss_against_the_champion_fails_and_the_reverse_is_significantly_better():
    weak, strong = contender(skill=0.1), contender(digest="b" * 64)
    decision = decide(weak, strong, max_regression=0.05)
    assert failed(decision) == ["champion:map"]
    assert "cannot be ruled out" in decision["reasons"][0]
    assert decision["champion"] == "b" * 64
    assert not decision["comparison"]["significantly_better"]
    reverse = decide(strong, weak, max_regression=0.0)
    assert reverse["passed"]
    assert reverse["comparison"]["significantly_better"]
    assert any("significantly better" in reason for reason in reverse["reasons"])


def test_the_allowed_regression_both_ways():
    candidate, champion = contender(noise_seed=1), contender(noise_seed=2)
    low = compare(candidate, champion, EVALUATE, 42)["map"].low
    assert low < 0
    assert decide(candidate, champion, max_regression=-low + 1e-6)["passed"]
    decision = decide(candidate, champion, max_regression=-low - 1e-6)
    assert failed(decision) == ["champion:map"]
    assert f"{low:+.3f}" in decision["reasons"][0]


def test_a_model_against_itself_passes_without_being_better():
    decision = decide(contender(), contender(), max_regression=0.0)
    assert decision["passed"]
    assert decision["comparison"]["map"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert any("not significantly better" in reason for reason in decision["reasons"])


def test_the_champions_rows_may_stand_in_another_order():
    candidate, champion = contender(), contender(noise_seed=2)
    order = np.random.default_rng(0).permutation(80)
    shuffled = champion.predictions.take(order)
    assert decide(candidate, replace(champion, predictions=shuffled)) == decide(candidate, champion)


def test_without_resamples_the_difference_itself_counts():
    evaluate = EvaluateParams(bootstrap=0, confidence=0.95)
    candidate, champion = contender(skill=0.2), contender()
    loss = measured(champion).map - measured(candidate).map
    assert decide(candidate, champion, evaluate=evaluate, max_regression=loss + 1e-6)["passed"]
    assert not decide(candidate, champion, evaluate=evaluate, max_regression=loss - 1e-6)["passed"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda p: p.in_order_of(make_predictions(79)), r"1 clip\(s\) are missing"),
        (lambda p: replace(p, labels=1 - p.labels), "labels differ"),
        (lambda p: replace(p, mask=~p.mask), "other cells were asked"),
    ],
)
def test_a_champion_judged_on_other_data_fails_and_says_what_to_do(change, reason):
    champion = contender(digest="b" * 64)
    champion = replace(champion, predictions=change(champion.predictions))
    decision = decide(contender(), champion)
    assert failed(decision) == ["champion:comparable"]
    import re

    assert re.search(reason, decision["reasons"][0])
    assert "components.evaluate" in decision["reasons"][0]
    assert "champion.json" in decision["reasons"][0]
    assert decision["champion"] == "b" * 64


def test_a_champion_that_cannot_be_read_fails_with_its_fault():
    decision = decide(contender(), None, "the champion's folder is gone")
    assert failed(decision) == ["champion:comparable"]
    assert decision["reasons"] == ["the champion's folder is gone"]


def test_every_failure_is_listed_at_once():
    decision = decide(contender(skill=0.1), contender(), min_map=0.99, min_f1_macro_two_class=0.99, max_regression=0.0)
    assert failed(decision) == ["map", "f1_macro_two_class", "champion:map"]
    assert len(decision["reasons"]) == 3


def test_the_verdict_both_ways():
    require_pass(decide(contender()))
    with pytest.raises(GateFailed) as caught:
        require_pass(decide(contender(digest="f00d" * 16), min_map=0.999, min_class_auroc=0.999))
    assert caught.value.exit_code == 5
    assert "f00d" in str(caught.value)
    assert "mean average precision" in str(caught.value)
    assert "piano" in str(caught.value)


def test_probabilities_that_are_none_cannot_be_judged():
    candidate = contender()
    prob = candidate.predictions.probabilities.copy()
    prob[0, 0] = np.nan
    with pytest.raises(DataError, match="no numbers"):
        decide(replace(candidate, predictions=replace(candidate.predictions, probabilities=prob)))


def test_the_decision_is_the_same_every_time():
    first, second = (json.dumps(decide(contender(), contender(noise_seed=2))) for _ in range(2))
    assert first == second
