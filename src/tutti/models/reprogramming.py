"""A frozen AST that is made to recognise instruments by a small change of its input, and its two baselines.

Without a transform, frozen (``ast_bs``) or trained throughout (``ast_tl``), and frozen behind additive noise
(``ast_nrp``), two convolutions (``ast_cnnrp``) or a small U-Net (``ast_urp``). The published freezing rule forgot the
U-Net, which stayed at its random start; here every transform is trained, and only the chosen one exists.

References:
    Chen and Lerch, Music Instrument Classification Reprogrammed, MMM 2023.
"""

from collections.abc import Mapping
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn
from typing_extensions import override

from tutti.audio.windows import WindowPolicy
from tutti.frontends.fbank import FbankConfig
from tutti.models.ast import Ast
from tutti.models.input_transforms import AdditiveNoise, TwoConvolutions, UNet
from tutti.models.network import Network
from tutti.models.registry import Preset, register_model

Transform = Literal["noise", "cnn", "unet"]


class ReprogrammedAst(Network):
    """An input transform, the AST and a linear decision.

    Args:
        n_classes: Outputs.
        dim: Width of the AST's tokens.
        depth: Its blocks.
        heads: Its attention heads.
        mels: Mel bins of the input.
        frames: Frames of the input.
        patch: Side of a patch.
        stride: Distance between patches.
        transform: What changes the input; None for nothing.
        transform_options: Its keyword arguments, see `tutti.models.input_transforms`.
        frozen: Whether the AST keeps its pretrained weights.
    """

    def __init__(
        self,
        *,
        n_classes: int,
        dim: int,
        depth: int,
        heads: int,
        mels: int,
        frames: int,
        patch: int = 16,
        stride: int = 10,
        transform: Transform | None = None,
        transform_options: Mapping[str, Any] | None = None,
        frozen: bool = True,
    ) -> None:
        super().__init__()
        options = dict(transform_options or {})
        self.transform: nn.Module
        if transform == "noise":
            self.transform = AdditiveNoise(frames, mels, **options)
        elif transform == "cnn":
            self.transform = TwoConvolutions(**options)
        elif transform == "unet":
            self.transform = UNet(**options)
        else:
            self.transform = nn.Identity()
        self.backbone = Ast(dim=dim, depth=depth, heads=heads, mels=mels, frames=frames, patch=patch, stride=stride)
        self.head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, n_classes))
        self.frozen = frozen
        self.backbone.requires_grad_(not frozen)
        self.train()

    @override
    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.backbone.train(mode and not self.frozen)
        return self

    @override
    def forward(self, features: Tensor) -> Tensor:
        """Logits from filter-bank energies.

        Args:
            features: float32 [batch, frames, mels].

        Returns:
            float32 [batch, n_classes].
        """
        return self.head(self.backbone(self.transform(features)))

    @override
    def encode(self, features: Tensor) -> Tensor | None:
        """The frozen AST's output where nothing before it is trained, float32 [batch, dim]; None elsewhere."""
        if not self.frozen or not isinstance(self.transform, nn.Identity):
            return None
        with torch.no_grad():
            return self.backbone(features)

    @override
    def decide(self, encoded: Tensor) -> Tensor:
        return self.head(encoded)

    @override
    def transferable(self) -> dict[str, Tensor]:
        return self.backbone.state_dict()

    @override
    def load_transferable(self, state: Mapping[str, Tensor], *, where: str) -> None:
        """Takes over an AST: of a pretraining, the authors' checkpoints or the Hugging Face export.

        Positions for another number of frames are fitted to this network's.
        """
        self.backbone.load(state, where=where)

    @override
    def last_layer(self) -> nn.Linear:
        last = self.head[-1]
        assert isinstance(last, nn.Linear)
        return last


#: ViT-Base over 1024 frames: 12 x 101 patches.
_BASE = {"dim": 768, "depth": 12, "heads": 12, "mels": 128, "frames": 1024}
_BASE_PARAMS, _BASE_HEAD = 86_187_264, 16_916

_MINI = {"dim": 64, "depth": 3, "heads": 4, "mels": 64, "frames": 249, "stride": 12}
_MINI_PARAMS, _MINI_HEAD = 173_184, 1_428
#: Three seconds have fewer frames; their positions are stretched when the weights move on.
_MINI_PRETRAINING_FRAMES = 74


