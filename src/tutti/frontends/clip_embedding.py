"""A clip as ten vectors: the mean log-mel power of each 0.96 s, in the shape of OpenMIC's VGGish embeddings."""

import torch
from pydantic import Field
from torch import Tensor
from torchaudio.transforms import MelSpectrogram
from typing_extensions import override

from tutti.frontends.base import FrontEnd, FrontEndConfig, register_front_end


class ClipEmbeddingConfig(FrontEndConfig):
    """Parameters of the summary.

    Attributes:
        segment_s: Length of a segment in seconds; VGGish has 0.96.
        n_fft: STFT size in samples; long enough that each of the bands holds a bin.
        hop_length: Distance between frames in samples.
        n_mels: Bands.
        fmin: Lower edge of the bank in Hz.
        fmax: Upper edge of the bank in Hz.
    """

    kind: str = "clip_embedding"
    sample_rate: int = 16000
    segment_s: float = Field(default=0.96, gt=0)
    n_fft: int = Field(default=2048, ge=16)
    hop_length: int = Field(default=320, ge=1)
    n_mels: int = Field(default=128, ge=1)
    fmin: float = Field(default=60.0, ge=0)
    fmax: float = Field(default=7600.0, gt=0)


@register_front_end("clip_embedding")
class ClipEmbedding(FrontEnd):
    """Mean of ln(mel power + 1e-10) over each segment, [batch, segments, n_mels].

    Ten seconds give [10, 128]; what is left after the last whole segment is not used, as with VGGish.
    """

    Config = ClipEmbeddingConfig
    config: ClipEmbeddingConfig

    def __init__(self, config: ClipEmbeddingConfig) -> None:
        super().__init__(config)
        self.mel = MelSpectrogram(
            config.sample_rate,
            n_fft=config.n_fft,
            hop_length=config.hop_length,
            f_min=config.fmin,
            f_max=config.fmax,
            n_mels=config.n_mels,
            center=False,
            norm="slaney",
            mel_scale="slaney",
        )

    @override
    def forward(self, samples: Tensor) -> Tensor:
        length = round(self.config.segment_s * self.config.sample_rate)
        segments = samples.unfold(1, length, length)
        return torch.log(self.mel(segments) + 1e-10).mean(dim=-1)
