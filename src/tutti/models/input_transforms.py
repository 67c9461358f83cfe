"""The small learnable changes of a spectrogram that make a frozen network answer a question it was not trained for.

References:
    Chen and Lerch, Music Instrument Classification Reprogrammed, MMM 2023.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override


class AdditiveNoise(nn.Module):
    """One learnable spectrogram that is added to every clip's; [batch, frames, mels] to the same.

    The published class left it at whatever was in memory.

    Args:
        frames: Frames of the input.
        mels: Mel bins of the input.
        init: ``xavier_uniform`` (published mean F1 0.694) or ``normal`` (0.689).
    """

    def __init__(self, frames: int, mels: int, init: Literal["xavier_uniform", "normal"] = "xavier_uniform") -> None:
        super().__init__()
        self.noise = nn.Parameter(torch.empty(1, frames, mels))
        if init == "normal":
            nn.init.normal_(self.noise)
        else:
            nn.init.xavier_uniform_(self.noise)

    @override
    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1:] != self.noise.shape[1:]:
            raise ValueError(f"a spectrogram of {tuple(x.shape[1:])} cannot be added to {tuple(self.noise.shape[1:])}")
        return x + self.noise


class TwoConvolutions(nn.Module):
    """Two convolutions of one channel, 3 x 3; [batch, frames, mels] to the same.

    Args:
        activation: ``relu`` behind each convolution, or ``none``.
    """

    def __init__(self, activation: Literal["none", "relu"] = "none") -> None:
        super().__init__()
        between: type[nn.Module] = nn.ReLU if activation == "relu" else nn.Identity
        self.layers = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), between(), nn.Conv2d(1, 1, 3, padding=1), between())

    @override
    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x[:, None])[:, 0]


class UNet(nn.Module):
    """Three levels of pooling and back, with additive skips; [batch, frames, mels] to the same.

    An input whose sides are no multiples of 8 is padded with its last values, and the result is cut.

    Args:
        out_act: ``relu`` as published, which makes the result non-negative, or ``identity``.
    """

    def __init__(self, out_act: Literal["relu", "identity"] = "relu") -> None:
        super().__init__()
        self.down1, self.down2, self.down3 = _convolution(1, 4), _convolution(4, 8), _convolution(8, 8)
        self.up1, self.up2, self.up3 = _convolution(8, 4), _convolution(4, 1), _convolution(1, 1)
        if out_act == "identity":
            self.up3[-1] = nn.Identity()

    @override
    def forward(self, x: Tensor) -> Tensor:
        frames, mels = x.shape[1:]
        x = functional.pad(x[:, None], (0, -mels % 8, 0, -frames % 8), mode="replicate")
        x1 = functional.max_pool2d(self.down1(x), 2)
        x2 = functional.max_pool2d(self.down2(x1), 2)
        x3 = functional.max_pool2d(self.down3(x2), 2)
        x4 = self.up1(_double(x3) + x2)
        x5 = self.up2(_double(x4) + x1)
        return self.up3(_double(x5) + x)[:, 0, :frames, :mels]


def _convolution(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU())


def _double(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
