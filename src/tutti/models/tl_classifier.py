"""The second stage by transfer: the blocks of the single-instrument network, frozen, under a small trained classifier.

The published features were computed with batch statistics, so that each depended on the 63 clips beside it; here the
extractor is always in evaluation mode.

References:
    APS360 Musical Instrument Classification, University of Toronto course project, 2020.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from torch import Tensor, nn
from typing_extensions import override

from tutti.frontends.stereo_waveform import StereoWaveformConfig
from tutti.models.cnn1d import MINI_FRONT_END, MYNET13, PAPER, SAMPLES, SYSTEM, WINDOW, Cnn1d, ConvBlocks, length_chain
from tutti.models.network import Network, load_strictly
from tutti.models.registry import Preset, register_model


class TlClassifier(Network):
    """A frozen extractor, dropout, and three linear layers without activations between them.

    In evaluation the classifier is one affine map; the three factors only change how it is learnt.

    Args:
        n_classes: Outputs.
        samples: Samples of a window in each channel.
        channels: Output channels of the extractor's blocks.
        kernels: Kernel size of its convolutions.
        pools: Pooling factor of its blocks.
        hidden: Widths of the classifier's first two layers.
        dropout: Dropout on the features.
    """

    def __init__(
        self,
        *,
        n_classes: int,
        samples: int,
        channels: Sequence[int],
        kernels: Sequence[int],
        pools: Sequence[int],
        hidden: tuple[int, int],
        dropout: float,
    ) -> None:
        super().__init__()
        self.extractor = ConvBlocks(channels=channels, kernels=kernels, pools=pools).requires_grad_(False).eval()
        self.dropout = nn.Dropout(dropout)
        self.fc1 = nn.Linear(channels[-1] * length_chain(samples, kernels, pools)[-1], hidden[0])
        self.fc2 = nn.Linear(*hidden)
        self.fc3 = nn.Linear(hidden[1], n_classes)

    @override
    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.extractor.eval()
        return self

    @override
    def encode(self, features: Tensor) -> Tensor:
        """The extractor's output, float32 [batch, values], from waveforms float32 [batch, 2, samples]."""
        return self.extractor(features)

    @override
    def decide(self, encoded: Tensor) -> Tensor:
        return self.fc3(self.fc2(self.fc1(self.dropout(encoded))))

    def forward(self, features: Tensor) -> Tensor:
        """Logits from waveforms.

        Args:
            features: float32 [batch, 2, samples], each channel with a peak of 0.5.

        Returns:
            float32 [batch, n_classes].
        """
        return self.decide(self.encode(features))

    @override
    def transferable(self) -> dict[str, Tensor]:
        return self.extractor.state_dict()

    @override
    def load_transferable(self, state: Mapping[str, Tensor], *, where: str) -> None:
        """Takes over the blocks; the last layer of a whole `Cnn1d`, as published, is left out."""
        blocks = {name: tensor for name, tensor in state.items() if not name.startswith("fc1.")}
        load_strictly(self.extractor, blocks, where=where)

    @override
    def last_layer(self) -> nn.Linear:
        return self.fc3


#: The network that is pretrained is the first stage's, with its dropout.
_FIRST_STAGE = {"stage": 1, "dropout": 0.3}


@register_model(
    "tl_classifier",
    family="network",
    task="irmas-pairs",
    system=SYSTEM,
    pretraining="irmas-4",
    summary="a small classifier on the frozen blocks of MyNet13, two of four instruments",
    paper=PAPER,
    published={
        "label_accuracy": "0.6416 (pairs of four IRMAS instruments, published test split)",
        "valid_label_accuracy": "0.6821 (published validation split)",
    },
    presets={
        "paper": Preset(
            front_end=StereoWaveformConfig(),
            options={**MYNET13["paper"], "hidden": (100, 50), "dropout": 0.2},
            input_shape=(2, SAMPLES["paper"]),
            trainable_params=30_754,
            total_params=111_384,
            window=WINDOW,
            pretraining=_FIRST_STAGE,
        ),
        "mini": Preset(
            front_end=MINI_FRONT_END,
            options={**MYNET13["mini"], "hidden": (100, 50), "dropout": 0.2},
            input_shape=(2, SAMPLES["mini"]),
            trainable_params=9_754,
            total_params=15_072,
            window=WINDOW,
            pretraining=_FIRST_STAGE,
        ),
    },
)
def tl_classifier(*, n_classes: int, hidden: tuple[int, int], stage: int = 2, **options: Any) -> TlClassifier | Cnn1d:
    """The classifier on blocks with random weights, or with ``stage`` 1 the network whose blocks it takes over."""
    if stage == 1:
        return Cnn1d(n_classes=n_classes, **options)
    return TlClassifier(n_classes=n_classes, hidden=hidden, **options)
