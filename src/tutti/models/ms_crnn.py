"""MS-CRNN: convolutions of three sizes side by side, a recurrent network over time and attention over its steps.

References:
    Multi-Label Musical Instrument Recognition, 2025. The published pretraining network is another one than the
    fine-tuned, so its weights were never used. Here one network serves both, and its convolutions and recurrent layers
    pass from the one to the other. The preset ``paper`` is the fine-tuned network, ``published`` the pretraining one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from tutti.frontends.htk_mel import HtkMelConfig
from tutti.models.network import Network, load_strictly
from tutti.models.registry import Preset, register_model

#: Sizes of the parallel convolutions.
KERNELS = (3, 5, 7)


class MultiScale(nn.Module):
    """Parallel convolutions of three sizes: [batch, channels, height, width] to [batch, sum(widths), height, width].

    Args:
        channels: Input channels.
        widths: Output channels of each size.
    """

    def __init__(self, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Conv2d(channels, width, kernel, padding=kernel // 2)
            for width, kernel in zip(widths, KERNELS, strict=True)
        )

    @override
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


class Crnn(Network):
    """Convolutions, the mean over frequency, a bidirectional GRU, a mean over time and a linear layer.

    Args:
        n_classes: Outputs.
        conv: From [batch, 1, mels, frames] to [batch, channels, bands, steps].
        channels: Channels that ``conv`` gives.
        hidden: Width of the GRU in each direction.
        layers: Layers of the GRU.
        dropout: Dropout between them.
        attention: Whether the steps are weighted by attention; otherwise all count the same.
    """

    def __init__(
        self,
        *,
        n_classes: int,
        conv: nn.Sequential,
        channels: int,
        hidden: int,
        layers: int,
        dropout: float,
        attention: bool,
    ) -> None:
        super().__init__()
        self.conv = conv
        self.rnn = nn.GRU(
            channels,
            hidden,
            num_layers=layers,
            batch_first=True,
            bidirectional=True,
            dropout=dropout if layers > 1 else 0.0,
        )
        self.attention = nn.Linear(2 * hidden, 1) if attention else None
        self.head = nn.Linear(2 * hidden, n_classes)

    def steps(self, features: Tensor) -> Tensor:
        """Sequence [batch, steps, 2 * hidden] of spectrograms [batch, mels, frames]."""
        sequence: Tensor = self.rnn(self.conv(features[:, None]).mean(dim=2).transpose(1, 2))[0]
        return sequence

    def weights(self, steps: Tensor) -> Tensor:
        """How much each of the `steps` counts, [batch, steps]; their sum is 1."""
        if self.attention is None:
            return steps.new_full(steps.shape[:2], 1 / steps.shape[1])
        return torch.softmax(self.attention(steps)[..., 0], dim=1)

    def forward(self, features: Tensor) -> Tensor:
        """Logits from spectrograms.

        Args:
            features: float32 [batch, mels, frames], standardised.

        Returns:
            float32 [batch, n_classes].
        """
        steps = self.steps(features)
        return self.head((self.weights(steps)[..., None] * steps).sum(dim=1))

    def _shared(self) -> nn.ModuleDict:
        return nn.ModuleDict({"conv": self.conv, "rnn": self.rnn})

    @override
    def transferable(self) -> dict[str, Tensor]:
        return self._shared().state_dict()

    @override
    def load_transferable(self, state: Mapping[str, Tensor], *, where: str) -> None:
        load_strictly(self._shared(), state, where=where)

    @override
    def last_layer(self) -> nn.Linear:
        return self.head


def multi_scale_blocks(widths: Sequence[int], dropout: float) -> nn.Sequential:
    """The fine-tuned network's convolutions: each block halves the map and has ``width`` channels of each size."""
    blocks, before = [], 1
    for width in widths:
        channels = len(KERNELS) * width
        blocks.append(
            nn.Sequential(
                MultiScale(before, (width,) * len(KERNELS)),
                nn.BatchNorm2d(channels),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Dropout2d(dropout),
            )
        )
        before = channels
    return nn.Sequential(*blocks)


def published_pretraining_convolutions() -> nn.Sequential:
    """The pretraining network's convolutions: one block of three sizes, then an ordinary layer; 128 channels."""
    return nn.Sequential(
        nn.Sequential(MultiScale(1, (21, 21, 22)), nn.ReLU(), nn.BatchNorm2d(64), nn.MaxPool2d(2)),
        nn.Sequential(nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
    )


_FRONT_END = HtkMelConfig(fmin=0.0, fmax=8000.0, log_offset=1e-6, peak_normalise=False, std_floor=1e-6)


@register_model(
    "ms_crnn",
    family="network",
    system="real-and-synthetic",
    summary="convolutions of three sizes, a recurrent network and attention over time",
    paper="Multi-Label Musical Instrument Recognition, 2025",
    published={"f1_macro": "0.406 (OpenMIC-2018 and mixtures, random split, threshold 0.5)"},
    pretraining="irmas-9",
    presets={
        "paper": Preset(
            front_end=_FRONT_END,
            options={"widths": (32, 32, 32), "hidden": 256, "layers": 2, "dropout": 0.3},
            input_shape=(128, 501),
            trainable_params=2_250_709,
            total_params=2_250_709,
            drop_last=True,
        ),
        "published": Preset(
            front_end=_FRONT_END,
            options={"widths": None, "hidden": 128, "layers": 1, "dropout": 0.0, "attention": False},
            input_shape=(128, 501),
            trainable_params=279_124,
            total_params=279_124,
        ),
        "mini": Preset(
            front_end=_FRONT_END.model_copy(update={"n_mels": 64, "hop_length": 1024, "freq_mask": 8, "time_mask": 24}),
            options={"widths": (4, 6, 8), "hidden": 48, "layers": 2, "dropout": 0.1},
            input_shape=(64, 157),
            trainable_params=83_819,
            total_params=83_819,
        ),
    },
)
def ms_crnn(
    *, n_classes: int, widths: Sequence[int] | None, dropout: float, attention: bool = True, **options: Any
) -> Crnn:
    """MS-CRNN with random weights; without ``widths`` it has the convolutions of the published pretraining."""
    if widths is None:
        conv, channels = published_pretraining_convolutions(), 128
    else:
        conv, channels = multi_scale_blocks(widths, dropout), len(KERNELS) * widths[-1]
    return Crnn(n_classes=n_classes, conv=conv, channels=channels, dropout=dropout, attention=attention, **options)
