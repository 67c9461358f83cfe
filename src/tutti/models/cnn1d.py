"""The one-dimensional networks that tell four instruments by the raw stereo waveform, and which two of them were mixed.

Each block is a convolution without padding, ReLU, max pooling and, behind the pooling, batch normalisation. The best
published network is MyNet13; its predecessors differ in channels, kernels and pools only.

References:
    APS360 Musical Instrument Classification, University of Toronto course project, 2020. Its accuracies on validation
    were measured with dropout on and batch statistics; here evaluation runs in evaluation mode.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from tutti.audio.windows import WindowPolicy
from tutti.frontends.stereo_waveform import StereoWaveformConfig
from tutti.models.network import Network, load_strictly
from tutti.models.registry import Preset, register_model

PAPER = "APS360 Musical Instrument Classification, University of Toronto, 2020"
SYSTEM = "irmas-two-stage"

#: As long as the published decoder made IRMAS' three-second excerpts.
WINDOW = WindowPolicy(length_s=132299 / 44100, hop_s=132299 / 44100)

#: The front end of the small presets: 8 kHz for the same three seconds.
MINI_FRONT_END = StereoWaveformConfig(sample_rate=8000)
SAMPLES = {"paper": 132299, "mini": 24000}

_HEAD = ("fc1.weight", "fc1.bias")


def length_chain(samples: int, kernels: Sequence[int], pools: Sequence[int]) -> list[int]:
    """Length of the sequence behind each block.

    Args:
        samples: Samples of the input.
        kernels: Kernel size of each convolution.
        pools: Pooling factor of each block.

    Raises:
        ValueError: The input is too short for the blocks.
    """
    chain = []
    for kernel, pool in zip(kernels, pools, strict=True):
        samples = (samples - kernel + 1) // pool
        chain.append(samples)
    if chain[-1] < 1:
        raise ValueError(f"{len(kernels)} blocks leave nothing of the input: lengths {chain}")
    return chain


class ConvBlocks(nn.Module):
    """The blocks without a head, named conv1, bn1, conv2, ... as in the published weights.

    Args:
        channels: Output channels of each block.
        kernels: Kernel size of each convolution.
        pools: Pooling factor of each block.
    """

    def __init__(self, *, channels: Sequence[int], kernels: Sequence[int], pools: Sequence[int]) -> None:
        super().__init__()
        self.pools = tuple(pools)
        before = 2
        for number, (width, kernel) in enumerate(zip(channels, kernels, strict=True), start=1):
            self.add_module(f"conv{number}", nn.Conv1d(before, width, kernel))
            self.add_module(f"bn{number}", nn.BatchNorm1d(width))
            before = width

    def forward(self, features: Tensor) -> Tensor:
        """What the last block makes of waveforms, channel after channel.

        Args:
            features: float32 [batch, 2, samples].

        Returns:
            float32 [batch, channels * length].
        """
        x = features
        for number, pool in enumerate(self.pools, start=1):
            convolved = functional.relu(self.get_submodule(f"conv{number}")(x))
            x = self.get_submodule(f"bn{number}")(functional.max_pool1d(convolved, pool))
        return x.flatten(1)


class Cnn1d(ConvBlocks, Network):
    """The blocks under dropout and one linear layer.

    Args:
        n_classes: Outputs.
        samples: Samples of a window in each channel.
        channels: Output channels of each block.
        kernels: Kernel size of each convolution.
        pools: Pooling factor of each block.
        dropout: Dropout before the linear layer.
    """

    def __init__(
        self,
        *,
        n_classes: int,
        samples: int,
        channels: Sequence[int],
        kernels: Sequence[int],
        pools: Sequence[int],
        dropout: float,
    ) -> None:
        super().__init__(channels=channels, kernels=kernels, pools=pools)
        self.dropout = nn.Dropout(dropout)
        self.fc1 = nn.Linear(channels[-1] * length_chain(samples, kernels, pools)[-1], n_classes)

    @override
    def forward(self, features: Tensor) -> Tensor:
        """Logits from waveforms.

        Args:
            features: float32 [batch, 2, samples], each channel with a peak of 0.5.

        Returns:
            float32 [batch, n_classes].
        """
        return self.fc1(self.dropout(super().forward(features)))

    @override
    def transferable(self) -> dict[str, Tensor]:
        return {name: tensor for name, tensor in self.state_dict().items() if name not in _HEAD}

    @override
    def load_transferable(self, state: Mapping[str, Tensor], *, where: str) -> None:
        """Takes over the blocks, and the last layer when it is given and has the same shape."""
        own = self.state_dict()
        head = {name: own[name] for name in _HEAD}
        given = {name: state[name] for name in _HEAD if name in state and state[name].shape == own[name].shape}
        load_strictly(self, {**state, **head, **given}, where=where)

    @override
    def last_layer(self) -> nn.Linear:
        return self.fc1


#: MyNet13's blocks, and narrower ones for small machines.
MYNET13: dict[str, dict[str, Any]] = {
    "paper": {
        "channels": (64, 64, 64, 32, 16, 2),
        "kernels": (11, 9, 7, 5, 5, 5),
        "pools": (2, 2, 4, 4, 4, 4),
        "samples": SAMPLES["paper"],
    },
    "mini": {
        "channels": (8, 16, 16, 16, 8, 2),
        "kernels": (11, 9, 7, 5, 5, 5),
        "pools": (2, 2, 4, 4, 4, 4),
        "samples": SAMPLES["mini"],
    },
}


def _presets(paper: dict[str, Any], mini: dict[str, Any], params: tuple[int, int]) -> dict[str, Preset]:
    """Both presets from their options and their numbers of parameters, all of them trained."""
    return {
        name: Preset(
            front_end=front_end,
            options=options,
            input_shape=(2, SAMPLES[name]),
            trainable_params=count,
            total_params=count,
            window=WINDOW,
        )
        for name, front_end, options, count in (
            ("paper", StereoWaveformConfig(), paper, params[0]),
            ("mini", MINI_FRONT_END, mini, params[1]),
        )
    }


_STAGES = _presets({**MYNET13["paper"], "dropout": 0.3}, {**MYNET13["mini"], "dropout": 0.3}, params=(81_650, 5_498))


@register_model(
    "cnn1d_stage1",
    family="network",
    task="irmas-4",
    system=SYSTEM,
    summary="six convolutions on the stereo waveform (MyNet13), one of four instruments",
    paper=PAPER,
    published={
        "accuracy": "0.7066 (four IRMAS instruments, published test split)",
        "valid_accuracy": "0.7257 (published validation split, dropout on)",
    },
    presets=_STAGES,
)
def cnn1d_stage1(*, n_classes: int, **options: Any) -> Cnn1d:
    """MyNet13 for one of four instruments, with random weights."""
    return Cnn1d(n_classes=n_classes, **options)


@register_model(
    "cnn1d_stage2",
    family="network",
    task="irmas-pairs",
    system=SYSTEM,
    summary="six convolutions on the stereo waveform (MyNet13), two of four instruments",
    paper=PAPER,
    published={
        "label_accuracy": "0.6974 (pairs of four IRMAS instruments, published test split)",
        "exact_accuracy": "0.2220 (the same)",
        "valid_label_accuracy": "0.6905 (published validation split, dropout on)",
        "valid_exact_accuracy": "0.2243 (the same)",
    },
    presets=_STAGES,
)
def cnn1d_stage2(*, n_classes: int, **options: Any) -> Cnn1d:
    """MyNet13 for two of four instruments, with random weights."""
    return Cnn1d(n_classes=n_classes, **options)


#: Name, accuracy on the published validation split, channels, narrower channels, kernels, pools, dropout, and both
#: presets' numbers of parameters. The project tells the dropout of the first two only; the others get MyNet13's.
_EARLIER = (
    ("mynet7", 0.6580, (16, 32, 8, 2), (8, 16, 8, 2), (11, 9, 5, 5), (4, 4, 4, 4), 0.2, (10618, 2890)),
    ("mynet8", 0.6719, (16, 32, 8, 2), (8, 16, 8, 2), (11, 9, 5, 5), (4, 4, 4, 4), 0.3, (10618, 2890)),
    ("mynet9", 0.6667, (16, 32, 16, 8, 2), (8, 16, 8, 8, 2), (11, 9, 7, 5, 5), (2, 2, 4, 4, 4), 0.3, (13610, 3490)),
    ("mynet10", 0.7014, (16, 32, 16, 8, 2), (8, 16, 8, 8, 2), (11, 9, 7, 5, 5), (2, 4, 4, 4, 4), 0.3, (11546, 3114)),
    ("mynet11", 0.7118, (32, 64, 32, 16, 2), (8, 16, 16, 8, 2), (11, 9, 7, 5, 5), (2, 4, 4, 4, 4), 0.3, (38690, 4354)),
    ("mynet12", 0.7170, (64, 64, 64, 32, 2), (16, 16, 16, 8, 2), (11, 9, 7, 5, 5), (2, 4, 4, 4, 4), 0.3, (80242, 5706)),
)

for _name, _accuracy, _channels, _narrow, _kernels, _pools, _dropout, _params in _EARLIER:
    _shared = {"kernels": _kernels, "pools": _pools, "dropout": _dropout}
    register_model(
        _name,
        family="network",
        task="irmas-4",
        system=SYSTEM,
        summary=f"{len(_kernels)} convolutions on the stereo waveform, one of four instruments",
        paper=PAPER,
        published={"valid_accuracy": f"{_accuracy:.4f} (published validation split, dropout on)"},
        presets=_presets(
            {**_shared, "channels": _channels, "samples": SAMPLES["paper"]},
            {**_shared, "channels": _narrow, "samples": SAMPLES["mini"]},
            params=_params,
        ),
    )(Cnn1d)
