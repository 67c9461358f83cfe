"""CNN-BS: two convolutions of one channel and a linear layer, the baseline without any pretrained part.

The code flattens the whole spectrogram into the linear layer, 2,621,480 parameters; the paper's table says 0.017
million. ``cnn_bs`` is the code's network, ``cnn_bs_pooled`` one that fits the table: pooled to 768 values, the width
of an AST token, under the same head as there.

References:
    Chen and Lerch, Music Instrument Classification Reprogrammed, MMM 2023.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from typing_extensions import override

from tutti.audio.windows import WindowPolicy
from tutti.frontends.fbank import FbankConfig
from tutti.models.input_transforms import TwoConvolutions
from tutti.models.network import Network, load_strictly
from tutti.models.registry import Preset, register_model

#: Frames and mel bins that the pooled network keeps.
_POOLED = (96, 8)


class CnnBs(Network):
    """Convolutions, then a linear layer over all cells.

    Args:
        n_classes: Outputs.
        frames: Frames of the input.
        mels: Mel bins of the input.
        pooled: Whether the cells are averaged to 96 x 8 and normalised before the linear layer.
    """

    def __init__(self, *, n_classes: int, frames: int, mels: int, pooled: bool = False) -> None:
        super().__init__()
        self.features = TwoConvolutions("relu")
        if pooled:
            cells = _POOLED[0] * _POOLED[1]
            layers = [nn.AdaptiveAvgPool2d(_POOLED), nn.Flatten(), nn.LayerNorm(cells), nn.Linear(cells, n_classes)]
        else:
            layers = [nn.Flatten(), nn.Linear(frames * mels, n_classes)]
        self.head = nn.Sequential(*layers)

    @override
    def forward(self, features: Tensor) -> Tensor:
        """Logits from filter-bank energies.

        Args:
            features: float32 [batch, frames, mels].

        Returns:
            float32 [batch, n_classes].
        """
        return self.head(self.features(features))

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


def _presets(params: int, mini_params: int, **options: Any) -> dict[str, Preset]:
    def base(front_end: FbankConfig) -> Preset:
        return Preset(
            front_end=front_end,
            options=options | {"frames": 1024, "mels": 128},
            input_shape=(1024, 128),
            trainable_params=params,
            total_params=params,
            window=WindowPolicy(),
        )

    mini = Preset(
        front_end=FbankConfig(
            n_mels=64, frame_length_ms=50.0, frame_shift_ms=40.0, frames=None, freq_mask=12, time_mask=24
        ),
        options=options | {"frames": 249, "mels": 64},
        input_shape=(249, 64),
        trainable_params=mini_params,
        total_params=mini_params,
        window=WindowPolicy(),
    )
    return {"paper": base(FbankConfig()), "published": base(FbankConfig(input_norm="none")), "mini": mini}


@register_model(
    "cnn_bs",
    family="network",
    task="openmic-20",
    system="ast-reprogramming",
    summary="two one-channel convolutions and a linear layer over the whole spectrogram",
    paper="Chen and Lerch 2023, as its code has it",
    published={"f1_macro_two_class": "0.610 (OpenMIC-2018, official split; median of 3 runs)"},
    presets=_presets(2_621_480, 318_760),
)
def cnn_bs(*, n_classes: int, **options: Any) -> CnnBs:
    """CNN-BS with random weights."""
    return CnnBs(n_classes=n_classes, **options)


@register_model(
    "cnn_bs_pooled",
    family="network",
    task="openmic-20",
    system="ast-reprogramming",
    summary="two one-channel convolutions, averaged to 768 values under a linear layer",
    paper="Chen and Lerch 2023, as its table of parameters has it",
    presets=_presets(16_936, 16_936, pooled=True),
)
def cnn_bs_pooled(*, n_classes: int, **options: Any) -> CnnBs:
    """The pooled CNN-BS with random weights."""
    return CnnBs(n_classes=n_classes, **options)
