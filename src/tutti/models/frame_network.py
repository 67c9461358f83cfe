"""What the networks that answer for every MFCC frame share: windows, standardisation and transfer."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from typing_extensions import override

from tutti.audio.windows import WindowPolicy
from tutti.frontends.mfcc import MfccConfig
from tutti.models.network import Network, load_strictly

#: The front end of every preset, so that one set of features serves them all.
FRONT_END = MfccConfig()

#: Frames of a window: 23.7 s, and a multiple of the 32 frames that the published CNN takes together. Which instruments
#: sound is told far better from several seconds than from a frame.
WINDOW_FRAMES = 2048

_HOP_S = FRONT_END.hop_length / FRONT_END.sample_rate

#: A window of N frames is N - 1 hops long, from the centre of its first frame to that of its last; the next window
#: begins a hop later, so that windows share no frame and leave none out.
#: A shorter recording is looped, since silence would change what its frames are compared with.
WINDOW = WindowPolicy(length_s=(WINDOW_FRAMES - 1) * _HOP_S, hop_s=WINDOW_FRAMES * _HOP_S, pad="repeat")

_HEAD = "head."
_STATISTICS = ("mean", "deviation", "change")


class FrameNetwork(Network):
    """Base of the networks from MFCC frames [batch, frames, n_mfcc] to logits [batch, frames, n_classes].

    A subclass sets ``head``, and takes its input from `describe`.

    Args:
        spans: Reaches of the moving statistics that each frame is described by beside its coefficients, in frames; none
            as published.
        colour: In training every coefficient of a window is shifted by a random constant, of a normal distribution with
            this many standard deviations of the coefficient. A microphone or a room that colours the sound adds such
            a constant to the cepstrum. 0, as published, for none.
    """

    scales_input = True
    head: nn.Linear

    def __init__(self, *, spans: tuple[int, ...] = (), colour: float = 0.0) -> None:
        super().__init__()
        self.spans = spans
        self.colour = colour
        self.register_buffer("mean", torch.zeros(FRONT_END.n_mfcc))
        self.register_buffer("std", torch.ones(FRONT_END.n_mfcc))

    @override
    def set_scaler(self, mean: Tensor, std: Tensor) -> None:
        """Takes mean and standard deviation of each coefficient over the training frames, float [n_mfcc] each.

        A coefficient that never changes is only centred.
        """
        with torch.no_grad():
            self.get_buffer("mean").copy_(mean)
            self.get_buffer("std").copy_(torch.where(std > 0, std, 1.0))

    def standardise(self, features: Tensor) -> Tensor:
        """Features with the training frames' mean 0 and deviation 1; in training coloured, see ``colour``."""
        scaled = (features - self.get_buffer("mean")) / self.get_buffer("std")
        if self.training and self.colour:
            scaled = scaled + self.colour * torch.randn_like(scaled[:, :1])
        return scaled

    @property
    def kinds(self) -> int:
        """Numbers that `describe` gives for each coefficient."""
        return 1 + len(_STATISTICS) * len(self.spans)

    def describe(self, features: Tensor) -> Tensor:
        """Every frame's standardised coefficients and their moving statistics.

        Args:
            features: MFCC, float32 [batch, frames, n_mfcc].

        Returns:
            float32 [batch, frames, kinds, n_mfcc].
        """
        scaled = self.standardise(features)
        return torch.cat([scaled[:, :, None], *(moving_statistics(scaled, reach) for reach in self.spans)], dim=2)

    @override
    def transferable(self) -> dict[str, Tensor]:
        return {name: tensor for name, tensor in self.state_dict().items() if not name.startswith(_HEAD)}

    @override
    def load_transferable(self, state: Mapping[str, Tensor], *, where: str) -> None:
        """Takes over everything but the last layer, the scaler's constants included."""
        head = {name: tensor for name, tensor in self.state_dict().items() if name.startswith(_HEAD)}
        load_strictly(self, {**state, **head}, where=where)

    @override
    def last_layer(self) -> nn.Linear:
        return self.head


def moving_statistics(values: Tensor, reach: int) -> Tensor:
    """How each value behaves around every frame: its mean, its deviation and its mean change from frame to frame.

    Args:
        values: float [batch, frames, values].
        reach: Frames on either side that count; fewer at the window's ends.

    Returns:
        float [batch, frames, 3, values], in the order of `_STATISTICS`.
    """
    frames = values.shape[1]
    position = torch.arange(frames, device=values.device)
    first, end = (position - reach).clamp_min(0), (position + reach + 1).clamp_max(frames)
    change = torch.cat([torch.zeros_like(values[:, :1]), values.diff(dim=1).abs()], dim=1)
    stacked = torch.cat([values, values.square(), change], dim=2)
    summed = torch.nn.functional.pad(stacked.cumsum(dim=1), (0, 0, 1, 0))
    mean, square, change = ((summed[:, end] - summed[:, first]) / (end - first)[:, None]).chunk(3, dim=2)
    # Rounding can make the difference negative, and the slope of a root at 0 is infinite.
    deviation = (square - mean.square()).clamp_min(1e-4).sqrt()
    return torch.stack([mean, deviation, change], dim=2)
