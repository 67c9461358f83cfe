"""PaSST: a vision transformer over overlapping spectrogram patches with separate time and frequency positions.

The parameters have the names of the public checkpoints (``passt_s_swa_p16_128_ap476`` and its kin), which therefore
load as they are.

References:
    Koutini et al., Efficient Training of Audio Transformers with Patchout, Interspeech 2022; OpenMIC mAP 0.843.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from typing_extensions import override

from tutti.audio.windows import WindowPolicy
from tutti.frontends.passt_mel import PasstMelConfig
from tutti.models.network import Network, load_strictly
from tutti.models.registry import Preset, register_model
from tutti.models.vit import Block, PatchEmbed, initialise

#: The layers that belong to a task; a checkpoint with another number of classes leaves them as initialised.
_HEADS = ("head.1.weight", "head.1.bias", "head_dist.weight", "head_dist.bias")


class Passt(Network):
    """The transformer.

    Args:
        n_classes: Outputs.
        dim: Width of a token.
        depth: Transformer blocks.
        heads: Attention heads; they divide ``dim``.
        mels: Mel bins of the input.
        frames: Frames that the time positions cover; an input may be shorter.
        patch: Side of a patch.
        stride: Distance between patches; less than ``patch`` makes them overlap.
        u_patchout: Patches dropped at random in training.
        s_patchout_t: Time columns dropped at random in training.
        s_patchout_f: Frequency rows dropped at random in training.
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
        u_patchout: int = 0,
        s_patchout_t: int = 0,
        s_patchout_f: int = 0,
    ) -> None:
        super().__init__()
        rows, columns = (mels - patch) // stride + 1, (frames - patch) // stride + 1
        self.u_patchout, self.s_patchout_t, self.s_patchout_f = u_patchout, s_patchout_t, s_patchout_f
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.dist_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.new_pos_embed = nn.Parameter(torch.zeros(1, 2, dim))
        self.freq_new_pos_embed = nn.Parameter(torch.zeros(1, dim, rows, 1))
        self.time_new_pos_embed = nn.Parameter(torch.zeros(1, dim, 1, columns))
        self.patch_embed = PatchEmbed(dim, patch, stride)
        self.blocks = nn.Sequential(*(Block(dim, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, n_classes))
        # Takes no part in the forward pass; it is here because the public checkpoints and counts have it.
        self.head_dist = nn.Linear(dim, n_classes)
        initialise(self)
        # The original gives its patches the range that torch gives a convolution, about twice as wide.
        self.patch_embed.proj.reset_parameters()

    @override
    def forward(self, features: Tensor) -> Tensor:
        """Logits from spectrograms.

        Args:
            features: float32 [batch, mels, frames].

        Returns:
            float32 [batch, n_classes].
        """
        return self.head(self.embed(features))

    def embed(self, features: Tensor) -> Tensor:
        """Mean of the class and the distillation token behind the last block, float32 [batch, dim]."""
        x = self.norm(self.blocks(self.tokens(features)))
        return (x[:, 0] + x[:, 1]) / 2

    def tokens(self, features: Tensor) -> Tensor:
        """The sequence that enters the blocks, float32 [batch, 2 + patches, dim]; ten seconds give 1190 tokens.

        Raises:
            ValueError: The input has other mel bins, or more frames than the time positions cover.
        """
        x = self.patch_embed(features[:, None])
        batch, _, rows, columns = x.shape
        spare = self.time_new_pos_embed.shape[-1] - columns
        if rows != self.freq_new_pos_embed.shape[2] or spare < 0:
            raise ValueError(
                f"a spectrogram of {tuple(features.shape[1:])} gives {rows} x {columns} patches; the positions cover "
                f"{self.freq_new_pos_embed.shape[2]} x at most {self.time_new_pos_embed.shape[-1]}"
            )
        # A shorter input lies anywhere on the time axis in training, at its start otherwise.
        first = int(torch.randint(spare + 1, ())) if self.training else 0
        x = x + self.time_new_pos_embed[..., first : first + columns] + self.freq_new_pos_embed
        if self.training:
            x = x[..., _kept(columns, self.s_patchout_t, x.device)]
            x = x[:, :, _kept(rows, self.s_patchout_f, x.device)]
        x = x.flatten(2).transpose(1, 2)
        if self.training:
            x = x[:, _kept(x.shape[1], self.u_patchout, x.device)]
        special = torch.cat([self.cls_token, self.dist_token], dim=1) + self.new_pos_embed
        return torch.cat([special.expand(batch, -1, -1), x], dim=1)

    @override
    def transferable(self) -> dict[str, Tensor]:
        return {name: tensor for name, tensor in self.state_dict().items() if name not in _HEADS}

    @override
    def load_transferable(self, state: Mapping[str, Tensor], *, where: str) -> None:
        """Takes over everything but the two last layers, which are taken, too, when they have as many classes."""
        own = self.state_dict()
        heads = {name: own[name] for name in _HEADS}
        given = {name: state[name] for name in _HEADS if name in state and state[name].shape == own[name].shape}
        load_strictly(self, {**state, **heads, **given}, where=where)

    @override
    def last_layer(self) -> nn.Linear:
        last = self.head[-1]
        assert isinstance(last, nn.Linear)
        return last


def _kept(size: int, dropped: int, device: torch.device) -> slice | Tensor:
    """Indices of what patchout leaves, in order; at least one."""
    if not dropped:
        return slice(None)
    return torch.randperm(size)[: max(size - dropped, 1)].sort().values.to(device)


@register_model(
    "passt",
    system="real-and-synthetic",
    family="network",
    summary="audio spectrogram transformer trained with patchout",
    paper="Koutini et al. 2022 (PaSST)",
    published={
        "map": "0.843 (OpenMIC-2018, official split)",
        "f1_macro": "0.574 (OpenMIC-2018, random split, threshold 0.5)",
    },
    weights_licence="Apache-2.0",
    pretraining="irmas-9",
    presets={
        "paper": Preset(
            front_end=PasstMelConfig(),
            options={"dim": 768, "depth": 12, "heads": 12, "mels": 128, "frames": 998},
            input_shape=(128, 1000),
            trainable_params=85_373_992,
            total_params=85_373_992,
            window=WindowPolicy(),
            cache="samples",
            drop_last=True,
        ),
        "mini": Preset(
            front_end=PasstMelConfig(
                sample_rate=16000,
                n_fft=512,
                win_length=400,
                n_mels=64,
                fmax=7500.0,
                fmax_jitter=1000,
                freq_mask=12,
                time_mask=48,
            ),
            options={"dim": 128, "depth": 3, "heads": 4, "mels": 64, "frames": 500, "stride": 16, "s_patchout_t": 15},
            input_shape=(64, 500),
            trainable_params=638_376,
            total_params=638_376,
            window=WindowPolicy(),
            # Three seconds have too few columns to drop any.
            pretraining={"s_patchout_t": 0},
        ),
    },
)
def passt(*, n_classes: int, dim: int, depth: int, heads: int, mels: int, frames: int, **patches: int) -> Passt:
    """PaSST with random weights."""
    return Passt(n_classes=n_classes, dim=dim, depth=depth, heads=heads, mels=mels, frames=frames, **patches)
