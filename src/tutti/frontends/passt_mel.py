"""PaSST's log-mel spectrogram: pre-emphasis, a Kaldi mel bank, and in training a jittered bank with SpecAugment."""

import torch
from pydantic import Field
from torch import Tensor
from torchaudio.compliance.kaldi import get_mel_banks
from typing_extensions import override

from tutti.frontends.base import FrontEnd, FrontEndConfig, register_front_end
from tutti.frontends.masking import mask_spectrogram


class PasstMelConfig(FrontEndConfig):
    """The published values are the defaults.

    Attributes:
        n_fft: STFT size in samples.
        win_length: Length of the symmetric Hann window in samples.
        hop_length: Distance between frames in samples.
        n_mels: Mel bins.
        fmin: Lower edge of the bank in Hz.
        fmax: Upper edge of the bank in Hz.
        fmin_jitter: In training the lower edge is ``fmin`` + a whole number of Hz in ``0 .. fmin_jitter - 1``.
        fmax_jitter: In training the upper edge is ``fmax + fmax_jitter / 2`` - a whole number of Hz in
            ``0 .. fmax_jitter - 1``.
        freq_mask: Frequency masks are narrower than this many bins.
        time_mask: Time masks are narrower than this many frames.
    """

    kind: str = "passt_mel"
    sample_rate: int = 32000
    n_fft: int = Field(default=1024, ge=16)
    win_length: int = Field(default=800, ge=16)
    hop_length: int = Field(default=320, ge=1)
    n_mels: int = Field(default=128, ge=1)
    fmin: float = Field(default=0.0, ge=0)
    fmax: float = Field(default=15000.0, gt=0)
    fmin_jitter: int = Field(default=10, ge=1)
    fmax_jitter: int = Field(default=2000, ge=1)
    freq_mask: int = Field(default=48, ge=0)
    time_mask: int = Field(default=192, ge=0)


@register_front_end("passt_mel")
class PasstMel(FrontEnd):
    """Log-mel spectrogram [batch, n_mels, frames] as (ln(power + 1e-5) + 4.5) / 5.

    Ten seconds at 32 kHz give [128, 1000]. The original asks torch.stft for real pairs, which is deprecated; this one
    takes the complex result, with equal numbers.

    References:
        Koutini et al., Efficient Training of Audio Transformers with Patchout, Interspeech 2022.
    """

    Config = PasstMelConfig
    config: PasstMelConfig

    def __init__(self, config: PasstMelConfig) -> None:
        super().__init__(config)
        self.register_buffer("window", torch.hann_window(config.win_length, periodic=False), persistent=False)
        self.register_buffer("bank", self._mel_bank(config.fmin, config.fmax), persistent=False)

    @override
    def forward(self, samples: Tensor) -> Tensor:
        return self._log_mel(samples, self.get_buffer("bank"))

    @override
    def training_forward(self, samples: Tensor, generator: torch.Generator) -> Tensor:
        config = self.config
        low = config.fmin + int(torch.randint(config.fmin_jitter, (), generator=generator))
        high = config.fmax + config.fmax_jitter // 2 - int(torch.randint(config.fmax_jitter, (), generator=generator))
        return self.augment(self._log_mel(samples, self._mel_bank(low, high).to(samples.device)), generator)

    @override
    def augment(self, features: Tensor, generator: torch.Generator) -> Tensor:
        # The original fills with 0 before the affine normalisation, which is 0.9 after it.
        return mask_spectrogram(
            features,
            freq_mask=self.config.freq_mask,
            time_mask=self.config.time_mask,
            value=4.5 / 5,
            generator=generator,
        )

    def _mel_bank(self, low: float, high: float) -> Tensor:
        """Kaldi's triangles, float32 [n_mels, n_fft / 2 + 1]; the Nyquist column is zero."""
        config = self.config
        bank, _ = get_mel_banks(config.n_mels, config.n_fft, float(config.sample_rate), low, high, 100.0, -500.0, 1.0)
        return torch.nn.functional.pad(bank, (0, 1))

    def _log_mel(self, samples: Tensor, bank: Tensor) -> Tensor:
        config = self.config
        emphasised = samples[:, 1:] - 0.97 * samples[:, :-1]
        spectrum = torch.stft(
            emphasised,
            config.n_fft,
            hop_length=config.hop_length,
            win_length=config.win_length,
            window=self.get_buffer("window"),
            center=True,
            pad_mode="reflect",
            return_complex=True,
        )
        power = spectrum.real.square() + spectrum.imag.square()
        return (torch.log(bank @ power + 1e-5) + 4.5) / 5
