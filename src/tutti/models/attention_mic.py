"""AttentionMIC: a clip's ten embeddings vote on each instrument, weighted by attention; three ways to learn it.

References:
    Gururani, Sharma and Lerch, An attention mechanism for musical instrument recognition, ISMIR 2019. What labels that
    nobody was asked about may teach follows Gururani and Lerch, Semi-supervised audio classification with partially
    labeled data, 2021, and is chosen by the registered name:

    - ``attention_mic``: nothing (their baseline of type 1).
    - ``attention_negatives``: that the instrument is absent (their baseline of type 0).
    - ``attention_enhanced``: that it is absent where the network of type 0 thinks so, see `tutti.training.enhancement`.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from tutti.frontends.base import FrontEndConfig
from tutti.frontends.clip_embedding import ClipEmbeddingConfig
from tutti.frontends.vggish import SHAPE, VggishConfig
from tutti.models.network import Network, load_strictly
from tutti.models.registry import Preset, register_model

#: Attention lies this far inside (0, 1) before it is divided by its sum, and probabilities before their logarithm.
EPSILON = 1e-7

#: What of the front end's values counts as 0 and as 1: its floor, ln 1e-10, and as much power as music reaches.
LOG_MEL_RANGE = (-23.0, 9.0)

#: The same of VGGish's whole numbers, as published.
VGGISH_RANGE = (0.0, 255.0)


class AttentionMic(Network):
    """Three layers over each segment's embedding with a way around them, and a weighted vote of the segments.

    Each output is a probability, the mean over segments of the classifier's sigmoid with weights of its own; the logit
    of it is returned, as every network does.

    Args:
        n_classes: Outputs.
        width: Values of an embedding, which is the width of the layers too.
        dropout: Dropout behind each layer.
        input_range: The input's values that count as 0 and as 1. Batch normalisation comes first, but not on the way
            around the layers.
    """

    def __init__(self, *, n_classes: int, width: int, dropout: float, input_range: tuple[float, float]) -> None:
        super().__init__()
        self.input_range = input_range
        layers: list[nn.Module] = [nn.BatchNorm1d(width)]
        for _ in range(3):
            layers += [nn.Linear(width, width, bias=False), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(dropout)]
        self.embed = nn.Sequential(*layers)
        self.attention = nn.Linear(width, n_classes)
        self.classifier = nn.Linear(width, n_classes)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")  # bound sqrt(6 / fan_in), as published
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def segments(self, features: Tensor) -> Tensor:
        """Segments [batch, segments, width] as attention and classifier see them."""
        low, high = self.input_range
        scaled = (features - low) / (high - low)
        # A 1 x 1 convolution over time is a linear layer over all segments of the batch, its normalisation likewise.
        return scaled + self.embed(scaled.flatten(0, 1)).view_as(scaled)

    def weights(self, segments: Tensor) -> Tensor:
        """How much each of the `segments` counts for each class, [batch, segments, n_classes]; their sum is 1."""
        gates = torch.sigmoid(self.attention(segments).float()).clamp(EPSILON, 1 - EPSILON)
        return gates / gates.sum(dim=1, keepdim=True)

    def forward(self, features: Tensor) -> Tensor:
        """Logits from embeddings.

        Args:
            features: float32 [batch, segments, width].

        Returns:
            float32 [batch, n_classes], logits of probabilities in [1e-7, 1 - 1e-7].
        """
        segments = self.segments(features)
        votes = torch.sigmoid(self.classifier(segments).float())
        probability = (self.weights(segments) * votes).sum(dim=1)
        return torch.logit(probability.clamp(EPSILON, 1 - EPSILON))

    @override
    def transferable(self) -> dict[str, Tensor]:
        return self.embed.state_dict()

    @override
    def load_transferable(self, state: Mapping[str, Tensor], *, where: str) -> None:
        load_strictly(self.embed, state, where=where)

    @override
    def last_layer(self) -> nn.Linear:
        return self.classifier


def attention_presets(*, paper_dropout: float, mini_dropout: float, networks: int = 1) -> dict[str, Preset]:
    """Presets of a model made of ``networks`` such networks, one of which is trained.

    The network is so small that ``mini`` is as large as ``paper``; few clips only stand less dropout. ``published``
    takes the embeddings that come with OpenMIC, so it hears no new recordings.
    """

    def preset(dropout: float, front_end: FrontEndConfig, input_range: tuple[float, float]) -> Preset:
        return Preset(
            front_end=front_end,
            options={"width": 128, "dropout": dropout, "input_range": input_range},
            input_shape=SHAPE,
            trainable_params=55_336,
            total_params=networks * 55_336,
        )

    return {
        "paper": preset(paper_dropout, ClipEmbeddingConfig(), LOG_MEL_RANGE),
        "published": preset(paper_dropout, VggishConfig(), VGGISH_RANGE),
        "mini": preset(mini_dropout, ClipEmbeddingConfig(), LOG_MEL_RANGE),
    }


@register_model(
    "attention_mic",
    family="network",
    system="ast-reprogramming",
    summary="attention over ten embeddings of a clip; unasked labels teach nothing",
    paper="Gururani, Sharma and Lerch 2019 (AttentionMIC)",
    published={"f1_macro_two_class": "0.81 (OpenMIC-2018, VGGish embeddings; quoted, not verified)"},
    presets=attention_presets(paper_dropout=0.6, mini_dropout=0.1),
)
def attention_mic(*, n_classes: int, **options: Any) -> AttentionMic:
    """The attention network with random weights."""
    return AttentionMic(n_classes=n_classes, **options)


@register_model(
    "attention_negatives",
    family="network",
    system="ast-reprogramming",
    summary="attention over ten embeddings of a clip; unasked labels count as absent",
    paper="Gururani and Lerch 2021 (missing labels, baseline 0)",
    procedure="negatives",
    presets=attention_presets(paper_dropout=0.6, mini_dropout=0.1),
)
def attention_negatives(*, n_classes: int, **options: Any) -> AttentionMic:
    """The attention network with random weights."""
    return AttentionMic(n_classes=n_classes, **options)


@register_model(
    "attention_enhanced",
    family="network",
    system="ast-reprogramming",
    summary="attention over ten embeddings of a clip; unasked labels count as absent where a first network agrees",
    paper="Gururani and Lerch 2021 (missing labels, label enhancement)",
    procedure="enhanced",
    presets=attention_presets(paper_dropout=0.3, mini_dropout=0.1),
)
def attention_enhanced(*, n_classes: int, **options: Any) -> AttentionMic:
    """The attention network with random weights."""
    return AttentionMic(n_classes=n_classes, **options)
