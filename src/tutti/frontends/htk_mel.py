"""The CBAM and MS-CRNN family's standardised log-mel spectrogram on the HTK scale."""

import warnings

import torch
from pydantic import Field
from torch import Tensor
from torchaudio.transforms import MelSpectrogram
from typing_extensions import override

from tutti.frontends.base import FrontEnd, FrontEndConfig, register_front_end
from tutti.frontends.masking import mask_spectrogram


class HtkMelConfig(FrontEndConfig):
    """The published values of CBAM-CNN's fine-tuning are the defaults.

    Attributes:
        n_fft: STFT size and length of the periodic Hann window in samples.
        hop_length: Distance between frames in samples.
        n_mels: Mel bins.
        fmin: Lower edge of the bank in Hz.
        fmax: Upper edge of the bank in Hz.
        log_floor: Mel power below this counts as this.
        log_offset: Added to the mel power before the logarithm; MS-CRNN has 1e-6 where CBAM-CNN has a floor.
        peak_normalise: Whether the waveform is divided by its largest magnitude first.
        std_floor: Smallest standard deviation that the spectrogram is divided by.
        freq_mask: Training masks are narrower than this many bins; the paper has none.
        time_mask: Training masks are narrower than this many frames; the paper has none.
    """

    kind: str = "htk_mel"
    sample_rate: int = 16000
    n_fft: int = Field(default=1024, ge=16)
    hop_length: int = Field(default=320, ge=1)
    n_mels: int = Field(default=128, ge=1)
    fmin: float = Field(default=30.0, ge=0)
    fmax: float = Field(default=7600.0, gt=0)
    log_floor: float = Field(default=1e-10, gt=0)
    log_offset: float = Field(default=0.0, ge=0)
    peak_normalise: bool = True
    std_floor: float = Field(default=1e-4, gt=0)
    freq_mask: int = Field(default=0, ge=0)
    time_mask: int = Field(default=0, ge=0)


@register_front_end("htk_mel")
class HtkMel(FrontEnd):
    """Log-mel spectrogram [batch, n_mels, frames] with zero mean and unit deviation over each window.

    Three seconds at 16 kHz give [128, 151], ten give [128, 501]. The papers' networks were pretrained on decibels of
    a Slaney bank and fine-tuned on this; here one configuration serves pretraining, fine-tuning and serving.
    """

    Config = HtkMelConfig
    config: HtkMelConfig

    def __init__(self, config: HtkMelConfig) -> None:
        super().__init__(config)
        with warnings.catch_warnings():
            # The published bank has triangles narrower than an STFT bin; they stay zero, as in the papers.
            warnings.filterwarnings("ignore", message="At least one mel filterbank has all zero values")
            self.mel = MelSpectrogram(
                config.sample_rate,
                n_fft=config.n_fft,
                hop_length=config.hop_length,
                f_min=config.fmin,
                f_max=config.fmax,
                n_mels=config.n_mels,
                power=2.0,
                center=True,
                pad_mode="reflect",
                norm=None,
                mel_scale="htk",
            )

    @override
    def forward(self, samples: Tensor) -> Tensor:
        if self.config.peak_normalise:
            samples = samples / samples.abs().amax(dim=1, keepdim=True).clamp_min(1e-8)
        log_mel = torch.log((self.mel(samples) + self.config.log_offset).clamp_min(self.config.log_floor))
        # In float64, so that silence comes out as exactly zero and not as rounding errors divided by the floor.
        mean = log_mel.mean(dim=(1, 2), keepdim=True, dtype=torch.float64).float()
        std = log_mel.std(dim=(1, 2), keepdim=True).clamp_min(self.config.std_floor)
        return torch.nan_to_num((log_mel - mean) / std, nan=0.0, posinf=0.0, neginf=0.0)

    @override
    def augment(self, features: Tensor, generator: torch.Generator) -> Tensor:
        return mask_spectrogram(
            features,
            freq_mask=self.config.freq_mask,
            time_mask=self.config.time_mask,
            value=0.0,
            generator=generator,
        )
