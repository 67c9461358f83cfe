"""A window as one vector of classical descriptors, for the random forests.

The definitions are librosa's, to which the tests compare every one of them; computed in torch, a batch takes a few
milliseconds per window and no compiler has to warm up.
"""

import itertools

import torch
from pydantic import Field
from torch import Tensor
from torchaudio.functional import create_dct, melscale_fbanks
from typing_extensions import override

from tutti.frontends.base import FrontEnd, FrontEndConfig, register_front_end

_CONTRAST_BANDS = 6
_CONTRAST_FMIN = 200.0
_CONTRAST_QUANTILE = 0.02
_DELTA_REACH = 4


class SummaryConfig(FrontEndConfig):
    """Parameters of the descriptors.

    Attributes:
        n_fft: STFT size and frame length in samples.
        hop_length: Distance between frames in samples.
        n_mels: Mel bins under the cepstrum.
        n_mfcc: Cepstral coefficients.
    """

    kind: str = "summary"
    sample_rate: int = Field(default=16000, gt=4 * _CONTRAST_FMIN * 2 ** (_CONTRAST_BANDS - 2))
    n_fft: int = Field(default=2048, ge=512)
    hop_length: int = Field(default=512, ge=1)
    n_mels: int = Field(default=128, ge=1)
    n_mfcc: int = Field(default=20, ge=1)


@register_front_end("summary")
class Summary(FrontEnd):
    """Mean and standard deviation over time of each descriptor, [batch, 3 * n_mfcc + 26].

    In order: MFCC means, MFCC deviations, deviations of the MFCC slopes; means, then deviations, of spectral centroid
    (Hz), bandwidth (Hz), roll-off (Hz), flatness, zero-crossing rate, RMS level and seven bands of spectral contrast
    (dB).
    """

    Config = SummaryConfig
    config: SummaryConfig

    def __init__(self, config: SummaryConfig) -> None:
        super().__init__(config)
        rate, bins = config.sample_rate, config.n_fft // 2 + 1
        bank = melscale_fbanks(bins, 0.0, rate / 2, config.n_mels, rate, norm="slaney", mel_scale="slaney")
        slope = torch.arange(-_DELTA_REACH, _DELTA_REACH + 1.0)
        constants = {
            "window": torch.hann_window(config.n_fft),
            "bank": bank.T.contiguous(),
            "dct": create_dct(config.n_mfcc, config.n_mels, norm="ortho").T.contiguous(),
            "frequencies": torch.linspace(0, rate / 2, bins)[:, None],
            "slope": (slope / slope.square().sum()).expand(config.n_mfcc, 1, -1).clone(),
        }
        for name, value in constants.items():
            self.register_buffer(name, value, persistent=False)

    @override
    def forward(self, samples: Tensor) -> Tensor:
        described = self.describe(samples)
        mfcc = described.pop("mfcc")
        slopes = torch.nn.functional.conv1d(mfcc, self.get_buffer("slope"), groups=self.config.n_mfcc)
        rest = torch.cat(list(described.values()), dim=1)
        parts = [mfcc.mean(-1), _deviation(mfcc), _deviation(slopes), rest.mean(-1), _deviation(rest)]
        return torch.cat(parts, dim=1)

    def describe(self, samples: Tensor) -> dict[str, Tensor]:
        """Every descriptor over time.

        Args:
            samples: float32 [batch, samples].

        Returns:
            Name to float32 [batch, values, frames], in the order of the summary.
        """
        magnitude = torch.stft(
            samples,
            self.config.n_fft,
            hop_length=self.config.hop_length,
            window=self.get_buffer("window"),
            center=True,
            pad_mode="constant",
            return_complex=True,
        ).abs()
        frequencies = self.get_buffer("frequencies")
        share = magnitude / magnitude.sum(dim=1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)
        centroid = (frequencies * share).sum(dim=1, keepdim=True)
        bandwidth = (share * (frequencies - centroid).square()).sum(dim=1, keepdim=True).sqrt()
        return {
            "mfcc": self.get_buffer("dct") @ _decibels(self.get_buffer("bank") @ magnitude.square()),
            "centroid": centroid,
            "bandwidth": bandwidth,
            "rolloff": self._rolloff(magnitude),
            "flatness": _flatness(magnitude),
            "zero_crossing_rate": self._zero_crossing_rate(samples),
            "rms": self._rms(samples),
            "contrast": self._contrast(magnitude),
        }

    def _rolloff(self, magnitude: Tensor) -> Tensor:
        cumulated = magnitude.cumsum(dim=1)
        above = cumulated >= 0.85 * cumulated[:, -1:]
        return self.get_buffer("frequencies")[above.int().argmax(dim=1), 0][:, None]

    def _frames(self, samples: Tensor, mode: str) -> Tensor:
        half = self.config.n_fft // 2
        padded = torch.nn.functional.pad(samples[:, None], (half, half), mode=mode)[:, 0]
        return padded.unfold(1, self.config.n_fft, self.config.hop_length)

    def _zero_crossing_rate(self, samples: Tensor) -> Tensor:
        # librosa counts what is within 1e-10 of zero as positive.
        frames = self._frames((samples < -1e-10).float(), "replicate")
        return frames.diff(dim=-1).abs().sum(dim=-1)[:, None] / self.config.n_fft

    def _rms(self, samples: Tensor) -> Tensor:
        return self._frames(samples.square(), "constant").mean(dim=-1).sqrt()[:, None]

    def _contrast(self, magnitude: Tensor) -> Tensor:
        """Octave-band peaks against valleys, as in `librosa.feature.spectral_contrast`."""
        frequencies = self.get_buffer("frequencies")[:, 0]
        edges = [0.0] + [_CONTRAST_FMIN * 2.0**octave for octave in range(_CONTRAST_BANDS + 1)]
        peaks, valleys = [], []
        for index, (low, high) in enumerate(itertools.pairwise(edges)):
            inside = torch.nonzero((frequencies >= low) & (frequencies <= high))[:, 0]
            first, last = int(inside[0]) - (index > 0), int(inside[-1]) + 1
            if index == _CONTRAST_BANDS:
                last = len(frequencies)
            count = max(round(_CONTRAST_QUANTILE * (last - first)), 1)
            # Every band but the highest leaves its upper edge to the next one.
            band = magnitude[:, first : last - (index < _CONTRAST_BANDS)]
            peaks.append(band.topk(count, dim=1).values.mean(dim=1))
            valleys.append(band.topk(count, dim=1, largest=False).values.mean(dim=1))
        return _decibels(torch.stack(peaks, dim=1)) - _decibels(torch.stack(valleys, dim=1))


def _decibels(power: Tensor) -> Tensor:
    """10 log10 with a floor of 1e-10, at most 80 dB below the window's peak; [batch, values, frames]."""
    level = 10 * torch.log10(power.clamp_min(1e-10))
    return torch.maximum(level, level.amax(dim=(1, 2), keepdim=True) - 80)


def _flatness(magnitude: Tensor) -> Tensor:
    power = magnitude.square().clamp_min(1e-10)
    return power.log().mean(dim=1, keepdim=True).exp() / power.mean(dim=1, keepdim=True)


def _deviation(values: Tensor) -> Tensor:
    return values.std(dim=-1, correction=0)
