from pathlib import Path

import pytest

from components._command import main
from tests.corpus import tiny_params
from tests.training.studio import make_studio
from tutti.bundle import read_bundle
from tutti.config import load_config


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train-step")
    (folder / "params.yaml").write_text(tiny_params("cbam_cnn", "rf"))
    make_studio(folder, per_class=5).features(folder / "features", load_config(folder / "params.yaml"))
    return folder


def arguments(folder: Path, model: str, target: Path) -> list[str]:
    return [
        f"--features={folder / 'features'}",
        f"--model={model}",
        f"--bundle={target}",
        f"--params={folder / 'params.yaml'}",
    ]


def test_a_forest_becomes_a_bundle(workplace: Path, tmp_path: Path) -> None:
    assert main("train", arguments(workplace, "rf", tmp_path / "rf")) == 0
    assert read_bundle(tmp_path / "rf").contract.family == "forest"


def test_a_network_starts_from_its_pretraining(workplace: Path, tmp_path: Path) -> None:
    pretrained = [*arguments(workplace, "cbam_cnn", tmp_path)[:2], f"--pretrained={tmp_path / 'pretrained'}"]
    assert main("pretrain", [*pretrained, f"--params={workplace / 'params.yaml'}"]) == 0
    more = [f"--pretrained={tmp_path / 'pretrained'}", f"--state={tmp_path / 'state.pt'}"]
    assert main("train", [*arguments(workplace, "cbam_cnn", tmp_path / "bundle"), *more]) == 0
    assert read_bundle(tmp_path / "bundle").contract.started_from.startswith("irmas-9 pretraining")
    assert (tmp_path / "bundle/history.csv").read_text().count("\n") == 2
    assert not (tmp_path / "state.pt").exists()


def test_a_model_that_params_do_not_list_is_refused(
    workplace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main("train", arguments(workplace, "passt", tmp_path / "bundle")) == 2
    assert "does not list the model 'passt'" in capsys.readouterr().err


def test_missing_features_are_named(workplace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main("train", ["--features", str(tmp_path / "none"), *arguments(workplace, "rf", tmp_path / "b")[1:]]) == 3
    assert "--features does not exist" in capsys.readouterr().err
