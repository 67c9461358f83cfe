"""Images and resources of the tasks: k8s/resources.yaml, and the images named in the environment."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from components._kubeflow import BASE_IMAGE
from tutti.config import ModelParams
from tutti.errors import ConfigError

RESOURCES = Path(__file__).resolve().parents[1] / "k8s" / "resources.yaml"

#: The image of tasks that get an accelerator.
GPU_IMAGE = "tutti-gpu:0.1.0"


class Resources(BaseModel):
    """What one task gets.

    Attributes:
        cpu: Kubernetes quantity, such as ``"2"``.
        memory: Kubernetes quantity, such as ``4Gi``.
        accelerator: Resource name, such as ``nvidia.com/gpu``; None for none.
        count: How many accelerators.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpu: str = Field(pattern=r"^[0-9]+(\.[0-9]+)?m?$")
    memory: str = Field(pattern=r"^[0-9]+(\.[0-9]+)?[KMGT]i?$")
    accelerator: str | None = None
    count: int = Field(default=1, ge=1)


class ResourceTable(BaseModel):
    """k8s/resources.yaml.

    Attributes:
        default: Every task that has no entry of its own.
        steps: By step.
        training: Of the steps pretrain and train: networks by preset, and forests.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    default: Resources
    steps: dict[str, Resources]
    training: dict[Literal["forest", "mini", "full"], Resources]

    def of(self, step: str, model: ModelParams | None = None) -> Resources:
        """The resources of a task of ``step``; ``model`` is the trained model's parameters, for training steps."""
        if model is not None:
            size: Literal["mini", "full"] = "mini" if model.preset == "mini" else "full"
            return self.training["forest" if model.forest is not None else size]
        return self.steps.get(step, self.default)


def load_resources(path: Path = RESOURCES) -> ResourceTable:
    """Reads the table.

    Raises:
        ConfigError: It is missing or wrong.
    """
    try:
        return ResourceTable.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ConfigError(f"the table of resources {path} cannot be used", got=error) from error


@dataclass(frozen=True)
class Images:
    """The images that a compiled pipeline names; by digest on a cluster, so that a cache never takes new code for old.

    Attributes:
        cpu: Of tasks without an accelerator.
        gpu: Of tasks with one.
    """

    cpu: str = BASE_IMAGE
    gpu: str = GPU_IMAGE

    @classmethod
    def from_environment(cls) -> "Images":
        """The images in ``TUTTI_IMAGE_CPU`` and ``TUTTI_IMAGE_GPU``, where they are set."""
        return cls(os.environ.get("TUTTI_IMAGE_CPU", BASE_IMAGE), os.environ.get("TUTTI_IMAGE_GPU", GPU_IMAGE))


def apply(task: Any, resources: Resources, images: Images) -> None:
    """Gives a Kubeflow task its image and resources."""
    task.set_cpu_request(resources.cpu).set_cpu_limit(resources.cpu)
    task.set_memory_request(resources.memory).set_memory_limit(resources.memory)
    if resources.accelerator is None:
        task.set_container_image(images.cpu)
    else:
        task.set_container_image(images.gpu)
        task.set_accelerator_type(resources.accelerator).set_accelerator_limit(resources.count)
