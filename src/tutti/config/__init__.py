"""params.yaml as strict typed objects: an unknown key or a value out of range is an error that names the key."""

import json
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, model_validator

from tutti.config.base import Section
from tutti.config.models import ForestParams, ModelParams, OptimiserParams
from tutti.config.steps import (
    CompareParams,
    DataParams,
    EvaluateParams,
    FeatureParams,
    GateParams,
    IrmasParams,
    MixParams,
    MusicalParams,
    PackageParams,
    RepeatParams,
    SelectParams,
    SmokeParams,
    ValidateParams,
)
from tutti.errors import ConfigError

__all__ = [
    "CompareParams",
    "Config",
    "DataParams",
    "EvaluateParams",
    "FeatureParams",
    "ForestParams",
    "GateParams",
    "IrmasParams",
    "MixParams",
    "ModelParams",
    "MusicalParams",
    "OptimiserParams",
    "PackageParams",
    "RepeatParams",
    "SelectParams",
    "SmokeParams",
    "ValidateParams",
    "load_config",
    "parse_config",
]


class Config(Section):
    """Everything in params.yaml.

    Attributes:
        seed: The seed all others derive from.
    """

    seed: int = Field(default=42, ge=0)
    data: DataParams = DataParams()
    validate_: ValidateParams = Field(default=ValidateParams(), alias="validate")
    mix: MixParams = MixParams()
    irmas: IrmasParams = IrmasParams()
    features: FeatureParams = FeatureParams()
    models: dict[str, ModelParams] = Field(min_length=1)
    evaluate: EvaluateParams = EvaluateParams()
    repeat: RepeatParams = RepeatParams()
    compare: CompareParams = CompareParams()
    select: SelectParams
    gate: GateParams = GateParams()
    package: PackageParams = PackageParams()
    smoke: SmokeParams = SmokeParams()

    @model_validator(mode="after")
    def _known_models(self) -> "Config":
        compared = (self.compare.with_synthetic, self.compare.without_synthetic)
        for key, names in (
            ("select.models", self.select.models),
            ("repeat.models", self.repeat.models),
            ("compare", tuple(name for name in compared if name is not None)),
        ):
            missing = [name for name in names if name not in self.models]
            if missing:
                raise ValueError(f"{key} names {', '.join(missing)}, which the section models does not have")
        return self

    def registry_name(self, name: str) -> str:
        """The registry's name of the run's model ``name``.

        Raises:
            ConfigError: params.yaml does not list it.
        """
        return self.model_params(name).model or name

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
