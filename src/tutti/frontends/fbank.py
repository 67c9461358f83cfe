"""Kaldi's filter bank, the input of the audio spectrogram transformer and its reprogrammed kin."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional
from torchaudio.compliance.kaldi import get_mel_banks
from typing_extensions import override

from tutti.frontends.base import FrontEnd, FrontEndConfig, register_front_end
from tutti.frontends.masking import mask_spectrogram

#: Mean and standard deviation of AudioSet's filter-bank values, which AST's public checkpoints were trained with.
_AUDIOSET_MEAN, _AUDIOSET_STD = -4.2677393, 4.5689974


class FbankConfig(FrontEndConfig):
    """The published values of the OpenMIC runs are the defaults, but for ``input_norm``.

    Attributes:
        n_mels: Mel bins.
        frame_length_ms: Length of the symmetric Hann window in milliseconds; the FFT has the next power of two.
        frame_shift_ms: Distance between frames in milliseconds.
        frames: Rows of the result: rows of 0.0 are appended, or the last ones cut. None keeps what the window gives.
        peak_normalise: Whether the waveform is divided by its largest magnitude first; a silent one stays silent.
        input_norm: ``audioset`` scales to (x + 4.2677393) / (2 x 4.5689974), which is what a pretrained AST expects;
            ``none`` leaves the log energies as they are, as the published OpenMIC runs did by mistake, and that is
            part of why their plain AST is so weak.
        freq_mask: Training masks are narrower than this many bins.
        time_mask: Training masks are narrower than this many frames.
    """

    kind: str = "fbank"
    sample_rate: int = 16000
    n_mels: int = Field(default=128, ge=1)
    frame_length_ms: float = Field(default=25.0, gt=0)
    frame_shift_ms: float = Field(default=10.0, gt=0)
    frames: int | None = Field(default=1024, ge=1)
    peak_normalise: bool = True
    input_norm: Literal["none", "audioset"] = "audioset"
    freq_mask: int = Field(default=24, ge=0)
    time_mask: int = Field(default=96, ge=0)


@register_front_end("fbank")
class Fbank(FrontEnd):
    """Natural logs of mel energies, float32 [batch, frames, n_mels]; ten seconds at 16 kHz give 998 frames.

    The values are those of `torchaudio.compliance.kaldi.fbank` with ``htk_compat``, a Hann window and no dither (which
    takes one recording at a time): no padding at the edges, the mean removed from each frame, pre-emphasis 0.97, a
    bank from 20 Hz to half the sample rate, and float32's epsilon below the log. Appended rows and masked cells are
    0.0 before ``input_norm``, as in the training of the public checkpoints; that is loud on this scale, where silence
    is -15.94.

    References:
        Gong, Chung and Glass, AST: Audio Spectrogram Transformer, Interspeech 2021; Chen and Lerch, Music Instrument
        Classification Reprogrammed, MMM 2023.
    """

    Config = FbankConfig
    config: FbankConfig

    def __init__(self, config: FbankConfig) -> None:
        super().__init__(config)
        self._length = int(config.sample_rate * config.frame_length_ms / 1000)
        self._shift = int(config.sample_rate * config.frame_shift_ms / 1000)
        self._n_fft = 2 ** (self._length - 1).bit_length()
        bank, _ = get_mel_banks(
            config.n_mels, self._n_fft, float(config.sample_rate), 20.0, 0.0, 100.0, -500.0, 1.0
        )  # 0.0 stands for half the sample rate; the rest are parameters of vocal tract warping, which is off
        # Kaldi's bank leaves out the bin at half the sample rate.
        self.register_buffer("bank", functional.pad(bank, (0, 1)).T.contiguous(), persistent=False)
        self.register_buffer("window", torch.hann_window(self._length, periodic=False), persistent=False)

    @override
    def forward(self, samples: Tensor) -> Tensor:
        """Model input from mono samples.

        Args:
            samples: float32 [batch, samples] at ``config.sample_rate``.

        Returns:
            float32 [batch, frames, n_mels].

        Raises:
            ValueError: The samples do not fill one frame.
        """
        if samples.shape[1] < self._length:
            raise ValueError(f"{samples.shape[1]} samples hold no frame of {self._length}")
        if self.config.peak_normalise:
            samples = samples / samples.abs().amax(dim=1, keepdim=True).clamp_min(1e-8)
        frames = samples.unfold(1, self._length, self._shift)
        frames = frames - frames.mean(dim=2, keepdim=True)
        before = functional.pad(frames, (1, 0), mode="replicate")[..., :-1]
        spectrum = torch.fft.rfft((frames - 0.97 * before) * self.get_buffer("window"), n=self._n_fft)
        power = spectrum.real.square() + spectrum.imag.square()
        energies = (power @ self.get_buffer("bank")).clamp_min(torch.finfo(torch.float32).eps).log()
        if self.config.frames is not None:
            energies = functional.pad(energies, (0, 0, 0, self.config.frames - energies.shape[1]))
        return self._normalise(energies)

    @override
    def augment(self, features: Tensor, generator: torch.Generator) -> Tensor:
        masked = mask_spectrogram(
            features.transpose(1, 2),
            freq_mask=self.config.freq_mask,
            time_mask=self.config.time_mask,
            value=float(self._normalise(torch.zeros(()))),
            generator=generator,
        )
        return masked.transpose(1, 2)

    def _normalise(self, energies: Tensor) -> Tensor:
        if self.config.input_norm == "none":
            return energies
        return (energies - _AUDIOSET_MEAN) / (2 * _AUDIOSET_STD)
