"""Cross-validation of models of frames, through the real steps on a few made-up recordings."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from pipelines.cross_validate import main
from tutti.files import sha256_tree
from tutti.models.frame_network import WINDOW_FRAMES

TRAIN = {"epochs": 1, "batch": 4, "learning_rate": 0.01, "select_by": "micro_f1", "augment": False}
PARAMS = {
    "seed": 1,
    "models": {
        "first": {"model": "mfcc_cnn", "train": TRAIN},
        "second": {"model": "mfcc_cnn", "train": TRAIN},
    },
    "select": {"models": ["first", "second"], "step": 0.5, "objective": "f1_macro", "thresholds": [0.5]},
    "evaluate": {"bootstrap": 10},
}


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six recordings of two groups that differ in one coefficient."""
    folder = tmp_path_factory.mktemp("frames")
    generator = np.random.default_rng(0)
    for number in range(6):
        labels = np.zeros((WINDOW_FRAMES + 100 * number, 12), bool)
        labels[:, 1 + 2 * (number % 2)] = True
        mfcc = generator.normal(0, 20, (len(labels), 13)) + 40 * labels[:, :1] + np.where(labels[:, 1:2], 80, -80)
        np.savez(folder / f"{1700 + number}.npz", mfcc=mfcc.astype(np.float16), labels=labels)
    return folder


@pytest.fixture
def params(tmp_path: Path) -> Path:
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(PARAMS), encoding="utf-8")
    return path


@pytest.mark.slow
def test_every_recording_is_answered_once_and_a_second_run_trains_nothing(
    frames: Path, params: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "folds"
    command = [str(frames), "--out", str(out), "--params", str(params), "--folds", "2", "--valid", "0.3"]
    assert main([*command, "--workers", "2"]) == 0
    printed = capsys.readouterr().out
    assert "6 recordings" in printed
    assert "each answered by models that never saw it" in printed
    result = json.loads((out / "result.json").read_text())
    total = sum(np.load(file)["labels"].shape[0] for file in frames.glob("*.npz"))
    assert list(result["models"]) == ["first", "second", "ensemble"]
    for numbers in result["models"].values():
        assert (numbers["clips"], numbers["frames"]) == (6, total)
        assert [fold["clips"] for fold in numbers["folds"]] == [3, 3]
        assert sum(fold["frames"] for fold in numbers["folds"]) == total
        errors = sum(fold["hamming"] * fold["frames"] for fold in numbers["folds"])
        assert numbers["hamming"] == pytest.approx(errors / total, abs=2e-6)
        assert numbers["micro_f1_low"] <= numbers["micro_f1"] <= numbers["micro_f1_high"]
    first, second = (sha256_tree(out / "fold-1" / "models" / name) for name in ("first", "second"))
    assert first != second  # other names, other random numbers
    before = [sha256_tree(out / f"fold-{fold}" / "models") for fold in (1, 2)]
    logs = [(out / f"fold-{fold}" / "log.txt").read_text() for fold in (1, 2)]
    params.write_text(yaml.safe_dump({**PARAMS, "gate": {"min_map": 0.1}}), encoding="utf-8")  # no fold depends on it
    assert main(command) == 0
    assert [sha256_tree(out / f"fold-{fold}" / "models") for fold in (1, 2)] == before
    assert [(out / f"fold-{fold}" / "log.txt").read_text() for fold in (1, 2)] == logs
    assert main([*command[:-1], "0.4"]) == 2
    assert "other recordings, parameters or folds" in capsys.readouterr().err


def test_what_cannot_be_run_is_refused(
    frames: Path, params: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").touch()
    assert main([str(frames), "--out", str(tmp_path / "mine"), "--params", str(params)]) == 2
    assert "holds something else" in capsys.readouterr().err
    assert main([str(tmp_path / "mine"), "--out", str(tmp_path / "other"), "--params", str(params)]) == 3
    assert "there are no recordings" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_candidates_of_other_tasks_and_no_workers_are_refused(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.yaml"
    forest = {"models": {"rf": {"forest": {"trees": 5}}}, "select": {"models": ["rf"]}}
    other.write_text(yaml.safe_dump({**PARAMS, **forest}), encoding="utf-8")
    assert main([str(frames), "--out", str(tmp_path / "out"), "--params", str(other)]) == 2
    assert "rf, a candidate under select.models, is no model of frames" in capsys.readouterr().err
    good = tmp_path / "good.yaml"
    good.write_text(yaml.safe_dump(PARAMS), encoding="utf-8")
    assert main([str(frames), "--out", str(tmp_path / "out"), "--params", str(good), "--workers", "0"]) == 2
    assert "--workers is too small" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_step_that_fails_is_explained(
    frames: Path, params: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "folds"
    assert main([str(frames), "--out", str(out), "--params", str(params), "--folds", "7"]) == 3
    printed = capsys.readouterr().err
    assert "fold-1 failed" in printed
    assert str(out / "fold-1" / "log.txt") in printed
