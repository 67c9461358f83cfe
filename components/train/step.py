"""Trains one model and writes its bundle: weights, contract and card.

With --state an interrupted training goes on after its last whole epoch, with the same result.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components._command import described
from tutti.config import Config


@dataclass(frozen=True)
class Inputs:
    """What the step reads."""

    features: Path = described("the folder that features wrote")
    model: str = described("the model in params.yaml, see `tutti models`")
    pretrained: Path | None = described("the folder that pretrain wrote for this model", optional=True)


@dataclass(frozen=True)
class Outputs:
    """What the step writes."""

    bundle: Path = described("the model's folder")
    state: Path | None = dataclasses.field(
        default=None,
        metadata={"help": "file that keeps an interrupted training; removed when it is done", "keep": True},
    )


def run(inputs: Inputs, outputs: Outputs, params: Config) -> dict[str, Any]:
    """Trains the model; returns its validation metrics.

    Raises:
        ConfigError: params.yaml asks for a pretraining that was not given.
    """
    from tutti.errors import ConfigError

    asked = params.model_params(inputs.model).pretrain is not None
    if asked and inputs.pretrained is None:
        raise ConfigError(
            f"params.yaml pretrains {inputs.model}, but no --pretrained was given",
            hint=f"run the pretrain step first, or take out models.{inputs.model}.pretrain",
        )

    from tutti.training.train import train_model

    pretrained = inputs.pretrained if asked else None
    metrics = train_model(
        inputs.model, inputs.features, outputs.bundle, params, pretrained=pretrained, state=outputs.state
    )
    return {"model": inputs.model, **metrics}
