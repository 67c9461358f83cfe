from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

from tests.corpus import openmic_members
from tutti.config import DataParams
from tutti.datasets import LAYOUTS, build_manifest


class Built(NamedTuple):
    manifest: pd.DataFrame
    probes: pd.DataFrame
    info: dict[str, Any]


@pytest.fixture(scope="session")
def build() -> Callable[..., Built]:
    """Builds the manifest of the datasets named by keyword, leaving all others out."""

    def call(root: Path, *, seed: int = 42, valid_fraction: float = 0.34, **where: str) -> Built:
        params = DataParams(**{name: where.get(name) for name in LAYOUTS}, valid_fraction=valid_fraction)
        return Built(*build_manifest(root, params, seed))

    return call


@pytest.fixture(scope="session")
def built(corpus: Path, build: Callable[..., Built]) -> Built:
    """The manifest of the whole corpus."""
    return build(corpus, openmic="openmic", irmas="irmas", nsynth="nsynth", musicnet="musicnet")


@pytest.fixture(scope="session")
def _short_openmic() -> dict[str, bytes]:
    return openmic_members(clips=12, seconds=0.2)


@pytest.fixture
def openmic_files(_short_openmic: dict[str, bytes]) -> dict[str, bytes]:
    """Twelve short OpenMIC clips as a mapping that the test may change."""
    return dict(_short_openmic)
