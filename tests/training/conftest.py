from pathlib import Path

import pytest

from tests.corpus import tiny_params
from tests.training.studio import Studio, make_studio
from tutti.config import Config, parse_config

#: Forests and networks, from random weights and pretrained, with and without a frozen part, on three tasks.
MODELS = (
    "rf",
    "cbam_cnn",
    "passt",
    "ast_bs",
    "attention_mic",
    "attention_negatives",
    "attention_enhanced",
    "mean_teacher",
    "tl_classifier",
)


@pytest.fixture(scope="session")
def config() -> Config:
    """The repository's parameters, made small enough for the studio, with a model of every kind."""
    return parse_config(tiny_params(*MODELS), where="tiny params")


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return make_studio(tmp_path_factory.mktemp("studio"))


@pytest.fixture(scope="session")
def features(studio: Studio, config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features of all models of the tiny parameters; to be read only."""
    return studio.features(tmp_path_factory.mktemp("features") / "features", config)
