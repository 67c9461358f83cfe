"""Training on one's own recordings."""

from pathlib import Path

import pytest
import yaml

from pipelines.train_on import main, make_params
from tests.corpus import make_notes
from tutti.config import parse_config
from tutti.errors import ConfigError


def test_the_parameters_are_the_repository_s_with_what_differs(tmp_path: Path) -> None:
    for name in ("violin", "flute", "drums"):
        (tmp_path / "mine" / name).mkdir(parents=True)
    params = make_params(tmp_path / "mine", models=["rf", "cbam_cnn"], epochs=3, mixtures=7)
    config = parse_config(yaml.safe_dump(params, sort_keys=False))
    assert (config.data.notes, config.data.openmic, config.data.irmas) == ("mine", None, None)
    assert (config.mix.generator, config.mix.max_polyphony, config.mix.per_polyphony) == ("musical", 3, 7)
    assert list(config.models) == ["rf", "cbam_cnn"]
    network = config.models["cbam_cnn"]
    assert network.pretrain is None  # its data, IRMAS, are not there
    assert network.train is not None
    assert network.train.epochs == 3
    assert config.gate.min_map == 0.0


def test_unknown_models_are_named(tmp_path: Path) -> None:
    (tmp_path / "violin").mkdir()
    with pytest.raises(ConfigError, match="rnn"):
        make_params(tmp_path, models=["rf", "rnn"], epochs=None, mixtures=7)


@pytest.mark.parametrize("content", [None, "file"])
def test_a_folder_without_folders_is_refused(
    tmp_path: Path, content: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mine"
    if content:
        folder.mkdir()
        (folder / "violin.wav").write_bytes(b"")
    assert main([str(folder), "--out", str(tmp_path / "out")]) == 3
    assert str(folder) in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_full_folder_is_not_written_into(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine" / "violin").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("precious")
    assert main([str(tmp_path / "mine"), "--out", str(tmp_path / "out")]) == 2
    assert "--force" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


@pytest.mark.slow
def test_recordings_become_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tutti.predictor import Predictor

    make_notes(tmp_path / "mine")
    assert main([str(tmp_path / "mine"), "--out", str(tmp_path / "out"), "--models", "rf", "--mixtures", "2"]) == 0
    printed = capsys.readouterr().out
    assert "of one source only: accordion, bass, " in printed
    assert "banjo               2 train, 1 valid, 2 test; 2 sources" in printed
    assert "synthetic test data (mixtures):" in printed
    assert f"--registry {tmp_path / 'out/registry'}" in printed
    (model,) = (tmp_path / "out/registry").glob("*/ensemble")
    clip = next((tmp_path / "mine/violin").iterdir())
    assert len(Predictor.from_path(model).predict(clip).to_dict()["instruments"]) == 20
