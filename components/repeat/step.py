"""Trains a model again with other seeds and measures each, so that chance can be told from progress.

The first row is the model that the run trained; the further seeds are repeat.seeds of params.yaml. The models that come
out are not kept.
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
    bundle: Path = described("the model's folder, as train wrote it")
    pretrained: Path | None = described("the folder that pretrain wrote for this model", optional=True)


@dataclass(frozen=True)
class Outputs:
    """What the step writes."""

    repeats: Path = described("folder: scores.csv, one row per seed and split")


def run(inputs: Inputs, outputs: Outputs, params: Config) -> dict[str, Any]:
    """Repeats the training; returns the number of seeds.

    Raises:
        ConfigError: The model is unknown.
    """
    from tutti.evaluation.predictions import save_csv
    from tutti.files import atomic_folder
    from tutti.training.repeats import repeat_model

    asked = params.model_params(inputs.model).pretrain is not None
    scores = repeat_model(
        inputs.model,
        inputs.features,
        params,
        pretrained=inputs.pretrained if asked else None,
        bundle=inputs.bundle,
    )
    with atomic_folder(outputs.repeats) as folder:
        save_csv(scores, folder / "scores.csv")
    return {"model": inputs.model, "seeds": len(params.repeat.seeds) + 1}
