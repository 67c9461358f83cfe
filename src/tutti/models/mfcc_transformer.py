"""Transformer over the frames of a window: which groups of instruments sound in each frame of 11.6 ms.

References:
    github.com/ofargally/instrument-classifier (2024). There attention ran over the randomly drawn frames of a
    mini-batch, so that an answer depended on its batch mates; here it runs over the consecutive frames of a window,
    with positions, or over each frame alone.
"""

import math
from typing import Literal, cast

import torch
from torch import Tensor, nn

from tutti.models.frame_network import FRONT_END, WINDOW, WINDOW_FRAMES, FrameNetwork
from tutti.models.registry import Preset, register_model


class MfccTransformer(FrameNetwork):
    """A linear layer, post-norm encoder layers, and a linear layer, for every frame.

    Args:
        n_classes: Outputs.
        dim: Width of a frame's token.
        heads: Attention heads; they divide ``dim``.
        layers: Encoder layers.
        dropout: Dropout within the layers, but not of attention weights: that would keep torch from its fused
            attention, which is five times as fast over the frames of a window.
        feed_forward: Width inside the layers' feed-forward part; torch's default, as published.
        context: What a frame attends to: all frames of its ``window``, with sinusoidal positions, or its ``frame``
            alone, without.
        spans: See `FrameNetwork`.
        colour: See `FrameNetwork`.
    """

    def __init__(
        self,
        *,
        n_classes: int,
        dim: int,
        heads: int,
        layers: int,
        dropout: float,
        feed_forward: int = 2048,
        context: Literal["window", "frame"] = "window",
        spans: tuple[int, ...] = (),
        colour: float = 0.0,
    ) -> None:
        super().__init__(spans=spans, colour=colour)
        self.context = context
        self.embed = nn.Linear(FRONT_END.n_mfcc * self.kinds, dim)
        layer = nn.TransformerEncoderLayer(dim, heads, feed_forward, dropout, batch_first=True)
        layer.self_attn.dropout = 0.0
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = nn.Linear(dim, n_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Logits of every frame.

        Args:
            features: MFCC, float32 [batch, frames, 13].

        Returns:
            float32 [batch, frames, n_classes].
        """
        tokens = self.embed(self.describe(features).flatten(2))
        if self.context == "frame":
            for layer in self.encoder.layers:
                tokens = _of_one_token(cast("nn.TransformerEncoderLayer", layer), tokens)
            return self.head(tokens)
        return self.head(self.encoder(tokens + sinusoids(tokens.shape[1], tokens.shape[2]).to(tokens)))


def _of_one_token(layer: nn.TransformerEncoderLayer, tokens: Tensor) -> Tensor:
    """What the layer gives for each token as a sequence of its own: all its attention is on itself.

    The layer gives the same, but takes half as long again.
    """
    attention = layer.self_attn
    value = nn.functional.linear(tokens, attention.in_proj_weight.chunk(3)[2], attention.in_proj_bias.chunk(3)[2])
    tokens = layer.norm1(tokens + layer.dropout1(attention.out_proj(value)))
    inner = layer.linear2(layer.dropout(layer.linear1(tokens).relu()))
    return layer.norm2(tokens + layer.dropout2(inner))


def sinusoids(frames: int, dim: int) -> Tensor:
    """Positions without parameters, float32 [frames, dim]: sines and cosines of wavelengths from 2 pi to 20,000 pi.

    References:
        Vaswani et al., Attention Is All You Need, NeurIPS 2017, section 3.5.
    """
    pairs = torch.arange(0, dim, 2) * (-math.log(10000.0) / dim)
    angles = torch.arange(frames)[:, None] * torch.exp(pairs)
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :dim]


_SHAPE = (WINDOW_FRAMES, FRONT_END.n_mfcc)


@register_model(
    "mfcc_transformer",
    family="network",
    task="musicnet-frames",
    system="musicnet-mfcc",
    summary="transformer over the cepstrum's frames",
    paper="github.com/ofargally/instrument-classifier, 2024",
    published={
        "hamming": "0.0367 (MusicNet test recordings, published weights, each frame alone)",
        "micro_f1": "0.806 (MusicNet test recordings, published weights, each frame alone)",
    },
    presets={
        "paper": Preset(
            front_end=FRONT_END,
            options={"dim": 128, "heads": 4, "layers": 1, "dropout": 0.4287850162347976},
            input_shape=_SHAPE,
            trainable_params=596_364,
            total_params=596_364,
            window=WINDOW,
        ),
        "published": Preset(
            front_end=FRONT_END,
            options={"dim": 64, "heads": 2, "layers": 3, "dropout": 0.20573244238175206},
            input_shape=_SHAPE,
            trainable_params=845_132,
            total_params=845_132,
            window=WINDOW,
        ),
        "mini": Preset(
            front_end=FRONT_END,
            options={
                "dim": 64,
                "heads": 4,
                "layers": 2,
                "dropout": 0.3,
                "feed_forward": 128,
                "context": "frame",
                "spans": (64, 512, 2048),
                "colour": 0.2,
            },
            input_shape=_SHAPE,
            trainable_params=76_108,
            total_params=76_108,
            window=WINDOW,
        ),
    },
)
def mfcc_transformer(
    *,
    n_classes: int,
    dim: int,
    heads: int,
    layers: int,
    dropout: float,
    feed_forward: int = 2048,
    context: Literal["window", "frame"] = "window",
    spans: tuple[int, ...] = (),
    colour: float = 0.0,
) -> MfccTransformer:
    """The network with random weights."""
    return MfccTransformer(
        n_classes=n_classes,
        dim=dim,
        heads=heads,
        layers=layers,
        dropout=dropout,
        feed_forward=feed_forward,
        context=context,
        spans=spans,
        colour=colour,
    )
