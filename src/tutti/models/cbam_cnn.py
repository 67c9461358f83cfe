"""CBAM-CNN: a small convolutional network whose stages attend to channels, then to places of the spectrogram.

References:
    Woo et al., CBAM: Convolutional Block Attention Module, ECCV 2018. The published network lost its pooling between
    pretraining and fine-tuning, and its features changed scale; here both are the same throughout.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from tutti.audio.windows import WindowPolicy
from tutti.frontends.htk_mel import HtkMelConfig
from tutti.models.network import Network, load_strictly
from tutti.models.registry import Preset, register_model


class ChannelAttention(nn.Module):
    """A weight in (0, 1) for each channel, from its mean and its maximum: [batch, channels, 1, 1]."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(channels, channels // reduction), nn.ReLU(), nn.Linear(channels // reduction, channels)
        )

    @override
    def forward(self, x: Tensor) -> Tensor:
        summed = self.mlp(x.mean(dim=(2, 3))) + self.mlp(x.amax(dim=(2, 3)))
        return torch.sigmoid(summed)[:, :, None, None]


class SpatialAttention(nn.Module):
    """A weight in (0, 1) for each place, from the channels' mean and maximum: [batch, 1, height, width]."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel_size=7, padding=3)

    @override
    def forward(self, x: Tensor) -> Tensor:
        pooled = torch.stack([x.mean(dim=1), x.amax(dim=1)], dim=1)
        return torch.sigmoid(self.conv(pooled))


class Cbam(nn.Module):
    """Channel attention, then spatial attention; the shape stays."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.channel = ChannelAttention(channels, reduction)
        self.spatial = SpatialAttention()

    def open(self) -> None:
        """Sets both attentions to about 0.9 everywhere."""
        for gate, bias in ((self.channel.mlp[2], 1.0), (self.spatial.conv, 2.0)):  # the MLP's is added twice
            for parameter in gate.parameters():
                nn.init.normal_(parameter, mean=bias if parameter.ndim == 1 else 0.0, std=0.02)

    @override
    def forward(self, x: Tensor) -> Tensor:
        x = x * self.channel(x)
        return x * self.spatial(x)


class CbamCnn(Network):
    """Stages of convolution, pooling and attention under a global mean.

    Args:
        n_classes: Outputs.
        channels: Channels of each stage.
        reduction: Narrowing of the channel attention.
        hidden: Width of the head's hidden layer, None for a linear head.
        dropout: Dropout behind the hidden layer.
        batch_norm: Whether each convolution is followed by batch normalisation; the published network has none.
    """

    def __init__(
        self,
        *,
        n_classes: int,
        channels: Sequence[int],
        reduction: int,
        hidden: int | None,
        dropout: float,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for width in channels:
            layers.append(nn.Conv2d(before, width, 3, padding=1))
            if batch_norm:
                layers.append(nn.BatchNorm2d(width))
            layers += [nn.ReLU(), nn.MaxPool2d(2), Cbam(width, reduction)]
            before = width
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1))
        if hidden is None:
            self.head = nn.Sequential(nn.Linear(before, n_classes))
        else:
            self.head = nn.Sequential(
                nn.Linear(before, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, n_classes)
            )
        self._initialise()

    def _initialise(self) -> None:
        """He's initialisation and attention that starts open.

        Attention that starts at one half, twice in each stage, would leave a small part of the signal, and without
        normalisation training would stand still for many epochs.
        """
        for module in self.features.modules():
            if isinstance(module, Cbam):
                module.open()
            elif isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, features: Tensor) -> Tensor:
        """Logits from spectrograms.

        Args:
            features: float32 [batch, mels, frames], standardised.

        Returns:
            float32 [batch, n_classes].
        """
        return self.head(self.features(features[:, None]).flatten(1))

    @override
    def transferable(self) -> dict[str, Tensor]:
        return self.features.state_dict()

    @override
    def load_transferable(self, state: Mapping[str, Tensor], *, where: str) -> None:
        load_strictly(self.features, state, where=where)

    @override
    def last_layer(self) -> nn.Linear:
        last = self.head[-1]
        assert isinstance(last, nn.Linear)
        return last


@register_model(
    "cbam_cnn",
    system="real-and-synthetic",
    family="network",
    summary="convolutional network with channel and spatial attention",
    paper="Woo et al. 2018 (CBAM); Multi-Label Musical Instrument Recognition, 2025",
    published={"f1_macro": "0.187 (OpenMIC-2018, random split, threshold 0.5)"},
    pretraining="irmas-9",
    presets={
        "paper": Preset(
            front_end=HtkMelConfig(),
            options={"channels": (32, 64), "reduction": 8, "hidden": 256, "dropout": 0.3},
            input_shape=(128, 501),
            trainable_params=42_182,
            total_params=42_182,
            window=WindowPolicy(),
            pretraining={"hidden": None},
        ),
        "mini": Preset(
            front_end=HtkMelConfig(n_mels=64, hop_length=1024, freq_mask=8, time_mask=24),
            options={"channels": (16, 32, 64), "reduction": 8, "hidden": 64, "dropout": 0.3, "batch_norm": True},
            input_shape=(64, 157),
            trainable_params=30_747,
            total_params=30_747,
            window=WindowPolicy(),
            pretraining={"hidden": None},
        ),
    },
)
def cbam_cnn(*, n_classes: int, **options: Any) -> CbamCnn:
    """CBAM-CNN with random weights."""
    return CbamCnn(n_classes=n_classes, **options)
