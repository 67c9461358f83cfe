"""Weights that a network starts from: those of a pretraining, or a public checkpoint on disk."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tutti.errors import ArtifactMismatch, ConfigError
from tutti.files import sha256_file
from tutti.models.network import Network
from tutti.models.registry import Preset

WEIGHTS = "weights.safetensors"
DESCRIPTION = "pretrained.json"


@dataclass(frozen=True)
class Start:
    """Where a network's training starts.

    Attributes:
        description: ``random``, the pretraining, or the file's name, as the bundle's contract has it.
        sha256: Digest of the weights by name, for the provenance; empty when they are random.
    """

    description: str
    sha256: dict[str, str]


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file or of a torch checkpoint, without executing anything in it.

    Raises:
        ConfigError: There is no such file.
        ArtifactMismatch: It holds something other than a mapping of tensors.
    """
    if not path.is_file():
        raise ConfigError(
            "the weights that params.yaml names do not exist",
            got=path,
            hint="set models.<name>.weights to a local file",
        )
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # both libraries raise many types for a file that is not theirs
        raise ArtifactMismatch(
            f"{path} is no readable weights file", got=str(error).split("\n")[0], expected="safetensors or a state dict"
        ) from error
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ArtifactMismatch(f"{path} is no state dict", got=type(state).__name__, expected="names to tensors")
    return dict(state)


def start_network(
    network: Network, name: str, preset_name: str, preset: Preset, *, pretrained: Path | None, weights: str | None
) -> Start:
    """Gives a new network the best weights there are: its pretraining's, else the public ones, else it keeps its own.

    A pretraining that was given public weights began with them, so they are not lost.

    Args:
        network: The network, changed in place.
        name: Its registered name.
        preset_name: Its preset.
        preset: The preset's facts.
        pretrained: Folder that the pretrain step wrote, None for none.
        weights: Local file of public weights, None for none.

    Raises:
        ArtifactMismatch: The weights are another network's, or were made with another front end, or are altered.
        ConfigError: The file of public weights does not exist.
    """
    if pretrained is not None:
        description = read_pretraining(pretrained)
        expected = {"model": name, "preset": preset_name, "front_end_digest": preset.front_end.digest()}
        found = {key: description.get(key) for key in expected}
        if found != expected:
            raise ArtifactMismatch(
                f"the pretraining at {pretrained} is of another model or front end",
                got=found,
                expected=expected,
                hint="run the pretrain step again",
            )
        path = pretrained / WEIGHTS
        network.load_transferable(read_tensors(path), where=str(path))
        return Start(str(description["summary"]), {"pretrained": str(description["sha256"])})
    if weights is not None:
        path = Path(weights)
        network.load_transferable(read_tensors(path), where=str(path))
        return Start(path.name, {"weights": sha256_file(path)})
    return Start("random", {})


def read_pretraining(folder: Path) -> dict[str, Any]:
    """What the pretrain step says of its weights.

    Raises:
        ArtifactMismatch: The folder is no pretraining, or its weights are not those it describes.
    """
    try:
        description: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        sha256 = sha256_file(folder / WEIGHTS)
    except (OSError, ValueError) as error:
        raise ArtifactMismatch(f"{folder} is no pretraining", got=error, hint="run the pretrain step") from error
    if description.get("sha256") != sha256:
        raise ArtifactMismatch(
            f"{folder / WEIGHTS} is not the file that {DESCRIPTION} describes",
            got=sha256,
            expected=description.get("sha256"),
            hint="run the pretrain step again",
        )
    return description
