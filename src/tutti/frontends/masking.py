"""SpecAugment's frequency and time masks, drawn from a given generator.

torchaudio's masking transforms draw from torch's global state only, which would tie a training run's numbers to
whatever else draws from it.
"""

import torch
from torch import Tensor


def mask_spectrogram(
    features: Tensor, *, freq_mask: int, time_mask: int, value: float, generator: torch.Generator
) -> Tensor:
    """Fills one band of bins and one span of frames of each spectrogram with ``value``.

    Args:
        features: float [batch, bins, frames].
        freq_mask: Widths are drawn uniformly from ``0 .. freq_mask - 1`` bins; 0 for no mask.
        time_mask: The same in frames.
        value: What stands in masked cells.
        generator: CPU generator; the draws are the same whatever device the features are on.

    Returns:
        float [batch, bins, frames]; the input is unchanged.

    References:
        Park et al., SpecAugment, Interspeech 2019.
    """
    batch, bins, frames = features.shape
    masked = (
        _spans(batch, bins, freq_mask, generator)[:, :, None] | _spans(batch, frames, time_mask, generator)[:, None]
    )
    return features.masked_fill(masked.to(features.device), value)


def _spans(batch: int, size: int, limit: int, generator: torch.Generator) -> Tensor:
    """One random span per row: bool [batch, size]."""
    if limit <= 0:
        return torch.zeros(batch, size, dtype=torch.bool)
    width = torch.randint(min(limit, size), (batch, 1), generator=generator)
    start = (torch.rand(batch, 1, generator=generator) * (size - width + 1)).long()
    position = torch.arange(size)
    return (position >= start) & (position < start + width)
