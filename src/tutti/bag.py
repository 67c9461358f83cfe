"""An ensemble on disk: ``bag.yaml`` names the member bundles, their weights and the thresholds of the whole."""

import math
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tutti.audio.windows import WindowPolicy
from tutti.errors import ArtifactMismatch
from tutti.files import sha256_file, write_text
from tutti.tasks import check_labels

BAG = "bag.yaml"


class Member(BaseModel):
    """One bundle of a bag.

    Attributes:
        name: What it is called in reports.
        path: Its folder below that of ``bag.yaml``, such as ``members/rf``.
        digest: The bundle's digest.
        weight: Its share in the mean of probabilities.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    path: str
    digest: str
    weight: float = Field(ge=0)

    @model_validator(mode="after")
    def _inside(self) -> "Member":
        path = PurePosixPath(self.path)
        if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in self.path:
            raise ValueError(f"{self.path!r} leads out of the bag")
        return self


class Bag(BaseModel):
    """The content of ``bag.yaml``.

    Attributes:
        format: Version of this layout.
        name: Name of the ensemble.
        version: Its version.
        task: What it decides, a name in `tutti.tasks`; ensembles from before there were tasks are of ``openmic-20``.
        members: Its members; their weights sum to 1.
        thresholds: Probability from which each class counts as present.
        labels: Class names in output order: those of the task.
        window: How recordings are cut, the same for every member.
        metrics: Results on the validation split.
        data: On which data: name, synthetic or not, SHA-256.
        provenance: Parameters, data digests, seed, code revision and library versions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    name: str
    version: str
    task: str = "openmic-20"
    members: tuple[Member, ...] = Field(min_length=1)
    thresholds: dict[str, float]
    labels: tuple[str, ...] = Field(min_length=1)
    window: WindowPolicy
    metrics: dict[str, float]
    data: dict[str, Any]
    provenance: dict[str, Any]

    @model_validator(mode="after")
    def _consistent(self) -> "Bag":
        check_labels(self.task, self.labels)
        if set(self.thresholds) != set(self.labels):
            raise ValueError("thresholds and labels name different classes")
        names = [member.name for member in self.members]
        if len(set(names)) != len(names):
            raise ValueError("two members have the same name")
        total = math.fsum(member.weight for member in self.members)
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the members' weights sum to {total:g}, not to 1")
        return self


def write_bag(folder: Path, bag: Bag) -> None:
    """Writes ``bag.yaml`` into ``folder``, atomically; the members' bundles are put there by the caller."""
    write_text(Path(folder) / BAG, yaml.safe_dump(bag.model_dump(mode="json"), sort_keys=False, allow_unicode=True))


def read_bag(folder: Path) -> Bag:
    """Reads and checks ``bag.yaml``.

    Raises:
        ArtifactMismatch: It is missing or is no bag.
    """
    path = Path(folder) / BAG
    try:
        return Bag.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise ArtifactMismatch(f"{folder} is no ensemble", got=f"no {BAG}", hint="run the select step") from error
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors(include_url=False)]
        raise ArtifactMismatch(
            f"{path} is no ensemble this version can read", got="; ".join(faults), hint="run the select step again"
        ) from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ArtifactMismatch(f"{path} is not YAML", got=error) from error


def bag_digest(folder: Path) -> str:
    """The SHA-256 of ``bag.yaml``, which names the digest of every member."""
    return sha256_file(Path(folder) / BAG)
