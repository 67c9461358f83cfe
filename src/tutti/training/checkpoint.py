"""The state of a training run on disk, so that a killed run goes on where it was."""

import logging
from pathlib import Path
from typing import Any

import torch

from tutti.errors import DataError
from tutti.files import atomic_path

log = logging.getLogger(__name__)


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Writes a training state, atomically.

    Args:
        path: The file.
        state: Tensors, numbers, text, and lists and mappings of these; nothing else can be read back.
    """
    with atomic_path(path) as temporary:
        torch.save(state, temporary)


def load_state(path: Path, fingerprint: str) -> dict[str, Any] | None:
    """Reads a training state; nothing in the file is executed.

    Args:
        path: The file.
        fingerprint: What the run is about; a state saved under another one belongs to another run.

    Returns:
        The state, None when there is none for this run.

    Raises:
        DataError: The file is not a training state.
    """
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        saved = state["fingerprint"]
    except Exception as error:  # torch raises a different type for every way in which a file can be wrong
        raise DataError(
            f"{path} is no training state", got=str(error).split("\n")[0], hint="delete it to train from the start"
        ) from error
    if saved != fingerprint:
        log.info("train: the state at %s belongs to other parameters or data; starting anew", path)
        return None
    return state
