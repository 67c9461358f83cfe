"""The package: everything that a server needs to serve the ensemble, and everything to check that it does."""

import json
import logging
import math
from pathlib import Path
from string import Template
from typing import Any

import yaml

from tutti.bag import BAG, bag_digest, read_bag
from tutti.bundle import CONTRACT, read_contract
from tutti.config import Config
from tutti.datasets.manifest import load_manifest
from tutti.errors import DataError
from tutti.evaluation.predictions import load_predictions
from tutti.evaluation.selection import PREDICTIONS
from tutti.evaluation.summary import summarise
from tutti.files import atomic_folder, sha256_file, write_text
from tutti.predictor import Predictor
from tutti.serving.archive import MODEL_CONFIG, SERVER_CONFIG, write_archive
from tutti.serving.card import package_card
from tutti.serving.golden import choose_clips, write_golden

log = logging.getLogger(__name__)

#: Where the ensemble lies inside the archive; the handler looks there.
ENSEMBLE = "ensemble"
_LARGEST_REQUEST = 2**31 - 1


def request_size(max_seconds: float) -> int:
    """Bytes of the largest request: ``max_seconds`` of 16-bit stereo at 44.1 kHz in base64, and a megabyte beside."""
    return min(_LARGEST_REQUEST, math.ceil(max_seconds * 44_100 * 2 * 2 * 4 / 3) + 2**20)


def write_package(
    target: Path, *, ensemble: Path, manifest: Path, data: Path, handler: Path, profile: Path, params: Config
) -> dict[str, Any]:
    """Writes the package, atomically; equal inputs give equal bytes.

    Args:
        target: Becomes the package: ``<name>.mar``, ``golden/``, the two configurations and ``card.md``.
        ensemble: What select wrote.
        manifest: What validate wrote.
        data: The data root.
        handler: The handler's module.
        profile: Template of the server's configuration.
        params: The run's parameters.

    Returns:
        ``model`` (its digest), ``archive`` (SHA-256 of the archive) and ``golden`` (number of clips).

    Raises:
        ArtifactMismatch: The ensemble is not what was selected.
        DataError: There are no test clips.
    """
    bag = read_bag(ensemble)
    predictor = Predictor.from_path(ensemble)
    datasets = _datasets(manifest)
    limits = params.package
    test = load_predictions(ensemble / PREDICTIONS).of("test")
    with atomic_folder(target) as folder:
        golden = write_golden(
            folder / "golden",
            clips=choose_clips(load_manifest(manifest / "manifest.parquet"), limits.golden, set(test.dataset)),
            data=data,
            synthetic={name: bool(facts["synthetic"]) for name, facts in datasets.items()},
            predictor=predictor,
        )
        write_text(folder / MODEL_CONFIG, yaml.safe_dump(_model_config(params), sort_keys=False))
        profile_text = Template(profile.read_text(encoding="utf-8"))
        sizes = {"name": limits.name, "max_request_size": request_size(limits.max_seconds)}
        write_text(folder / SERVER_CONFIG, profile_text.substitute(sizes))
        _, metrics = summarise(test, predictor.thresholds, predictor.task, params.evaluate, params.seed)
        card = package_card(
            bag,
            bag_digest(ensemble),
            {member.name: read_contract(ensemble / member.path) for member in bag.members},
            metrics,
            confidence=params.evaluate.confidence,
            datasets=datasets,
            max_seconds=limits.max_seconds,
        )
        write_text(folder / "card.md", card)
        archive = folder / f"{limits.name}.mar"
        members = [ensemble / BAG]
        for member in bag.members:
            bundle = ensemble / member.path
            members += [bundle / CONTRACT, *(bundle / name for name in read_contract(bundle).files)]
        write_archive(
            archive,
            name=limits.name,
            version=limits.version,
            handler=handler,
            config=folder / MODEL_CONFIG,
            extra={f"{ENSEMBLE}/{path.relative_to(ensemble).as_posix()}": path for path in members},
        )
        digest = sha256_file(archive)
    log.info("package: %s with %d golden clip(s)", archive.name, len(golden["clips"]))
    return {"model": predictor.digest, "archive": digest, "golden": len(golden["clips"])}


def _model_config(params: Config) -> dict[str, Any]:
    return {
        "minWorkers": 1,
        "maxWorkers": 1,
        "batchSize": 4,
        "maxBatchDelay": 20,  # ms; a lone request waits that long for company
        # A batch of the longest recordings must come through on a slow machine.
        "responseTimeout": max(120, math.ceil(params.package.max_seconds)),
        "startupTimeout": 300,
        "handler": {"maxSeconds": params.package.max_seconds},
    }


def _datasets(manifest: Path) -> dict[str, dict[str, Any]]:
    path = manifest / "datasets.json"
    try:
        facts: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {path}", got=error, hint="run the validate step again") from error
    return facts
