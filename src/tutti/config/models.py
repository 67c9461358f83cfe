"""The sections of params.yaml that say how models are trained."""

from typing import Literal

from pydantic import Field, model_validator

from tutti.config.base import Section


class OptimiserParams(Section):
    """How a network is trained.

    Attributes:
        epochs: Most epochs.
        batch: Clips in a step.
        optimiser: ``adamw``, or ``adam``, whose weight decay is part of the gradient.
        learning_rate: The peak learning rate.
        weight_decay: The optimiser's weight decay.
        betas: Its averaging constants.
        schedule: ``constant``, ``cosine`` to zero after one warm-up epoch, or ``step``: multiplied by ``step_factor``
            every ``step_every`` epochs, from the end of epoch ``step_from`` to that of ``step_until``.
        step_factor: See ``schedule``.
        step_every: See ``schedule``.
        step_from: See ``schedule``; None for ``step_every``.
        step_until: See ``schedule``; None for the last epoch.
        clip_norm: Largest gradient norm, None for no clipping.
        patience: Epochs without a better ``select_by`` before training stops.
        select_by: What chooses the epoch on validation: ``loss`` or a metric; ``accuracy`` is for exclusive labels,
            ``label_accuracy`` and ``micro_f1`` for the others.
        soft_targets: Whether the loss sees relevance as it is, not only whether it reaches 0.5.
        pos_weight_cap: Cap of the positives' weight neg/pos in the loss; None for no weights.
        synthetic_weight: How often a synthetic clip is drawn relative to a real one; 0 leaves them out.
        prior_bias: Whether the last bias starts at the log odds of the training prior.
        augment: Whether features are masked in training.
    """

    epochs: int = Field(default=20, ge=1)
    batch: int = Field(default=32, ge=1)
    optimiser: Literal["adamw", "adam"] = "adamw"
    learning_rate: float = Field(default=1e-4, gt=0)
    weight_decay: float = Field(default=1e-2, ge=0)
    betas: tuple[float, float] = (0.9, 0.999)
    schedule: Literal["constant", "cosine", "step"] = "constant"
    step_factor: float = Field(default=0.5, gt=0, le=1)
    step_every: int = Field(default=1, ge=1)
    step_from: int | None = Field(default=None, ge=1)
    step_until: int | None = Field(default=None, ge=1)
    clip_norm: float | None = Field(default=1.0, gt=0)
    patience: int = Field(default=6, ge=1)
    select_by: Literal["map", "f1_macro", "f1_macro_two_class", "loss", "accuracy", "label_accuracy", "micro_f1"] = (
        "map"
    )
    soft_targets: bool = False
    pos_weight_cap: float | None = Field(default=None, gt=0)
    synthetic_weight: float = Field(default=1.0, ge=0)
    prior_bias: bool = False
    augment: bool = True


class ForestParams(Section):
    """How a random forest per class is fitted.

    Attributes:
        trees: Trees of each forest.
        max_depth: Depth of a tree, None for no limit.
        synthetic: Whether synthetic clips are fitted on, too.
    """

    trees: int = Field(default=100, ge=1)
    max_depth: int | None = Field(default=8, ge=1)
    synthetic: bool = True


class ModelParams(Section):
    """One model of the run.

    Attributes:
        model: Its name in the registry; None where the run calls it by that name.
        preset: ``paper``, ``mini`` or, where the registry has it, ``published``.
        train: Training of a network.
        pretrain: Its pretraining, None to start from random weights.
        forest: Fitting of a forest.
        weights: Public weights to start from: a local file, None for none.
        confident_share: Of the absences that nobody was asked about, the share that label enhancement takes for
            unknown, the model's most confident detections first.
    """

    model: str | None = None
    preset: Literal["paper", "mini", "published"] = "mini"
    train: OptimiserParams | None = None
    pretrain: OptimiserParams | None = None
    forest: ForestParams | None = None
    weights: str | None = None
    confident_share: float = Field(default=0.9, gt=0, lt=1)

    @model_validator(mode="after")
    def _one_kind(self) -> "ModelParams":
        if (self.train is None) == (self.forest is None):
            raise ValueError("give exactly one of 'train' (networks) and 'forest'")
        if self.pretrain is not None and self.train is None:
            raise ValueError("'pretrain' needs 'train'")
        return self
