"""params.yaml as strict typed objects: an unknown key or a value out of range is an error that names the key."""

import json
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tutti.errors import ConfigError
from tutti.labels import OPENMIC_INDEX

Fraction = Field(ge=0, le=1)


class Section(BaseModel):
    """Base of all sections: immutable, unknown keys refused, no silent conversion from text."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class DataParams(Section):
    """Which datasets are read, and how validation is carved out of train.

    Attributes:
        openmic: Folder or archive below the data root, or None to leave the dataset out; the others likewise.
        notes: A folder of recordings per instrument (see `tutti train-on`).
        valid_fraction: Share of the training groups that becomes the validation split.
    """

    openmic: str | None = "openmic"
    irmas: str | None = "irmas"
    nsynth: str | None = "nsynth"
    musicnet: str | None = "musicnet"
    notes: str | None = None
    valid_fraction: float = Field(default=0.2, gt=0, lt=0.9)

    @model_validator(mode="after")
    def _something(self) -> "DataParams":
        if not any((self.openmic, self.irmas, self.nsynth, self.musicnet, self.notes)):
            raise ValueError("at least one dataset has to be named")
        return self


class ValidateParams(Section):
    """Bounds of the data expectations.

    Attributes:
        min_duration_s: Shortest clip.
        max_duration_s: Longest clip.
        sample_rates: Accepted rates in Hz.
        max_channels: Most channels.
        silence_dbfs: A clip whose RMS level is below this counts as silent.
        max_silent_share: Largest share of silent clips.
        max_clipped_share: Largest share of samples at full scale within a clip.
        min_labelled_per_class: Fewest asked cells of a class in the clips that are trained or tested on.
        min_positive_share: Smallest share of positives among a class's asked cells.
        max_positive_share: Largest share of positives among a class's asked cells.
        min_mask_density: Smallest share of asked cells over all OpenMIC clips.
        max_mask_density: Largest share of asked cells over all OpenMIC clips.
        max_class_imbalance: Largest ratio of the most to the least labelled class.
    """

    min_duration_s: float = Field(default=0.5, gt=0)
    max_duration_s: float = Field(default=1200.0, gt=0)
    sample_rates: tuple[int, int] = (8000, 192000)
    max_channels: int = Field(default=2, ge=1)
    silence_dbfs: float = Field(default=-60.0, le=0)
    max_silent_share: float = Fraction
    max_clipped_share: float = Fraction
    min_labelled_per_class: int = Field(default=4, ge=0)
    min_positive_share: float = Fraction
    max_positive_share: float = Fraction
    min_mask_density: float = Fraction
    max_mask_density: float = Fraction
    max_class_imbalance: float = Field(default=10.0, ge=1)


class MixParams(Section):
    """Synthetic mixtures.

    Attributes:
        generator: ``published`` (one looped note per family, as in the paper) or ``layered`` (several notes with
            onsets per instrument).
        per_polyphony: Mixtures of each polyphony; the paper has 200.
        max_polyphony: Largest number of instruments in a mixture; the paper has 11.
        duration_s: Length of a mixture.
        sample_rate: Rate of a mixture in Hz; the paper has 16,000.
        gain_db: Range of the random gain of each instrument.
    """

    generator: Literal["published", "layered"] = "published"
    per_polyphony: int = Field(default=200, ge=0)
    max_polyphony: int = Field(default=11, ge=1, le=20)
    duration_s: float = Field(default=10.0, gt=0)
    sample_rate: int = Field(default=16000, ge=8000)
    gain_db: tuple[float, float] = (-10.0, 0.0)


class FeatureParams(Section):
    """Feature extraction.

    Attributes:
        dtype: How features are stored; computation is always float32.
        batch: Windows computed at a time.
    """

    dtype: Literal["float16", "float32"] = "float16"
    batch: int = Field(default=32, ge=1)


class OptimiserParams(Section):
    """How a network is trained.

    Attributes:
        epochs: Most epochs.
        batch: Clips in a step.
        learning_rate: AdamW's peak learning rate.
        weight_decay: AdamW's weight decay.
        schedule: ``constant`` as published, or ``cosine`` to zero after one warm-up epoch.
        clip_norm: Largest gradient norm, None for no clipping.
        patience: Epochs without a better ``select_by`` before training stops.
        select_by: What chooses the epoch on validation: ``map``, ``f1_macro`` or ``loss`` (as published).
        pos_weight_cap: Cap of the positives' weight neg/pos in the loss; None for no weights.
        synthetic_weight: How often a synthetic clip is drawn relative to a real one; 0 leaves them out.
        prior_bias: Whether the last bias starts at the log odds of the training prior.
        augment: Whether features are masked in training.
    """

    epochs: int = Field(default=20, ge=1)
    batch: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=1e-4, gt=0)
    weight_decay: float = Field(default=1e-2, ge=0)
    schedule: Literal["constant", "cosine"] = "constant"
    clip_norm: float | None = Field(default=1.0, gt=0)
    patience: int = Field(default=6, ge=1)
    select_by: Literal["map", "f1_macro", "loss"] = "map"
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
        preset: ``paper`` or ``mini``.
        train: Training of a network.
        pretrain: Its pretraining, None to start from random weights.
        forest: Fitting of a forest.
        weights: Public weights to start from: a local file, None for none.
    """

    preset: Literal["paper", "mini"] = "mini"
    train: OptimiserParams | None = None
    pretrain: OptimiserParams | None = None
    forest: ForestParams | None = None
    weights: str | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> "ModelParams":
        if (self.train is None) == (self.forest is None):
            raise ValueError("give exactly one of 'train' (networks) and 'forest'")
        if self.pretrain is not None and self.train is None:
            raise ValueError("'pretrain' needs 'train'")
        return self


