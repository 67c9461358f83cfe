"""TorchServe's model archive, written so that equal content gives equal bytes."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

from tutti.files import atomic_path

#: The configurations that lie beside the archive: the server's, and the model's (which is also inside).
SERVER_CONFIG = "config.properties"
MODEL_CONFIG = "model-config.yaml"
#: What torch-model-archiver writes as its own version; TorchServe shows it and nothing else.
_ARCHIVER_VERSION = "0.12.0"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_archive(
    target: Path, *, name: str, version: str, handler: Path, config: Path, extra: Mapping[str, Path]
) -> None:
    """Writes a model archive (.mar), atomically.

    It has the layout and manifest of torch-model-archiver's, without the time of day, which that puts into both.
    Weights hardly compress, so the members are stored as they are: the bytes do not depend on a zlib version either.

    Args:
        target: The archive.
        name: Name of the model under TorchServe.
        version: Its version.
        handler: The handler's module.
        config: The model's YAML configuration.
        extra: Further files by their path in the archive.
    """
    manifest = {
        "createdOn": "01/01/1980 00:00:00",
        "runtime": "python",
        "model": {
            "modelName": name,
            "handler": handler.name,
            "modelVersion": version,
            "configFile": config.name,
        },
        "archiverVersion": _ARCHIVER_VERSION,
    }
    members = {handler.name: handler, config.name: config, **extra}
    with atomic_path(target) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, "MAR-INF/MANIFEST.json", json.dumps(manifest, indent=2).encode())
        for path in sorted(members):
            _add(archive, path, members[path].read_bytes())


def _add(archive: zipfile.ZipFile, path: str, data: bytes) -> None:
    member = zipfile.ZipInfo(path, _EPOCH)
    member.external_attr = 0o644 << 16
    member.create_system = 3
    archive.writestr(member, data)
