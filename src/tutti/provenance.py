"""What an artifact was made from and with: parameters, data, code revision and library versions."""

import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import tutti

_LIBRARIES = ("numpy", "torch", "torchaudio", "scikit-learn", "soundfile", "soxr", "safetensors")


#: What decides the numbers; a commit that touches none of it leaves the code revision as it was.
_CODE = ("src", "components", "handlers", "pipelines")


@cache
def git_revision() -> str:
    """The last commit that changed the code, with ``-dirty`` when the checkout differs from it.

    It is not simply HEAD: committing a lock file or a README must not make artifacts differ.

    Returns:
        40 hexadecimal digits, perhaps followed by ``-dirty``; ``unknown`` outside a git checkout.
    """
    root = Path(__file__).resolve().parents[2]

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments, "--", *_CODE], cwd=root, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        revision = git("log", "-1", "--format=%H")
        dirty = git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    if not revision:
        return "unknown"
    return f"{revision}-dirty" if dirty else revision


@cache
def library_versions() -> dict[str, str]:
    """Versions of Python, Tutti and the libraries that numbers depend on."""
    versions = {"python": platform.python_version(), "tutti": tutti.__version__}
    for name in _LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def record(*, params: Any, data: dict[str, str], seed: int) -> dict[str, Any]:
    """The provenance block that artifacts carry.

    Args:
        params: JSON-able parameters the artifact was made with.
        data: Name of each input to its SHA-256.
        seed: The seed.
    """
    return {
        "seed": seed,
        "params": params,
        "data": data,
        "git_revision": git_revision(),
        "versions": library_versions(),
    }