class EvaluateParams(Section):
    """Metrics.

    Attributes:
        bootstrap: Resamples behind each confidence interval; 0 for none.
        confidence: Level of the intervals.
    """

    bootstrap: int = Field(default=500, ge=0)
    confidence: float = Field(default=0.95, gt=0, lt=1)


class SelectParams(Section):
    """The ensemble, chosen on validation only.

    Attributes:
        step: Grid step of the members' weights on the simplex.
        thresholds: Candidate thresholds per class.
        threshold_metric: Which F1 the thresholds maximise on validation: that of "present" alone (as published), or
            the mean over both answers.
        objective: What the weights maximise on validation.
        standard_errors: Of the weights that lie within this many standard errors of the best, the most equal ones are
            taken; 0 takes the best, as published.
    """

    step: float = Field(default=0.1, gt=0, le=0.5)
    thresholds: tuple[float, ...] = (0.2, 0.3, 0.4, 0.5, 0.6)
    threshold_metric: Literal["f1_macro", "f1_macro_two_class"] = "f1_macro_two_class"
    objective: Literal["map", "f1_macro"] = "map"
    standard_errors: float = Field(default=1.0, ge=0)


class GateParams(Section):
    """What a candidate must reach on test.

    Attributes:
        min_map: Floor of the mean average precision.
        min_f1_macro_two_class: Floor of the two-class macro F1.
        min_class_auroc: Floor of every class's AUROC; classes with too few asked cells are left out.
        class_floors: Floors of single classes that differ from ``min_class_auroc``.
        min_class_cells: Fewest asked test cells, of each polarity, for a class to be held to its floor.
        max_regression: How far the lower end of the interval of (candidate - champion) mAP may lie below zero.
    """

    min_map: float = Fraction
    min_f1_macro_two_class: float = Fraction
    min_class_auroc: float = Fraction
    class_floors: dict[str, float] = Field(default_factory=dict)
    min_class_cells: int = Field(default=5, ge=1)
    max_regression: float = Fraction

    @model_validator(mode="after")
    def _known_classes(self) -> "GateParams":
        for name, floor in self.class_floors.items():
            if name not in OPENMIC_INDEX:
                raise ValueError(f"class_floors names {name!r}, which is not an OpenMIC class")
            if not 0 <= floor <= 1:
                raise ValueError(f"class_floors.{name} is {floor}, outside [0, 1]")
        return self


class PackageParams(Section):
    """The served model.

    Attributes:
        name: Its name under TorchServe.
        version: Its version.
        golden: Test clips whose answers travel with the package and are checked against the running server.
        max_seconds: Longest recording the server accepts.
    """

    name: str = Field(default="tutti", pattern=r"^[a-z][a-z0-9_-]*$")
    version: str = Field(default="1.0", pattern=r"^[0-9]+(\.[0-9]+)*$")
    golden: int = Field(default=5, ge=1)
    max_seconds: float = Field(default=600.0, gt=0)


class SmokeParams(Section):
    """The infrastructure gate.

    Attributes:
        startup_timeout_s: How long the server may take to become ready.
        tolerance: Largest difference between a served probability and the predictor's.
    """

    startup_timeout_s: float = Field(default=180.0, gt=0)
    tolerance: float = Field(default=1e-4, gt=0)


class Config(Section):
    """Everything in params.yaml.

    Attributes:
        seed: The seed all others derive from.
    """

    seed: int = Field(default=42, ge=0)
    data: DataParams
    validate_: ValidateParams = Field(alias="validate")
    mix: MixParams
    features: FeatureParams
    models: dict[str, ModelParams] = Field(min_length=1)
    evaluate: EvaluateParams
    select: SelectParams
    gate: GateParams
    package: PackageParams
    smoke: SmokeParams

    def model_params(self, name: str) -> ModelParams:
        """The parameters of one model.

        Raises:
            ConfigError: params.yaml does not list it.
        """
        if name not in self.models:
            raise ConfigError(f"params.yaml does not list the model {name!r}", expected=", ".join(self.models))
        return self.models[name]


def parse_config(text: str, *, where: str = "params.yaml") -> Config:
    """The typed configuration from YAML text.

    Raises:
        ConfigError: It is not YAML, or a key is unknown, missing, of the wrong type or out of range; all faults are
            listed, each with its dotted key.
    """
    try:
        raw: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{where} is not valid YAML", got=error) from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{where} must hold a mapping of sections", got=type(raw).__name__)
    try:
        # JSON mode reads YAML's lists as tuples while staying strict about everything else.
        return Config.model_validate_json(_to_json(raw))
    except ValidationError as error:
        faults = []
        for fault in error.errors(include_url=False):
            key = ".".join(str(part) for part in fault["loc"]) or where
            got = "" if fault["type"] == "missing" else f" (got {fault['input']!r})"
            faults.append(f"{key}: {fault['msg']}{got}")
        raise ConfigError(f"{where} is wrong in {len(faults)} place(s):\n    " + "\n    ".join(faults)) from error


def _to_json(raw: dict[Any, Any]) -> str:
    try:
        return json.dumps(raw, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ConfigError("params.yaml holds a value that is no text, number, list or mapping", got=error) from error


def load_config(path: Path) -> Config:
    """Reads params.yaml.

    Raises:
        ConfigError: The file is missing or wrong.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read the parameters at {path}", got=error.strerror, hint="pass --params") from error
    return parse_config(text, where=str(path))
