"""Convolutions over the 13 cepstral coefficients of a frame: which groups of instruments sound in it.

References:
    github.com/ofargally/instrument-classifier (2024). The network that was run there had the 32 randomly drawn frames
    of a mini-batch for channels, so that an answer depended on its batch mates. ``published`` is that network with 32
    consecutive frames of the window for channels; ``paper`` is the one that was described, which sees a frame alone.
"""

from torch import Tensor, nn

from tutti.models.frame_network import FRONT_END, WINDOW, WINDOW_FRAMES, FrameNetwork
from tutti.models.registry import Preset, register_model


class MfccCnn(FrameNetwork):
    """Two convolutions along the coefficients, each with ReLU and a maximum over neighbours, and a linear layer.

    The 13 coefficients become 11, 10, 8 and 7 numbers of every channel.

    Args:
        n_classes: Outputs.
        frames: Consecutive frames that are the input channels of one example; every one of them is answered for. It
            divides the window's frames.
        widths: Channels of the two convolutions; the second number is a multiple of ``frames``, each of which is
            decided from its share.
        spans: See `FrameNetwork`; every statistic is one more channel of each frame.
        colour: See `FrameNetwork`.
    """

    def __init__(
        self,
        *,
        n_classes: int,
        frames: int,
        widths: tuple[int, int],
        spans: tuple[int, ...] = (),
        colour: float = 0.0,
    ) -> None:
        super().__init__(spans=spans, colour=colour)
        first, second = widths
        self.frames = frames
        self.features = nn.Sequential(
            nn.Conv1d(frames * self.kinds, first, 3),
            nn.ReLU(),
            nn.MaxPool1d(2, stride=1),
            nn.Conv1d(first, second, 3),
            nn.ReLU(),
            nn.MaxPool1d(2, stride=1),
        )
        self.head = nn.Linear(second // frames * (FRONT_END.n_mfcc - 6), n_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Logits of every frame.

        Args:
            features: MFCC, float32 [batch, frames, 13].

        Returns:
            float32 [batch, frames, n_classes].
        """
        examples = self.describe(features).unflatten(1, (-1, self.frames))
        found = self.features(examples.flatten(2, 3).flatten(0, 1))
        return self.head(found.reshape(*features.shape[:2], -1))


_SHAPE = (WINDOW_FRAMES, FRONT_END.n_mfcc)


@register_model(
    "mfcc_cnn",
    family="network",
    task="musicnet-frames",
    system="musicnet-mfcc",
    summary="small convolutional network on the cepstrum of single frames",
    paper="github.com/ofargally/instrument-classifier, 2024",
    published={
        "hamming": "0.0835 (MusicNet test recordings, answers depend on batch mates)",
        "f1_macro_12": "0.137 (MusicNet test recordings, answers depend on batch mates)",
    },
    presets={
        "paper": Preset(
            front_end=FRONT_END,
            options={"frames": 1, "widths": (32, 64)},
            input_shape=_SHAPE,
            trainable_params=11_724,
            total_params=11_724,
            window=WINDOW,
        ),
        "published": Preset(
            front_end=FRONT_END,
            options={"frames": 32, "widths": (64, 32)},
            input_shape=_SHAPE,
            trainable_params=12_480,
            total_params=12_480,
            window=WINDOW,
        ),
        "mini": Preset(
            front_end=FRONT_END,
            options={"frames": 1, "widths": (32, 64), "spans": (64, 512, 2048), "colour": 0.2},
            input_shape=_SHAPE,
            trainable_params=12_588,
            total_params=12_588,
            window=WINDOW,
        ),
    },
)
def mfcc_cnn(
    *, n_classes: int, frames: int, widths: tuple[int, int], spans: tuple[int, ...] = (), colour: float = 0.0
) -> MfccCnn:
    """The network with random weights."""
    return MfccCnn(n_classes=n_classes, frames=frames, widths=widths, spans=spans, colour=colour)
