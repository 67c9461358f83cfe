"""Both channels as they are, each brought to the same peak, for the networks and forests that hear the raw waveform."""

from typing import ClassVar

from pydantic import Field
from torch import Tensor
from typing_extensions import override

from tutti.frontends.base import FrontEnd, FrontEndConfig, register_front_end

#: A channel whose peak is below this is silent and stays so.
_SILENCE = 1e-8


class StereoWaveformConfig(FrontEndConfig):
    """The published values are the defaults.

    Attributes:
        peak: Largest absolute sample of each channel afterwards.
    """

    kind: str = "stereo_waveform"
    sample_rate: int = Field(default=44100, ge=1000)
    peak: float = Field(default=0.5, gt=0, le=1)

    channels: ClassVar[int] = 2


@register_front_end("stereo_waveform")
class StereoWaveform(FrontEnd):
    """The samples [batch, 2, n], every channel divided by its own largest absolute value and multiplied by ``peak``.

    As published, the balance between the channels is lost. A silent channel stays silent, where the published
    normaliser divided by zero.
    """

    Config = StereoWaveformConfig
    config: StereoWaveformConfig

    @override
    def forward(self, samples: Tensor) -> Tensor:
        return samples / samples.abs().amax(dim=-1, keepdim=True).clamp_min(_SILENCE) * self.config.peak
