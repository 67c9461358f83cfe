"""The registry: a folder with every published model under its digest, and a pointer to the one that is served."""

import json
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutti.bag import bag_digest, read_bag
from tutti.errors import ArtifactMismatch, ConfigError, DataError, GateFailed
from tutti.evaluation.champion import POINTER
from tutti.files import atomic_folder, sha256_tree, write_json

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Champion:
    """What is served now.

    Attributes:
        digest: SHA-256 of its bag.
        ensemble: Its folder.
        package: Its package.
    """

    digest: str
    ensemble: Path
    package: Path


def find_champion(registry: Path) -> Champion | None:
    """The champion, None when the registry has none.

    Raises:
        ArtifactMismatch: The pointer is damaged, or points to nothing.
    """
    path = Path(registry) / POINTER
    if not path.is_file():
        return None
    try:
        pointer = json.loads(path.read_text(encoding="utf-8"))
        digest, folders = str(pointer["digest"]), [Path(registry) / pointer[name] for name in ("path", "package")]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactMismatch(f"{path} is damaged", got=error, hint="run the publish step again") from error
    for folder in folders:
        if not folder.is_dir() or not folder.resolve().is_relative_to(Path(registry).resolve()):
            raise ArtifactMismatch(f"{path} points to what is not there", got=folder, hint="run the publish step again")
    return Champion(digest, *folders)


def publish(*, package: Path, ensemble: Path, decision: Path, smoke: Path, registry: str) -> dict[str, Any]:
    """Copies a model that passed both gates under its digest, and then makes it the champion.

    Models published before stay; only a new package of the same model replaces its old one. The pointer moves last and
    atomically, so a reader sees the old champion or the new one, whole; after an interruption the old one stays, and
    publishing again completes.

    Args:
        package: The package.
        ensemble: The ensemble in it.
        decision: The quality gate's decision.
        smoke: The infrastructure gate's result.
        registry: A local folder.

    Returns:
        ``digest``, ``path``, ``package`` (paths below the registry), ``package_sha256``, ``name``, ``version``.

    Raises:
        ConfigError: The registry is no local folder.
        GateFailed: A gate did not pass, or looked at something else than what is to be published.
    """
    if "://" in registry:
        raise ConfigError("the registry must be a local folder", got=registry)
    root, bag = Path(registry), read_bag(ensemble)
    digest, package_digest = bag_digest(ensemble), sha256_tree(package)
    served = _document(smoke)
    require_decision(decision, digest)
    _require("the smoke test", served, "model", digest)
    _require("the smoke test", served, "package", package_digest)
    target = root / digest
    if not target.is_dir() or sha256_tree(target / "package") != package_digest:
        with atomic_folder(target) as folder:
            for name, source in (("ensemble", ensemble), ("package", package)):
                # Contents only: a cache may have made the originals read-only.
                shutil.copytree(source, folder / name, copy_function=shutil.copyfile)
    record = {
        "digest": digest,
        "path": f"{digest}/ensemble",
        "package": f"{digest}/package",
        "package_sha256": package_digest,
        "name": bag.name,
        "version": bag.version,
    }
    if bag_digest(target / "ensemble") != digest or sha256_tree(target / "package") != package_digest:
        raise ArtifactMismatch(f"{target} was not copied whole", hint="is the disk full? publish again")
    write_json(root / POINTER, record)
    log.info("published %s %s, digest %s", bag.name, bag.version, digest)
    return record


def require_decision(decision: Path, digest: str) -> None:
    """Lets an ensemble through that the quality gate let through.

    Raises:
        GateFailed: The gate did not pass, or judged another ensemble.
        DataError: There is no decision.
    """
    _require("the quality gate", _document(decision), "candidate", digest)


def _require(gate: str, document: dict[str, Any], key: str, digest: str) -> None:
    if not document.get("passed"):
        raise GateFailed(
            f"{gate} did not pass, so nothing is published",
            got="; ".join(document.get("reasons", [])) or "no reason given",
            hint="the champion stays",
        )
    if document.get(key) != digest:
        raise GateFailed(
            f"{gate} looked at something else than what is to be published",
            got=f"{key} {document.get(key)}",
            expected=digest,
            hint="run the gate, package and smoke steps again",
        )


def _document(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {path}", got=error, hint="run the step that writes it") from error
    return document
