"""A trained model on disk: weights, contract and card in one folder, and nothing in it can run code.

``contract.json`` says everything that is needed to use the weights rightly, and the SHA-256 of every other file. The
digest of a bundle is that of its contract, so it covers all of them. Writing the same model twice gives the same bytes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from torch import nn

from tutti.audio.windows import WindowPolicy
from tutti.errors import ArtifactMismatch, ConfigError
from tutti.files import atomic_folder, sha256_file, write_json, write_text
from tutti.frontends.base import FrontEndConfig, parse_front_end
from tutti.models.registry import ModelEntry, get_model
from tutti.tasks import check_labels, get_task
from tutti.trees import Trees

CONTRACT = "contract.json"
CARD = "card.md"
WEIGHTS = {"network": "weights.safetensors", "forest": "forest.safetensors"}
DEFAULT_THRESHOLD = 0.5


class Contract(BaseModel):
    """What a bundle's weights are and how they are to be used.

    Attributes:
        format: Version of this layout.
        model: Registered name of the model.
        family: ``network`` or ``forest``.
        task: What it decides, a name in `tutti.tasks`; contracts from before there were tasks are of ``openmic-20``.
        preset: Its size, such as ``paper`` or ``mini``.
        front_end: Full configuration of the front end.
        front_end_digest: Its digest; another front end would feed the weights with other numbers.
        window: How recordings are cut.
        labels: Class names in output order: those of the task.
        thresholds: Probability from which each class counts as present.
        files: SHA-256 of every other file of the bundle.
        metrics: Results on the validation split.
        started_from: Where training started: ``random``, a pretraining, or a file of public weights.
        provenance: Parameters, data digests, seed, code revision and library versions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    model: str
    family: Literal["network", "forest"]
    task: str = "openmic-20"
    preset: str
    front_end: dict[str, Any]
    front_end_digest: str
    window: WindowPolicy
    labels: tuple[str, ...] = Field(min_length=1)
    thresholds: tuple[float, ...]
    files: dict[str, str]
    metrics: dict[str, float]
    started_from: str
    provenance: dict[str, Any]

    @model_validator(mode="after")
    def _consistent(self) -> "Contract":
        check_labels(self.task, self.labels)
        if len(self.thresholds) != len(self.labels):
            raise ValueError(f"{len(self.thresholds)} thresholds for {len(self.labels)} labels")
        if WEIGHTS[self.family] not in self.files:
            raise ValueError(f"files does not list {WEIGHTS[self.family]}")
        for name in self.files:
            if Path(name).name != name or name in ("", ".", ".."):
                raise ValueError(f"files names {name!r}, which is not a plain file name")
        return self


@dataclass(frozen=True)
class LoadedBundle:
    """A bundle in memory.

    Attributes:
        contract: Its contract.
        model: A torch module in evaluation mode (logits [batch, labels], or [batch, frames, labels]) or the trees of
            its forests.
        front_end: Configuration of its front end.
        digest: SHA-256 of its contract.
    """

    contract: Contract
    model: nn.Module | Trees
    front_end: FrontEndConfig
    digest: str


def write_bundle(
    folder: Path,
    *,
    model: Any,
    entry: ModelEntry,
    preset: str,
    metrics: Mapping[str, float],
    started_from: str,
    provenance: dict[str, Any],
    card: str,
    thresholds: Sequence[float] | None = None,
) -> Contract:
    """Writes a trained model, atomically.

    Args:
        folder: The bundle; replaced when it exists.
        model: A torch module, or for a forest what has `to_trees`, such as a `tutti.models.rf.ForestModel`.
        entry: The model's registry entry; the labels are those of its task.
        preset: The preset it was built from.
        metrics: Validation results.
        started_from: Where training started.
        provenance: See `tutti.provenance.record`.
        card: The model card, Markdown.
        thresholds: Presence thresholds, 0.5 each by default.

    Returns:
        The contract as written.
    """
    chosen, labels = entry.preset(preset), get_task(entry.task).labels
    with atomic_folder(folder) as temporary:
        weights = temporary / WEIGHTS[entry.family]
        if entry.family == "network":
            _save_network(model, weights)
        else:
            model.to_trees().save(weights)
        write_text(temporary / CARD, card)
        contract = Contract(
            model=entry.name,
            family=entry.family,
            task=entry.task,
            preset=preset,
            front_end=chosen.front_end.model_dump(mode="json"),
            front_end_digest=chosen.front_end.digest(),
            window=chosen.window,
            labels=labels,
            thresholds=tuple(thresholds) if thresholds is not None else (DEFAULT_THRESHOLD,) * len(labels),
            files={file.name: sha256_file(file) for file in sorted(temporary.iterdir())},
            metrics={name: float(value) for name, value in metrics.items()},
            started_from=started_from,
            provenance=provenance,
        )
        write_json(temporary / CONTRACT, contract.model_dump(mode="json"))
    return contract


