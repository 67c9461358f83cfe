"""The inference path: batches, neighbours, sharing, memory."""

import io
import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch

from tests.tiny import (
    BANDS,
    FRAMES,
    Bands,
    BandsConfig,
    FramedConfig,
    SidesConfig,
    sound,
    write_test_bag,
    write_test_bundle,
)
from tutti.bag import BAG
from tutti.errors import ArtifactMismatch, AudioDecodeError, ConfigError
from tutti.labels import OPENMIC
from tutti.predictor import Predictor
from tutti.tasks import get_task


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bag")
    write_test_bag(folder)
    return folder


@pytest.fixture(scope="module")
def predictor(bag):
    return Predictor.from_path(bag)


def test_answer(predictor, bag):
    answer = predictor.predict(sound(2.5)).to_dict()
    json.dumps(answer, allow_nan=False)
    assert list(answer) == ["model", "duration_s", "instruments", "windows"]
    assert answer["model"] == {"name": "test-ensemble", "version": "1.0", "digest": predictor.digest}
    assert answer["duration_s"] == 2.5
    assert {item["name"] for item in answer["instruments"]} == set(OPENMIC)
    values = [item["probability"] for item in answer["instruments"]]
    assert values == sorted(values, reverse=True)
    assert all(value == round(value, 6) for value in values)
    for item in answer["instruments"]:
        assert item["present"] == (item["probability"] >= 0.4)
        assert item["threshold"] == 0.4
    assert [(w["start_s"], w["end_s"]) for w in answer["windows"]] == [(0, 1), (1, 2), (1.5, 2.5)]
    for item in answer["instruments"]:
        mean = np.mean([window["probabilities"][item["name"]] for window in answer["windows"]])
        assert item["probability"] == pytest.approx(mean, abs=2e-6)


def test_weighted_mean_of_the_members(predictor, bag):
    rows = np.random.default_rng(0).standard_normal((21, BANDS)).astype(np.float32)
    key = BandsConfig().key
    assert list(predictor.front_ends) == [key]
    parts = [
        Predictor.from_path(bag / "members" / name).predict_features({key: rows})
        for name in ("test_net", "test_forest")
    ]
    expected = 0.7 * parts[0] + 0.3 * parts[1]
    np.testing.assert_allclose(predictor.predict_features({key: rows}), expected, atol=1e-6)
    np.testing.assert_allclose(predictor.predict_features({key: rows.astype(np.float16)}), expected, atol=1e-2)
    assert predictor.predict_features({key: rows[:0]}).shape == (0, 20)


def test_features_and_recordings_agree(predictor):
    """What evaluation computes from stored features is what serving computes from sound."""
    from tutti.audio.decode import decode, mono, resample
    from tutti.frontends.base import create_front_end

    data = sound(1.0, rate=44100)
    samples = resample(mono(decode(data, where="x").samples), 44100, 8000)
    features = create_front_end(BandsConfig())(torch.from_numpy(samples)[None]).numpy()
    stored = predictor.predict_features({BandsConfig().key: features})[0]
    np.testing.assert_allclose(predictor.predict(data).probabilities, stored, atol=1e-5)


def test_a_front_end_is_computed_once_for_all_members(predictor):
    before = Bands.calls
    predictor.predict(sound(1.0))
    assert Bands.calls == before + 1


