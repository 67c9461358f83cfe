from pathlib import Path

import pytest

from tests.training.studio import Studio, make_studio
from tutti.config import Config


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return make_studio(tmp_path_factory.mktemp("studio"))


@pytest.fixture(scope="session")
def features(studio: Studio, config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features of all models of the tiny parameters; to be read only."""
    return studio.features(tmp_path_factory.mktemp("features") / "features", config)