def _presets(transform: Transform | None, added: int, mini_added: int, *, frozen: bool = True) -> dict[str, Preset]:
    """The three sizes, given the numbers that the transform adds to the AST and its head."""
    change = {"transform": transform, "frozen": frozen}
    pretraining = {"transform": None, "frozen": False}

    def base(front_end: FbankConfig) -> Preset:
        return Preset(
            front_end=front_end,
            options=_BASE | change,
            input_shape=(1024, 128),
            trainable_params=_BASE_HEAD + added + (0 if frozen else _BASE_PARAMS),
            total_params=_BASE_HEAD + added + _BASE_PARAMS,
            window=WindowPolicy(),
            pretraining=pretraining,
        )

    mini = Preset(
        front_end=FbankConfig(
            n_mels=64, frame_length_ms=50.0, frame_shift_ms=40.0, frames=None, freq_mask=12, time_mask=24
        ),
        options=_MINI | change,
        input_shape=(249, 64),
        trainable_params=_MINI_HEAD + mini_added + (0 if frozen else _MINI_PARAMS),
        total_params=_MINI_HEAD + mini_added + _MINI_PARAMS,
        window=WindowPolicy(),
        pretraining=pretraining | {"frames": _MINI_PRETRAINING_FRAMES},
    )
    return {"paper": base(FbankConfig()), "published": base(FbankConfig(input_norm="none")), "mini": mini}


_FACTS: dict[str, Any] = {
    "family": "network",
    "task": "openmic-20",
    "system": "ast-reprogramming",
    "paper": "Chen and Lerch 2023 (reprogramming); Gong et al. 2021 (AST)",
    "weights_licence": "BSD-3-Clause",
    "pretraining": "irmas-9",
}


@register_model(
    "ast_bs",
    summary="frozen audio spectrogram transformer under a linear layer",
    published={"f1_macro_two_class": "0.620 (OpenMIC-2018, official split; median of 3 runs)"},
    presets=_presets(None, 0, 0),
    **_FACTS,
)
def ast_bs(*, n_classes: int, **options: Any) -> ReprogrammedAst:
    """AST-BS with random weights."""
    return ReprogrammedAst(n_classes=n_classes, **options)


@register_model(
    "ast_tl",
    summary="audio spectrogram transformer trained throughout",
    published={
        "f1_macro_two_class": "0.811 (OpenMIC-2018, official split; median of 3 runs)",
        "trainable_params": "87,873,252, of which 1,669,072 (spare heads, a noise) take no part; 86,204,180 here",
    },
    presets=_presets(None, 0, 0, frozen=False),
    **_FACTS,
)
def ast_tl(*, n_classes: int, **options: Any) -> ReprogrammedAst:
    """AST-TL with random weights."""
    return ReprogrammedAst(n_classes=n_classes, **options)


@register_model(
    "ast_nrp",
    summary="frozen audio spectrogram transformer behind learned additive noise",
    published={"f1_macro_two_class": "0.680 (OpenMIC-2018, official split; median of 3 runs)"},
    presets=_presets("noise", 131_072, 15_936),
    **_FACTS,
)
def ast_nrp(*, n_classes: int, **options: Any) -> ReprogrammedAst:
    """AST-NRP with random weights."""
    return ReprogrammedAst(n_classes=n_classes, **options)


@register_model(
    "ast_cnnrp",
    summary="frozen audio spectrogram transformer behind two learned convolutions",
    published={"f1_macro_two_class": "0.783 (OpenMIC-2018, official split; median of 4 runs)"},
    presets=_presets("cnn", 20, 20),
    **_FACTS,
)
def ast_cnnrp(*, n_classes: int, **options: Any) -> ReprogrammedAst:
    """AST-CNNRP with random weights."""
    return ReprogrammedAst(n_classes=n_classes, **options)


@register_model(
    "ast_urp",
    summary="frozen audio spectrogram transformer behind a learned U-Net",
    published={"f1_macro_two_class": "0.815 (OpenMIC-2018, official split; median of about 7 runs)"},
    presets=_presets("unet", 1_285, 1_285),
    **_FACTS,
)
def ast_urp(*, n_classes: int, **options: Any) -> ReprogrammedAst:
    """AST-URP with random weights."""
    return ReprogrammedAst(n_classes=n_classes, **options)
