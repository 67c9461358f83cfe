"""What every front end is: a torch module from samples to model input, with a frozen, hashed configuration."""

import hashlib
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from tutti.errors import ConfigError


class FrontEndConfig(BaseModel):
    """Base of the front ends' configurations; ``kind`` names the front end.

    Attributes:
        kind: Registered name of the front end.
        sample_rate: Rate of the samples it takes, in Hz.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    sample_rate: int

    #: Channels of the samples it takes: 1 (mono) or 2 (stereo; a mono recording is doubled).
    channels: ClassVar[int] = 1

    #: Whether its output is read from the dataset, which ships it, because nothing here can compute it. Models that
    #: take it are trained and evaluated like others, but hear no new recordings.
    stored: ClassVar[bool] = False

    @property
    def signal(self) -> tuple[int, int]:
        """Sample rate in Hz and channels: front ends that agree in both are fed the same samples."""
        return self.sample_rate, self.channels

    def digest(self) -> str:
        """16 hexadecimal digits over all parameters: two front ends agree exactly when their digests do."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    @property
    def key(self) -> str:
        """Name and digest, unique among configurations and fit for a file name."""
        return f"{self.kind}-{self.digest()}"


class FrontEnd(nn.Module):
    """Base of the front ends.

    A subclass sets ``Config`` and implements `forward`; it may implement `augment`.
    """

    Config: ClassVar[type[FrontEndConfig]]

    def __init__(self, config: FrontEndConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, samples: Tensor) -> Tensor:
        """Model input from mono samples.

        Args:
            samples: float32 [batch, samples], or [batch, 2, samples] where ``config.channels`` is 2, at
                ``config.sample_rate``, nominally in [-1, 1].

        Returns:
            float32 [batch, ...]; the same for a window alone and in any batch.
        """
        raise NotImplementedError

    def augment(self, features: Tensor, generator: torch.Generator) -> Tensor:
        """Training-time masking of features that `forward` made; the features themselves when there is none."""
        return features

    def training_forward(self, samples: Tensor, generator: torch.Generator) -> Tensor:
        """Model input for a training step, with everything that is drawn anew each time.

        Args:
            samples: As for `forward`.
            generator: CPU generator of the draws.
        """
        return self.augment(self(samples), generator)


_FRONT_ENDS: dict[str, type[FrontEnd]] = {}


def register_front_end(kind: str) -> Callable[[type[FrontEnd]], type[FrontEnd]]:
    """Class decorator: makes the front end available under ``kind``."""

    def register(cls: type[FrontEnd]) -> type[FrontEnd]:
        if kind in _FRONT_ENDS:
            raise ValueError(f"front end {kind!r} is registered twice")
        _FRONT_ENDS[kind] = cls
        return cls

    return register


def parse_front_end(config: dict[str, Any]) -> FrontEndConfig:
    """The typed configuration from its JSON form.

    Raises:
        ConfigError: The kind is unknown or a parameter is wrong.
    """
    kind = config.get("kind")
    if kind not in _FRONT_ENDS:
        raise ConfigError("unknown front end", got=kind, expected=", ".join(sorted(_FRONT_ENDS)))
    try:
        return _FRONT_ENDS[kind].Config(**config)
    except ValueError as error:
        raise ConfigError(f"the front end {kind} has wrong parameters", got=error) from error


def require_listening(what: str, front_ends: Iterable[FrontEndConfig]) -> None:
    """Checks that recordings can be turned into every input that a model takes.

    Args:
        what: The model, for the message.
        front_ends: Its front ends, or its members'.

    Raises:
        ConfigError: One of them is ``stored``.
    """
    stored = sorted({config.kind for config in front_ends if config.stored})
    if stored:
        raise ConfigError(
            f"{what} cannot listen to recordings",
            got=f"the input {', '.join(stored)}, which only comes with its dataset",
            expected="an input that is computed from samples",
            hint="train the model with its preset `paper` instead; this one can be evaluated",
        )


def create_front_end(config: FrontEndConfig) -> FrontEnd:
    """The front end for a configuration, in evaluation mode."""
    return _FRONT_ENDS[config.kind](config).eval()
