"""The mel-frequency cepstrum that the MusicNet models decide on, frame by frame, as librosa computes it."""

import torch
from pydantic import Field, model_validator
from torch import Tensor
from torchaudio.functional import create_dct, melscale_fbanks
from typing_extensions import override

from tutti.frontends.base import FrontEnd, FrontEndConfig, register_front_end


class MfccConfig(FrontEndConfig):
    """The published values are the defaults; librosa 0.11 gives the same numbers to 1e-3.

    Attributes:
        n_fft: STFT size and length of the Hann window in samples, even. The published script computes 1023 (46.4 ms)
            and leaves librosa at 2048.
        hop_length: Distance between frames in samples; 255 are 11.565 ms.
        n_mels: Mel bands, on Slaney's scale with his areas.
        fmin: Lower edge of the bands in Hz.
        fmax: Upper edge of the bands in Hz.
        n_mfcc: Cepstral coefficients, the zeroth (level) among them.
        top_db: How far below the window's peak a band's power is floored, in dB.
    """

    kind: str = "mfcc"
    sample_rate: int = Field(default=22050, ge=1000)
    n_fft: int = Field(default=2048, ge=16, multiple_of=2)
    hop_length: int = Field(default=255, ge=1)
    n_mels: int = Field(default=96, ge=1)
    fmin: float = Field(default=20.0, ge=0)
    fmax: float = Field(default=11025.0, gt=0)
    n_mfcc: int = Field(default=13, ge=1)
    top_db: float = Field(default=80.0, gt=0)

    @model_validator(mode="after")
    def _consistent(self) -> "MfccConfig":
        if not self.fmin < self.fmax <= self.sample_rate / 2:
            raise ValueError(
                f"fmin and fmax must rise and reach at most half the sample rate, {self.sample_rate / 2:g}"
            )
        if self.n_mfcc > self.n_mels:
            raise ValueError(f"n_mfcc is {self.n_mfcc}, more than the {self.n_mels} bands of n_mels")
        return self


@register_front_end("mfcc")
class Mfcc(FrontEnd):
    """Cepstral coefficients [batch, frames, n_mfcc] with ``1 + samples // hop_length`` frames.

    Frame t is centred at sample ``t * hop_length``; what lies outside the window counts as silence. Ten seconds give
    865 frames. The floor is relative to the window's peak, where the published features have that of the recording.
    """

    Config = MfccConfig
    config: MfccConfig

    def __init__(self, config: MfccConfig) -> None:
        super().__init__(config)
        bins = config.n_fft // 2 + 1
        bank = melscale_fbanks(
            bins, config.fmin, config.fmax, config.n_mels, config.sample_rate, norm="slaney", mel_scale="slaney"
        )
        self.register_buffer("window", torch.hann_window(config.n_fft), persistent=False)
        self.register_buffer("bank", bank, persistent=False)
        self.register_buffer("dct", create_dct(config.n_mfcc, config.n_mels, norm="ortho"), persistent=False)

    @override
    def forward(self, samples: Tensor) -> Tensor:
        spectrum = torch.stft(
            samples,
            self.config.n_fft,
            hop_length=self.config.hop_length,
            window=self.get_buffer("window"),
            center=True,
            pad_mode="constant",
            return_complex=True,
        )
        power = spectrum.real.square() + spectrum.imag.square()
        level = 10 * torch.log10((power.transpose(1, 2) @ self.get_buffer("bank")).clamp_min(1e-10))
        level = torch.maximum(level, level.amax(dim=(1, 2), keepdim=True) - self.config.top_db)
        return level @ self.get_buffer("dct")
