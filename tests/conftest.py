from pathlib import Path

import pytest

from tests.corpus import make_corpus, tiny_params
from tutti.config import Config, parse_config


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data root with the four datasets in their official layouts; to be read only."""
    return make_corpus(tmp_path_factory.mktemp("corpus") / "data")


@pytest.fixture(scope="session")
def config() -> Config:
    """The repository's parameters, made small enough for the corpus."""
    return parse_config(tiny_params(), where="tiny params")