def test_batch_is_as_one_by_one_and_bad_ones_harm_nobody(predictor, tmp_path):
    path = tmp_path / "tone.flac"
    path.write_bytes(sound(3.3, hz=1000, kind="FLAC", channels=2))
    cut = sound(12.0, rate=44100)
    items = [sound(0.5), b"", path, b"text", sound(20.2, hz=200), cut[: len(cut) // 2], sound(1.0, kind="OGG")]
    answers = predictor.predict_batch(items)
    codes = [answer.code if isinstance(answer, AudioDecodeError) else None for answer in answers]
    assert codes == [None, "empty_audio", None, "unsupported_audio", None, "truncated_audio", None]
    for item, answer in zip(items, answers, strict=True):
        if isinstance(answer, AudioDecodeError):
            continue
        alone = predictor.predict(item)
        assert alone.starts_s == answer.starts_s
        np.testing.assert_allclose(alone.window_probabilities, answer.window_probabilities, atol=1e-6)


def test_a_recording_that_fails_at_its_end_leaves_no_windows_behind(predictor):
    buffer = io.BytesIO()
    samples = np.random.default_rng(0).standard_normal(16000 * 30).astype(np.float32) * 0.1
    samples[-5] = np.nan
    soundfile.write(buffer, samples, 16000, format="WAV", subtype="FLOAT")
    good = sound(2.0)
    first, bad, last = predictor.predict_batch([good, buffer.getvalue(), good])
    assert bad.code == "invalid_samples"
    assert len(first.starts_s) == len(last.starts_s) == 2
    np.testing.assert_allclose(first.probabilities, last.probabilities, atol=1e-6)


def test_empty_batch(predictor):
    assert predictor.predict_batch([]) == []


def test_limits_and_hop(predictor):
    with pytest.raises(AudioDecodeError, match="too long"):
        predictor.predict(sound(3.0), max_seconds=2.5)
    assert predictor.predict(sound(3.0), hop_s=0.5).starts_s == (0, 0.5, 1, 1.5, 2)
    for hop in (0.0, -1.0, float("nan")):
        with pytest.raises(ConfigError, match="hop"):
            predictor.predict(sound(3.0), hop_s=hop)


def test_single_bundle(tmp_path):
    write_test_bundle(tmp_path / "net")
    single = Predictor.from_path(tmp_path / "net")
    assert (single.name, single.version) == ("test_net", "mini")
    assert single.thresholds == (0.5,) * 20
    assert single.predict(sound()).probabilities.shape == (20,)


def stereo_sound(*gains: float, seconds: float = 1.5) -> bytes:
    """A channel of its own tone for each gain."""
    time = np.arange(round(seconds * 16000)) / 16000
    tones = [gain * np.sin(2 * np.pi * 300 * (index + 1) * time) for index, gain in enumerate(gains)]
    buffer = io.BytesIO()
    soundfile.write(buffer, np.stack(tones, axis=1), 16000, format="WAV", subtype="FLOAT")
    return buffer.getvalue()


def test_a_stereo_model_hears_both_sides_and_mono_on_both(tmp_path):
    from tutti.audio.decode import decode, mono, resample
    from tutti.frontends.base import create_front_end

    write_test_bundle(tmp_path / "net", "test_stereo")
    stereo = Predictor.from_path(tmp_path / "net")
    stereo.warm_up()
    sides, swapped = stereo_sound(0.5, 0.1, seconds=1.0), stereo_sound(0.1, 0.5, seconds=1.0)
    assert not np.allclose(stereo.predict(sides).probabilities, stereo.predict(swapped).probabilities, atol=1e-3)

    front_end = create_front_end(SidesConfig())
    surround = stereo_sound(*np.linspace(0.1, 0.6, 6), seconds=1.0)
    for data in (sound(1.0), surround):
        one = resample(mono(decode(data, where="x").samples), 16000, 8000)
        features = front_end(torch.from_numpy(np.stack([one, one]))[None]).numpy()
        expected = stereo.predict_features({SidesConfig().key: features})[0]
        np.testing.assert_allclose(stereo.predict(data).probabilities, expected, atol=1e-5)
    both = resample(decode(sides, where="x").samples, 16000, 8000)
    expected = stereo.predict_features({SidesConfig().key: front_end(torch.from_numpy(both)[None]).numpy()})[0]
    np.testing.assert_allclose(stereo.predict(sides).probabilities, expected, atol=1e-5)


def test_stereo_and_mono_members_share_a_recording(tmp_path):
    write_test_bag(tmp_path, weights={"test_net": 0.5, "test_stereo": 0.5})
    bag = Predictor.from_path(tmp_path)
    answers = bag.predict_batch([stereo_sound(0.5, 0.1, seconds=3.2), sound(1.0), stereo_sound(0.1, 0.1, 0.3)])
    assert [len(answer.starts_s) for answer in answers] == [4, 1, 2]
    parts = [
        Predictor.from_path(tmp_path / "members" / name).predict(sound(1.0)) for name in ("test_net", "test_stereo")
    ]
    expected = (parts[0].probabilities + parts[1].probabilities) / 2
    np.testing.assert_allclose(answers[1].probabilities, expected, atol=1e-6)


def test_labels_that_exclude_each_other_share_a_probability_of_one(tmp_path):
    write_test_bundle(tmp_path / "net", "test_exclusive")
    exclusive = Predictor.from_path(tmp_path / "net")
    assert (exclusive.task, exclusive.labels) == (get_task("irmas-4"), get_task("irmas-4").labels)
    answer = exclusive.predict(sound(2.5))
    assert answer.probabilities.shape == (4,)
    np.testing.assert_allclose(answer.window_probabilities.sum(axis=1), 1, atol=1e-6)
    write_test_bundle(tmp_path / "pairs", "test_pairs")
    pairs = Predictor.from_path(tmp_path / "pairs")
    rows = np.random.default_rng(0).standard_normal((5, BANDS)).astype(np.float32)
    logits = torch.logit(torch.from_numpy(pairs.predict_features({BandsConfig().key: rows}))).numpy()
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(exclusive.predict_features({BandsConfig().key: rows}), expected, atol=1e-5)


def test_frames_have_answers_of_their_own_and_recordings_those_of_windows(tmp_path):
    write_test_bundle(tmp_path / "net", "test_frames")
    framed = Predictor.from_path(tmp_path / "net")
    framed.warm_up()
    key = FramedConfig().key
    rows = np.random.default_rng(0).standard_normal((11, FRAMES, BANDS)).astype(np.float32)
    answers = framed.predict_features({key: rows})
    assert answers.shape == (11, FRAMES, 12)
    np.testing.assert_allclose(framed.predict_features({key: rows[:3]}), answers[:3], atol=1e-6)
    assert framed.predict_features({key: rows[:0]}).shape == (0, 0, 12)

    answer = framed.predict(sound(2.5))
    assert answer.window_probabilities.shape == (3, 12)
    assert {item["name"] for item in answer.to_dict()["instruments"]} == set(get_task("musicnet-frames").labels)
    short = framed.predict(sound(0.5))
    whole = framed.predict(sound(1.0)).probabilities
    # The tone is the same throughout, so half a window of it is judged as a whole one, silence behind it or not.
    np.testing.assert_allclose(short.probabilities, whole, atol=0.05)


def test_a_member_of_another_task(tmp_path):
    write_test_bag(tmp_path, weights={"test_exclusive": 1.0})
    text = (tmp_path / BAG).read_text()
    (tmp_path / BAG).write_text(text.replace("task: irmas-4", "task: irmas-pairs"))
    with pytest.raises(ArtifactMismatch, match="has another task") as caught:
        Predictor.from_path(tmp_path)
    assert (caught.value.got, caught.value.expected) == ("irmas-4", "irmas-pairs")


def test_exchanged_member(tmp_path):
    write_test_bag(tmp_path)
    write_test_bundle(tmp_path / "members" / "test_net", seed=9)
    with pytest.raises(ArtifactMismatch, match="not the one that was selected"):
        Predictor.from_path(tmp_path)


def test_member_with_another_window(tmp_path):
    write_test_bag(tmp_path)
    text = (tmp_path / BAG).read_text()
    (tmp_path / BAG).write_text(text.replace("length_s: 1.0", "length_s: 2.0"))
    with pytest.raises(ArtifactMismatch, match="other windows"):
        Predictor.from_path(tmp_path)


def test_out_of_accelerator_memory_is_retried_in_halves(predictor, monkeypatch):
    rows = np.random.default_rng(0).standard_normal((7, BANDS)).astype(np.float32)
    expected = predictor.predict_features({BandsConfig().key: rows})
    mean = Predictor._mean

    def small(self, features):
        if len(next(iter(features.values()))) > 2:
            raise torch.OutOfMemoryError
        return mean(self, features)

    monkeypatch.setattr(Predictor, "_mean", small)
    np.testing.assert_allclose(predictor.predict_features({BandsConfig().key: rows}), expected, atol=1e-6)

    def never(self, features):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(Predictor, "_mean", never)
    with pytest.raises(torch.OutOfMemoryError):
        predictor.predict_features({BandsConfig().key: rows})


_MEMORY = """
import resource, sys
from pathlib import Path
import tests.tiny
from tutti.predictor import Predictor
from tutti.tasks import get_task
predictor = Predictor.from_path(Path(sys.argv[1]))
predictor.predict(Path(sys.argv[2]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
answer = predictor.predict(Path(sys.argv[3]))
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(len(answer.starts_s), (after - before) // 1024)
"""


@pytest.mark.slow
def test_an_hour_takes_no_more_memory_than_a_minute(bag, tmp_path):
    rate = 44100
    minute = (0.1 * np.random.default_rng(0).standard_normal((60 * rate, 2))).astype(np.float32)
    for name, minutes in (("minute", 1), ("hour", 60)):
        with soundfile.SoundFile(tmp_path / f"{name}.flac", "w", rate, 2, "PCM_16") as file:
            for _ in range(minutes):
                file.write(minute)
    command = [sys.executable, "-c", _MEMORY, str(bag), str(tmp_path / "minute.flac"), str(tmp_path / "hour.flac")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=".").stdout
    windows, grown = map(int, printed.split())
    assert windows == 3600
    assert grown < 40  # MiB; decoded, the hour is 1200 MiB


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_gpu_agrees_with_cpu(bag, predictor):
    data = sound(5.0)
    there = Predictor.from_path(bag, device="cuda").predict(data)
    np.testing.assert_allclose(there.window_probabilities, predictor.predict(data).window_probabilities, atol=1e-4)