def _save_network(model: nn.Module, path: Path) -> None:
    from safetensors.torch import save_file

    # Copies, because safetensors refuses tensors that share memory or are views.
    state = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, path)


def bundle_digest(folder: Path) -> str:
    """The SHA-256 of the bundle's contract, which names the SHA-256 of its other files.

    Raises:
        ArtifactMismatch: There is no contract.
    """
    path = Path(folder) / CONTRACT
    if not path.is_file():
        raise ArtifactMismatch(
            f"{folder} is no model bundle", got=f"no {CONTRACT}", hint="name the folder that train wrote"
        )
    return sha256_file(path)


def read_contract(folder: Path) -> Contract:
    """Reads and checks a bundle's contract without its weights.

    Raises:
        ArtifactMismatch: It is missing, is no contract, or has unknown or wrong fields.
    """
    path = Path(folder) / CONTRACT
    bundle_digest(folder)
    try:
        return Contract.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors(include_url=False)]
        raise ArtifactMismatch(
            f"{path} is no contract this version can read", got="; ".join(faults), hint="train the model again"
        ) from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ArtifactMismatch(f"{path} is not JSON", got=error) from error


def verify_files(folder: Path, contract: Contract) -> None:
    """Compares every file of the bundle with the SHA-256 in its contract.

    Raises:
        ArtifactMismatch: A file is missing or altered.
    """
    for name, expected in contract.files.items():
        path = Path(folder) / name
        if not path.is_file():
            raise ArtifactMismatch(f"the bundle {folder} is incomplete", got=f"no {name}", hint="copy it again, whole")
        got = sha256_file(path)
        if got != expected:
            raise ArtifactMismatch(
                f"{path} is not the file that its contract describes",
                got=f"sha256 {got}",
                expected=f"sha256 {expected}",
                hint="copy the bundle again, or train the model again",
            )


def read_bundle(folder: Path) -> LoadedBundle:
    """Loads a bundle, on the CPU and ready to predict.

    Raises:
        ArtifactMismatch: A file is missing or altered, or the contract names a model or front end that this version
            does not have, or the weights do not fit the model.
    """
    folder = Path(folder)
    contract = read_contract(folder)
    verify_files(folder, contract)
    front_end = _front_end(folder, contract)
    weights = folder / WEIGHTS[contract.family]
    model: nn.Module | Trees
    if contract.family == "forest":
        model = Trees.load(weights)
        if len(model.constant) != len(contract.labels):
            raise ArtifactMismatch(
                f"{weights} does not fit its contract",
                got=f"{len(model.constant)} forests",
                expected=len(contract.labels),
            )
    else:
        model = _load_network(weights, contract)
    return LoadedBundle(contract, model, front_end, bundle_digest(folder))


def _front_end(folder: Path, contract: Contract) -> FrontEndConfig:
    import tutti.frontends  # noqa: F401  registers them

    try:
        config = parse_front_end(contract.front_end)
    except ConfigError as error:
        raise ArtifactMismatch(
            f"the bundle {folder} needs a front end that this version does not have",
            got=error.got,
            expected=error.expected,
        ) from error
    if config.digest() != contract.front_end_digest:
        raise ArtifactMismatch(
            f"the front end of the bundle {folder} is not the one its weights were trained with",
            got=config.digest(),
            expected=contract.front_end_digest,
            hint="the front end's parameters changed since; train the model again",
        )
    return config


def _load_network(weights: Path, contract: Contract) -> nn.Module:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    import tutti.models  # noqa: F401  registers them

    try:
        network: nn.Module = get_model(contract.model).build(contract.preset, n_classes=len(contract.labels))
    except ConfigError as error:
        raise ArtifactMismatch(f"{weights} is of a model that this version does not have", got=error.what) from error
    try:
        network.load_state_dict(load_file(weights), strict=True)
    except (SafetensorError, RuntimeError) as error:
        raise ArtifactMismatch(
            f"{weights} does not fit {contract.model} ({contract.preset})", got=error, hint="train the model again"
        ) from error
    return network.eval()
