import dataclasses

import pytest

from tests.training.studio import optimiser, with_models
from tutti.audio.windows import WindowPolicy
from tutti.config import Config, ForestParams, ModelParams
from tutti.errors import ConfigError
from tutti.models import get_model
from tutti.models.frame_network import WINDOW_FRAMES
from tutti.training.plans import IRMAS_WINDOW, describe_plans, plan_sets


def network(**changes: object) -> ModelParams:
    return ModelParams(train=optimiser(), **changes)


def test_sets_are_named_after_the_tasks_of_training_and_pretraining(config: Config) -> None:
    plans = plan_sets(config)
    assert list(plans) == ["irmas-4", "irmas-9", "irmas-pairs", "openmic-20"]
    assert plans["irmas-9"].window == IRMAS_WINDOW
    # A pretraining on the same kind of clip cuts as the model itself does.
    assert plans["irmas-4"].window == plans["irmas-pairs"].window == get_model("tl_classifier").preset("mini").window
    assert {front_end.kind for front_end in plans["irmas-9"].front_ends} == {"htk_mel", "passt_mel", "fbank"}
    assert [plan.frames for plan in plans.values()] == [None] * 4


def test_models_that_share_a_front_end_store_it_once(config: Config) -> None:
    plans = plan_sets(with_models(config, mean_teacher=network(), attention_mic=network(), rf=config.models["rf"]))
    assert [front_end.kind for front_end in plans["openmic-20"].front_ends] == ["clip_embedding", "summary"]
    assert plans["openmic-20"].signals == [(16000, 1)]


def test_a_name_of_the_run_may_stand_for_another_model(config: Config) -> None:
    plain, named = with_models(config, passt=network()), with_models(config, again=network(model="passt"))
    assert plan_sets(plain) == plan_sets(named)
    with pytest.raises(ConfigError, match="there is no model 'again'"):
        plan_sets(with_models(config, again=network()))


def test_stereo_and_frames_are_planned(config: Config) -> None:
    plans = plan_sets(with_models(config, cnn1d_stage1=network(), mfcc_cnn=network()))
    assert plans["irmas-4"].signals == [(8000, 2)]
    assert plans["musicnet-frames"].frames == WINDOW_FRAMES
    described = describe_plans(plans)["musicnet-frames"]
    assert described["frames"] == WINDOW_FRAMES
    assert described["stored_signals"] == []


def test_the_paper_preset_of_passt_asks_for_samples(config: Config) -> None:
    plans = plan_sets(with_models(config, passt=network(preset="paper")))
    assert list(plans) == ["openmic-20"]
    assert plans["openmic-20"].stored_signals == ((32000, 1),)


def test_models_that_cut_differently_are_refused(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = get_model("rf")
    short = dataclasses.replace(entry.preset("mini"), window=WindowPolicy(length_s=3.0))
    monkeypatch.setitem(entry.presets, "mini", short)
    with pytest.raises(ConfigError, match="cut recordings alike"):
        plan_sets(with_models(config, rf=ModelParams(forest=ForestParams()), passt=network()))


def test_models_with_other_numbers_of_frames_are_refused(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = get_model("mfcc_cnn")
    monkeypatch.setitem(entry.presets, "mini", dataclasses.replace(entry.preset("mini"), input_shape=(512, 13)))
    with pytest.raises(ConfigError, match=f"mfcc_cnn: 512; mfcc_transformer: {WINDOW_FRAMES}"):
        plan_sets(with_models(config, mfcc_cnn=network(), mfcc_transformer=network()))
