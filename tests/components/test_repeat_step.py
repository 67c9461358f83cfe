from pathlib import Path

import pandas as pd
import pytest

from components._command import main
from tests.corpus import tiny_params
from tests.training.studio import make_studio
from tutti.config import load_config
from tutti.evaluation.summary import read_document


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features, a trained forest and its evaluation."""
    folder = tmp_path_factory.mktemp("repeat-step")
    (folder / "params.yaml").write_text(tiny_params("rf", repeat={"seeds": [3, 4]}))
    make_studio(folder, per_class=5).features(folder / "features", load_config(folder / "params.yaml"))
    assert main("train", arguments(folder, bundle=folder / "rf")) == 0
    outputs = {"evaluation": folder / "evaluation", "metrics": folder / "metrics.json"}
    assert main("evaluate", arguments(folder, bundle=folder / "rf", **outputs)) == 0
    return folder


def arguments(folder: Path, model: str = "rf", **more: Path) -> list[str]:
    given = {"features": folder / "features", "model": model, "params": folder / "params.yaml", **more}
    return [f"--{name}={value}" for name, value in given.items()]


def test_every_seed_and_split_has_a_row(workplace: Path, tmp_path: Path) -> None:
    target = tmp_path / "repeats"
    assert main("repeat", arguments(workplace, bundle=workplace / "rf", repeats=target)) == 0
    assert [path.name for path in target.iterdir()] == ["scores.csv"]
    scores = pd.read_csv(target / "scores.csv")
    seeds = [42, 3, 4]
    assert list(zip(scores["seed"], scores["split"], strict=True)) == [(s, p) for s in seeds for p in ("valid", "test")]
    # The run's own seed comes first: the model that the run evaluated.
    document = read_document(workplace / "evaluation" / "evaluation.json")
    own = scores[scores["seed"] == 42].set_index("split")
    for split in ("valid", "test"):
        for name in ("map", "f1_macro", "f1_macro_two_class", "hamming"):
            assert own.loc[split, name] == pytest.approx(document[split][name], abs=1e-6), (split, name)
    assert scores[scores["split"] == "test"]["f1_macro_two_class"].nunique() > 1
    again = tmp_path / "again"
    assert main("repeat", arguments(workplace, bundle=workplace / "rf", repeats=again)) == 0
    assert (again / "scores.csv").read_bytes() == (target / "scores.csv").read_bytes()


def test_a_model_that_params_do_not_list_is_refused(
    workplace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = arguments(workplace, "passt", bundle=workplace / "rf", repeats=tmp_path / "repeats")
    assert main("repeat", given) == 2
    assert "does not list the model 'passt'" in capsys.readouterr().err
    assert not (tmp_path / "repeats").exists()
