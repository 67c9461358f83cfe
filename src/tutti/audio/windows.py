"""How a recording of any length becomes the fixed windows a model sees."""

from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field


class WindowPolicy(BaseModel):
    """Cuts recordings into windows; stored with the model and used in training, evaluation and serving alike.

    Attributes:
        length_s: Window length in seconds.
        hop_s: Distance between the starts of neighbouring windows in seconds.
        min_s: A recording shorter than this is refused.
        pad: What follows a recording that is shorter than one window: ``zero`` or ``repeat`` (it is looped).
        aggregation: How the windows' probabilities become the recording's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    length_s: float = Field(default=10.0, gt=0)
    hop_s: float = Field(default=10.0, gt=0)
    min_s: float = Field(default=0.1, gt=0)
    pad: Literal["zero", "repeat"] = "zero"
    aggregation: Literal["mean", "max"] = "mean"

    def length(self, sample_rate: int) -> int:
        """Samples in one window at ``sample_rate`` Hz."""
        return round(self.length_s * sample_rate)

    def starts(self, duration_s: float) -> list[float]:
        """Start of each window in seconds.

        The windows cover the whole recording: when they do not end together with it, the last one is moved back so
        that it does, and is therefore full. A recording no longer than one window has a single window, padded.
        """
        if duration_s <= self.length_s:
            return [0.0]
        count = int((duration_s - self.length_s) / self.hop_s + 1e-9) + 1
        starts = [index * self.hop_s for index in range(count)]
        if duration_s - (starts[-1] + self.length_s) > 1e-3:
            starts.append(duration_s - self.length_s)
        return starts

    def fit(self, samples: np.ndarray, sample_rate: int) -> np.ndarray:
        """Cuts or pads one window's samples to exactly the window length.

        Args:
            samples: float32 [..., n], at least one sample.
            sample_rate: Hz.

        Returns:
            float32 [..., length(sample_rate)].
        """
        wanted = self.length(sample_rate)
        have = samples.shape[-1]
        if have >= wanted:
            return samples[..., :wanted]
        if self.pad == "repeat":
            return np.take(samples, np.arange(wanted) % have, axis=-1)
        return np.pad(samples, [(0, 0)] * (samples.ndim - 1) + [(0, wanted - have)])

    def aggregate(self, probabilities: np.ndarray) -> np.ndarray:
        """The recording's probabilities from its windows', float [windows, classes] to float [classes]."""
        return probabilities.max(axis=0) if self.aggregation == "max" else probabilities.mean(axis=0)
