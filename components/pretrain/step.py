"""Pretrains a network on IRMAS' single instruments.

For a model that params.yaml gives no pretraining it only writes down that there is none, so that DVC, which has no
conditional stages, can run the same stages for every model.
"""

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


@dataclass(frozen=True)
class Outputs:
    """What the step writes."""

    pretrained: Path = described("folder for the weights, their description and the history")


def run(inputs: Inputs, outputs: Outputs, params: Config) -> dict[str, Any]:
    """Pretrains the model; returns its validation metrics."""
    from tutti.files import atomic_folder, write_json

    if params.model_params(inputs.model).pretrain is None:
        with atomic_folder(outputs.pretrained) as folder:
            write_json(folder / "none.json", {"model": inputs.model, "pretraining": None})
        return {"model": inputs.model, "pretraining": None}

    from tutti.training.pretrain import pretrain_model

    description = pretrain_model(inputs.model, inputs.features, outputs.pretrained, params)
    return {"model": inputs.model, "best_epoch": description["best_epoch"], **description["metrics"]}
