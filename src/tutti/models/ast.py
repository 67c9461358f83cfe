"""AST: the distilled vision transformer over overlapping spectrogram patches, without a head.

It is the frozen part of the reprogrammed models. Its public weights come in two layouts, the authors' checkpoints and
the Hugging Face export ``MIT/ast-finetuned-audioset-10-10-0.4593``; both load.

References:
    Gong, Chung and Glass, AST: Audio Spectrogram Transformer, Interspeech 2021; AudioSet mAP 0.4593.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from tutti.models.network import load_strictly
from tutti.models.vit import Block, PatchEmbed, initialise

#: What every name of the Hugging Face export's backbone begins with, and every name of the authors' checkpoints.
_EXPORT, _ORIGINAL = "audio_spectrogram_transformer.", "module."

#: Names of the export to those of this backbone; query, key and value are joined first.
_FROM_EXPORT = (
    (r"embeddings\.cls_token", "cls_token"),
    (r"embeddings\.distillation_token", "dist_token"),
    (r"embeddings\.position_embeddings", "pos_embed"),
    (r"embeddings\.patch_embeddings\.projection\.(weight|bias)", r"patch_embed.proj.\1"),
    (r"encoder\.layer\.(\d+)\.layernorm_before\.(weight|bias)", r"blocks.\1.norm1.\2"),
    (r"encoder\.layer\.(\d+)\.attention\.attention\.qkv\.(weight|bias)", r"blocks.\1.attn.qkv.\2"),
    (r"encoder\.layer\.(\d+)\.attention\.output\.dense\.(weight|bias)", r"blocks.\1.attn.proj.\2"),
    (r"encoder\.layer\.(\d+)\.layernorm_after\.(weight|bias)", r"blocks.\1.norm2.\2"),
    (r"encoder\.layer\.(\d+)\.intermediate\.dense\.(weight|bias)", r"blocks.\1.mlp.fc1.\2"),
    (r"encoder\.layer\.(\d+)\.output\.dense\.(weight|bias)", r"blocks.\1.mlp.fc2.\2"),
    (r"layernorm\.(weight|bias)", r"norm.\1"),
)


class Ast(nn.Module):
    """The transformer up to the mean of its two tokens.

    Args:
        dim: Width of a token.
        depth: Transformer blocks.
        heads: Attention heads; they divide ``dim``.
        mels: Mel bins of the input.
        frames: Frames that the positions are for; they are fitted to an input of another length.
        patch: Side of a patch.
        stride: Distance between patches; less than ``patch`` makes them overlap.
    """

    def __init__(
        self, *, dim: int, depth: int, heads: int, mels: int, frames: int, patch: int = 16, stride: int = 10
    ) -> None:
        super().__init__()
        self.rows, columns = (mels - patch) // stride + 1, (frames - patch) // stride + 1
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.dist_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, 2 + self.rows * columns, dim))
        self.patch_embed = PatchEmbed(dim, patch, stride)
        self.blocks = nn.Sequential(*(Block(dim, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        initialise(self)

    @override
    def forward(self, features: Tensor) -> Tensor:
        """Mean of the class and the distillation token behind the last block.

        Args:
            features: float32 [batch, frames, mels].

        Returns:
            float32 [batch, dim].
        """
        x = self.norm(self.blocks(self.tokens(features)))
        return (x[:, 0] + x[:, 1]) / 2

    def tokens(self, features: Tensor) -> Tensor:
        """The sequence that enters the blocks, float32 [batch, 2 + patches, dim]; 1024 frames give 1214 tokens.

        Raises:
            ValueError: The input has mel bins for another number of patches.
        """
        x = self.patch_embed(features.transpose(1, 2)[:, None])
        batch, _, rows, columns = x.shape
        if rows != self.rows:
            raise ValueError(f"{features.shape[2]} mel bins give {rows} rows of patches, expected {self.rows}")
        special = torch.cat([self.cls_token, self.dist_token], dim=1).expand(batch, -1, -1)
        x = torch.cat([special, x.flatten(2).transpose(1, 2)], dim=1)
        return x + fit_positions(self.pos_embed, rows, columns)

    def load(self, state: Mapping[str, Tensor], *, where: str) -> None:
        """Takes over the weights of a pretrained AST, with its positions fitted to this one's frames.

        Args:
            state: Tensors named as here, as in the authors' checkpoints or as in the Hugging Face export. The heads
                of the latter two are left out.
            where: What they were read from, for the error message.

        Raises:
            ArtifactMismatch: A tensor is missing, left over or of another shape.
        """
        renamed = own_names(state)
        table = renamed.get("pos_embed")
        if table is not None and table.ndim == 3 and (table.shape[1] - 2) % self.rows == 0:
            renamed["pos_embed"] = fit_positions(table, self.rows, (self.pos_embed.shape[1] - 2) // self.rows)
        load_strictly(self, renamed, where=where)


def fit_positions(table: Tensor, rows: int, columns: int) -> Tensor:
    """Positions for ``columns`` patches in time: the middle ones of a longer table, or a shorter one stretched.

    Args:
        table: float [1, 2 + rows x any, dim]; the first two belong to the class and the distillation token.
        rows: Patches in frequency.
        columns: Wanted patches in time.

    Returns:
        float [1, 2 + rows x columns, dim]; the table itself when it has as many.
    """
    dim = table.shape[-1]
    have = (table.shape[1] - 2) // rows
    if columns == have:
        return table
    grid = table[:, 2:].transpose(1, 2).reshape(1, dim, rows, have)
    if columns < have:
        first = have // 2 - columns // 2
        grid = grid[..., first : first + columns]
    else:
        grid = functional.interpolate(grid, size=(rows, columns), mode="bilinear")
    return torch.cat([table[:, :2], grid.flatten(2).transpose(1, 2)], dim=1)


def own_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The backbone's tensors under this module's names, whichever layout they come in."""
    if any(name.startswith(_EXPORT) for name in state):
        return _from_export({n.removeprefix(_EXPORT): t for n, t in state.items() if n.startswith(_EXPORT)})
    if any(name.startswith(_ORIGINAL) for name in state):
        # The two heads beside the backbone are ImageNet's, which the authors never used.
        inner = {n.removeprefix("module.v."): t for n, t in state.items() if n.startswith("module.v.")}
        return {n: t for n, t in inner.items() if not n.startswith(("head.", "head_dist."))}
    return dict(state)


def _from_export(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    joined = {name: tensor for name, tensor in state.items() if not re.search(r"\.(query|key|value)\.", name)}
    for name, query in state.items():
        parts = [name.replace(".query.", f".{part}.") for part in ("query", "key", "value")]
        if ".query." in name and all(part in state for part in parts):
            joined[name.replace(".query.", ".qkv.")] = torch.cat([query, *(state[part] for part in parts[1:])])
    renamed = {}
    for name, tensor in joined.items():
        own = next((re.sub(old, new, name) for old, new in _FROM_EXPORT if re.fullmatch(old, name)), name)
        renamed[own] = tensor
    return renamed
